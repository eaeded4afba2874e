"""Sounds of a romanised word: one letter a sound, whichever country's spelling wrote it, and its consonant skeleton."""

from __future__ import annotations

import re
from functools import lru_cache

from manara.matching.tables import rows

VOWELS = frozenset("aeiou")
_DOUBLED = re.compile(r"(.)\1+")
_SOFT_C = re.compile("c(?=[eiy])")
_Y_BEFORE_VOWEL = re.compile("y(?=[aeou])")
_GLIDE_U = re.compile("^u(?=[aei])")
_LOOSE = str.maketrans(
    {"q": "k", "G": "k", "g": "k", "J": "S", "c": "s", "z": "s", "p": "b", "t": "d", "f": "v"}
    | dict.fromkeys("aeiouywhX", "")
)
_DROPPED_H = re.compile("h(?=[^aeiou]|$)")


@lru_cache(1)
def _spellings() -> tuple[re.Pattern[str], dict[str, str]]:
    """One pattern of all spellings, the longest first, and the sound of each."""
    sounds = {spelling: sound for sound, spellings in rows("sounds.tsv") for spelling in spellings.split()}
    return re.compile("|".join(sorted(sounds, key=len, reverse=True))), sounds


def sounds(word: str) -> str:
    """The sounds of a word of letters a to z; silent h, doubled letters and the spelling of vowels are evened out."""
    pattern, table = _spellings()
    text = pattern.sub(lambda found: table[found[0]], word)
    text = _SOFT_C.sub("s", text).replace("c", "k") if "c" in word else text
    text = text.replace("x", "X").replace("j", "J")
    text = _DROPPED_H.sub("", text) if "h" in text[1:] else text
    text = _GLIDE_U.sub("w", _Y_BEFORE_VOWEL.sub("i", text).replace("y", "i"))
    return _DOUBLED.sub(r"\1", text)


def abjad_sounds(word: str) -> str:
    """The sounds of a word romanised from Arabic script: waw and ya stay as w and y, for they may be vowels or consonants."""
    pattern, table = _spellings()
    text = pattern.sub(lambda found: table[found[0]], word)
    return _DOUBLED.sub(r"\1", text.replace("j", "J").replace("x", "X"))


def skeleton(text: str) -> str:
    """The consonants of sounds in wide classes: what stays alike through nearly every spelling and script; h and w fall out."""
    return _DOUBLED.sub(r"\1", text.translate(_LOOSE)) or "a"
