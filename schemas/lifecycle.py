"""The life of an alert: what each message of its author does to the one register entry, as a pure function.

    ALERT -> ACTIVE (-> UPDATE, EXTEND: ACTIVE, version + 1) <-> SUSPENDED
    ACTIVE | SUSPENDED -> FULFILLED | CANCELLED | WITHDRAWN

Expiry and review are no messages: they are judged from the record's times against log time. An alert that has run out
takes no living message any more, but it can always be ended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from schemas.models import AlertHeader, RegisterEntry, State
from schemas.reasons import Reason

OFFERED: Final[frozenset[str]] = frozenset(
    {"ALERT", "UPDATE", "EXTEND", "SUSPEND", "RESUME", "CANCEL", "WITHDRAW", "FULFIL"}
)
"""The messages that this version of the network takes; the others are refused after everything else about them."""

LIVING: Final[frozenset[State]] = frozenset({"ACTIVE", "SUSPENDED"})
ENDS: Final[Mapping[str, State]] = MappingProxyType(
    {"FULFIL": "FULFILLED", "CANCEL": "CANCELLED", "WITHDRAW": "WITHDRAWN"}
)

MAX_VERSIONS: Final = 1_000
"""Living versions of one alert. The register keeps the digest of each; without a bound an agency's loop would make an
entry that no topic takes. Then it can only be ended: open another one and refer to it."""

NEXT: Final[Mapping[tuple[State, str], State]] = MappingProxyType(
    {
        ("ACTIVE", "UPDATE"): "ACTIVE",
        ("ACTIVE", "EXTEND"): "ACTIVE",
        ("ACTIVE", "SUSPEND"): "SUSPENDED",
        ("SUSPENDED", "RESUME"): "ACTIVE",
        **{(state, message): end for state in LIVING for message, end in ENDS.items()},
    }
)
"""(state, message) to the state after it; what is not here is forbidden."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What a message does. `reason` is "" where it is admitted.

    `entry` is the register entry afterwards: the old one, unchanged, where the message is refused or comes `again`.
    The gate adds the members that it reaches and the offset.
    """

    outcome: Literal["ADMITTED", "REFUSED"]
    again: bool
    reason: str
    entry: RegisterEntry | None


def transition(
    entry: RegisterEntry | None,
    header: AlertHeader,
    kind: str,
    digest: str,
    partition: int,
    *,
    at: int | None = None,
    offered: Collection[str] = OFFERED,
) -> Transition:
    """What this message of the entry's own author does to the entry of its identity (None: there is none).

    `at` is log time: by then the known version must not have expired, unless the message is an end; None leaves that
    out.
    An admitted message that comes again is admitted again, whatever followed it and whatever else is wrong by now: so
    ask this before the publication rules. Otherwise refusals are said in this order: UNKNOWN_ALERT, WRONG_PARTITION,
    EQUIVOCATION, STALE_VERSION, the rules about messages, EXPIRED.
    """
    if entry is None:
        reason = _refusal_of_first(header, offered)
    elif digest in entry["digests"]:
        return Transition("ADMITTED", again=True, reason="", entry=entry)
    else:
        reason = _refusal_of_next(entry, header, kind, partition, offered) or _too_late(entry, header, at)
    if reason:
        return Transition("REFUSED", again=False, reason=reason, entry=entry)
    return Transition("ADMITTED", again=False, reason="", entry=_after(entry, header, kind, digest, partition))


def _refusal_of_first(header: AlertHeader, offered: Collection[str]) -> str:
    if header["message"] != "ALERT":
        return Reason.UNKNOWN_ALERT
    if header["version"] != 1:
        return Reason.STALE_VERSION
    return "" if "ALERT" in offered else "RULE_MESSAGE_NOT_OFFERED"


def _refusal_of_next(
    entry: RegisterEntry, header: AlertHeader, kind: str, partition: int, offered: Collection[str]
) -> str:
    if partition != entry["partition"]:
        return Reason.WRONG_PARTITION
    if 1 <= header["version"] <= entry["version"]:
        return Reason.EQUIVOCATION
    if header["version"] != entry["version"] + 1:
        return Reason.STALE_VERSION
    if kind != entry["kind"]:
        return "RULE_KIND_FIXED"
    if header["message"] not in offered:
        return "RULE_MESSAGE_NOT_OFFERED"
    if header["version"] > MAX_VERSIONS and header["message"] not in ENDS:
        return "RULE_TOO_MANY_VERSIONS"
    return "" if (entry["state"], header["message"]) in NEXT else "RULE_TRANSITION"


def _too_late(entry: RegisterEntry, header: AlertHeader, at: int | None) -> str:
    if at is None or header["message"] in ENDS or entry["expires_at"] > at:
        return ""
    return Reason.EXPIRED


def _after(entry: RegisterEntry | None, header: AlertHeader, kind: str, digest: str, partition: int) -> RegisterEntry:
    """The entry afterwards. An end brings no validity of its own: what was known of it stays."""
    return {
        "agency": header["agency"],
        "alert_id": header["alert_id"],
        "kind": kind,
        "state": "ACTIVE" if entry is None else NEXT[entry["state"], header["message"]],
        "version": header["version"],
        "partition": partition,
        "expires_at": entry["expires_at"] if entry and header["message"] in ENDS else header["expires_at"],
        "digests": [*(entry["digests"] if entry else ()), digest],
        "reached": list(entry["reached"]) if entry else [],
        "admitted_offset": entry["admitted_offset"] if entry else -1,
        "left": list(entry["left"]) if entry else [],
    }
