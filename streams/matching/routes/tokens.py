"""Blocking tokens of a route: pairs of cells passed in order, alone and with the time they were passed in.

Two reports of one road share a pair of cells even where each leaves out stops of the other. A pair with its time is
rarer and still tells one month's traffic over a busy road from the next one's when the pair alone is over its budget.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from streams.matching.routes.gazetteer import Point, degrees, gazetteer
from streams.matching.routes.stops import Route, Stop
from streams.matching.routes.timing import PACE

MOST_TOKENS: Final = 48
_SIZE: Final = 3.0
"""Degrees a cell is wide and high: a port and its hinterland. Two grids half a cell apart: no border parts towns."""
_GRIDS: Final = (0.0, _SIZE / 2)
_WINDOW: Final = 28.0
"""Days of a time window; the second grid's windows begin half a window later."""
_FARTHEST: Final = 5
"""How many stops lie between two paired ones at most, plus one."""
_MOST_STOPS: Final = 64
_UNKNOWN_PLACE: Final = 1
"""How busy a cell is reckoned that the table knows no place in."""


class _Passage(NamedTuple):
    """Two cells passed in this order, when, and how busy they are."""

    grid: int
    cells: str
    window: int | None
    busy: int


def tokens(route: Route) -> tuple[str, ...]:
    """`road:<grid>:<cell>><cell>` with `@<window>` first where a day is known, the rarest first, at most 48.

    None for a route of fewer than two places: a single port is where everybody goes. Vehicles add `id:...` tokens.
    """
    stops = route.stops[:_MOST_STOPS]
    days = _days(stops)
    passages = sorted({p for grid in range(len(_GRIDS)) for p in _passages(stops, days, grid)}, key=_rarest_first)
    timed = [f"road:{p.grid}:{p.cells}@{p.window}" for p in passages if p.window is not None]
    plain = dict.fromkeys(f"road:{p.grid}:{p.cells}" for p in passages)
    chosen = [*timed[: MOST_TOKENS // 2], *list(plain)[: MOST_TOKENS // 2]]
    return (*sorted(route.vehicles), *chosen)


def _rarest_first(passage: _Passage) -> tuple[int, str, int]:
    return passage.busy, passage.cells, passage.grid


def _passages(stops: tuple[Stop, ...], days: list[float | None], grid: int) -> Iterable[_Passage]:
    cells = [_cell(stop, grid) for stop in stops]
    for first in range(len(cells)):
        for second in range(first + 1, min(len(cells), first + 1 + _FARTHEST)):
            one, other, day = cells[first], cells[second], days[first]
            if one and other and one != other:
                window = None if day is None else math.floor(day / _WINDOW + grid / 2)
                yield _Passage(grid, f"{one}>{other}", window, _busy(grid, one) * _busy(grid, other))


def _days(stops: tuple[Stop, ...]) -> list[float | None]:
    """The day each stop was passed: as reported, or reckoned from the nearest stop that has one."""
    dated = [(place, stop.day.number) for place, stop in enumerate(stops) if stop.day]
    if not dated:
        return [None] * len(stops)
    return [_reckoned(place, dated) for place in range(len(stops))]


def _reckoned(place: int, dated: list[tuple[int, float]]) -> float:
    at, day = min(dated, key=lambda known: abs(known[0] - place))
    return day + (place - at) * PACE


def _cell(stop: Stop, grid: int) -> str:
    """The cell of a stop, or its country and consonants where nobody knows where it lies; "" without either."""
    if stop.points:
        return _square(stop.points[0], grid)
    letters = stop.names[0].consonants if stop.names else ""
    return f"{stop.country}.{letters}" if stop.country and len(letters) > 1 else ""


def _square(place: Point, grid: int) -> str:
    lat, lon = degrees(place)
    return f"{math.floor((lat + 90 + _GRIDS[grid]) / _SIZE)}.{math.floor((lon + 180 + _GRIDS[grid]) / _SIZE)}"


@functools.cache
def _places() -> tuple[Mapping[str, int], ...]:
    """How many places of the table lie in each cell of either grid: the prior of how busy it is."""
    points = [where for _, where in gazetteer().codes.values()]
    return tuple(Counter(_square(where, grid) for where in points) for grid in range(len(_GRIDS)))


def _busy(grid: int, cell: str) -> int:
    return _places()[grid].get(cell, _UNKNOWN_PLACE)
