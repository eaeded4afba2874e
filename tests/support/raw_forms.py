"""Raw forms of one number, as desks and scanners write it."""

from __future__ import annotations

from hypothesis import strategies as st

DIGITS = ("0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९")
"""Latin, Arabic-Indic, Persian, Devanagari."""
MARKS = ("\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069", "\u200c", "\ufeff")
"""Direction, isolation and joining: invisible."""
_BETWEEN = ("", "", "", " ", "-", "  ", *MARKS)


def messy(written: str) -> st.SearchStrategy[str]:
    """The same number with other digits, other case, blanks, dashes and invisible marks between its characters."""
    size = len(written)
    return st.builds(
        _mixed,
        st.just(written),
        st.lists(st.sampled_from(DIGITS), min_size=size, max_size=size),
        st.lists(st.sampled_from(_BETWEEN), min_size=size, max_size=size),
        st.booleans(),
    )


def _mixed(written: str, digits: list[str], between: list[str], small: bool) -> str:
    said = [script[int(char)] if char.isdigit() else char for char, script in zip(written, digits, strict=True)]
    said = [char + gap for char, gap in zip(said, between, strict=True)]
    text = "".join(said)
    return text.lower() if small else text
