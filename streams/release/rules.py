"""What becomes of a match between its authors: offered, accepted by all, declined, ended. Pure.

A side learns of the other only that it exists, until all have accepted. Answers that do not fit are refused in words
that tell nothing of matches that are not the agency's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, cast

from schemas.models import Answer, Link, LinkSide, Notice, NoticeType, Release, ReleaseSide, SideAnswer
from schemas.notices import notice

DAY: Final = 86_400_000_000
RANK: Final = {"NONE": 0, "ACKNOWLEDGED": 1, "ACCEPTED": 2, "DECLINED": 3}
"""Each answer says more than the ones before it."""
OPEN: Final = frozenset({"OFFERED", "AGREED", "DECLINED"})
"""States in which answers are heard."""
UNKNOWN_MATCH: Final = "No match of this id is offered to you; see `manara links list`."


@dataclass(frozen=True, slots=True)
class Turn:
    """What follows from a link or an answer: the release as it is now, None if unchanged, and whom to tell what.

    `offered` counts on the quota of the release's `charged`; `held` says that it was used up.
    """

    release: Release | None = None
    notices: tuple[Notice, ...] = ()
    offered: bool = False
    held: bool = False
    again: bool = field(default=False)


# ---------------------------------------------------------------------- links


def linked(known: Release | None, link: Link, at: int, *, room: bool) -> Turn:
    """A link came. `room` says whether the quota of `charged(link)` allows an offer at log time `at`."""
    if link["class"] == "VALUE":
        return Turn()
    if link["state"] == "LIVE":
        return _live(known, link, at, room=room)
    return _ended(known, link, at) if known is not None else Turn()


def charged(link: Link) -> str:
    """Whose day's quota an offer goes on: the agency whose alert came last. Bait comes after what it fishes for."""
    return max(link["sides"], key=lambda side: (side["admitted_at"], side["agency"]))["agency"] if link["sides"] else ""


def unheld(known: Release, at: int) -> Turn:
    """A held release is offered after all: a new day has begun."""
    return _offer(known, at)


def terms(band: str, evidence: Iterable[str]) -> str:
    """Band and kinds of evidence as one text: what an offer rests on."""
    return " ".join((band, *sorted(evidence)))


def _live(known: Release | None, link: Link, at: int, *, room: bool) -> Turn:
    fresh = _fresh(link, at)
    if known is None:
        return _offer(fresh, at) if room else Turn({**fresh, "state": "HELD"}, held=True)
    kept = _kept(known, fresh)
    if terms(link["band"], link["evidence"]) in known["declined"]:
        return Turn({**kept, "state": "DECLINED"}) if kept != known else Turn()
    same = terms(known["band"], known["evidence"]) == terms(link["band"], link["evidence"])
    same = same and _agencies(known) == _agencies(fresh)
    if known["state"] in ("OFFERED", "AGREED", "HELD") and same:
        return Turn(kept) if kept != known else Turn()
    anew: Release = {**fresh, "declined": known["declined"]}
    return _offer(anew, at) if room else Turn({**anew, "state": "HELD"}, held=True)


def _fresh(link: Link, at: int) -> Release:
    sides = {side["agency"]: _side(side) for side in link["sides"]}
    return {
        "link_id": link["link_id"],
        "state": "OFFERED",
        "class": link["class"],
        "band": link["band"],
        "evidence": link["evidence"],
        "declined": [],
        "charged": charged(link),
        "day": at // DAY,
        "at": at,
        "sides": [sides[agency] for agency in sorted(sides)],
    }


def _side(side: LinkSide) -> ReleaseSide:
    return {
        "agency": side["agency"],
        "alert_id": side["alert_id"],
        "member": side["member"],
        "kind": side["kind"],
        "version": side["version"],
        "reference": side["reference"],
        "answer": "NONE",
        "reason": "",
        "answered_at": 0,
    }


def _kept(known: Release, fresh: Release) -> Release:
    """The known release with the versions and references of the sides as they are now."""
    now = {side["agency"]: side for side in fresh["sides"]}
    sides = [_renewed(side, now.get(side["agency"], side)) for side in known["sides"]]
    return {**known, "sides": sides}


def _renewed(side: ReleaseSide, now: ReleaseSide) -> ReleaseSide:
    return {**side, "alert_id": now["alert_id"], "version": now["version"], "reference": now["reference"]}


def _agencies(release: Release) -> list[str]:
    return [side["agency"] for side in release["sides"]]


