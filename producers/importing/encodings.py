"""Which encoding a table is in. A mark or valid UTF-8 settles it; the old one-byte encodings can only be told by how
their text reads.

Each candidate is scored by its words: letters of one script only, no capital after a small letter, accented Latin
letters beside plain
ones. Names are few and short, so the guess is said aloud and can be overruled.
"""

from __future__ import annotations

import codecs
import itertools
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

# In order of preference where two read equally well.
_CANDIDATES: Final = ("cp1252", "cp1254", "cp1251", "cp1256", "iso8859-6", "koi8-r", "cp866")
_NAMES: Final = {
    "cp1252": "Windows-1252 (Western European)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1256": "Windows-1256 (Arabic)",
    "iso8859-6": "ISO 8859-6 (Arabic)",
    "koi8-r": "KOI8-R (Cyrillic)",
    "cp866": "code page 866 (Cyrillic)",
    "latin-1": "ISO 8859-1 (Western European)",
}
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_WORD = re.compile(r"[^\W\d_]+")
_SAMPLE = 1 << 18
_TURKISH = re.compile("[ğĞşŞıİ]")  # where Western tables have letters of Icelandic
_LONG = 3


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding, and what was assumed in choosing it ("" where nothing had to be)."""

    name: str
    assumed: str = ""


def guess(data: bytes) -> Encoding:
    """The encoding of a whole file."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return Encoding(name)
    wide = _utf16_without_mark(data)
    if wide:
        return Encoding(wide, "taken as UTF-16 without its mark")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _one_byte(data[:_SAMPLE])
    return Encoding("utf-8")


def _utf16_without_mark(data: bytes) -> str:
    """ASCII in UTF-16 is every other byte zero, which no text in one-byte letters is."""
    sample = data[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    enough = len(sample) // 8
    if max(even, odd) <= enough or min(even, odd) > enough // 8:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _one_byte(data: bytes) -> Encoding:
    scores = {name: _score(data, name) for name in _CANDIDATES}
    best = max(scores, key=lambda name: scores[name])
    name = best if scores[best] > 0 else "latin-1"
    return Encoding(
        name,
        f"not UTF-8; taken as {_NAMES[name]} by how its words read; if names look wrong, say --encoding",
    )


def _score(data: bytes, name: str) -> float:
    """How well the words with letters beyond ASCII read, from 0 to 1; -1 if the bytes are none of this encoding."""
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        return -1
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    letters = sum(not letter.isascii() for word in words for letter in word)
    beyond = sum(byte > 0x7F for byte in data)  # noqa: PLR2004 - the end of ASCII
    good = sum(_reads(word, name) for word in words) / len(words) if words else 0.0
    return good * letters / beyond if beyond else 0.0


def _reads(word: str, name: str) -> float:
    scripts = {unicodedata.name(letter, "?").split(" ", 1)[0] for letter in word}
    if len(scripts) > 1:
        return 0.0
    if any(small.islower() and big.isupper() for small, big in itertools.pairwise(word)):
        return 0.0
    if scripts == {"LATIN"}:
        plain = sum(letter.isascii() for letter in word)
        turkish = bool(_TURKISH.search(word))
        icelandic = any(letter in "ðÐþÞýÝ" for letter in word)
        fits = 0.9 if (name == "cp1254") is turkish and not icelandic else 0.5
        return fits if plain * 2 >= len(word) or len(word) < _LONG else 0.1
    return 1.0
