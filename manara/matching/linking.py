"""Mentions of persons grouped: blocking by tokens, scoring,
and a second test that keeps chains of half-likeness apart.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

from manara.matching import births
from manara.matching.blocking import tokens, wide_tokens
from manara.matching.persons import Person, likelihood, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Pair = tuple[str, str]
MOST_HOLDERS = 100
"""Mentions that may hold a token before it says nothing: it bounds the pairs a token can make."""
MOST_CANDIDATES = 25
"""Candidates looked at for a mention: those that share most and rarest; so pairs grow with mentions,
never with their square.
"""

JOIN = 0.55
"""Score, and average score, from which groups are joined: a development figure, and a group is only a proposal."""
_SAMPLE = 12
"""Members of a group that are asked; a group of more is a busy alias and costs no more."""


class Linker:
    """Groups mentions; after a call `pairs` are the candidate pairs of mention ids and `scored` is their number."""

    def __init__(self) -> None:
        self.pairs: set[Pair] = set()
        self.scored = 0

    def __call__(self, mentions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """The group of every mention {mention, name, aliases, dob, countries}; a group is named after its first id."""
        persons = {str(m["mention"]): prepare(m) for m in mentions}
        self.pairs = candidates(persons)
        self.scored = len(self.pairs)
        return grouped(persons, {pair: likelihood(persons[pair[0]], persons[pair[1]]) for pair in self.pairs})


link = Linker()
"""The grouping as the scorers call it."""


def candidates(persons: Mapping[str, Person]) -> set[Pair]:
    """Pairs of ids that share tokens: for each mention those that share most, a token counting by how few hold it."""
    holders: dict[str, list[str]] = defaultdict(list)
    for identity, person in persons.items():
        for token in {*tokens(person), *wide_tokens(person)}:
            holders[token].append(identity)
    shared: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for held in holders.values():
        if len(held) > MOST_HOLDERS:
            continue
        for one, other in combinations(held, 2):
            shared[one][other] += 1 / len(held)
            shared[other][one] += 1 / len(held)
    return {
        (min(identity, other), max(identity, other))
        for identity, others in shared.items()
        for other in sorted(others, key=lambda o: (-round(others[o], 9), o))[:MOST_CANDIDATES]
    }


def grouped(persons: Mapping[str, Person], scores: Mapping[Pair, float]) -> dict[str, str]:
    """Groups joined from the best pair down, where two groups are alike on the average and no birth dates conflict."""
    group = {identity: [identity] for identity in persons}
    for (one, other), value in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
        if value < JOIN:
            break
        left, right = group[one], group[other]
        if left is not right and _together(left, right, persons, scores):
            left.extend(right)
            group.update(dict.fromkeys(right, left))
    return {identity: min(members) for identity, members in group.items()}


def _together(
    left: Sequence[str], right: Sequence[str], persons: Mapping[str, Person], scores: Mapping[Pair, float]
) -> bool:
    """Average link: a pair that was no candidate is judged now; dates far apart keep groups apart."""
    pairs = [(min(a, b), max(a, b)) for a in left[:_SAMPLE] for b in right[:_SAMPLE]]
    if any(births.grade(persons[a].births, persons[b].births) == "FAR" for a, b in pairs):
        return False
    found = [scores[p] if p in scores else likelihood(persons[p[0]], persons[p[1]]) for p in pairs]
    return sum(found) / len(found) >= JOIN
