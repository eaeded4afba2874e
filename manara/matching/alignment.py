"""Two names laid beside each other, part by part: which parts agree, how well, and what is left on either side."""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING, NamedTuple

from manara.matching import similarity
from manara.matching.names import Name, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

AGREES = 0.60
"""Likeness from which two parts count as the same part spelled differently."""
_READING = 0.96
_INITIAL = 0.75
_JOINED = 0.85
_MOST_OPEN = 4
_FEWEST_OPEN = 2
_LONG = 5


class Agreement(NamedTuple):
    """Parts of one name found in the other."""

    left: tuple[Part, ...]
    right: tuple[Part, ...]
    likeness: float
    weight: float
    """How rare they are, 0 to 1; the mean of both sides."""


class Alignment(NamedTuple):
    """What agrees between two names and what is left."""

    agreements: tuple[Agreement, ...]
    left_over: tuple[Part, ...]
    right_over: tuple[Part, ...]


def align(left: Name, right: Name) -> Alignment:
    """The best one-to-one alignment: greedy from the likest and rarest pair down, a word written apart counting as one.

    The left side is the name whose key comes first, whichever was given first.
    """
    if right.key < left.key:
        left, right = right, left
    mine_free, theirs_free = dict(enumerate(left.parts)), dict(enumerate(right.parts))
    agreements = []
    for _, _, mine, theirs, likeness in _chances(left.parts, right.parts):
        if len(mine) == 1 == len(theirs):
            if mine[0] in mine_free and theirs[0] in theirs_free:
                one, other = mine_free.pop(mine[0]), theirs_free.pop(theirs[0])
                agreements.append(Agreement((one,), (other,), likeness, (one.weight + other.weight) / 2))
        elif all(i in mine_free for i in mine) and all(j in theirs_free for j in theirs):
            ours, others = tuple(map(mine_free.pop, mine)), tuple(map(theirs_free.pop, theirs))
            weight = min(1.0, (sum(p.weight for p in ours) + sum(p.weight for p in others)) / 2)
            agreements.append(Agreement(ours, others, likeness, weight))
    return Alignment(tuple(agreements), tuple(mine_free.values()), tuple(theirs_free.values()))


Chance = tuple[float, float, tuple[int, ...], tuple[int, ...], float]


def _chances(left: tuple[Part, ...], right: tuple[Part, ...]) -> list[Chance]:
    """All pairs that could agree, the best first; ties by rarity, then by place,
    so that the order is always the same.
    """
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
    """How alike two parts are; the same in either order. Not remembered: most pairs end at the gate,
    which is cheaper.
    """
    if one.text == other.text:
        return 1.0 if one.arabic == other.arabic else similarity.SAME_SOUND
    if one.kind == "initial" or other.kind == "initial":
        return _INITIAL if _same_initial(one, other) else 0.0
    if one.families and other.families:
        if not set(one.families).isdisjoint(other.families):
            return similarity.FAMILY
        alike = one.sound == other.sound and not one.arabic and not other.arabic
        return _READING if alike else similarity.OTHER_FAMILY
    if one.arabic != other.arabic or one.readings or other.readings:
        return _by_sound(one, other)
    if one.sound == other.sound:
        return similarity.SAME_SOUND
    return similarity.spelled(one.sound, other.sound) if similarity.near(one.skeleton, other.skeleton) else 0.0


def _same_initial(one: Part, other: Part) -> bool:
    return one.sound[:1] == other.sound[:1] or one.text[:1] == other.text[:1]


def _by_sound(one: Part, other: Part) -> float:
    """Likeness by sounds, over all readings of both; nothing where the skeletons are too far apart."""
    across = one.arabic != other.arabic
    if not across and one.sound == other.sound:
        return similarity.SAME_SOUND
    best = 0.0
    for mine, bones in ((one.sound, one.skeleton), *one.readings):
        for theirs, others in ((other.sound, other.skeleton), *other.readings):
            if similarity.near(bones, others) or (across and similarity.near_without_v(bones, others)):
                trust = 1.0 if mine is one.sound and theirs is other.sound else _READING
                best = max(best, trust * _heard(mine, theirs, one.arabic, other.arabic))
    return best


def _heard(mine: str, theirs: str, mine_arabic: bool, theirs_arabic: bool) -> float:
    if mine_arabic == theirs_arabic:
        return similarity.spelled(mine, theirs)
    return similarity.abjad(mine, theirs) if mine_arabic else similarity.abjad(theirs, mine)
