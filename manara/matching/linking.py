"""Mentions of persons grouped: blocking by tokens, scoring, and a second test that keeps chains of half-likeness apart."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

from manara.matching import births
from manara.matching.blocking import tokens
from manara.matching.persons import LINK, Person, likelihood, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BUDGET = 20
"""Mentions a token may hold before it stops to say anything; the same bound as in the correlation stage."""


class Linker:
    """Groups mentions; after a call `pairs` are the candidate pairs of mention ids and `scored` is their number."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self.pairs: set[tuple[str, str]] = set()
        self.scored = 0

    def __call__(self, mentions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """The group of every mention {mention, name, aliases, dob, countries}; a group is named after its first mention by id."""
        persons = {str(m["mention"]): prepare(m) for m in mentions}
        self.pairs = candidates(persons, self.budget)
        self.scored = len(self.pairs)
        scores = {pair: likelihood(persons[pair[0]], persons[pair[1]]) for pair in sorted(self.pairs)}
        return grouped(persons, scores)


link = Linker()
"""The grouping as the scorers call it."""


def candidates(persons: Mapping[str, Person], budget: int) -> set[tuple[str, str]]:
    """Pairs of ids that share a token no more than `budget` persons hold."""
    holders: dict[str, list[str]] = defaultdict(list)
    for identity, person in persons.items():
        for token in tokens(person):
            holders[token].append(identity)
    return {pair for held in holders.values() if len(held) <= budget for pair in combinations(sorted(held), 2)}


def grouped(persons: Mapping[str, Person], scores: Mapping[tuple[str, str], float]) -> dict[str, str]:
    """Groups joined from the best pair down where the average of all scores between two groups holds and no birth date conflicts."""
    group = {identity: {identity} for identity in persons}
    for (one, other), value in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
        if value < LINK:
            break
        left, right = group[one], group[other]
        if left is not right and _together(left, right, persons, scores):
            left |= right
            group.update(dict.fromkeys(right, left))
    return {identity: min(members) for identity, members in group.items()}


def _together(
    left: set[str], right: set[str], persons: Mapping[str, Person], scores: Mapping[tuple[str, str], float]
) -> bool:
    """Average link over the scored pairs (a pair that was no candidate counts as nothing), and no dates far apart."""
    pairs = [(min(a, b), max(a, b)) for a in left for b in right]
    if any(births.grade(persons[a].births, persons[b].births) == "FAR" for a, b in pairs):
        return False
    return sum(scores.get(pair, 0.0) for pair in pairs) / len(pairs) >= LINK
