"""Links: what the hub says about one of our alerts and one of another state, and what we answer. Pure.

The state of a link is a fold over the hub's notices and our own answers as a set: in whatever order they reach us, and
however often, it is the same. The hub's words are ordered by the hub's own time and their place on our topic; an answer
belongs to the offer that it answered. An offer that comes again with the same evidence is the same offer; with other
evidence, or after an end, it opens the link anew. What we declined stays declined for the same evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

MINUTE: Final = 60 * 1_000_000
HOUR: Final = 60 * MINUTE
ACKNOWLEDGE_URGENT: Final = 10 * MINUTE
ACKNOWLEDGE_ROUTINE: Final = HOUR
ANSWER_WITHIN: Final = 12 * HOUR
URGENT: Final = frozenset({"FLASH", "IMMEDIATE", ""})
"""Precedences of our own alert that make a link urgent; "" where the alert is not known here: the stricter clock."""
MATCH: Final = "MATCH_"
"""How the types of the hub's notices about links begin."""


class State(StrEnum):
    """How far a link has come, from our side."""

    OFFERED = "OFFERED"  # nobody here has looked at it
    ACKNOWLEDGED = "ACKNOWLEDGED"  # somebody here is at work on it
    ACCEPTED = "ACCEPTED"  # by us; the other side has not answered
    AGREED = "AGREED"  # by both: each knows the other's name and reference
    DECLINED = "DECLINED"  # by us or by the other side
    ENDED = "ENDED"  # one of the alerts has ended, or they no longer match


OPEN: Final = frozenset({State.OFFERED, State.ACKNOWLEDGED})
"""States in which the link waits for us."""
LIVING: Final = OPEN | {State.ACCEPTED, State.AGREED}


class Says(StrEnum):
    """What we may say about a link."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"


_MORE: Final = {Says.ACKNOWLEDGED: 0, Says.ACCEPTED: 1, Says.DECLINED: 2}
_FROM: Final[Mapping[Says, frozenset[State]]] = {
    Says.ACKNOWLEDGED: frozenset({State.OFFERED}),
    Says.ACCEPTED: OPEN,
    Says.DECLINED: LIVING,  # also what both have accepted: a mistaken identity may be found later
}
_TELLING: Final = frozenset({"MATCH_OFFERED", "MATCH_AGREED", "MATCH_DECLINED", "MATCH_ENDED"})
"""Notices that say how a link stands; MATCH_REFUSED is about an answer of ours, and changes nothing."""


@dataclass(frozen=True, slots=True, order=True)
class Other:
    """Another side; all "" while it is unnamed."""

    agency: str = ""
    member: str = ""
    alert: str = ""
    reference: str = ""

    @property
    def named(self) -> bool:
        """Whether we know who it is."""
        return bool(self.agency or self.member)


@dataclass(frozen=True, slots=True, order=True)
class Word:
    """One notice of the hub about one link: the hub's time, and its offset on our topic, which orders those of one
    millisecond. Kinds of evidence are sorted.
    """

    at: int
    place: int
    type: str
    alert_id: str
    version: int
    kind: str
    band: str
    evidence: tuple[str, ...]
    other: Other = Other()

    @classmethod
    def of(cls, notice: Mapping[str, Any], place: int) -> Self:
        """The notice as it was signed, at this offset."""
        other = Other(*(notice[f"other_{name}"] for name in ("agency", "member", "alert", "reference")))
        about = notice["alert_id"], notice["version"], notice["kind"]
        return cls(
            notice["at"], place, notice["type"], *about, notice["band"], tuple(sorted(set(notice["evidence"]))), other
        )


@dataclass(frozen=True, slots=True, order=True)
class Own:
    """One answer of ours, to the offer of this time and evidence. `at` is our own clock's."""

    answer: Says
    offered_at: int
    band: str
    evidence: tuple[str, ...]
    at: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """One link as it stands. Times in microseconds, 0 for "not yet"; `offered_at` is when the present offer was first
    made, `answer` our last one to it. `others` are the sides that we know, sorted: none while they are unnamed, several
    of a pattern of money. `declined_by` is "us", "the other side" or "". The evidence is kinds of it, never content.
    """

    link_id: str
    alert_id: str
    version: int
    kind: str
    band: str
    evidence: tuple[str, ...]
    offered_at: int
    state: State = State.OFFERED
    others: tuple[Other, ...] = ()
    acknowledged_at: int = 0
    answered_at: int = 0
    agreed_at: int = 0
    ended_at: int = 0
    answer: Says | None = None
    declined_by: str = ""
    reason: str = ""

    @property
    def members(self) -> tuple[str, ...]:
        """The members on the other sides, as far as we know them."""
        return tuple(sorted({other.member for other in self.others if other.member}))

    @property
    def open(self) -> bool:
        """Whether it waits for us."""
        return self.state in OPEN


