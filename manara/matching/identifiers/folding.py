"""Folding: what scripts, keyboards and fonts do to a number is undone before it is judged."""

from __future__ import annotations

import unicodedata
from typing import Final

from manara.matching.identifiers.model import LONGEST

CYRILLIC: Final = str.maketrans("АВЕКМНОРСТУХІЈЅ", "ABEKMHOPCTYXIJS")
"""Cyrillic capitals that look like Latin ones; plates of Russia use the first twelve alone (GOST R 50577)."""
GREEK: Final = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX")
ARABIC: Final = str.maketrans(
    {"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ی": "ي", "ى": "ي", "ک": "ك", "ة": "ه", "ہ": "ه", "ھ": "ه", "ـ": None}
)
"""One letter for the shapes that Arabic, Persian and Urdu keyboards give the same letter; no tatweel."""


def plain(raw: str) -> str:
    """The text composed (NFKC), no marks of direction or joining, its digits ASCII; 256 characters are looked at."""
    if raw.isascii():
        return "".join(c for c in raw[:LONGEST] if c.isprintable()).strip()
    visible = "".join(c for c in raw[:LONGEST] if unicodedata.category(c) not in _INVISIBLE)
    composed = unicodedata.normalize("NFKC", visible)[:LONGEST]
    return "".join(map(_digit, composed)).strip()


_INVISIBLE: Final = frozenset({"Cf", "Cc", "Cs", "Co", "Cn"})


def _digit(character: str) -> str:
    """The ASCII digit for a digit of any script; every other character as it is."""
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def latin(raw: str) -> str:
    """Capital Latin letters and digits alone: look-alikes folded, accents dropped, everything else left out."""
    capital = plain(raw).upper()
    if not capital.isascii():
        apart = unicodedata.normalize("NFKD", capital).upper()
        capital = apart.translate(CYRILLIC).translate(GREEK)
    return "".join(c for c in capital if c.isascii() and c.isalnum())[:_LONGEST_CODE]


_LONGEST_CODE: Final = 64
"""An IBAN has at most 34 characters, no other code more."""


def digits(raw: str) -> str:
    """The ASCII digits of a text, whatever stands between them."""
    return "".join(c for c in plain(raw) if c.isascii() and c.isdigit())[:_LONGEST_CODE]


def as_digits(text: str) -> str:
    """Letters that are read as digits where only digits can stand: O and Q as 0, I and L as 1."""
    return text.translate(_READ_AS_DIGITS)


def as_letters(text: str) -> str:
    """Digits that are read as letters where only letters can stand: 0 as O, 1 as I."""
    return text.translate(_READ_AS_LETTERS)


_READ_AS_DIGITS: Final = str.maketrans("OQIL", "0011")
_READ_AS_LETTERS: Final = str.maketrans("01", "OI")
