"""Sounds of a romanised word: one letter a sound, whichever country's spelling wrote it, and its consonant skeleton."""

from __future__ import annotations

import re
from functools import lru_cache

from manara.matching.tables import rows

VOWELS = frozenset("aeiou")
_SOFT_C = re.compile("c(?=[eiy])")
_SILENT_H = re.compile("h(?=[^aeiou]|$)")
_OPEN = frozenset("aei")
_LOOSE = str.maketrans(
    {"q": "k", "G": "k", "g": "k", "J": "S", "c": "s", "z": "s", "p": "b", "t": "d", "f": "v"}
    | dict.fromkeys("aeiouywhX", "")
)


@lru_cache(1)
def _spellings() -> tuple[re.Pattern[str], dict[str, str]]:
    """One pattern of all spellings, the longest first, and the sound of each."""
    sounds = {spelling: sound for sound, spellings in rows("sounds.tsv") for spelling in spellings.split()}
    return re.compile("|".join(sorted(sounds, key=len, reverse=True))), sounds


@lru_cache(65_536)
def sounds(word: str) -> str:
    """The sounds of a word of letters a to z; silent h, doubled letters and the spelling of vowels are evened out."""
    pattern, table = _spellings()
    text = pattern.sub(lambda found: table[found[0]], word)
    if "c" in word:
        text = _SOFT_C.sub("s", text).replace("c", "k")
    text = text.replace("x", "X").replace("j", "J")
    if "h" in text[1:]:
        text = _SILENT_H.sub("", text)
    text = text.replace("y", "i")
    if text[:1] == "u" and text[1:2] in _OPEN:
        text = "w" + text[1:]
    return _single(text)


def abjad_sounds(letters: str) -> str:
    """The sounds of a word of `abjad_letters`: waw and ya stay as w and y, for they may be vowels or consonants."""
    return _single(letters)


def skeleton(text: str) -> str:
    """The consonants of sounds in wide classes: what stays alike through nearly every spelling and script;
    h and w fall out.
    """
    return _single(text.translate(_LOOSE)) or "a"


def _single(text: str) -> str:
    """Doubled letters made single; quicker than a pattern, for most words have none."""
    kept = text[:1]
    for letter in text[1:]:
        if letter != kept[-1]:
            kept += letter
    return kept
