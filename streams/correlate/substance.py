"""What an alert is compared by: its persons, its numbers and its road, drawn from the record within bounds.

Index draws it once and hands it on in the mention; correlate makes it ready for the matchers. Both take the blocking
tokens from here, so that they always agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas.models import MentionedIdentifier, MentionedPerson, MentionedPlace
from streams.matching import identifiers, persons, routes
from streams.matching.identifiers import Identifier
from streams.matching.persons import Person
from streams.matching.routes import Route

MOST_PERSONS: Final = 12
MOST_NAMES: Final = 16
MOST_NUMBERS: Final = 60
MOST_PLACES: Final = 64
MOST_TOKENS: Final = 64
LONGEST: Final = 400
"""Characters of a text that are looked at."""
RULES: Final = (identifiers.RULES, persons.RULES, routes.RULES)
"""Versions of the rules that decide whether two alerts belong together."""


class Substance(NamedTuple):
    """What an alert says, as it was written."""

    persons: list[MentionedPerson]
    identifiers: list[MentionedIdentifier]
    waypoints: list[MentionedPlace]
    not_these: list[MentionedPerson]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The same, made ready for comparing. `numbers` maps the token of each strong number to it."""

    numbers: Mapping[str, Identifier]
    persons: tuple[Person, ...]
    not_these: tuple[Person, ...]
    route: Route | None


def drawn(kind: str, record: Mapping[str, Any]) -> Substance:
    """The substance of a decoded alert of this kind."""
    return _DRAW[kind](record)


def prepared(substance: Substance) -> Prepared:
    """Normalise a substance for the matchers."""
    numbers = {}
    for number in substance.identifiers:
        judged = identifiers.judge(number["type"], number["value"], number["country"])
        token = identifiers.token(judged)
        if token:
            numbers[token] = judged
    return Prepared(
        numbers,
        tuple(_person(person) for person in substance.persons),
        tuple(_person(person) for person in substance.not_these),
        _route(substance) if substance.waypoints else None,
    )


def _route(substance: Substance) -> routes.Route:
    """With the numbers of vessels, vehicles and containers, which tell one run over a road from another."""
    return routes.prepare({"waypoints": substance.waypoints, "conveyance": substance.identifiers})


def tokens(found: Prepared) -> list[str]:
    """Blocking tokens: strong numbers first, then those of persons and of the road, the rarest of each first."""
    kept = dict.fromkeys(found.numbers)
    for person in found.persons:
        kept.update(dict.fromkeys(persons.tokens(person)))
    if found.route is not None:
        kept.update(dict.fromkeys(routes.tokens(found.route)))
    return list(kept)[:MOST_TOKENS]


def _person(person: MentionedPerson) -> Person:
    return persons.prepare(
        {
            "name": person["name"],
            "aliases": person["aliases"],
            "dob": person["born"],
            "countries": person["countries"],
        }
    )


# ---------------------------------------------------------------------- from the records of the contract


def _of_person(record: Mapping[str, Any]) -> Substance:
    names = [str(name["full"])[:LONGEST] for name in record["names"] if name["full"].strip()][:MOST_NAMES]
    countries = {*record["nationalities"], *(birth["country"] for birth in record["births"])} - {""}
    subject: MentionedPerson = {
        "name": names[0] if names else "",
        "aliases": names[1:],
        "born": [birth["date"] for birth in record["births"] if birth["date"]][:MOST_NAMES],
        "countries": sorted(countries)[:MOST_NAMES],
    }
    others = [_named(other, other["birth_date"]) for other in record["not_this_person"]]
    return Substance([subject] if names else [], _numbers(record["identifiers"]), [], others[:MOST_PERSONS])


def _of_route(record: Mapping[str, Any]) -> Substance:
    carried = [each["identifier"] for each in record["conveyances"]]
    boxes = [_number("CONTAINER", goods["container"]) for goods in record["consignments"] if goods["container"]]
    papers = [number for person in record["persons"] for number in person["identifiers"]]
    named = [_named({**person, "country": ""}, "") for person in record["persons"]]
    return Substance(
        [person for person in named if person["name"].strip()][:MOST_PERSONS],
        _numbers([*carried, *boxes, *papers]),
        [_place(waypoint) for waypoint in record["waypoints"][:MOST_PLACES]],
        [],
    )


def _of_transfer(record: Mapping[str, Any]) -> Substance:
    accounts = [_account(transfer[side]) for transfer in record["transfers"] for side in ("from", "to")]
    papers = [number for subject in record["subjects"] for number in subject["identifiers"]]
    named = [_named(subject, subject["birth_date"]) for subject in record["subjects"]]
    subjects = [person for person in named if person["name"].strip()][:MOST_PERSONS]
    return Substance(subjects, _numbers([*papers, *accounts]), [], [])


_DRAW: Final = {"person": _of_person, "route": _of_route, "transfer": _of_transfer}


def _numbers(written: Iterable[Mapping[str, Any]]) -> list[MentionedIdentifier]:
    """Each number once, in order, within bounds."""
    found = {}
    for number in written:
        made = _number(number["type"], number["value"], number["country"])
        if made["value"]:
            found[tuple(made.values())] = made
        if len(found) >= MOST_NUMBERS:
            break
    return list(found.values())


def _number(kind: str, value: str, country: str = "") -> MentionedIdentifier:
    return {"type": kind, "value": value.strip()[:LONGEST], "country": country}


def _account(party: Mapping[str, Any]) -> MentionedIdentifier:
    return _number("ACCOUNT", party["account"].strip(), party["country"])


def _named(person: Mapping[str, Any], born: str) -> MentionedPerson:
    country = person["country"]
    return {
        "name": person["name"][:LONGEST],
        "aliases": [],
        "born": [born] if born else [],
        "countries": [country] if country else [],
    }


def _place(waypoint: Mapping[str, Any]) -> MentionedPlace:
    return {
        "name": waypoint["name"][:LONGEST],
        "country": waypoint["country"],
        "code": waypoint["code"],
        "lat": waypoint["lat"],
        "lon": waypoint["lon"],
        "date": waypoint["arrives"] or waypoint["departs"],
    }
