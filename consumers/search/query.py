"""What is asked for, checked before anything is looked up. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from consumers.search import listing, numbers, words
from consumers.search.content import Record, plain
from manara.errors import InputError
from manara.matching.identifiers.folding import plain as unmarked
from schemas.registry import ALERT_KINDS

LONGEST: Final = 4_000
"""Characters of a text that is searched for."""
MOST: Final = 1_000
_BORN: Final = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True)
class Query:
    """One search. `numbers` are pairs of a kind of `numbers.KINDS` ("" for all) and the number as it was typed; `name`
    is a name of a person, a ship, a firm or a place. What is found has one of the numbers or is like the name.
    """

    numbers: tuple[tuple[str, str], ...] = ()
    name: str = ""
    born: str = ""
    country: str = ""
    kinds: frozenset[str] = field(default_factory=frozenset)
    ended: bool = False
    limit: int = 20

    @property
    def person(self) -> Record:
        """The name as the record of a person."""
        return plain(self.name, dob=[self.born], countries=[self.country])

    def asked(self) -> Mapping[str, str]:
        """Each number's search keys, with the number as it was typed."""
        return {key: raw for kind, raw in self.numbers for key in numbers.asked(raw, kind, self.country)}

    def as_json(self) -> dict[str, Any]:
        """For the audit: all of it, as it was typed."""
        typed = {(kind or "any"): raw for kind, raw in self.numbers}
        rest = {"name": self.name, "born": self.born, "country": self.country, "kinds": sorted(self.kinds)}
        return {**typed, **{key: value for key, value in rest.items() if value}, "ended": self.ended}

    @property
    def what(self) -> str:
        """What kind of question it is, without what was asked: for logs and lists."""
        kinds = [kind or "any" for kind, _ in self.numbers]
        return "+".join([*kinds, *(["name"] if self.name else [])])


def query(
    text: str,
    given: Mapping[str, str],
    *,
    name: str = "",
    born: str = "",
    country: str = "",
    kinds: frozenset[str] = frozenset(),
    ended: bool = False,
    limit: int = 20,
) -> Query:
    """The search that was typed; `given` are numbers by their kind. `InputError` says what is wrong with it.

    A text without a kind is taken for every kind of number, and for a name.
    """
    typed = [*((kind, raw) for kind, raw in given.items() if raw.strip()), *([("", text)] if text.strip() else [])]
    if text.strip() and name.strip():
        raise InputError("A text and a name are given.", "Give the text alone, or --name, with or without numbers.")
    sought = Query(
        tuple(typed), name.strip() or text.strip(), unmarked(born), unmarked(country).upper(), kinds, ended, limit
    )
    _check(sought)
    return sought


def _check(sought: Query) -> None:
    wrong = sorted(sought.kinds - set(ALERT_KINDS))
    if wrong:
        raise InputError(f"`{wrong[0]}` is no kind of alert.", f"The kinds are {', '.join(ALERT_KINDS)}.")
    if not sought.numbers and not sought.name:
        raise InputError(
            "There is nothing to search for.", "Give a text, a number (--document, --iban, …), or --name: see --help."
        )
    if max(len(raw) for raw in (sought.name, *(raw for _, raw in sought.numbers))) > LONGEST:
        raise InputError(f"The text is longer than {LONGEST} characters.", "Give a name or a number alone.")
    if sought.born and not _BORN.fullmatch(sought.born):
        raise InputError(f"`{sought.born[:40]}` is no date of birth.", "Write YYYY, YYYY-MM or YYYY-MM-DD.")
    if sought.country and not _COUNTRY.fullmatch(sought.country):
        raise InputError(f"`{sought.country[:40]}` is no country.", "Write two letters, as in AZ (ISO 3166-1 alpha-2).")
    if not sought.asked() and not name_keys(sought):
        raise InputError(
            "That is too little to find anything by.", "A number needs three letters or digits, a name two letters."
        )


def name_keys(sought: Query) -> list[str]:
    """The keys that its name is looked for by: of the person it may be, and of the ship, firm or place."""
    if not sought.name:
        return []
    person = [*listing.tokens(sought.person), *listing.part_keys(sought.name)]
    return list(dict.fromkeys(filter(None, [*person, words.code_key(sought.name), *words.keys(sought.name)])))
