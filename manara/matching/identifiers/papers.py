"""Numbers of documents and of persons in national registers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from manara.matching.identifiers import checks
from manara.matching.identifiers.folding import digits, latin, plain
from manara.matching.identifiers.model import Identifier, bad, good, is_filler

_MRZ: Final = re.compile(r"([A-Z0-9<]{9})([0-9])")
_MRZ_FIELD: Final = 9
_SHORTEST: Final = 6
_LONGEST: Final = 24
STANDS_WITHOUT_STATE: Final = 8
"""A number of letters and digits this long is hardly given by two states; one of digits alone may be."""


def mrz_document_number(raw: str, country: str = "") -> Identifier:
    """The document number of a machine-readable zone (ICAO 9303), its check digit judged and left out.

    Nine characters and the check digit; a number without check digit is taken as it is and cannot be judged.
    """
    text = "".join(c for c in plain(raw).upper() if c == "<" or (c.isascii() and c.isalnum()))[:64]
    found = _MRZ.fullmatch(text) or _MRZ.fullmatch(text := text.replace("<", ""))
    if not found:
        return _unchecked("mrz_document_number", text, country)
    number = found.group(1).rstrip("<")
    if "<" in number or not number:
        return bad("mrz_document_number", number.replace("<", ""), "fillers stand at the end of the field only")
    if checks.mrz(found.group(1)) != found.group(2):
        return bad("mrz_document_number", number, "check digit wrong", country=country)
    strong = not is_filler(number) and len(number) >= _SHORTEST
    return good("mrz_document_number", number, "check digit right", country=country, strong=strong)


def document(kind: str) -> Callable[[str, str], Identifier]:
    """The judge of passports, identity cards and licences: letters and digits as printed, without check digit."""

    def judge(raw: str, country: str = "") -> Identifier:
        return _unchecked(kind, latin(raw), country)

    return judge


def _unchecked(kind: str, text: str, country: str) -> Identifier:
    """Strong where it is long enough for its state, or so long and mixed that no two states give it."""
    if not _SHORTEST - 1 <= len(text) <= _LONGEST or not any(c.isdigit() for c in text):
        return bad(kind, text, "no document has such a number", country=country)
    if is_filler(text) or len(text) < _SHORTEST:
        return good(kind, text, "too short or too plain to stand alone", country=country, strong=False)
    mixed = not text.isdigit() and len(text) >= STANDS_WITHOUT_STATE
    if not country and not mixed:
        return good(kind, text, "several states may give it: none is named", strong=False)
    return good(kind, text, "no check digit", country=country)


def national_number(raw: str, country: str = "") -> Identifier:
    """A number of a person in a national register; check digits are judged for AE, IR, KZ, SA and TR."""
    text = latin(raw)
    if not country:
        return _weak("national_number", text)
    rule = _NATIONAL.get(country)
    if rule is None:
        return _unchecked("national_number", text, country)
    number = digits(raw)
    if len(number) != rule[0] or is_filler(number):
        return bad("national_number", text, f"{country} has {rule[0]} digits", country=country)
    if not rule[1](number):
        return bad("national_number", number, "check digit wrong", country=country)
    return good("national_number", number, "check digit right", country=country)


def tax_number(raw: str, country: str = "") -> Identifier:
    """A number of a taxpayer: unique in its state alone."""
    text = latin(raw)
    return _unchecked("tax_number", text, country) if country else _weak("tax_number", text)


def _weak(kind: str, text: str) -> Identifier:
    if not any(c.isdigit() for c in text):
        return bad(kind, text, "no digits")
    return good(kind, text, "unique in its state alone, and none is named", strong=False)


def _turkish(number: str) -> bool:
    """T.C. kimlik numarası: the tenth from odd and even places, the eleventh from the sum of all before."""
    odd, even = sum(map(int, number[0:9:2])), sum(map(int, number[1:8:2]))
    tenth = (odd * 7 - even) % 10
    return number[0] != "0" and int(number[9]) == tenth and int(number[10]) == (odd + even + tenth) % 10


def _iranian(number: str) -> bool:
    """Kod-e melli: weights 10 to 2, modulo 11."""
    rest = checks.weighted(number[:9], tuple(range(10, 1, -1)), 11)
    return int(number[9]) == (rest if rest < 2 else 11 - rest)  # noqa: PLR2004


def _kazakh(number: str) -> bool:
    """IIN: weights 1 to 11 modulo 11; where that gives 10, weights 3 to 11, 1, 2."""
    first = checks.weighted(number[:11], tuple(range(1, 12)), 11)
    last = first if first < 10 else checks.weighted(number[:11], (*range(3, 12), 1, 2), 11)  # noqa: PLR2004
    return str(last) == number[11]


def _saudi(number: str) -> bool:
    """Citizens begin with 1, residents with 2; Luhn."""
    return number[0] in "12" and checks.luhn(number[:-1]) == number[-1]


def _emirati(number: str) -> bool:
    """784 and the year of birth first; Luhn."""
    return number.startswith("784") and checks.luhn(number[:-1]) == number[-1]


_NATIONAL: Final[Mapping[str, tuple[int, Callable[[str], bool]]]] = {
    "TR": (11, _turkish),
    "IR": (10, _iranian),
    "KZ": (12, _kazakh),
    "SA": (10, _saudi),
    "AE": (15, _emirati),
}
