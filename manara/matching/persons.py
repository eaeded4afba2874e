"""Whether two records of persons speak of the same person: a score with its evidence in words; a proposal,
never a merger.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from manara.matching import births, features
from manara.matching.alignment import Alignment, align
from manara.matching.names import Name, name
from manara.matching.tables import rows

if TYPE_CHECKING:
    from collections.abc import Mapping

RULES = "persons/1"
"""Version of these rules, kept in each link."""
STRONG, LINK, ASK = 0.95, 0.75, 0.40
"""Scores from which a link is STRONG, is proposed (PROBABLE), or a person is asked (POSSIBLE).

Development figures: on the labelled pairs for development they give precision 0.999, 0.995 and 0.98 with all fields;
where one pair in a thousand is a match instead of one in three, precision is far lower, so nothing is ever merged.
"""
_MOST_NAMES, _MOST_PAIRS, _MOST_LETTERS = 24, 16, 3_000
"""Names of a record, pairs of names and letters of all names that are read: the bounds of one comparison's time."""


class Person(NamedTuple):
    """A record of a person, normalised once at ingest."""

    names: tuple[Name, ...]
    births: tuple[str, ...]
    countries: frozenset[str]
    key: str


class Comparison(NamedTuple):
    """How likely two records speak of one person, and why."""

    score: float
    band: str
    evidence: tuple[str, ...]


def prepare(record: Mapping[str, Any]) -> Person:
    """A plain record {name, aliases, dob, countries} made ready for comparing; fields may be empty or missing."""
    found: dict[str, Name] = {}
    letters = _MOST_LETTERS
    for given in (record.get("name") or "", *(record.get("aliases") or ())):
        written = str(given)[:letters]
        letters -= len(written)
        if parsed := name(written):
            found.setdefault(parsed.key, parsed)
    names = tuple(sorted(list(found.values())[:_MOST_NAMES], key=lambda n: n.key))
    dates = births.births(tuple(str(date) for date in record.get("dob") or ()))
    countries = frozenset(str(c).strip().lower() for c in record.get("countries") or () if str(c).strip())
    return Person(names, dates, countries, "|".join(n.key for n in names))


def compare(a: Person, b: Person) -> Comparison:
    """The score of two prepared records with its evidence, the same in both orders; names alone are never STRONG."""
    from manara.matching.evidence import evidence  # noqa: PLC0415

    value, found, birth, countries = _judge(a, b)
    return Comparison(value, _held_back(band(value), found, birth), evidence(found, birth, countries))


def _held_back(strength: str, found: Alignment | None, birth: str) -> str:
    """A band where no birth date helps: never STRONG, and only POSSIBLE where what agrees is a name that many bear."""
    if birth != "MISSING" or found is None or strength not in {"STRONG", "PROBABLE"}:
        return strength
    borne_by_many = sum(agreement.weight for agreement in found.agreements) < features.ENOUGH
    return "POSSIBLE" if borne_by_many else "PROBABLE"


def band(value: float) -> str:
    """The strength of a score: STRONG, PROBABLE, POSSIBLE or NONE."""
    return "STRONG" if value >= STRONG else "PROBABLE" if value >= LINK else "POSSIBLE" if value >= ASK else "NONE"


def likelihood(a: Person, b: Person) -> float:
    """The score alone, for the hot path."""
    return _judge(a, b)[0]


def score(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """The score of two plain records, 0 to 1."""
    return _judge(prepare(a), prepare(b))[0]


def explain(a: Mapping[str, Any], b: Mapping[str, Any]) -> Comparison:
    """The comparison of two plain records with its evidence."""
    return compare(prepare(a), prepare(b))


@lru_cache(1)
def weights() -> dict[str, float]:
    """Weight of each feature in log-odds, fitted by `tests/quality/fit_persons.py`."""
    table = {feature: float(weight) for feature, weight in rows("weights.tsv")}
    return {feature: table.get(feature, 0.0) for feature in features.FEATURES}


def _judge(a: Person, b: Person) -> tuple[float, Alignment | None, str, str]:
    birth = births.grade(a.births, b.births)
    countries = (
        "" if not a.countries or not b.countries else "apart" if a.countries.isdisjoint(b.countries) else "shared"
    )
    if not a.names or not b.names:
        return 0.0, None, birth, countries
    table = weights()
    best, found = max(((_names_worth(f, table), f) for f in alignments(a, b)), key=lambda scored: scored[0])
    if not found.agreements:
        return 0.0, found, birth, countries
    total = best + sum(table[feature] for feature in features.of_facts(birth, countries))
    return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, total)))), found, birth, countries


def facts(a: Person, b: Person) -> tuple[str, str]:
    """The grade of the birth dates, and whether a country is shared: "shared", "apart",
    or "" where one side has none.
    """
    if not a.countries or not b.countries:
        return births.grade(a.births, b.births), ""
    return births.grade(a.births, b.births), "apart" if a.countries.isdisjoint(b.countries) else "shared"


def _names_worth(found: Alignment, table: dict[str, float]) -> float:
    total = 0.0
    for feature, value in features.of_names(found).items():
        total += table[feature] * value
    return total


def alignments(a: Person, b: Person) -> list[Alignment]:
    """The names of both sides laid beside each other; of very many names, those that share most."""
    pairs = list(product(a.names, b.names))
    if len(pairs) > _MOST_PAIRS:
        pairs.sort(key=lambda pair: (-len(pair[0].keys & pair[1].keys), *sorted((pair[0].key, pair[1].key))))
        del pairs[_MOST_PAIRS:]
    return [align(one, other) for one, other in pairs]