def _offer(release: Release, at: int) -> Turn:
    made: Release = {**release, "state": "OFFERED", "at": at, "day": at // DAY}
    text = "Another member's alert may belong to this one. Acknowledge, look, and accept or decline."
    return Turn(made, _to_all(made, "MATCH_OFFERED", at, text), offered=True)


def _ended(known: Release, link: Link, at: int) -> Turn:
    if known["state"] == "ENDED":
        return Turn()
    made: Release = {**known, "state": "ENDED", "at": at}
    if known["state"] not in ("OFFERED", "AGREED"):
        return Turn(made)
    text = _WHY.get(link["ended"], "The match no longer holds.")
    return Turn(made, _to_all(made, "MATCH_ENDED", at, text))


_WHY: Final = {
    "SIDE_LEFT": "One of the alerts was ended or suspended.",
    "SIDE_CHANGED": "One of the alerts was changed, and the match no longer holds.",
    "EXPIRED": "One of the alerts has expired.",
    "RULES_CHANGED": "By the rules of now it is no match.",
}


# ---------------------------------------------------------------------- answers


def answered(known: Release | None, answer: Answer, at: int) -> Turn:
    """An agency's own, verified answer."""
    side = _side_of(known, answer["agency"])
    if known is None or side is None or known["state"] in ("HELD", "UNKNOWN"):
        return refused(answer, at, UNKNOWN_MATCH)
    if answer["at"] <= side["answered_at"]:
        return Turn(again=True)
    problem = _problem(known, side, answer)
    if problem:
        return refused(answer, at, problem, side)
    return _take(known, side, answer, at)


def refused(answer: Answer, at: int, text: str, side: ReleaseSide | None = None) -> Turn:
    """The answer has no effect; its agency is told why."""
    about = {"link_id": answer["link_id"], "alert_id": answer["alert_id"], "version": answer["version"]}
    kind = side["kind"] if side else ""
    return Turn(notices=(notice("MATCH_REFUSED", answer["agency"], at, text, kind=kind, **about),))


def _side_of(known: Release | None, agency: str) -> ReleaseSide | None:
    return next((side for side in known["sides"] if side["agency"] == agency), None) if known else None


def _problem(known: Release, side: ReleaseSide, answer: Answer) -> str:
    if known["state"] not in OPEN:
        return "The match has ended: there is nothing to answer."
    if answer["alert_id"] != side["alert_id"]:
        return "The match is about another alert of yours than the answer."
    if answer["answer"] not in RANK:
        return "The answer is none that this hub knows."
    if terms(answer["band"], answer["evidence"]) != terms(known["band"], known["evidence"]):
        return "The match has been offered with other evidence since: answer the newer offer."
    if RANK[answer["answer"]] <= RANK[side["answer"]]:
        return f"You have answered {side['answer']} before; an answer cannot be repeated or taken back."
    return ""


def _take(known: Release, side: ReleaseSide, answer: Answer, at: int) -> Turn:
    given = cast("SideAnswer", answer["answer"])
    reason = answer["reason"] if given == "DECLINED" and answer["reason"] != "UNKNOWN" else ""
    mine: ReleaseSide = {**side, "answer": given, "reason": reason, "answered_at": answer["at"]}
    made: Release = {**known, "sides": [mine if one is side else one for one in known["sides"]]}
    if given == "DECLINED":
        return _decline(made, reason, at)
    if known["state"] == "OFFERED" and all(one["answer"] == "ACCEPTED" for one in made["sides"]):
        made = {**made, "state": "AGREED", "at": at}
        return Turn(made, tuple(_introductions(made, at)))
    return Turn(made)


def _decline(made: Release, reason: str, at: int) -> Turn:
    first = made["state"] != "DECLINED"
    offer = terms(made["band"], made["evidence"])
    declined = made["declined"] if offer in made["declined"] else [*made["declined"], offer]
    made = {**made, "state": "DECLINED", "declined": declined, "at": at}
    text = f"One side declined the match{f': {reason}' if reason else ''}."
    return Turn(made, _to_all(made, "MATCH_DECLINED", at, text) if first else ())


# ---------------------------------------------------------------------- notices


def _to_all(release: Release, about: NoticeType, at: int, text: str) -> tuple[Notice, ...]:
    return tuple(_about(release, side, about, at, text) for side in release["sides"])


def _introductions(release: Release, at: int) -> Iterable[Notice]:
    """Each side learns of each other: agency, alert and reference. Content stays with its author."""
    text = "All sides accepted. Talk to the other agency; share content by an UPDATE of your alert."
    for side in release["sides"]:
        for other in release["sides"]:
            if other is not side:
                yield {
                    **_about(release, side, "MATCH_AGREED", at, text),
                    "other_agency": other["agency"],
                    "other_member": other["member"],
                    "other_alert": other["alert_id"],
                    "other_reference": other["reference"],
                }


def _about(release: Release, side: ReleaseSide, about: NoticeType, at: int, text: str) -> Notice:
    return notice(
        about,
        side["agency"],
        at,
        text,
        alert_id=side["alert_id"],
        version=side["version"],
        kind=side["kind"],
        link_id=release["link_id"],
        band=release["band"],
        evidence=release["evidence"],
    )
