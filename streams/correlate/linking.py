"""Links as records: their ids, what they say while they hold, and what is left of them at their end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from schemas.models import Link, LinkClass, LinkEnd, LinkSide
from streams.correlate.scoring import Found

ID_LENGTH: Final = 32


def link_id(class_: LinkClass, parts: Iterable[str]) -> str:
    """The id of a link: of its class and what makes it this one and no other (identities, sorted)."""
    return sha256("\n".join((class_, *parts)).encode()).hexdigest()[:ID_LENGTH]


def pair_id(class_: LinkClass, one: str, other: str) -> str:
    """The id of a link between two alerts."""
    return link_id(class_, sorted((one, other)))


def pair(found: Found, sides: Sequence[LinkSide]) -> Link:
    """A link between two alerts. It says the same whichever came first, and whenever it is found."""
    ordered = sorted(sides, key=lambda side: (side["agency"], side["alert_id"]))
    id_ = pair_id(found.class_, *(identity(side) for side in ordered))
    at = max(side["admitted_at"] for side in ordered)
    return {
        **_blank(id_, found.class_, at),
        "score": round(found.score, 6),
        "band": found.band,
        "evidence": list(found.kinds),
        "words": list(found.words),
        "rules": list(found.rules),
        "sides": ordered,
    }


def ended(link: Link, why: LinkEnd, at: int) -> Link:
    """The link as it is kept after its end: no word of evidence is left."""
    return {**link, "state": "ENDED", "ended": why, "at": at, "words": [], "transfers": [], "token": ""}


def over(token: str, count: int, at: int) -> Link:
    """The record of a value that too many alerts hold."""
    blank = _blank(link_id("VALUE", (token,)), "VALUE", at)
    return {**blank, "state": "OVER_CORRELATING", "token": token, "count": count}


def identity(side: LinkSide) -> str:
    """The identity of a side's alert."""
    return f"{side['agency']}/{side['alert_id']}"


def _blank(id_: str, class_: LinkClass, at: int) -> Link:
    return {
        "link_id": id_,
        "class": class_,
        "state": "LIVE",
        "ended": "NONE",
        "at": at,
        "score": 0.0,
        "band": "",
        "evidence": [],
        "words": [],
        "rules": [],
        "sides": [],
        "transfers": [],
        "token": "",
        "count": 0,
    }
