"""What a comparison of two persons rests on, as numbers: agreement by degree and rarity, what is left over, dates, countries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manara.matching.alignment import Alignment
    from manara.matching.names import Part

KNOTS = (0.60, 0.75, 0.88, 0.96, 1.0)
"""Degrees of likeness between which the worth of an agreement is drawn as straight lines."""
FEATURES = (
    "bias",
    *(f"agreed_{knot:.2f}" for knot in KNOTS),
    "agreed_rare",
    "conflict",
    "conflict_parts",
    "extra",
    "extra_parts",
    "coverage",
    "weakest",
    "lone",
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
_TITLE = 0.5
"""A title may be a name, so one left over counts half."""
_ONE_WORD = 1.5


def of_names(found: Alignment) -> dict[str, float]:
    """Features of two names laid beside each other."""
    values = {"bias": 1.0}
    agreed = 0.0
    weakest, substantive = 1.0, 0
    for agreement in found.agreements:
        agreed += agreement.weight
        name = any(part.kind == "name" for part in agreement.left + agreement.right)
        substantive += name * max(len(agreement.left), len(agreement.right))
        weakest = min(weakest, agreement.likeness) if name else weakest
        for feature, share in _shares(agreement.likeness):
            values[feature] = values.get(feature, 0.0) + share * agreement.weight
    over = sorted((sum(p.weight for p in found.left_over), sum(p.weight for p in found.right_over)))
    total = 2 * agreed + over[0] + over[1]
    values["agreed_rare"] = min(agreed, _MOST_AGREED)
    values["conflict"], values["extra"] = over[0], over[1] - over[0]
    left, right = _names(found.left_over), _names(found.right_over)
    values["conflict_parts"], values["extra_parts"] = (
        float(min(left, right)),
        float(min(abs(left - right), _MOST_EXTRA)),
    )
    values["coverage"] = 2 * agreed / total if total else 0.0
    values["weakest"] = 1.0 - weakest
    if substantive + min(left, right) <= 1:
        values["lone"] = _ONE_WORD - min(agreed, 1.0)
    if any(a.left[0].arabic != a.right[0].arabic for a in found.agreements):
        values["scripts_differ"], values["scripts_conflict"] = 1.0, over[0]
    return values


def _names(parts: tuple[Part, ...]) -> float:
    return sum(1.0 if part.kind == "name" else _TITLE if part.kind == "title" else 0.0 for part in parts)


def _shares(likeness: float) -> list[tuple[str, float]]:
    """A likeness as shares of the two knots it lies between."""
    for low, high in zip(KNOTS, KNOTS[1:], strict=False):
        if likeness <= high:
            share = (likeness - low) / (high - low)
            return [(f"agreed_{low:.2f}", 1 - share), (f"agreed_{high:.2f}", share)]
    return [(f"agreed_{KNOTS[-1]:.2f}", 1.0)]


def of_facts(birth: str, countries: str) -> tuple[str, ...]:
    """The features that a grade of dates and an outcome of countries switch on."""
    return tuple(filter(None, (f"birth_{birth}" if birth != "MISSING" else "", countries and f"countries_{countries}")))
