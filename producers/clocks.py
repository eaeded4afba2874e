"""The clocks of receipts: what each member must have answered by when, what it has answered, and what is outstanding.

Counted from the admission by log time (contract section 7): stored within 1 minute (FLASH), 5 minutes (IMMEDIATE), 30
minutes (PRIORITY), 4 hours (ROUTINE); a withdrawal is to be purged within 24 hours, with a warning after 15 minutes.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MINUTE: Final = 60 * 1_000_000
HOUR: Final = 60 * MINUTE
STORED_WITHIN: Final[Mapping[str, int]] = {
    "FLASH": MINUTE,
    "IMMEDIATE": 5 * MINUTE,
    "PRIORITY": 30 * MINUTE,
    "ROUTINE": 4 * HOUR,
}
_STRICTEST: Final = MINUTE  # for a precedence that this release does not know
PURGE_WARNING: Final = 15 * MINUTE
PURGED_WITHIN: Final = 24 * HOUR


class Mark(StrEnum):
    """How a member stands with one message."""

    DONE = "DONE"  # it has answered
    WAITING = "WAITING"  # outstanding, its clock still runs
    WARNING = "WARNING"  # a withdrawal not confirmed after 15 minutes
    OVERDUE = "OVERDUE"  # outstanding, past its clock
    SUPERSEDED = "SUPERSEDED"  # it need not answer any more: a later message about the alert is on its way to it
    EXPIRED = "EXPIRED"  # it need not answer any more: the alert has run out


OUTSTANDING: Final = frozenset({Mark.WAITING, Mark.WARNING, Mark.OVERDUE})


@dataclass(frozen=True, slots=True)
class Sent:
    """One admitted message: to whom (expected), and what they have signed: member to {stage: time}."""

    number: int
    alert_id: str
    version: int
    message: str
    precedence: str
    admitted_at: int
    expires_at: int
    expected: tuple[str, ...]
    answers: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Due:
    """What one member owes for one message: `stage` STORED or PURGED, until `due_at`; `since` admission."""

    number: int
    alert_id: str
    version: int
    message: str
    member: str
    stage: str
    since: int
    due_at: int
    at: int
    mark: Mark


def dues(messages: Iterable[Sent], now: int) -> list[Due]:
    """What every member owes for every message of ONE alert, by version and member. `now` is log time."""
    found: list[Due] = []
    ordered = sorted(messages, key=lambda sent: sent.version)
    for sent in ordered:
        # whoever had an earlier version gets the later one, or the notice that it is left out
        later = sent.version < ordered[-1].version
        members = sorted({*sent.expected, *sent.answers})
        found += [_due(sent, member, now, later=later) for member in members]
    return found


def _due(sent: Sent, member: str, now: int, *, later: bool) -> Due:
    stage = "PURGED" if sent.message == "WITHDRAW" else "STORED"
    span = PURGED_WITHIN if stage == "PURGED" else STORED_WITHIN.get(sent.precedence, _STRICTEST)
    at = sent.answers.get(member, {}).get(stage, 0)
    due_at = sent.admitted_at + span
    mark = Mark.DONE if at else _open_mark(sent, stage, due_at, now, later=later)
    return Due(
        sent.number, sent.alert_id, sent.version, sent.message, member, stage, sent.admitted_at, due_at, at, mark
    )


def _open_mark(sent: Sent, stage: str, due_at: int, now: int, *, later: bool) -> Mark:
    if later:
        return Mark.SUPERSEDED
    if stage == "STORED" and 0 < sent.expires_at <= now:
        return Mark.EXPIRED
    if now > due_at:
        return Mark.OVERDUE
    warned = stage == "PURGED" and now > sent.admitted_at + PURGE_WARNING
    return Mark.WARNING if warned else Mark.WAITING
