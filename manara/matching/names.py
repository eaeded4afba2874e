"""Names taken apart once, at ingest: parts in plain letters and in sounds, each with its family,
its skeleton and its rarity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from manara.matching.families import Families, families
from manara.matching.rarity import rarity
from manara.matching.readings import patronymic, second_readings
from manara.matching.script import abjad_letters, is_abjad, romanise, shown, words
from manara.matching.spelling import abjad_sounds, skeleton, sounds
from manara.matching.splitting import kinds, split_arabic, split_latin

MOST_PARTS = 12
"""Parts of a name that are compared: the rarest ones. It bounds the work for names of 200 words."""
LONGEST_WORD = 40
MINOR = {"abd": 0.12, "allah": 0.12, "din": 0.12, "abu": 0.15}
"""Weights of parts that belong to another part: servant of, God, of the faith, father of."""
_INITIAL = 0.1
_TITLE_AMONG_OTHERS, _TITLE_ALONE = 0.12, 0.4
_ENOUGH_OTHERS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of a name; compared by identity, for equal words are read once and shared."""

    text: str
    sound: str
    readings: tuple[tuple[str, str], ...]
    """Second readings, each as its sounds and its skeleton."""
    skeleton: str
    families: Families
    weight: float
    arabic: bool
    kind: str
    """name, minor, title or initial."""
    key: str
    """What the part is counted and blocked under: its first family, or ~ and its skeleton."""
    mark: str
    """Its text and its script, by which parts are put in order."""


class Name(NamedTuple):
    """A name as its parts, in an order that does not depend on how it was written."""

    written: str
    parts: tuple[Part, ...]
    key: str

    @property
    def keys(self) -> frozenset[str]:
        """Families and skeletons of its parts, to see quickly whether two names can be alike."""
        return frozenset(part.key for part in self.parts if part.kind != "initial")


@lru_cache(16_384)
def name(written: str) -> Name | None:
    """A name taken apart; None where nothing is left that could be compared."""
    found: list[Part] = []
    for word in words(written):
        found.extend(_parts(word[:LONGEST_WORD]))
    if len(found) > 1:
        found = _abd_allah(found)
    if not any(len(part.text) > 1 for part in found):
        return None
    found.sort(key=lambda part: (-part.weight, part.mark))
    del found[MOST_PARTS:]
    parts = tuple(_titles_weighed(found))
    return Name(
        written=written,
        parts=parts,
        key=" ".join(part.mark for part in parts),
    )


def _abd_allah(found: list[Part]) -> list[Part]:
    """The parts with Abd and Allah, written apart, as the one name they are."""
    if not {"abd", "allah"} <= {part.key for part in found}:
        return found
    kept = [part for part in found if part.key not in {"abd", "allah"}]
    return [*kept, part("abdullah", arabic=False)]


def _titles_weighed(found: list[Part]) -> list[Part]:
    """Titles weigh little where two other parts carry the name, more where one of them may be the name."""
    if not any(part.kind == "title" for part in found):
        return found
    others = sum(part.kind == "name" for part in found)
    return [_title(part, heavy=others < _ENOUGH_OTHERS) if part.kind == "title" else part for part in found]


@lru_cache(4096)
def _title(title: Part, *, heavy: bool) -> Part:
    weight = _TITLE_ALONE if heavy else _TITLE_AMONG_OTHERS
    return replace(title, weight=weight)


@lru_cache(65_536)
def _parts(word: str) -> tuple[Part, ...]:
    """The parts one written word holds: none for a particle, two for Abd-al-X, X-ullah and X-al-Din."""
    arabic = is_abjad(word)
    text = abjad_letters(word) if arabic else romanise(word)
    if not text or text + "~" * arabic in kinds()["particle"]:
        return ()
    pieces = split_arabic(text) if arabic else split_latin(text)
    return tuple(part(piece, arabic=arabic) for piece in pieces if piece)


@lru_cache(65_536)
def part(text: str, *, arabic: bool) -> Part:
    """One part from its romanised text, or its `abjad_letters`."""
    sound = abjad_sounds(text) if arabic else sounds(text)
    known = families(text, sound, arabic=arabic)
    title = text + "~" * arabic in kinds()["title"]
    bones = skeleton(sound)
    kind = "initial" if len(text) == 1 else "minor" if known and known[0] in MINOR else "title" if title else "name"
    if not known and not arabic and kind == "name":
        known = patronymic(text)
    key = known[0] if known else "~" + bones
    weight = _INITIAL if kind == "initial" else MINOR.get(key) or rarity(key)
    readings = second_readings(text, sound, arabic=arabic)
    return Part(
        shown(text) if arabic else text, sound, readings, bones, known, weight, arabic, kind, key, text + "~" * arabic
    )
