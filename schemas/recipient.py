"""What a recipient holds of one alert, whatever the order and repeats in which messages reached it: a pure function.

Feeds are compacted, edges restart, the hub may send again, and after a lost race a message may come late. So what a
recipient holds is a join of all that has reached it: commutative, associative and idempotent. Two edges that got the
same messages hold the same, and none of them needs to know what it missed.

    an end (FULFIL, CANCEL, WITHDRAW)     final: it stands above every living message, and WITHDRAW above the others
    the highest version                   stands above the lower ones
    NO_LONGER_ADDRESSED of a version      stands above the message of the same version: when in doubt, do not act

Expiry and review are no messages: they are predicates over log time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

LEAVING: Final = "NO_LONGER_ADDRESSED"
"""The hub's notice. Its version is the one that left the member out; it is not a version of the alert."""

HeldState: TypeAlias = Literal["ACTIVE", "SUSPENDED", "FULFILLED", "CANCELLED", "WITHDRAWN", "LEFT_OUT"]

STATES: Final[Mapping[str, HeldState]] = MappingProxyType(
    {
        "ALERT": "ACTIVE",
        "UPDATE": "ACTIVE",
        "EXTEND": "ACTIVE",
        "RESUME": "ACTIVE",
        "SUSPEND": "SUSPENDED",
        LEAVING: "LEFT_OUT",
        "FULFIL": "FULFILLED",
        "CANCEL": "CANCELLED",
        "WITHDRAW": "WITHDRAWN",
    }
)
"""The state that each message leaves the alert in: living ones are full snapshots, so the deciding one says it all.

A message that this version does not know means SUSPENDED: nobody acts on what is not understood.
"""

_ENDS: Final = ("FULFIL", "CANCEL", "WITHDRAW")  # the later of them stands above the earlier
_SAME_VERSION: Final = ("ALERT", "RESUME", "EXTEND", "UPDATE", "SUSPEND")  # an author that says two: the stricter


class Incoming(NamedTuple):
    """One message that reached a recipient. `digest` is that of the signed message; of a notice it is not kept."""

    version: int
    message: str
    digest: str
    kind: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a recipient holds of one alert.

    `versions` maps the version of each author's message to its digest, ends included. `latest` and `message` are
    version and type of the message that decides the state. `purge`: the author has withdrawn the alert, so the content
    of every version must go, also of one that comes later.
    """

    kind: str
    versions: Mapping[int, str]
    latest: int
    message: str
    state: HeldState
    purge: bool

    @property
    def acting(self) -> bool:
        """Whether it may be acted on, expiry apart."""
        return self.state == "ACTIVE"

    @property
    def ended(self) -> bool:
        """Whether its author has ended it: nothing that comes later makes it live again."""
        return self.message in _ENDS


def apply(held: Held | None, incoming: Incoming) -> Held:
    """What is held after one more message; the same object where nothing changes."""
    found = _alone(incoming)
    if held is None:
        return found
    after = join(held, found)
    return held if after == held else after


def join(one: Held, other: Held) -> Held:
    """What is held by whoever got the messages of both."""
    above = max(one, other, key=_rank)
    digests = dict(one.versions)
    for version, digest in other.versions.items():
        digests[version] = max(digest, digests.get(version, ""))
    return Held(
        kind=max(one.kind, other.kind),
        versions=digests,
        latest=above.latest,
        message=above.message,
        state=above.state,
        purge=one.purge or other.purge,
    )


def replay(messages: Iterable[Incoming]) -> Held | None:
    """What is held after these messages, in any order; None if there are none."""
    held: Held | None = None
    for incoming in messages:
        held = apply(held, incoming)
    return held


def expired(expires_at: int, log_time: int) -> bool:
    """Whether an alert has run out at this time of the log (both microseconds, UTC); the moment itself is out."""
    return expires_at <= log_time


def review_due(review_at: int, log_time: int) -> bool:
    """Whether the author's review is due at this time of the log; an alert without a date (0) is never due."""
    return 0 < review_at <= log_time


def _alone(incoming: Incoming) -> Held:
    message = incoming.message
    return Held(
        kind=incoming.kind,
        versions={} if message == LEAVING else {incoming.version: incoming.digest},
        latest=incoming.version,
        message=message,
        state=STATES.get(message, "SUSPENDED"),
        purge=message == "WITHDRAW",
    )


def _rank(held: Held) -> tuple[int, int, bool, int, str]:
    """A total order of deciding messages."""
    message = held.message
    end = _ENDS.index(message) + 1 if message in _ENDS else 0
    strict = _SAME_VERSION.index(message) if message in _SAME_VERSION else len(_SAME_VERSION)
    return end, held.latest, message == LEAVING, strict, message
