"""How far apart in time two reports of one road are, also where no shared stop is dated on both sides.

A leg between two stops takes days, not weeks, so a day reported at one stop says roughly when the others were passed.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from streams.matching.routes.alignment import Shared, gaps
from streams.matching.routes.stops import Stop

_NOISE: Final = 3.0
"""Days by which two honest reports of one passage differ (one standard deviation): each is off by a few."""
PACE: Final = 2.3
"""Days a leg takes where a report does not tell."""
_PACE_SPREAD: Final = 1.3
"""How far a leg may be off that pace, in days (one standard deviation)."""
_OTHER_RUN: Final = 30.0
"""How far other runs of the same road lie apart, in days (half of them nearer): weeks to months."""
_WRONG: Final = 0.02
"""The share of reports whose dates are simply wrong."""


class Shift(NamedTuple):
    """How many days later the second report is, how sure that is, and how many pairs of days say so."""

    days: float
    spread: float
    shared: int
    """Shared stops dated on both sides; 0 where the shift was reckoned from stops nearby."""


def shift(a: tuple[Stop, ...], b: tuple[Stop, ...], shared: tuple[Shared, ...]) -> Shift | None:
    """The shift between two aligned reports; None where one of them says no day at all."""
    same = [
        (two.number - one.number, math.hypot(_NOISE, one.spread, two.spread))
        for s in shared
        if (one := a[s.here].day) and (two := b[s.there].day)
    ]
    if same:
        middle = _median([days for days, _ in same])
        return Shift(middle, min(spread for _, spread in same) / math.sqrt(min(len(same), 2)), len(same))
    return _reckoned(a, b, shared)


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _reckoned(a: tuple[Stop, ...], b: tuple[Stop, ...], shared: tuple[Shared, ...]) -> Shift | None:
    """The shift by the two dated stops that lie the fewest legs apart."""
    here, there = _positions(shared, len(a), len(b))
    found = [
        (abs(q - p), q - p, two.number - one.number, one.spread + two.spread)
        for p, stop in zip(here, a, strict=True)
        if (one := stop.day)
        for q, other in zip(there, b, strict=True)
        if (two := other.day)
    ]
    if not found or not shared:
        return None
    nearest = min(found)[0]
    close = [(days - legs * PACE, spread) for apart, legs, days, spread in found if apart <= nearest]
    middle = sum(days for days, _ in close) / len(close)
    spread = math.hypot(_NOISE, min(s for _, s in close), _PACE_SPREAD * math.sqrt(nearest), 0.35 * nearest)
    return Shift(middle, spread, 0)


def _positions(shared: tuple[Shared, ...], here: int, there: int) -> tuple[list[float], list[float]]:
    """Where every stop of either report lies on the road of both, counted in legs."""
    mine: list[float] = []
    theirs: list[float] = []
    at = 0.0
    for place, (ours, others) in enumerate(gaps(shared, here, there)):
        legs = max(ours, others) + 1
        first = place == 0
        mine += _laid(at, legs, ours, towards_end=first)
        theirs += _laid(at, legs, others, towards_end=first)
        at += legs
        if place < len(shared):
            mine.append(at)
            theirs.append(at)
    return mine, theirs


def _laid(start: float, legs: int, stops: int, *, towards_end: bool) -> list[float]:
    """The places of stops in a gap: evenly over its legs, or just before the first shared stop."""
    if towards_end:
        return [start + legs - stops + k for k in range(stops)]
    return [start + legs * (k + 1) / (stops + 1) for k in range(stops)]


def favours_same_run(found: Shift | None) -> float:
    """The logarithm of how much likelier this shift is within one run than between two runs of one road."""
    if found is None:
        return 0.0
    between = _broad(found.days)
    within = (1 - _WRONG) * _bell(found.days, found.spread) + _WRONG * between
    return math.log(within / between)


def _bell(days: float, spread: float) -> float:
    """A normal density."""
    return math.exp(-0.5 * min((days / spread) ** 2, 600.0)) / (spread * math.sqrt(2 * math.pi))


def _broad(days: float) -> float:
    """A density with long tails (Cauchy): other runs lie weeks apart, and some a year."""
    return 1.0 / (math.pi * _OTHER_RUN * (1.0 + (days / _OTHER_RUN) ** 2))
