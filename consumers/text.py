"""Text of strangers made safe for a terminal: nothing in it can move the cursor, colour the screen or turn other text
around.

Terminals differ in how they show right-to-left script, so such a text is isolated (FSI … PDI) from what stands beside
it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from rich.cells import cell_len, set_cell_size

FSI: Final = "\u2068"
PDI: Final = "\u2069"

_ALLOWED_FORMAT: Final = frozenset("\u200c\u200d")  # joiners that Persian and Indic words need
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})
_SPACES: Final = re.compile(r"\s+")
_FORBIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, limit: int = 200) -> str:
    """One line without control and formatting characters, at most `limit` cells wide."""
    spaced = _SPACES.sub(" ", text)
    kept = "".join(char for char in spaced if char in _ALLOWED_FORMAT or unicodedata.category(char) not in _FORBIDDEN)
    return shorten(_SPACES.sub(" ", kept).strip(), limit)


def shorten(text: str, width: int) -> str:
    """The text within so many cells, with … where something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…"


def safe(text: str, limit: int = 200) -> str:
    """`clean`, and isolated where it runs from right to left."""
    cleaned = clean(text, limit)
    if any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in cleaned):
        return f"{FSI}{cleaned}{PDI}"
    return cleaned
