"""Telephone numbers and addresses of electronic mail.

Dial codes of countries: datasets/country-codes, kept in `manara/matching/data/dial_codes.csv`.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping
from importlib import resources
from typing import Final

from manara.matching.identifiers.folding import digits, plain
from manara.matching.identifiers.model import Identifier, bad, good, is_filler

_E164: Final = range(8, 16)
"""Digits of an international number with its country code (ITU-T E.164)."""
_STRONG: Final = 10
_LONGEST_PHONE: Final = 20
_LONGEST_DIAL: Final = 4
_NATIONAL_PART: Final = 7
_EXTENSION: Final = re.compile(r"(?:\bext|\bx|#|;|,|/|доб|внутр|داخلي)", re.IGNORECASE)
_TRUNK_IN_BRACKETS: Final = re.compile(r"\(0\)")
_FIXED_LENGTH: Final = {"1": 11, "7": 11}
"""Where national numbers may begin like the country code, only the length tells one from the other."""
_KEEP_ZERO: Final = frozenset({"IT", "SM", "VA", "CI", "CG", "BJ"})
"""Their first 0 is part of the number, not a trunk prefix."""
_TRUNK: Final = {"RU": "8", "KZ": "8", "UZ": "8", "TM": "8", "BY": "8", "TJ": "8", "US": "1", "CA": "1"}
_LONGEST_EMAIL: Final = 254
_EMAIL: Final = re.compile(r"[^\s@<>\"(),:;\[\]\\]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_]")
_LABEL: Final = re.compile(r"^(?:(?:mailto:|tel:)\s*)+", re.IGNORECASE)
_ROLES: Final = frozenset(
    {"info", "admin", "office", "contact", "mail", "sales", "support", "noreply", "no-reply", "postmaster", "webmaster"}
)  # fmt: skip


@functools.cache
def dial_codes() -> Mapping[str, tuple[str, ...]]:
    """The dial codes of each country, by alpha-2."""
    table = resources.files("manara.matching") / "data" / "dial_codes.csv"
    codes: dict[str, tuple[str, ...]] = {}
    for row in csv.DictReader(table.read_text("utf-8").splitlines()):
        codes[row["country"]] = (*codes.get(row["country"], ()), row["dial"])
    return codes


@functools.cache
def _all_codes() -> frozenset[str]:
    return frozenset(code for codes in dial_codes().values() for code in codes)


def phone(raw: str, country: str = "") -> Identifier:
    """A telephone number as E.164 (`+` and digits); one written nationally needs the country."""
    text = _LABEL.sub("", plain(raw))
    text = _TRUNK_IN_BRACKETS.sub("", _EXTENSION.split(text, maxsplit=1)[0])
    number = digits(text)[:_LONGEST_PHONE]
    if not number:
        return bad("phone", plain(raw), "no digits")
    whole = _international(text.lstrip(" ("), number, country)
    if not whole:
        return bad("phone", number, "neither a country code nor a country is given", country=country)
    if len(whole) not in _E164:
        return bad("phone", f"+{whole}", "an international number has 8 to 15 digits", country=country)
    if not any(whole.startswith(code) for code in _all_codes()):
        return bad("phone", f"+{whole}", "no country has this code", country=country)
    strong = len(whole) >= _STRONG and not is_filler(whole[-_NATIONAL_PART:])
    return good("phone", f"+{whole}", "country code known", country=country, strong=strong)


def _international(text: str, number: str, country: str) -> str:
    """The digits with country code, or "" where none is known."""
    if text.startswith("+"):
        return number
    if number.startswith("00"):
        return number[2:]
    code = next(iter(dial_codes().get(country, ())), "")
    if not code:
        return ""
    if _has_code(number, code):
        return number
    trunk = _TRUNK.get(country, "0")
    if number.startswith(trunk) and country not in _KEEP_ZERO and len(number) > _NATIONAL_PART:
        number = number[1:]
    return (code + number)[:_LONGEST_PHONE]


def _has_code(number: str, code: str) -> bool:
    """Whether a number without `+` already begins with its country code."""
    if not number.startswith(code):
        return False
    fixed = _FIXED_LENGTH.get(code[0])
    return len(number) == fixed if fixed else len(number) >= max(_STRONG, len(code) + _NATIONAL_PART)


def email(raw: str) -> Identifier:
    """An address of electronic mail, in lower case; addresses of an office do not stand alone."""
    text = plain(raw).lower()
    text = _LABEL.sub("", text[text.rfind("<") + 1 :])[:_LONGEST_EMAIL].strip(". >")
    if not _EMAIL.fullmatch(text):
        return bad("email", text, "one @ and a domain make an address")
    local = text.split("@", 1)[0]
    if local in _ROLES:
        return good("email", text, "the address of an office", strong=False)
    return good("email", text, "well-formed")
