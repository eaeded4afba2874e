"""Names of what is no person: ships, firms, places. Compared as romanised words, in any order, loosely. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rapidfuzz import fuzz

from manara.matching.script import is_abjad, romanise, words
from manara.matching.spelling import skeleton, sounds

MOST: Final = 16
"""Words of a name that are listed and compared."""
LONGEST: Final = 40
SHORTEST: Final = 3
"""Letters that a name must have: a single letter finds nothing."""
_BONES: Final = 2


def romanised(name: str) -> tuple[str, ...]:
    """The words of a name in the letters a to z, those of one letter left out."""
    read = (romanise(word[:LONGEST]) for word in words(name)[: 4 * MOST])
    return tuple(word for word in read if len(word) > 1)[:MOST]


def keys(name: str) -> tuple[str, ...]:
    """The search keys of a name: one a word, by its consonants where it has enough of them."""
    return tuple(dict.fromkeys(_keys(romanised(name))))


def _keys(read: tuple[str, ...]) -> Iterator[str]:
    if sum(map(len, read)) < SHORTEST:
        return
    for word in read:
        bones = skeleton(sounds(word))
        yield f"w:{bones}" if len(bones) >= _BONES else f"w={word}"


def code_key(code: str) -> str:
    """The search key of a place's code (LOCODE, IATA); "" where there is none."""
    text = "".join(code.split()).upper()
    return f"c:{text}" if len(text) >= SHORTEST and text.isascii() and text.isalnum() else ""


def likeness(asked: str, found: str) -> float:
    """How alike two names are, 0 to 1: the asked words among the found ones count nearly as much as equal names."""
    one, other = " ".join(romanised(asked)), " ".join(romanised(found))
    if min(len(one), len(other)) < SHORTEST:
        return 0.0
    whole = fuzz.token_sort_ratio(one, other) / 100
    among = fuzz.token_set_ratio(one, other) / 100
    heard = fuzz.token_sort_ratio(_bare(one), _bare(other)) / 100 if is_abjad(asked) != is_abjad(found) else 0.0
    return max(whole, _AMONG * among, _AMONG * heard)


def _bare(text: str) -> str:
    """The consonants of words: what Arabic script writes."""
    return " ".join(skeleton(sounds(word)) for word in text.split())


_AMONG: Final = 0.9
"""A name that is part of a longer one, or that sounds like one in another script, is less than the name itself."""
