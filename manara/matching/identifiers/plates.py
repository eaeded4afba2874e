"""Number plates in Arabic, Persian, Cyrillic and Latin letters."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from manara.matching.identifiers.folding import ARABIC, CYRILLIC, plain
from manara.matching.identifiers.model import Identifier, bad, good, is_filler

_LONGEST: Final = 16
_SHORTEST: Final = 4
_WORDS: Final = re.compile(r"ایران|إیران|الجزائر|المغرب|السعودية|الكويت|مصر|\bIRAN\b|\bKSA\b|\bEGYPT\b|\bUAE\b|الف")
"""Names of states that stand on the plate itself, and the Persian letter that is written out."""


def plate(raw: str, country: str = "") -> Identifier:
    """A plate: `<state>-<letters and digits>`, one letter for look-alikes, no separators; weak without its state.

    Cyrillic look-alikes become Latin (Russia and Kazakhstan allow no others), shapes of one Arabic letter become one.
    """
    text = _letters(_bare(plain(raw), country))
    value = f"{country}-{text}" if country else text
    if not any(c.isdigit() for c in text) or not _SHORTEST <= len(text) <= _LONGEST:
        return bad("plate", text, "four to sixteen letters and digits make a plate", country=country)
    if not country:
        return good("plate", value, "several states may have it: none is named", strong=False)
    strong = len(text) > _SHORTEST and not is_filler(text)
    return good("plate", value, "no check digit", country=country, strong=strong)


def _bare(text: str, country: str) -> str:
    """Without the state in front of a normal form, and without the state's name on the plate."""
    named = text[3:] if country and text.startswith(f"{country}-") and text[3:].isalnum() else text
    return _WORDS.sub(lambda word: "ا" if word.group() == "الف" else " ", named)


def _letters(text: str) -> str:
    apart = unicodedata.normalize("NFD", text.upper().translate(ARABIC))
    bare = "".join(c for c in apart if unicodedata.category(c) != "Mn")
    folded = unicodedata.normalize("NFC", bare).translate(ARABIC).translate(CYRILLIC)
    return "".join(c for c in folded if c.isalnum())[: _LONGEST * 2]
