"""Two alerts, or two names, side by side: what they have in common, by the matchers that the hub uses. Pure.

Persons are compared by names, births and states, numbers by their normal form. How two roads compare is the hub's to
say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from manara.matching import identifiers, persons
from manara.matching.identifiers import Identifier

UNLIKELY: Final = 0.05
"""Of names: under it two persons with one number are rather two persons, and the number was given twice."""
MOST_PERSONS: Final = 6


@dataclass(frozen=True, slots=True)
class Side:
    """One side: its persons as the matcher of persons takes them, and its strong numbers by token."""

    persons: tuple[Mapping[str, Any], ...]
    numbers: Mapping[str, Identifier]


@dataclass(frozen=True, slots=True)
class Found:
    """How two sides compare: the score of the two persons that are most alike (0 to 1), the band of all together, and
    why, in sentences. `shared` are tokens of numbers that both carry.
    """

    score: float
    band: str
    evidence: tuple[str, ...]
    shared: tuple[str, ...]


def of_name(text: str) -> Side:
    """A bare name."""
    return Side((_person(text),), {})


def of_alert(kind: str, record: Mapping[str, Any]) -> Side:
    """An alert's record."""
    named, numbered = _OF[kind](record)
    judged = (identifiers.judge(one["type"], one["value"], one["country"]) for one in numbered)
    tokens = {identifiers.token(one): one for one in judged}
    return Side(tuple(named)[:MOST_PERSONS], {token: one for token, one in tokens.items() if token})


def compare(a: Side, b: Side) -> Found:
    """The two sides, the same whichever comes first. A shared strong number decides, unless the only persons differ."""
    both = sorted(a.numbers.keys() & b.numbers.keys())
    shared = tuple(token for token in both if identifiers.agree(a.numbers[token], b.numbers[token]))
    compared = [persons.explain(one, other) for one, other in product(a.persons, b.persons)]
    best = max(compared, key=lambda each: (each.score, each.evidence), default=None)
    score, words = (best.score, best.evidence) if best else (0.0, ("no person is named on both sides",))
    said = [f"the same {_said(token)}: a number that only one person or thing has" for token in shared]
    band = best.band if best else "NONE"
    if shared:
        doubted = len(compared) == 1 and score < UNLIKELY
        band = "PROBABLE" if doubted else "STRONG"
        said += ["against: the names do not agree; the number may have been given twice"] if doubted else []
    return Found(score, band, (*said, *words), shared)


def _said(token: str) -> str:
    """`document C01234567` of `id:document:C01234567`."""
    return token.removeprefix("id:").replace(":", " ")


def _person(name: str, aliases: list[str] | None = None, born: list[str] | None = None, *states: str) -> dict[str, Any]:
    countries = sorted({state.lower() for state in states if state})
    dates = [date for date in born or [] if date]
    return {"name": name, "aliases": aliases or [], "dob": dates, "countries": countries}


_Parts = tuple[Iterator[dict[str, Any]], list[Mapping[str, Any]]]


def _of_person(record: Mapping[str, Any]) -> _Parts:
    names = [str(name["full"]) for name in record["names"]] or [""]
    births = record["births"]
    states = (*record["nationalities"], *(birth["country"] for birth in births))
    subject = _person(names[0], names[1:], [birth["date"] for birth in births], *states)
    return iter([subject]), list(record["identifiers"])


def _of_route(record: Mapping[str, Any]) -> _Parts:
    boxes = [_number("CONTAINER", goods["container"]) for goods in record["consignments"]]
    papers = [number for person in record["persons"] for number in person["identifiers"]]
    carried = [each["identifier"] for each in record["conveyances"]]
    return (_person(person["name"]) for person in record["persons"]), [*carried, *boxes, *papers]


def _of_transfer(record: Mapping[str, Any]) -> _Parts:
    sides = [transfer[side] for transfer in record["transfers"] for side in ("from", "to")]
    accounts = [_account(side["account"].strip(), side["country"]) for side in sides]
    papers = [number for subject in record["subjects"] for number in subject["identifiers"]]
    named = (_person(one["name"], [], [one["birth_date"]], one["country"]) for one in record["subjects"])
    return named, [*papers, *accounts]


_OF: Final = {"person": _of_person, "route": _of_route, "transfer": _of_transfer}


def _account(number: str, country: str) -> dict[str, str]:
    return _number("IBAN" if number[:2].isalpha() else "ACCOUNT", number, country)


def _number(kind: str, value: str, country: str = "") -> dict[str, str]:
    return {"type": kind, "value": value, "country": country}
