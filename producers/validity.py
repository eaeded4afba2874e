# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""Expiry and review: no messages, but predicates over log time, and the warnings ahead of them.

Log time is the latest that the hub has shown this outbox (status records and heartbeats); our own clock counts only
before the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from producers.outbox import SAID, Outbox
from schemas.lifecycle import ENDS
from schemas.recipient import expired, review_due

DAY: Final = 86_400_000_000
LOG_TIME: Final = "log_time"
WARN_DAYS: Final[Mapping[str, int]] = {"WNT": 30, "SAN": 60, "TRF": 14, "STR": 14}
"""Days before expiry that the author is told, by category: what is decided slowly is told early."""
REVIEW_DAYS: Final = 7
"""Days before a review that the author is told."""
_OTHER_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class LogTime:
    """The time to judge by, microseconds; `by_hub` False where it is only our own clock's."""

    at: int
    by_hub: bool


@dataclass(frozen=True, slots=True)
class Validity:
    """How an alert stands against log time. `words` are "" where there is nothing to say."""

    expired: bool
    review_due: bool
    expires_soon: bool
    review_soon: bool
    words: str

    @property
    def warns(self) -> bool:
        """Whether the author has something to do about it: nothing is to be done about one that has expired."""
        return not self.expired and (self.review_due or self.expires_soon or self.review_soon)


@dataclass(frozen=True, slots=True)
class Warned:
    """A living alert that needs its author soon."""

    alert_id: str
    version: int
    kind: str
    national_ref: str
    expires_at: int
    review_at: int
    validity: Validity


def log_time(outbox: Outbox, own_clock: int) -> LogTime:
    """The latest log time known, else our own clock."""
    known = outbox.fact(LOG_TIME)
    return LogTime(own_clock, by_hub=False) if known is None else LogTime(int(known), by_hub=True)


def judge(category: str, message: str, expires_at: int, review_at: int, at: int) -> Validity:
    """How the latest version of an alert stands at log time `at`. An end has no validity of its own."""
    if message in ENDS:
        return Validity(expired=False, review_due=False, expires_soon=False, review_soon=False, words="")
    out, due = expired(expires_at, at), review_due(review_at, at)
    soon = not out and expires_at - at <= WARN_DAYS.get(category, _OTHER_DAYS) * DAY
    near = not due and 0 < review_at - at <= REVIEW_DAYS * DAY and not out
    words = [
        "expired" if out else "",
        f"expires within {_days(expires_at - at)}" if soon else "",
        "review is due" if due and not out else "",
        f"review within {_days(review_at - at)}" if near else "",
    ]
    return Validity(out, due and not out, soon, near, ", ".join(word for word in words if word))


def _days(span: int) -> str:
    days = max(1, -(-span // DAY))
    return f"{days} day" + ("" if days == 1 else "s")


def warnings(outbox: Outbox, at: int, most: int = 1000) -> list[Warned]:
    """Living alerts of ours that have a review due, or expire or come up for review soon; the nearest expiry first."""
    furthest = at + max(*WARN_DAYS.values(), _OTHER_DAYS) * DAY
    rows = outbox.db.execute(
        "select alert_id, max(version), kind, national_ref, category, message, expires_at, review_at from messages "
        f"where erased_at is null and {SAID} and alert_id in (select alert_id from messages where erased_at is null "
        "and (expires_at between ?1 and ?2 or review_at between 1 and ?3)) "
        "group by alert_id order by expires_at limit ?4",
        (at, furthest, at + REVIEW_DAYS * DAY, most),
    ).fetchall()
    found = []
    for alert_id, version, kind, reference, category, message, expires_at, review_at in rows:
        validity = judge(str(category), str(message), int(str(expires_at)), int(str(review_at)), at)
        if validity.warns:
            place = (str(alert_id), int(str(version)), str(kind), str(reference))
            found.append(Warned(*place, int(str(expires_at)), int(str(review_at)), validity))
    return found
