"""The judgement over two routes: one movement, another run over the same road, or nothing; with its evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from streams.matching.routes import timing
from streams.matching.routes.alignment import Shared, align, gaps
from streams.matching.routes.stops import Route, prepare

RULES: Final = "routes/1"
"""Version of these rules, kept in each link."""

Outcome = Literal["SAME", "SAME_ROAD", "NONE"]
Band = Literal["STRONG", "PROBABLE", "POSSIBLE", "NONE"]

STRONG, LINK, ASK = 0.85, 0.5, 0.3
"""Scores from which a link is strong, is proposed, and a person may be asked."""
_FEWEST: Final = 2
"""Shared stops that make a road: one common port is where everybody goes."""
_ONE_STOP: Final = 0.1
_STEEP, _HALF = 10.0, 0.62
"""How the share of stops that agree becomes the chance of one road: half at 0.62."""
_UNDATED: Final = 0.6
"""The log odds of one run where neither report's dates can be compared."""
_SAME_VEHICLE: Final = 2.0
_OTHER_VEHICLE: Final = -3.0
"""Log odds of a shared and of a differing vessel, vehicle or container. A liner comes again: dates outweigh it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two reports have in common: the score of one movement, 0 to 1, the outcome, the band and why."""

    score: float
    outcome: Outcome
    band: Band
    evidence: tuple[str, ...]


class _Judgement(NamedTuple):
    """The parts of a score, before they are put into words."""

    shared: tuple[Shared, ...]
    conflicts: int
    road: float
    shift: timing.Shift | None
    vehicle: int
    """1 a shared one, -1 two different ones of a kind, 0 unknown."""
    run: float

    @property
    def score(self) -> float:
        """The chance of one movement over one road."""
        return self.road * self.run


def score(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """How likely two reports `{"waypoints": [...]}` tell of one movement, 0 to 1; the same whichever comes first."""
    return _judge(*_ordered(prepare(a), prepare(b))).score


def explain(a: Mapping[str, Any], b: Mapping[str, Any]) -> Comparison:
    """The comparison of two plain reports."""
    return compare(prepare(a), prepare(b))


def compare(a: Route, b: Route) -> Comparison:
    """The comparison of two prepared reports; evidence speaks of them in one fixed order, whichever comes first."""
    first, second = _ordered(a, b)
    found = _judge(first, second)
    outcome = _outcome(found)
    return Comparison(found.score, outcome, _band(found.score), tuple(_evidence(first, second, found, outcome)))


def _ordered(a: Route, b: Route) -> tuple[Route, Route]:
    return (a, b) if a.key <= b.key else (b, a)


def _judge(a: Route, b: Route) -> _Judgement:
    shared = align(a.stops, b.stops)
    conflicts = sum(min(gap) for gap in gaps(shared, len(a.stops), len(b.stops)))
    found = timing.shift(a.stops, b.stops, shared)
    vehicle = _vehicle(a, b)
    odds = _UNDATED if found is None else timing.favours_same_run(found)
    odds += {1: _SAME_VEHICLE, 0: 0.0, -1: _OTHER_VEHICLE}[vehicle]
    road = _road(shared, conflicts, min(len(a.stops), len(b.stops)))
    return _Judgement(shared, conflicts, road, found, vehicle, _chance(odds))


def _road(shared: tuple[Shared, ...], conflicts: int, shorter: int) -> float:
    """The chance of one road: how many of the shorter report's stops are shared, and of those that could be."""
    if not shared:
        return 0.0
    worth = sum(s.likeness.worth for s in shared)
    share = (worth / shorter + worth / (len(shared) + conflicts)) / 2
    return _chance(_STEEP * (share - _HALF)) if len(shared) >= _FEWEST else _ONE_STOP * share


def _vehicle(a: Route, b: Route) -> int:
    if a.vehicles & b.vehicles:
        return 1
    return -1 if {_family(v) for v in a.vehicles} & {_family(v) for v in b.vehicles} else 0


def _family(token: str) -> str:
    """`id:imo` of `id:imo:IMO9074729`."""
    return token.rsplit(":", 1)[0]


def _chance(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-odds))


def _outcome(found: _Judgement) -> Outcome:
    if found.score >= LINK:
        return "SAME"
    return "SAME_ROAD" if found.road >= LINK and found.run < LINK else "NONE"


def _band(value: float) -> Band:
    return "STRONG" if value >= STRONG else "PROBABLE" if value >= LINK else "POSSIBLE" if value >= ASK else "NONE"


def _evidence(a: Route, b: Route, found: _Judgement, outcome: Outcome) -> list[str]:
    """What agreed, what spoke against, and what is not known."""
    said = [_said(a, b, s) for s in found.shared[:12]]
    if len(found.shared) < _FEWEST:
        said.append("fewer than two stops in the same order are shared: that makes no road")
        if len(align(a.stops, tuple(reversed(b.stops)))) >= _FEWEST:
            said.append("the stops come in the opposite order: another movement")
    if found.conflicts:
        said.append(f"{found.conflicts} stops between shared ones differ")
    said.append(_days(found.shift))
    if found.vehicle:
        said.append(
            "the same vessel, vehicle or container" if found.vehicle > 0 else "another vessel, vehicle or container"
        )
    if outcome == "SAME_ROAD":
        said.append("the same road, but another run")
    return said


def _said(a: Route, b: Route, shared: Shared) -> str:
    one, other = a.stops[shared.here], b.stops[shared.there]
    return f"{one.written or one.code} = {other.written or other.code} ({shared.likeness.how})"


def _days(shift: timing.Shift | None) -> str:
    if shift is None:
        return "the dates cannot be compared"
    if shift.shared:
        return f"{abs(shift.days):.0f} days apart at {shift.shared} shared stops that both date"
    return f"about {abs(shift.days):.0f} days apart, reckoned from the stops nearest to each other that are dated"
