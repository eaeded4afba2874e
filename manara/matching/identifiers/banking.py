"""IBANs of 127 states, also of those outside the SWIFT registry, and account numbers without check digits.

The structures are facts of the SWIFT IBAN registry, kept in `manara/matching/data/iban.csv` (country, length, pattern
of the part behind the check digits, whether the country stands in the registry).
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping
from importlib import resources
from typing import Final, NamedTuple

from manara.matching.identifiers import checks
from manara.matching.identifiers.folding import as_digits, latin
from manara.matching.identifiers.model import Identifier, bad, good, is_filler

_CHECKS: Final = range(2, 99)
"""Check digits that ISO 7064 can yield; 00, 01 and 99 leave the same remainder but are never issued."""
_SHORTEST_ACCOUNT: Final = 8
_FIRST_OF_BBAN: Final = 4
_PART: Final = re.compile(r"(\d+)!([anc])")
_LABEL: Final = re.compile(r"^(?:IBAN)+")
_CLASSES: Final = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}


class Structure(NamedTuple):
    """How the IBANs of a country are built."""

    length: int
    pattern: re.Pattern[str]
    numeric: tuple[int, ...]
    """Places behind the check digits where only digits stand."""
    registered: bool


def _structure(row: Mapping[str, str]) -> Structure:
    parts = [(int(count), kind) for count, kind in _PART.findall(row["bban"])]
    kinds = "".join(kind * count for count, kind in parts)
    pattern = re.compile("".join(f"{_CLASSES[kind]}{{{count}}}" for count, kind in parts))
    numeric = tuple(place for place, kind in enumerate(kinds) if kind == "n")
    return Structure(int(row["length"]), pattern, numeric, row["registry"] == "1")


@functools.cache
def structures() -> Mapping[str, Structure]:
    """The structure of every country's IBANs, by alpha-2."""
    table = resources.files("manara.matching") / "data" / "iban.csv"
    return {row["country"]: _structure(row) for row in csv.DictReader(table.read_text("utf-8").splitlines())}


def iban(raw: str) -> Identifier:
    """An IBAN (ISO 13616), whatever its spaces, digits, case and prefix."""
    text = _LABEL.sub("", latin(raw))
    state = text[:2]
    known = structures().get(state)
    if known is None:
        return bad("iban", text, f"no state numbers its accounts {state or 'so'}")
    text = _read(text, known)
    if len(text) != known.length:
        return bad("iban", text, f"{state} has {known.length} characters, not {len(text)}", country=state)
    if not known.pattern.fullmatch(text, _FIRST_OF_BBAN):
        return bad("iban", text, f"letters and digits stand not as {state} has them", country=state)
    if not text[2:4].isdigit() or int(text[2:4]) not in _CHECKS or checks.mod97(text) != 1:
        return bad("iban", text, "check digits wrong", country=state)
    where = "" if known.registered else f"; {state} is outside the SWIFT registry"
    return good("iban", text, f"length, structure and check digits right{where}", country=state)


def _read(text: str, known: Structure) -> str:
    """O and I as 0 and 1 where this country has digits only."""
    behind = list(text[_FIRST_OF_BBAN:])
    for place in known.numeric:
        if place < len(behind):
            behind[place] = behind[place].translate({ord("O"): "0", ord("I"): "1"})
    return text[:2] + as_digits(text[2:_FIRST_OF_BBAN]) + "".join(behind)


def account(raw: str, country: str = "") -> Identifier:
    """An account number: an IBAN where it is one, else strong only if long and numbered by a known state."""
    whole = iban(raw)
    if whole.valid:
        return whole
    text = latin(raw)
    if not any(c.isdigit() for c in text):
        return bad("account", text, "no digits", country=country)
    if len(text) < _SHORTEST_ACCOUNT or is_filler(text):
        return good("account", text, "too short or too plain to stand alone", country=country, strong=False)
    if not country:
        return good("account", text, "several states may have it: none is named", strong=False)
    return good("account", text, "no check digit", country=country)
