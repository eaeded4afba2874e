"""How alike two name parts sound: 1 the same, 0 unlike; spelling against spelling,
consonants where Arabic script takes part.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate

from rapidfuzz.distance import Levenshtein

from manara.matching.spelling import VOWELS
from manara.matching.tables import rows

FAMILY = 0.97
"""Two spellings that a table of spelling families holds together."""
SAME_SOUND = 0.98
OTHER_FAMILY = 0.3
"""Two well-known names that differ (Hasan, Husain) are unlike, however near their spelling."""
_GATE = 0.55
_OF_NO_USE = 0.45
_CONSONANT, _VOWEL, _SILENT_H, _GLIDE = 1.0, 0.30, 0.25, 0.35
_ABJAD_WRITTEN = 0.45
"""A long vowel is written in Arabic script, so a reading without it is another word more often than not."""


@lru_cache(1)
def costs() -> dict[str, float]:
    """Cost of each pair of sounds in both orders, from `data/costs.tsv`."""
    table: dict[str, float] = {}
    for cost, pairs in rows("costs.tsv"):
        for pair in pairs.split():
            table[pair] = table[pair[::-1]] = float(cost)
    return table


@lru_cache(1)
def _drops() -> dict[str, float]:
    """Cost of a sound that the other word lacks."""
    return dict.fromkeys(VOWELS, _VOWEL) | {"h": _SILENT_H, "y": _GLIDE, "w": _GLIDE}


def spelled(left: str, right: str) -> float:
    """Likeness of two words of sounds that both write their vowels; the same in either order."""
    return _spelled(left, right) if left <= right else _spelled(right, left)


@lru_cache(65_536)
def _spelled(left: str, right: str) -> float:
    drop = _drops()
    return _aligned(
        left, right, [drop.get(s, _CONSONANT) for s in left], [drop.get(s, _CONSONANT) for s in right], costs()
    )


@lru_cache(1)
def _abjad_costs() -> dict[str, float]:
    """Costs between Arabic script (first) and Latin (second): waw and ya stand for vowels and for consonants alike."""
    table = {pair: cost for pair, cost in costs().items() if pair[0] not in VOWELS}
    readings = {"w": "uo0 v1 a4 i5 e5", "y": "ie0 a3 J4 u5", "a": "ao0 e1 i2 u3", "h": "a1 e1 X1 t2"}
    for letter, groups in readings.items():
        for group in groups.split():
            table.update({letter + sound: int(group[-1]) / 10 for sound in group[:-1]})
    return table


@lru_cache(65_536)
def abjad(arabic: str, latin: str) -> float:
    """Likeness of a word in Arabic script and one in Latin letters: short vowels cost next to nothing,
    long ones must be there.
    """
    drop, lost = _drops(), {"w": 0.6, "y": 0.5, "a": 0.3, "h": 0.3}
    free = [0.06 if s in VOWELS else drop.get(s, _CONSONANT) for s in latin]
    return _aligned(arabic, latin, [lost.get(s, _CONSONANT) for s in arabic], free, _abjad_costs())


def _aligned(left: str, right: str, left_drop: list[float], right_drop: list[float], table: dict[str, float]) -> float:
    """One minus the cheapest way from one word to the other, by the weight of the longer (Wagner and Fischer, 1974).

    Equal beginnings and ends are left out first, and the search ends once all ways are dearer than any likeness of use.
    """
    heaviest = max(sum(left_drop), sum(right_drop), _CONSONANT)
    dearest = heaviest * _OF_NO_USE
    start, end = _alike_ends(left, right)
    left, left_drop = left[start : len(left) - end], left_drop[start : len(left_drop) - end]
    right, right_drop = right[start : len(right) - end], right_drop[start : len(right_drop) - end]
    row = [0.0, *accumulate(right_drop)]
    for sound, gone in zip(left, left_drop, strict=True):
        before, row[0] = row[0], row[0] + gone
        last = row[0]
        for at, other in enumerate(right):
            change = before if sound == other else before + table.get(sound + other, 1.0)
            before = row[at + 1]
            if before + gone < change:  # noqa: PLR1730  (a call of min() costs more than this innermost line)
                change = before + gone
            if last + right_drop[at] < change:  # noqa: PLR1730  (the same)
                change = last + right_drop[at]
            row[at + 1] = last = change
        if min(row) > dearest:
            return 0.0
    return max(0.0, 1.0 - row[-1] / heaviest)


def _alike_ends(left: str, right: str) -> tuple[int, int]:
    """How many sounds two words share at the beginning, and how many more at the end."""
    shorter = min(len(left), len(right))
    start = 0
    while start < shorter and left[start] == right[start]:
        start += 1
    end = 0
    while end < shorter - start and left[-1 - end] == right[-1 - end]:
        end += 1
    return start, end


def near(left: str, right: str) -> bool:
    """Whether two skeletons are near enough to be worth an alignment."""
    return left == right or Levenshtein.normalized_similarity(left, right) >= _GATE


def near_without_v(left: str, right: str) -> bool:
    """The same where Arabic script takes part: its waw is a v to Persians and falls out of skeletons."""
    return near(left.replace("v", "") or "a", right.replace("v", "") or "a")


def close(left: str, right: str) -> bool:
    """Whether two skeletons differ in one consonant at most."""
    return Levenshtein.distance(left, right, score_cutoff=1) <= 1
