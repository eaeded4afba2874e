"""Two routes laid beside each other in order: which stops of one are stops of the other, and what each has between."""

from __future__ import annotations

import itertools
from typing import Final, NamedTuple

from streams.matching.routes.likeness import Likeness, likeness
from streams.matching.routes.stops import Stop

_LEAST: Final = 0.3
"""Likeness below which two stops are not laid on each other."""


class Shared(NamedTuple):
    """A stop that both reports have: its places in either report, and how alike it is."""

    here: int
    there: int
    likeness: Likeness


def align(a: tuple[Stop, ...], b: tuple[Stop, ...]) -> tuple[Shared, ...]:
    """The shared stops, in the order of both routes, of the greatest total likeness: O(len(a) * len(b))."""
    alike = [[likeness(one, other) for other in b] for one in a]
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, row in enumerate(alike, 1):
        for j, found in enumerate(row, 1):
            laid = best[i - 1][j - 1] + found.worth if found.worth >= _LEAST else 0.0
            best[i][j] = max(best[i - 1][j], best[i][j - 1], laid)
    return _path(alike, best)


def _path(alike: list[list[Likeness]], best: list[list[float]]) -> tuple[Shared, ...]:
    """The shared stops behind the table of totals, read back from its end."""
    shared: list[Shared] = []
    i, j = len(best) - 1, len(best[0]) - 1
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            shared.append(Shared(i, j, alike[i][j]))
    return tuple(reversed(shared))


def gaps(shared: tuple[Shared, ...], here: int, there: int) -> list[tuple[int, int]]:
    """How many stops each report has alone, before the first shared stop, between each two, and after the last."""
    marks = [(-1, -1), *((s.here, s.there) for s in shared), (here, there)]
    return [(i - h - 1, j - t - 1) for (h, t), (i, j) in itertools.pairwise(marks)]
