"""Two names laid beside each other, part by part: which parts agree, how well, and what is left on either side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product
from typing import TYPE_CHECKING

from manara.matching import similarity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manara.matching.names import Name, Part

AGREES = 0.60
"""Likeness from which two parts count as the same part spelled differently."""
_READING = 0.96
_INITIAL = 0.75
_JOINED = 0.85
_MOST_OPEN = 4
_FEWEST_OPEN = 2
_LONG = 5


@dataclass(frozen=True, slots=True)
class Agreement:
    """Parts of one name found in the other."""

    left: tuple[Part, ...]
    right: tuple[Part, ...]
    likeness: float
    weight: float
    """How rare they are, 0 to 1; the mean of both sides."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """What agrees between two names and what is left."""

    agreements: tuple[Agreement, ...]
    left_over: tuple[Part, ...]
    right_over: tuple[Part, ...]

    @property
    def worth(self) -> float:
        """Weighted share of both names that agrees, to choose among the names of two records."""
        agreed = sum(a.likeness * a.weight * len(a.left + a.right) for a in self.agreements)
        over = sorted((sum(p.weight for p in self.left_over), sum(p.weight for p in self.right_over)))
        return agreed - 2.0 * over[0] - 0.25 * over[1]


def align(left: Name, right: Name) -> Alignment:
    """The best one-to-one alignment: greedy from the likest and rarest pair down, a word written apart counting as one."""
    if right.key < left.key:
        return _turned(align(right, left))
    chances = _chances(left.parts, right.parts)
    taken_left: set[int] = set()
    taken_right: set[int] = set()
    agreements = []
    for _, _, mine, theirs, likeness in chances:
        if taken_left.isdisjoint(mine) and taken_right.isdisjoint(theirs):
            taken_left.update(mine)
            taken_right.update(theirs)
            ours, others = tuple(left.parts[i] for i in mine), tuple(right.parts[j] for j in theirs)
            weight = min(1.0, (sum(p.weight for p in ours) + sum(p.weight for p in others)) / 2)
            agreements.append(Agreement(ours, others, likeness, weight))
    return Alignment(
        tuple(agreements),
        tuple(p for i, p in enumerate(left.parts) if i not in taken_left),
        tuple(p for j, p in enumerate(right.parts) if j not in taken_right),
    )


def _turned(found: Alignment) -> Alignment:
    turned = (Agreement(a.right, a.left, a.likeness, a.weight) for a in found.agreements)
    return Alignment(tuple(turned), found.right_over, found.left_over)


Chance = tuple[float, float, tuple[int, ...], tuple[int, ...], float]


def _chances(left: tuple[Part, ...], right: tuple[Part, ...]) -> list[Chance]:
    """All pairs that could agree, the best first; ties by rarity, then by place, so that the order is always the same."""
    found: list[Chance] = []
    best_left, best_right = [0.0] * len(left), [0.0] * len(right)
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            likeness = 1.0 if one is other else likeness_of(one, other)
            if likeness >= AGREES:
                found.append((-likeness, -one.weight - other.weight, (i,), (j,), likeness))
                best_left[i], best_right[j] = max(best_left[i], likeness), max(best_right[j], likeness)
    open_left = [i for i, best in enumerate(best_left) if best < _JOINED]
    open_right = [j for j, best in enumerate(best_right) if best < _JOINED]
    if open_left and open_right and len(open_left) + len(open_right) > _FEWEST_OPEN:
        found += [(-s, -w, (i,), pair, s) for s, w, i, pair in _joins(left, right, open_left, open_right)]
        found += [(-s, -w, pair, (j,), s) for s, w, j, pair in _joins(right, left, open_right, open_left)]
    found.sort()
    return found


def _joins(
    wholes: tuple[Part, ...], pieces: tuple[Part, ...], open_wholes: list[int], open_pieces: list[int]
) -> Iterator[tuple[float, float, int, tuple[int, int]]]:
    """Words of one name that the other writes as two."""
    long = [i for i in open_wholes[:_MOST_OPEN] if len(wholes[i].sound) >= _LONG]
    usable = [j for j in open_pieces[:_MOST_OPEN] if pieces[j].kind != "initial"]
    for i, (j, k) in product(long, permutations(usable, 2)):
        whole, first, second = wholes[i], pieces[j], pieces[k]
        if first.arabic == second.arabic and similarity.close(whole.skeleton, first.skeleton + second.skeleton):
            likeness = _heard(whole.sound, first.sound + second.sound, whole.arabic, first.arabic)
            if likeness >= _JOINED:
                yield likeness * _READING, whole.weight + first.weight + second.weight, i, (j, k)


def likeness_of(one: Part, other: Part) -> float:
    """How alike two parts are, in either order."""
    return _likeness(one, other) if one.mark <= other.mark else _likeness(other, one)


@lru_cache(131_072)
def _likeness(one: Part, other: Part) -> float:
    if one.text == other.text:
        return 1.0 if one.arabic == other.arabic else similarity.SAME_SOUND
    if one.kind == "initial" or other.kind == "initial":
        return _INITIAL if _same_initial(one, other) else 0.0
    known = one.families and other.families
    if known and not set(one.families).isdisjoint(other.families):
        return similarity.FAMILY
    if one.arabic == other.arabic and one.sound == other.sound:
        return similarity.SAME_SOUND
    if not one.readings and not other.readings and one.arabic == other.arabic:
        if not similarity.near(one.skeleton, other.skeleton):
            return 0.0
        likeness = similarity.spelled(one.sound, other.sound)
    else:
        likeness = _by_sound(one, other)
    return min(likeness, similarity.OTHER_FAMILY) if known else likeness


def _same_initial(one: Part, other: Part) -> bool:
    return one.sound[:1] == other.sound[:1] or one.text[:1] == other.text[:1]


def _by_sound(one: Part, other: Part) -> float:
    """Likeness by sounds, over all readings of both; nothing where the skeletons are too far apart."""
    across = one.arabic != other.arabic
    best = 0.0
    for mine, bones in ((one.sound, one.skeleton), *one.readings):
        for theirs, others in ((other.sound, other.skeleton), *other.readings):
            if similarity.near(bones, others) or (across and similarity.near_without_v(bones, others)):
                trust = 1.0 if mine is one.sound and theirs is other.sound else _READING
                best = max(best, trust * _heard(mine, theirs, one.arabic, other.arabic))
    return best


def _heard(mine: str, theirs: str, mine_arabic: bool, theirs_arabic: bool) -> float:
    if mine_arabic == theirs_arabic:
        return similarity.spelled(*sorted((mine, theirs)))
    return similarity.abjad(mine, theirs) if mine_arabic else similarity.abjad(theirs, mine)
