"""What a comparison of two persons rests on, as numbers: agreement by degree and rarity, what is left over,
dates, countries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manara.matching.alignment import Alignment
    from manara.matching.names import Part

KNOTS = (0.60, 0.75, 0.88, 0.96, 1.0)
"""Degrees of likeness between which the worth of an agreement is drawn as straight lines."""
_AGREED = tuple(f"agreed_{knot:.2f}" for knot in KNOTS)
FEATURES = (
    "bias",
    *_AGREED,
    "agreed_rare",
    "conflict",
    "conflict_parts",
    "extra",
    "extra_parts",
    "coverage",
    "weakest",
    "lone",
    "common",
    "scripts_differ",
    "scripts_conflict",
    "birth_EQUAL",
    "birth_CONTAINED",
    "birth_SWAPPED",
    "birth_DAY",
    "birth_DIGIT",
    "birth_YEAR",
    "birth_YEARS",
    "birth_NEAR",
    "birth_FAR",
    "countries_shared",
    "countries_apart",
)
"""Names of the features, in the order of their weights."""
_MOST_AGREED, _MOST_EXTRA = 2.5, 4.0
_LESSER = 0.5
"""A title may be a name, and "servant of" makes its name fuller: each counts half a part."""
_ONE_WORD = 1.5
ENOUGH = 1.2
"""Rarity from which what agrees is no longer what many bear: two parts, neither rare nor common."""


def of_names(found: Alignment) -> dict[str, float]:
    """Features of two names laid beside each other."""
    values = dict.fromkeys(_AGREED, 0.0)
    agreed, weakest, substantive, across = 0.0, 1.0, 0.0, False
    for agreement in found.agreements:
        left, right, likeness, weight = agreement.left, agreement.right, agreement.likeness, agreement.weight
        agreed += weight
        across = across or left[0].arabic != right[0].arabic
        if left[0].kind == "name" or right[0].kind == "name":
            substantive += max(len(left), len(right))
            weakest = min(weakest, likeness)
        elif left[0].kind != "initial" and right[0].kind != "initial":
            substantive += _LESSER
        _share(values, likeness, weight)
    lesser, more = _less_and_more(sum(p.weight for p in found.left_over), sum(p.weight for p in found.right_over))
    fewer, most = _less_and_more(_names(found.left_over), _names(found.right_over))
    values["bias"] = 1.0
    values["agreed_rare"] = min(agreed, _MOST_AGREED)
    values["conflict"], values["extra"] = lesser, more - lesser
    values["conflict_parts"], values["extra_parts"] = fewer, min(most - fewer, _MOST_EXTRA)
    values["coverage"] = 2 * agreed / (2 * agreed + lesser + more) if agreed else 0.0
    values["weakest"] = 1.0 - weakest
    if substantive + fewer <= 1:
        values["lone"] = _ONE_WORD - min(agreed, 1.0)
    values["common"] = max(0.0, ENOUGH - agreed)
    if across:
        values["scripts_differ"], values["scripts_conflict"] = 1.0, lesser
    return values


def _less_and_more(one: float, other: float) -> tuple[float, float]:
    return (one, other) if one <= other else (other, one)


def _names(parts: tuple[Part, ...]) -> float:
    return sum(1.0 if part.kind == "name" else _LESSER if part.kind == "title" else 0.0 for part in parts)


def _share(values: dict[str, float], likeness: float, weight: float) -> None:
    """Give a weight to the two knots its likeness lies between."""
    for at in range(1, len(KNOTS)):
        if likeness <= KNOTS[at]:
            share = (likeness - KNOTS[at - 1]) / (KNOTS[at] - KNOTS[at - 1])
            values[_AGREED[at - 1]] += (1 - share) * weight
            values[_AGREED[at]] += share * weight
            return
    values[_AGREED[-1]] += weight


def of_facts(birth: str, countries: str) -> tuple[str, ...]:
    """The features that a grade of dates and an outcome of countries switch on."""
    return tuple(filter(None, (f"birth_{birth}" if birth != "MISSING" else "", countries and f"countries_{countries}")))
