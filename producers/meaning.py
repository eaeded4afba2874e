"""What a link's band, evidence and state mean, and what to do next: words for the person who decides. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from producers.linking import Link, Other, State

BANDS: Final[Mapping[str, str]] = {
    "STRONG": "strong: what matched is rarely shared by chance. It is still a match of records, not an identification",
    "PROBABLE": "probable: more speaks for it than against it, but others could match as well. Verify before you act",
    "POSSIBLE": "possible: something rare agrees and the rest is open. Most of these are chance; look at it, no more",
}
EVIDENCE: Final[Mapping[str, str]] = {
    "DOCUMENT_NUMBER": "both name the same number of a passport, identity card or other paper",
    "TAX_NUMBER": "both name the same tax number",
    "ACCOUNT_NUMBER": "both name the same bank account",
    "WALLET": "both name the same wallet",
    "PHONE": "both name the same telephone number",
    "EMAIL": "both name the same e-mail address",
    "VESSEL_NUMBER": "both name the same ship",
    "VEHICLE_NUMBER": "both name the same vehicle",
    "AIRCRAFT_NUMBER": "both name the same aircraft",
    "CONTAINER_NUMBER": "both name the same container",
    "DEVICE_NUMBER": "both name the same device",
    "OTHER_NUMBER": "both name the same number that only one person or thing has",
    "NAME": "the names agree as far as spelling and script allow, and are rare enough to say something",
    "BIRTH_DATE": "the dates of birth agree, or differ as slips of the pen do",
    "COUNTRY": "a state is common to both; that alone never makes a match",
    "ROAD": "both routes pass the same places in the same order, at times that fit",
}
_PATTERN: Final = "PATTERN_"
NEXT: Final[Mapping[State, str]] = {
    State.OFFERED: "Say that somebody is at work on it: `manara links acknowledge {id}`. Then accept or decline it.",
    State.ACKNOWLEDGED: "Compare with your file, then `manara links accept {id}` or "
    "`manara links decline {id} --reason ...`. Accepting tells the other side your name and reference, if it accepts "
    "too; it moves no content.",
    State.ACCEPTED: "Wait for the other side. Nothing of yours has been shown to it.",
    State.AGREED: "If it shall read your alert: `manara links share {id}` shows who would see what, and sends nothing "
    "without --send. If it proves to be another person: `manara links decline {id} --reason MISTAKEN_IDENTITY`.",
    State.DECLINED: "Nothing. It is not offered again for the same evidence.",
    State.ENDED: "Nothing. One of the alerts has ended, or they no longer match.",
}


def band(link: Link) -> str:
    """What the strength of the match means."""
    return BANDS.get(link.band, f"{link.band.lower() or 'not said'}: this release does not know what that means")


def evidence(kinds: Sequence[str]) -> list[str]:
    """What each kind of evidence means, in order."""
    return [_one(kind) for kind in kinds]


def _one(kind: str) -> str:
    if kind in EVIDENCE:
        return EVIDENCE[kind]
    words = kind.removeprefix(_PATTERN).replace("_", " ").lower()
    if kind.startswith(_PATTERN):
        return f"the transfers of several alerts together make a pattern of {words}"
    return f"the {words} agrees"


def next_step(link: Link) -> str:
    """What to do now."""
    return NEXT[link.state].format(id=link.link_id[:8])


def other_sides(link: Link) -> list[str]:
    """Who the other sides are, as far as we may know."""
    return [_side(other) for other in link.others] or ["not named until all sides have accepted"]


def _side(other: Other) -> str:
    parts = [other.agency or "an agency", f"({other.member})" if other.member else ""]
    parts += [f"alert {other.alert}" if other.alert else "", f"reference {other.reference}" if other.reference else ""]
    return " ".join(part for part in parts if part)
