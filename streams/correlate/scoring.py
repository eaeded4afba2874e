"""Judges two alerts: what they have in common, class by class, with evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from manara.matching import births
from manara.matching.persons import likelihood
from schemas.models import LinkClass
from streams.correlate.substance import Prepared
from streams.matching import identifiers, persons, routes

MOST_COMPARED: Final = 4
"""Persons of each side that are compared."""
PAPERS: Final = frozenset({"document", "driving_licence", "tax_number"})
"""Families of numbers that belong to one person; an account or a telephone may serve several."""
NUMBER_SCORE: Final = 0.97
NUMBER_DOUBTED: Final = 0.7
"""A shared number of papers, where the only persons of both sides have names that do not agree."""
UNLIKELY: Final = 0.05
AGREE_IN_BIRTH: Final = frozenset({"EQUAL", "CONTAINED", "SWAPPED", "DAY", "DIGIT", "YEAR"})

NUMBER_KINDS: Final = {
    "document": "DOCUMENT_NUMBER",
    "driving_licence": "DOCUMENT_NUMBER",
    "tax_number": "TAX_NUMBER",
    "iban": "ACCOUNT_NUMBER",
    "account": "ACCOUNT_NUMBER",
    "wallet": "WALLET",
    "phone": "PHONE",
    "email": "EMAIL",
    "imo": "VESSEL_NUMBER",
    "mmsi": "VESSEL_NUMBER",
    "callsign": "VESSEL_NUMBER",
    "vin": "VEHICLE_NUMBER",
    "plate": "VEHICLE_NUMBER",
    "tail_number": "AIRCRAFT_NUMBER",
    "container": "CONTAINER_NUMBER",
    "imei": "DEVICE_NUMBER",
}
"""Family of a token to the kind of evidence that authors are told."""
OTHER_NUMBER: Final = "OTHER_NUMBER"


LINKED: Final = frozenset({"STRONG", "PROBABLE"})


class Found(NamedTuple):
    """One class of evidence that ties two alerts. `kinds` may be told to authors, `words` stay in the hub."""

    class_: LinkClass
    score: float
    band: str
    kinds: tuple[str, ...]
    words: tuple[str, ...]
    rules: tuple[str, ...]


def judge(a: Prepared, b: Prepared) -> list[Found]:
    """Everything that ties the two, the same whichever comes first; [] where nothing does."""
    return [found for found in (_numbers(a, b), _persons(a, b), _road(a, b)) if found is not None]


def _numbers(a: Prepared, b: Prepared) -> Found | None:
    shared = sorted(
        token for token in a.numbers.keys() & b.numbers.keys() if identifiers.agree(a.numbers[token], b.numbers[token])
    )
    if not shared:
        return None
    kinds = sorted({NUMBER_KINDS.get(_family(token), OTHER_NUMBER) for token in shared})
    words = [f"the same {token.removeprefix('id:').replace(':', ' ')}" for token in shared]
    doubted = PAPERS.issuperset(_family(token) for token in shared) and _other_persons(a, b)
    if doubted:
        words.append("against: the names of the persons do not agree")
    return Found(
        "IDENTIFIER",
        NUMBER_DOUBTED if doubted else NUMBER_SCORE,
        "PROBABLE" if doubted else "STRONG",
        tuple(kinds),
        tuple(words),
        (identifiers.RULES,),
    )


def _family(token: str) -> str:
    """`iban` of `id:iban:...`."""
    return token.split(":", 2)[1]


def _other_persons(a: Prepared, b: Prepared) -> bool:
    """Whether both sides speak of one person each, and hardly of the same."""
    return len(a.persons) == len(b.persons) == 1 and likelihood(a.persons[0], b.persons[0]) < UNLIKELY


def _persons(a: Prepared, b: Prepared) -> Found | None:
    pairs = product(a.persons[:MOST_COMPARED], b.persons[:MOST_COMPARED])
    scored = [(likelihood(one, other), one, other) for one, other in pairs]
    linked = [each for each in scored if each[0] >= persons.LINK and not _known_as_another(a, b, *each)]
    if not linked:
        return None
    score, one, other = max(linked, key=lambda each: (each[0], *sorted((each[1].key, each[2].key))))
    first, second = sorted((one, other), key=lambda person: (person.key, person.births))
    comparison = persons.compare(first, second)
    if comparison.band not in LINKED:  # what agrees is a name that many bear
        return None
    kinds = tuple(_kinds(one, other))
    return Found("PERSON", score, comparison.band, kinds, comparison.evidence, (persons.RULES,))


def _kinds(one: persons.Person, other: persons.Person) -> Iterator[str]:
    if births.grade(one.births, other.births) in AGREE_IN_BIRTH:
        yield "BIRTH_DATE"
    if one.countries & other.countries:
        yield "COUNTRY"
    yield "NAME"


def _known_as_another(a: Prepared, b: Prepared, score: float, one: persons.Person, other: persons.Person) -> bool:
    """Whether an author has said of somebody, who is rather this other side, that he is not the one."""
    return any(likelihood(other, known) >= max(score, persons.LINK) for known in a.not_these) or any(
        likelihood(one, known) >= max(score, persons.LINK) for known in b.not_these
    )


def _road(a: Prepared, b: Prepared) -> Found | None:
    if a.route is None or b.route is None:
        return None
    comparison = routes.compare(a.route, b.route)
    # many lawful shipments share a road: only where the days agree as well is an author told
    if comparison.outcome != "SAME" or comparison.band != "STRONG":
        return None
    return Found("ROUTE", comparison.score, comparison.band, ("ROAD",), comparison.evidence, (routes.RULES,))