def fold(link_id: str, words: Iterable[Word], answers: Iterable[Own] = ()) -> Link | None:
    """The link after all that was said about it; None where the hub has said nothing."""
    link: Link | None = None
    for word in sorted({word for word in words if word.type in _TELLING}):
        link = _heard(link_id, link, word)
    return None if link is None else _with_answers(link, set(answers))


def _heard(link_id: str, link: Link | None, word: Word) -> Link:
    """The link after one more word of the hub."""
    if link is None or _opens_anew(link, word):
        place = word.alert_id, word.version, word.kind
        link = Link(link_id, *place, word.band, word.evidence, word.at)
    others = {*link.others, word.other} if word.other.named else link.others
    link = replace(link, others=tuple(sorted(others)), version=max(link.version, word.version))
    match word.type:
        case "MATCH_OFFERED" if link.state is State.AGREED:  # what both have accepted is not asked again
            return replace(link, band=word.band, evidence=word.evidence)
        case "MATCH_AGREED":
            return replace(link, state=State.AGREED, agreed_at=link.agreed_at or word.at)
        case "MATCH_DECLINED":
            return replace(link, state=State.DECLINED, declined_by="the other side")
        case "MATCH_ENDED":
            return replace(link, state=State.ENDED, ended_at=word.at)
    return link


def _opens_anew(link: Link, word: Word) -> bool:
    if word.type == "MATCH_AGREED":
        return link.state is State.ENDED
    if word.type != "MATCH_OFFERED" or link.state is State.AGREED:
        return False
    changed = (word.band, word.evidence) != (link.band, link.evidence)
    return changed or link.state is State.ENDED


def _with_answers(link: Link, answers: set[Own]) -> Link:
    """The link with our answers to its present offer; a decline also counts that was given to the same evidence
    before.
    """
    mine = [own for own in answers if own.offered_at >= link.offered_at or _same_decline(link, own)]
    if not mine:
        return link
    first = min(own.at for own in mine)
    last = max(mine, key=lambda own: (_MORE[own.answer], -own.at, own.reason))
    answered = 0 if last.answer is Says.ACKNOWLEDGED else last.at
    link = replace(link, answer=last.answer, acknowledged_at=first, answered_at=answered)
    if link.state is State.ENDED:
        return link
    if last.answer is Says.DECLINED:
        return replace(link, state=State.DECLINED, declined_by="us", reason=last.reason)
    return replace(link, state=State(last.answer)) if link.state is State.OFFERED else link


def _same_decline(link: Link, own: Own) -> bool:
    same = (own.band, own.evidence) == (link.band, link.evidence)
    return own.answer is Says.DECLINED and same


def may(link: Link, says: Says) -> bool:
    """Whether this can be said of the link as it stands."""
    return link.state in _FROM[says]


@dataclass(frozen=True, slots=True)
class Clock:
    """What we owe for a link: `owes` is acknowledge or answer, until `due_at`; `done_at` 0 while it is owed."""

    owes: str
    due_at: int
    done_at: int

    def overdue(self, now: int) -> bool:
        """Whether it is owed and past its time, at log time `now`."""
        return not self.done_at and now > self.due_at


def clocks(link: Link, precedence: str) -> tuple[Clock, ...]:
    """The two clocks of a link that waits for us, by our own alert's precedence; none where nothing is owed."""
    if not link.open:
        return ()
    span = ACKNOWLEDGE_URGENT if precedence in URGENT else ACKNOWLEDGE_ROUTINE
    return (
        Clock("acknowledge", link.offered_at + span, link.acknowledged_at),
        Clock("answer", link.offered_at + ANSWER_WITHIN, 0),
    )


def overdue(link: Link, precedence: str, now: int) -> tuple[Clock, ...]:
    """The clocks that have run out."""
    return tuple(clock for clock in clocks(link, precedence) if clock.overdue(now))
