"""How people write single values: dates, times, amounts, numbers, countries, names' scripts. Each function is pure and
raises ScalarError.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from producers import countries
from schemas import currencies

EMPTY: Final[dict[str, Any]] = {"string": "", "int": 0, "long": 0, "time": 0, "double": None, "boolean": False}
AMOUNTS: Final = {("Transfer", "amount"), ("Money", "amount")}
_COUNTRY_FIELDS: Final = {"country", "nationalities"}
_DATE_FIELDS: Final = {"date", "birth_date", "decided_on", "valid_until", "arrives", "departs", "start", "end"}
_UPPER_FIELDS: Final = {"currency", "member", "code"}
_END_OF_DAY: Final = {"expires_at"}  # who writes "until the 31st" means that the 31st still counts
_SURROGATE = re.compile("[\ud800-\udfff]")
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_FROM_NOW = re.compile(r"\+(\d{1,5}) ?([dhm])")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_BITS = {"int": 31, "long": 63}
_SCRIPTS = {
    "LATIN": "Latn",
    "ARABIC": "Arab",
    "CYRILLIC": "Cyrl",
    "GREEK": "Grek",
    "HEBREW": "Hebr",
    "ARMENIAN": "Armn",
    "GEORGIAN": "Geor",
    "DEVANAGARI": "Deva",
    "BENGALI": "Beng",
    "THAANA": "Thaa",
    "CJK": "Hani",
    "HANGUL": "Hang",
    "THAI": "Thai",
}
LOCODE_LENGTH, IATA_LENGTH = 5, 3


class ScalarError(ValueError):
    """A value that cannot be read as what its field is: the rule's id and what to write instead."""

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(remedy)
        self.rule = rule
        self.remedy = remedy


def read(kind: str, text: str, spot: tuple[str, str], now: int) -> Any:
    """A text as the Avro type `kind` ("time" for microseconds) of the field `spot` (record, field)."""
    name = spot[1]
    match kind:
        case "time":
            return micros(text, now, end_of_day=name in _END_OF_DAY)
        case "int" | "long":
            return _integer(text, _BITS[kind])
        case "double":
            return _number(text)
        case "boolean":
            return _truth(text)
    if _SURROGATE.search(text):
        raise ScalarError("FORM_NOT_TEXT", "half a character (a lone surrogate) is no text: save the file as UTF-8")
    if name in _COUNTRY_FIELDS:
        return country(text)
    if name in _DATE_FIELDS:
        return partial_date(text)
    return text.strip().upper() if name in _UPPER_FIELDS else text.strip()


def country(text: str) -> str:
    """Alpha-2 of a country written as code or name; "" stays ""."""
    if not text.strip():
        return ""
    code = countries.code_of(text)
    if code is None:
        near = countries.nearest(text)
        raise ScalarError(
            "FORM_NOT_A_COUNTRY",
            f"did you mean {near}?" if near else "write the ISO 3166 code of two letters, as in AZ",
        )
    return code


def partial_date(text: str) -> str:
    """YYYY, YYYY-MM or YYYY-MM-DD that exists in the calendar; "" stays ""."""
    text = text.strip()
    if not text:
        return ""
    found = _PARTIAL.fullmatch(text)
    if found is None:
        raise ScalarError("FORM_NOT_A_DATE", "write YYYY, YYYY-MM or YYYY-MM-DD, as much as is known")
    year, month, day = int(found[1]), int(found[2] or 1), int(found[3] or 1)
    try:
        dt.date(year, month, day)
    except ValueError as error:
        raise ScalarError("FORM_NOT_A_DATE", f"this day does not exist: {error}") from error
    return text


def micros(text: str, now: int, *, end_of_day: bool = False) -> int:
    """Microseconds of an ISO 8601 time with its zone, of a date alone (UTC), or of `+90d` (d, h, m) after `now`; "" is
    0.
    """
    text = text.strip()
    if not text:
        return 0
    later = _FROM_NOW.fullmatch(text)
    if later:
        return now + int(later[1]) * _SECONDS[later[2]] * 1_000_000
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ScalarError(
            "FORM_NOT_A_TIME", "write a time as 2026-03-01T12:00:00Z, a date as 2026-03-01, or +90d from now"
        ) from error
    if len(text) <= len("2026-03-01"):
        last = dt.timedelta(days=1, seconds=-1) if end_of_day else dt.timedelta()
        moment = moment.replace(tzinfo=dt.UTC) + last
    if moment.tzinfo is None:
        raise ScalarError("FORM_TIME_WITHOUT_ZONE", f"say which time this is: {text}Z for UTC, or {text}+03:00")
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def minor_units(text: str, currency: str) -> int:
    """An amount in the currency itself, as minor units; more digits than the currency has are refused, not rounded."""
    exponent = currencies.EXPONENTS.get(currency)
    if exponent is None:
        raise ScalarError(
            "FORM_CURRENCY", f"the currency {currency!r} is not in ISO 4217; write its code of three letters"
        )
    try:
        amount = Decimal(text.strip().replace(" ", "").replace("\u00a0", "").replace("\u202f", ""))
    except InvalidOperation as error:
        raise ScalarError(
            "FORM_NOT_AN_AMOUNT", "write digits with a point before the decimals, as in 1250.00"
        ) from error
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 16:
        raise ScalarError("FORM_NOT_AN_AMOUNT", "write digits with a point before the decimals, as in 1250.00")
    scaled = amount.scaleb(exponent)
    if scaled != scaled.to_integral_value():
        raise ScalarError(
            "FORM_AMOUNT_PRECISION",
            f"{currency} has {exponent} decimals; more digits would be rounded, so they are refused",
        )
    return int(scaled)


def _integer(text: str, bits: int) -> int:
    if not re.fullmatch(r"[+-]?\d{1,19}", text.strip(), re.ASCII) or not -(2**bits) <= int(text) < 2**bits:
        raise ScalarError("FORM_NOT_A_NUMBER", "write a whole number")
    return int(text)


def _number(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ScalarError("FORM_NOT_A_NUMBER", "write a number with a point before the decimals, as in 41.0082")
    return number


def _truth(text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise ScalarError("FORM_NOT_TRUE_OR_FALSE", "write true or false")
    return text.strip().lower() == "true"


def script_of(text: str) -> str:
    """ISO 15924 code of the script most letters are in; "Zyyy" where no letter tells, "" for no text."""
    words = (unicodedata.name(letter, "").split(" ", 1)[0] for letter in text if letter.isalpha())
    found = Counter(_SCRIPTS.get(word, "Zyyy") for word in words)
    return found.most_common(1)[0][0] if found else ("Zyyy" if text else "")


def code_type_of(code: str) -> str:
    """Whose code a place's code is, by its length; UNKNOWN where that does not tell."""
    if not code:
        return "NONE"
    return {LOCODE_LENGTH: "LOCODE", IATA_LENGTH: "IATA"}.get(len(code), "UNKNOWN")
