"""One search key a number, whatever form it is written in: spaces, dashes, case, digits of other scripts, direction
marks, letters that look alike. Pure.

A search is wider than a link between two alerts: it also finds numbers whose check digit is wrong or that are too weak
to join two alerts alone, and does not need the state that gave them; the evidence says so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from manara.matching import identifiers
from manara.matching.identifiers.folding import ARABIC, CYRILLIC, GREEK, as_digits, plain

SHORTEST: Final = 3
"""Letters and digits that a number must have: nothing is found by less."""
LONGEST: Final = 100
TAIL: Final = 8
"""The last digits by which a phone is found without its country code."""

FAMILIES: Final[Mapping[str, str]] = {
    "PASSPORT": "document", "ID_CARD": "document", "DRIVING_LICENCE": "document", "NATIONAL_NUMBER": "document",
    "TAX_NUMBER": "document", "OTHER": "document", "UNKNOWN": "document", "IBAN": "account", "ACCOUNT": "account",
    "IMO": "imo", "MMSI": "mmsi", "CALLSIGN": "callsign", "PLATE": "plate", "VIN": "vin", "CONTAINER": "container",
    "TAIL_NUMBER": "tail_number", "PHONE": "phone", "EMAIL": "email", "WALLET": "wallet",
}  # fmt: skip
"""Where each identifier type of the schemas is looked for. Agencies name papers differently, so they are one family."""
KINDS: Final = tuple(dict.fromkeys(FAMILIES.values()))
_FOLDED: Final = frozenset({"document", "mmsi", "callsign", "tail_number"})
_JUDGED_AS: Final = {"account": "iban"}  # what is no IBAN comes back as it is, without the word IBAN


def keys(type_: str, value: str, country: str = "") -> tuple[str, ...]:
    """The search keys of an identifier as an alert carries it; none where there is nothing to search by."""
    family = FAMILIES.get(type_.upper(), "document")
    return tuple(dict.fromkeys(_family_keys(family, value, country)))


def asked(raw: str, kind: str = "", country: str = "") -> tuple[str, ...]:
    """The keys that a number is asked for by: of one family of `KINDS`, or of all where no kind is given."""
    families = (kind,) if kind else KINDS
    return tuple(dict.fromkeys(key for family in families for key in _asked(family, raw, country)))


def _asked(family: str, raw: str, country: str) -> Iterator[str]:
    yield from _family_keys(family, raw, country)
    state, dash, rest = plain(raw).upper().partition("-")
    if family == "plate" and not country and dash and len(state) == 2 and state.isalpha():  # noqa: PLR2004 - alpha-2
        yield from _family_keys(family, rest, state)


def _family_keys(family: str, raw: str, country: str) -> Iterator[str]:
    value = _value(family, raw, country)
    if _tells(value):
        yield f"n:{family}:{value}"
    if family == "document":
        shorter = _without_check_digit(raw)
        if shorter and _tells(shorter):
            yield f"n:{family}:{shorter}"
    number = "".join(char for char in value if char.isdigit())
    if family == "phone" and len(number) >= TAIL and not any(char.isalpha() for char in value):
        yield f"n:phone-tail:{number[-TAIL:]}"


def _value(family: str, raw: str, country: str) -> str:
    if family in _FOLDED:
        return folded(raw)
    judged = identifiers.judge(_JUDGED_AS.get(family, family), raw, country)
    if family == "email":
        return identifiers.token(judged) or judged.value.casefold()
    if family == "plate":
        return as_digits(judged.value.removeprefix(f"{judged.country}-"))
    if family in ("wallet", "phone"):
        return judged.value if judged.valid or family == "wallet" else folded(raw)
    return as_digits(judged.value.removeprefix("IMO") if family == "imo" else judged.value)


def folded(raw: str) -> str:
    """Letters and digits alone, in capitals, look-alikes as one: of every script, so that none of them is lost."""
    capital = plain(raw).upper()
    if not capital.isascii():
        apart = unicodedata.normalize("NFD", capital.translate(ARABIC))
        bare = "".join(char for char in apart if unicodedata.category(char) != "Mn")
        capital = unicodedata.normalize("NFC", bare).translate(ARABIC).translate(CYRILLIC).translate(GREEK)
    return as_digits("".join(char for char in capital if char.isalnum())[:LONGEST])


def _without_check_digit(raw: str) -> str:
    """The document number of a machine-readable field whose check digit is right; "" for anything else."""
    judged = identifiers.judge("mrz_document_number", raw)
    return folded(judged.value) if judged.valid and judged.reason == "check digit right" else ""


def _tells(value: str) -> bool:
    letters = [char for char in value if char.isalnum()]
    return len(letters) >= SHORTEST and len(value) <= LONGEST + len("id:email:")
