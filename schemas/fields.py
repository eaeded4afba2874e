"""Rules about single fields: what a date, a code, a name or a free text may look like, wherever it stands.

One walk over a record, compiled once per schema, asks every field its own question and no field twice. The table
below says which question; a field that it does not list is held to the strictest one for texts, so a field that a
later version adds is judged before anybody thinks of it.
"""

from __future__ import annotations

import calendar
import datetime as dt
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from schemas.currencies import EXPONENTS, MAX_AMOUNT
from schemas.registry import Schema

Test: TypeAlias = Callable[[Any], str]
"""A question to one value: the id of the rule that it breaks, or ""."""

MAX_CODE: Final = 256
MAX_NAME: Final = 500
MAX_TEXT: Final = 20_000

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Controls; in codes also everything that takes no room on paper: joiners, marks of direction, tags, byte order mark.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_OVERRIDE = re.compile("[\u202a-\u202e\u2066-\u2069]")
_PHONE = re.compile(r"\+[0-9][0-9 ()./-]*")
_PARTIAL_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_DATE_LENGTHS = frozenset({4, 7, 10})
_COUNTRY = re.compile(r"[A-Z]{2}")
_SCRIPT = re.compile(r"[A-Z][a-z]{3}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_HEX_64 = re.compile(r"[0-9a-f]{64}")
_QUANTITY = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")


class Finding(NamedTuple):
    """A field that breaks a rule."""

    path: str
    rule: str
    value: object


def findings(schema: Schema, record: Mapping[str, Any]) -> list[Finding]:
    """Every field of the record that breaks a rule about single fields: outer records before inner ones."""
    return _walk_of(schema)(record)


def is_digest(text: str) -> bool:
    """Whether the text is a SHA-256 in lower-case hex."""
    return _HEX_64.fullmatch(text) is not None


def first_day(text: str) -> dt.date | None:
    """The first day that a partial date may mean; None where it is no date."""
    return _days(text)[0] if len(text) in _DATE_LENGTHS else None


def last_day(text: str) -> dt.date | None:
    """The last day that a partial date may mean; None where it is no date."""
    return _days(text)[1] if len(text) in _DATE_LENGTHS else None


@functools.lru_cache(maxsize=8192)
def _days(text: str) -> tuple[dt.date | None, dt.date | None]:
    """First and last day of a text as long as a date; remembered, because alerts share their dates."""
    match = _PARTIAL_DATE.fullmatch(text)
    if match is None:
        return None, None
    year, month, day = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    try:
        first = dt.date(year, month or 1, day or 1)
        if day:
            return first, first
        return first, dt.date(year, month or 12, calendar.monthrange(year, month or 12)[1])
    except ValueError:
        return None, None


def code(value: str) -> str:
    """An identifier, reference or code: nothing invisible, no formula, short."""
    return _code(value) or ("RULE_FORMULA" if value.startswith(_FORMULA) else "")


def _code(value: str) -> str:
    if value.isascii() and value.isprintable():  # the usual case, without three searches
        return "" if len(value) <= MAX_CODE else "RULE_TOO_LONG"
    if _OVERRIDE.search(value):
        return "RULE_BIDI_OVERRIDE"
    if value.startswith(_FORMULA):
        return "RULE_FORMULA"
    if _CONTROL.search(value) or _INVISIBLE.search(value):
        return "RULE_CONTROL_CHARACTER"
    return "" if len(value) <= MAX_CODE else "RULE_TOO_LONG"


def name(value: str) -> str:
    """A name of a person, place or body, as written: joiners and marks belong to some scripts, overrides to none."""
    if not (value.isascii() and value.isprintable()):
        if _OVERRIDE.search(value):
            return "RULE_BIDI_OVERRIDE"
        if _CONTROL.search(value):
            return "RULE_CONTROL_CHARACTER"
    return "" if len(value) <= MAX_NAME else "RULE_TOO_LONG"


def text(value: str) -> str:
    """Free text: line breaks and tabs too."""
    if _OVERRIDE.search(value):
        return "RULE_BIDI_OVERRIDE"
    if _CONTROL_IN_TEXT.search(value):
        return "RULE_CONTROL_CHARACTER"
    return "" if len(value) <= MAX_TEXT else "RULE_TOO_LONG"


def _filled(test: Test) -> Test:
    """The same question, but the text must not be blank."""
    return lambda value: test(value) or ("" if value.strip() else "RULE_EMPTY")


def _form(pattern: re.Pattern[str], rule: str) -> Test:
    """A text of this form; "" is absent."""
    return lambda value: "" if not value or pattern.fullmatch(value) else rule


def _date(value: str) -> str:
    return "" if not value or first_day(value) else "RULE_DATE"


def _full_date(value: str) -> str:
    return "" if not value or (len(value) == len("2026-01-31") and first_day(value)) else "RULE_DATE"


def _currency(value: str) -> str:
    return "" if value in EXPONENTS else "RULE_CURRENCY"


def _amount(value: int) -> str:
    return "" if 0 < value <= MAX_AMOUNT else "RULE_AMOUNT"


def _known(value: str) -> str:
    return "RULE_UNKNOWN_VALUE" if value == "UNKNOWN" else ""


def _any(_: object) -> str:
    return ""


_country = _form(_COUNTRY, "RULE_COUNTRY")
_language = _form(_LANGUAGE, "RULE_LANGUAGE")
_digest = _form(_HEX_64, "RULE_HEX_DIGEST")

_TESTS: Final[Mapping[tuple[str, str], Test]] = {
    ("AlertHeader", "unit"): name,
    ("AlertHeader", "hub_digest"): _any,  # compared with the header that it is the digest of
    ("AlertHeader", "annex_digests"): _filled(_digest),
    ("LegalBasis", "instrument"): name,
    ("LegalBasis", "article"): name,
    ("LegalBasis", "authority"): name,
    ("LegalBasis", "decided_on"): _full_date,
    ("LegalBasis", "valid_until"): _full_date,
    ("Handling", "note"): text,
    ("OtherChannel", "channel"): _filled(code),
    ("OtherChannel", "ref"): _filled(code),
    ("Text", "lang"): _filled(_language),
    ("Text", "text"): _filled(text),
    ("AlertEnd", "note"): text,
    ("PersonName", "full"): _filled(name),
    ("PersonName", "script"): _form(_SCRIPT, "RULE_SCRIPT"),
    ("PersonName", "lang"): _language,
    ("NamePart", "value"): _filled(name),
    ("Birth", "date"): _date,
    ("Birth", "place"): name,
    ("Birth", "country"): _country,
    ("WantedPerson", "sex"): _any,  # UNKNOWN is an answer here
    ("WantedPerson", "nationalities"): _filled(_country),
    ("WantedPerson", "occupations"): _filled(name),
    ("WantedPerson", "description"): text,
    ("Sighting", "date"): _date,
    ("Sighting", "place"): name,
    ("Sighting", "country"): _country,
    ("Sighting", "note"): text,
    ("Attachment", "sha256"): _filled(_digest),
    ("OtherPerson", "name"): _filled(name),
    ("OtherPerson", "birth_date"): _date,
    ("OtherPerson", "country"): _country,
    ("OtherPerson", "note"): text,
    ("TraffickingRoute", "commodity"): _filled(name),
    ("TraffickingRoute", "concealment"): text,
    ("Waypoint", "name"): name,
    ("Waypoint", "country"): _country,
    ("Waypoint", "arrives"): _date,
    ("Waypoint", "departs"): _date,
    ("Conveyance", "name"): name,
    ("Consignment", "description"): text,
    ("Consignment", "quantity"): _form(_QUANTITY, "RULE_QUANTITY"),
    ("RoutePerson", "name"): _filled(name),
    ("RoutePerson", "role"): name,
    ("Period", "start"): _date,
    ("Period", "end"): _date,
    ("Transfer", "amount"): _amount,
    ("Transfer", "currency"): _currency,
    ("AccountParty", "institution"): name,
    ("AccountParty", "country"): _country,
    ("AccountParty", "holder"): name,
    ("SuspiciousTransfer", "indicators"): _filled(code),
    ("Subject", "name"): _filled(name),
    ("Subject", "birth_date"): _date,
    ("Subject", "country"): _country,
    ("Subject", "role"): name,
    ("Money", "amount"): _amount,
    ("Money", "currency"): _currency,
}

_Walk: TypeAlias = Callable[[Any], list[Finding]]
_Known: TypeAlias = dict[str, tuple[str, _Walk | None]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to ask of one record: its fields by question, so that the usual answer costs no call.

    `many` and `walks` are lists of values and records inside; a walk's flag says whether the field is a list of them.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    enums: tuple[str, ...]
    others: tuple[tuple[str, Test], ...]
    many: tuple[tuple[str, Test], ...]
    walks: tuple[tuple[str, bool, _Walk], ...]


@functools.cache
def _walk_of(schema: Schema) -> _Walk:
    return _compile_record(schema.parsed, {})


def _compile_record(definition: Any, known: _Known) -> _Walk:
    """The walk over one record: tests of its own fields, walks of the records inside."""
    record = str(definition["name"]).rpartition(".")[2]
    if record == "Identifier":
        return _identifier
    tests: list[tuple[str, bool, Test]] = []
    walks: list[tuple[str, bool, _Walk]] = []
    for field in definition["fields"]:
        inner, many = _item(field["type"])
        kind, walk = _compile_type(inner, known)
        if walk is not None:
            walks.append((field["name"], many, walk))
            continue
        test = _TESTS.get((record, field["name"])) or {"string": code, "enum": _known}.get(kind)
        if test is not None and test is not _any:
            tests.append((field["name"], many, test))
    return functools.partial(_visit, _plan(tests, walks))


def _plan(tests: list[tuple[str, bool, Test]], walks: list[tuple[str, bool, _Walk]]) -> _Plan:
    single = [(field, test) for field, many, test in tests if not many]
    return _Plan(
        codes=tuple(field for field, test in single if test is code),
        names=tuple(field for field, test in single if test is name),
        enums=tuple(field for field, test in single if test is _known),
        others=tuple((field, test) for field, test in single if test not in (code, name, _known)),
        many=tuple((field, test) for field, many, test in tests if many),
        walks=tuple(walks),
    )


def _item(definition: Any) -> tuple[Any, bool]:
    """The type of a field, or of the items of its list."""
    if isinstance(definition, dict) and definition["type"] == "array":
        return definition["items"], True
    return definition, False


def _compile_type(definition: Any, known: _Known) -> tuple[str, _Walk | None]:
    """("enum" or a primitive's name, None), or ("record", its walk). Named types are remembered for later mention."""
    if isinstance(definition, str):
        return known.get(definition, (definition, None))
    if isinstance(definition, list):
        return "union", None
    kind, label = str(definition["type"]), str(definition.get("name", ""))
    if kind == "record":
        known[label] = kind, _compile_record(definition, known)
        return known[label]
    if kind == "enum":
        known[label] = kind, None
    return kind, None


def _visit(plan: _Plan, record: Any) -> list[Finding]:
    """The findings in one record: its own fields, then the records inside."""
    found: list[Finding] = []
    for field in plan.codes:
        value = record[field]
        if not value or (
            value.isascii() and value.isprintable() and len(value) <= MAX_CODE and value[0] not in _FORMULA
        ):
            continue  # nearly always, and without a call
        if rule := code(value):
            found.append(Finding(field, rule, value))
    for field in plan.names:
        value = record[field]
        if value.isprintable() and len(value) <= MAX_NAME:
            continue  # what overrides or controls is not printable
        if rule := name(value):
            found.append(Finding(field, rule, value))
    found += [Finding(field, "RULE_UNKNOWN_VALUE", "UNKNOWN") for field in plan.enums if record[field] == "UNKNOWN"]
    for field, test in plan.others:
        if rule := test(record[field]):
            found.append(Finding(field, rule, record[field]))
    if plan.many or plan.walks:
        _visit_inside(plan, record, found)
    return found


def _visit_inside(plan: _Plan, record: Any, found: list[Finding]) -> None:
    for field, test in plan.many:
        for index, value in enumerate(record[field]):
            if rule := test(value):
                found.append(Finding(f"{field}[{index}]", rule, value))
    for field, many, walk in plan.walks:
        if not many:
            found += [Finding(f"{field}.{path}", rule, value) for path, rule, value in walk(record[field])]
            continue
        for index, item in enumerate(record[field]):
            found += [Finding(f"{field}[{index}].{path}", rule, value) for path, rule, value in walk(item)]


def _identifier(identifier: Any) -> list[Finding]:
    """An identifier: a phone number may begin with +; the type of an absent one says nothing."""
    value, kind = identifier["value"], identifier["type"]
    found: list[Finding] = []
    if value and kind == "UNKNOWN":
        found.append(Finding("type", "RULE_UNKNOWN_VALUE", kind))
    phone = kind == "PHONE" and _PHONE.fullmatch(value) is not None
    if rule := (_code(value) if phone else code(value)):
        found.append(Finding("value", rule, value))
    if rule := _country(identifier["country"]):
        found.append(Finding("country", rule, identifier["country"]))
    return found
