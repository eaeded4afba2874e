"""How alike two stops are as places, 0 to 1, and by what: code, coordinates, name."""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

from rapidfuzz.distance import Indel

from streams.matching.routes.gazetteer import PlaceName, kilometres
from streams.matching.routes.stops import Stop

HERE, NEAR, FAR = 40.0, 150.0, 300.0
"""Kilometres: within one town and its port; a neighbouring place reported instead; another place."""
_ELSEWHERE: Final = 1500.0
"""Kilometres from which an equal name in another country is chance."""
_NEAR_WORTH: Final = 0.75
_SPELT_ALIKE: Final = 0.72
_CONSONANTS_ALIKE: Final = 0.8
_FEWEST_CONSONANTS: Final = 2
_NAME_FAR_AWAY: Final = 0.3
"""What an equal name is worth where both sides gave coordinates far apart: another town of that name."""
_ABROAD: Final = 0.5
"""What a name is worth across a border: border towns are reported on either side."""


class Likeness(NamedTuple):
    """The likeness and its reason, a word for the evidence."""

    worth: float
    how: str


NOTHING: Final = Likeness(0.0, "")


def likeness(a: Stop, b: Stop) -> Likeness:
    """The better of what the code, the coordinates and the names say."""
    if a.code and a.code == b.code:
        return Likeness(1.0, "same code")
    away = min((kilometres(p, q) for p in a.points for q in b.points), default=None)
    by_place = _by_distance(away)
    if by_place.worth == 1.0:
        return by_place
    if away is not None and away > _ELSEWHERE and a.country != b.country:
        return NOTHING
    by_name = _by_names(a, b)
    if away is not None and away > FAR:
        by_name = Likeness(by_name.worth * (_NAME_FAR_AWAY if a.surveyed and b.surveyed else 0.6), by_name.how)
    return max(by_place, by_name)


def _by_distance(away: float | None) -> Likeness:
    if away is None or away >= FAR:
        return NOTHING
    if away <= HERE:
        return Likeness(1.0, f"{away:.0f} km apart")
    if away <= NEAR:
        return Likeness(1.0 - (1.0 - _NEAR_WORTH) * (away - HERE) / (NEAR - HERE), f"{away:.0f} km apart")
    return Likeness(_NEAR_WORTH * (FAR - away) / (FAR - NEAR), f"{away:.0f} km apart")


def _by_names(a: Stop, b: Stop) -> Likeness:
    if not a.names or not b.names:
        return NOTHING
    found = max(spelt(one, other) for one in a.names for other in b.names)
    if a.country and b.country and a.country != b.country:
        found *= _ABROAD
    how = "same name" if found == 1.0 else "name spelt alike"
    return Likeness(found * 0.97, how) if found else NOTHING


@functools.lru_cache(65_536)
def spelt(a: PlaceName, b: PlaceName) -> float:
    """How alike two names are spelt; by their consonants where either was in Arabic script, which leaves vowels out."""
    if a.letters == b.letters:
        return 1.0
    ratio = Indel.normalized_similarity(a.letters, b.letters, score_cutoff=_SPELT_ALIKE)
    if a.abjad or b.abjad:
        ratio = max(ratio, _by_consonants(a.consonants, b.consonants))
    return ratio


def _by_consonants(a: str, b: str) -> float:
    if min(len(a), len(b)) < _FEWEST_CONSONANTS:
        return 0.0
    return 0.95 * Indel.normalized_similarity(a, b, score_cutoff=_CONSONANTS_ALIKE)
