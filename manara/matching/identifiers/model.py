"""What a judged identifier is, and the words its judgement is made of."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 256
"""Characters of a raw value that are looked at: no identifier of any kind is longer."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number that was normalised and judged.

    `value` is its one normal form (the text as folded, where it is no number of its kind); `valid` says whether it is
    built as its kind demands, check digits included; `reason` says it in words; `strong` whether it may join two alerts
    alone; `country` the state that numbers it, alpha-2, or "" where the number holds worldwide or the state is unknown.
    """

    kind: str
    value: str
    valid: bool
    reason: str
    strong: bool
    country: str = ""


def good(kind: str, value: str, reason: str, *, country: str = "", strong: bool = True) -> Identifier:
    """A valid identifier; `strong` unless said otherwise."""
    return Identifier(kind, value, valid=True, reason=reason, strong=strong, country=country)


def bad(kind: str, value: str, reason: str, *, country: str = "") -> Identifier:
    """An identifier that cannot be one of its kind: it joins nothing."""
    return Identifier(kind, value, valid=False, reason=reason, strong=False, country=country)


def is_filler(value: str) -> bool:
    """Whether the letters and digits of a value are what clerks type when they know none: 0000000, 123456789, XXXX."""
    plain = "".join(c for c in value if c.isalnum())
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(plain)}
    return len(set(plain)) < 2 or steps in ({1}, {-1}) or plain in _PLACEHOLDERS  # noqa: PLR2004


_PLACEHOLDERS: Final = frozenset({"1234567890", "0123456789", "UNKNOWN", "NONE", "NULL", "NA", "TEST"})
