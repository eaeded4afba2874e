"""Figures as values: runs, their median and range, and whether a target is reached. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from manara.bench.measure import Window

LEAST_CPU: Final = 0.25
"""CPU-seconds a window must have before it is held against a target: the kernel counts in hundredths."""


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, in which variant, and what it must be.

    `least` and `most` bound the target; both None where there is none. `low` and `high` are the range over the runs.
    """

    figure: str
    what: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    runs: int = 1
    low: float = 0.0
    high: float = 0.0
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    @property
    def target(self) -> str:
        """The target in words."""
        if self.least is not None:
            return f">= {number(self.least)}"
        return f"<= {number(self.most)}" if self.most is not None else ""

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {**asdict(self), "more": dict(self.more), "met": self.met}


def number(value: float) -> str:
    """A figure as people read it: three digits that count, thousands apart."""
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004


def over(
    figure: str,
    what: str,
    windows: Sequence[Window],
    pick: Callable[[Window], float],
    unit: str,
    *,
    least: float | None = None,
    most: float | None = None,
    more: Mapping[str, Any] | None = None,
) -> Row:
    """The row of several runs of one variant: the median of what `pick` takes from each."""
    values = [pick(window) for window in windows]
    least, most = (least, most) if tells(windows) else (None, None)
    detail = {
        "wall_rate": round(statistics.median(w.rate for w in windows), 1),
        "cpu_seconds_a_million": round(statistics.median(w.cpu_million for w in windows), 2),
        "servers_cpu_seconds_a_million": round(statistics.median(w.broker_million for w in windows), 2),
        "each": [w._asdict() for w in windows],
        **(more or {}),
    }
    return Row(
        figure, what, statistics.median(values), unit, least, most, len(values), min(values), max(values), detail
    )


def ratio(
    figure: str,
    what: str,
    above: Sequence[Window],
    below: Sequence[Window],
    *,
    least: float | None = None,
    most: float | None = None,
    pick: Callable[[Window], float] = lambda window: window.per_core,
) -> Row:
    """How many times the one variant is the other, by the medians; its range by pairs of the same round."""
    least, most = (least, most) if tells([*above, *below]) else (None, None)
    pairs = [pick(a) / pick(b) for a, b in zip(above, below, strict=False) if pick(b)]
    bottom = statistics.median(map(pick, below))
    value = statistics.median(map(pick, above)) / bottom if bottom else 0.0
    low, high = (min(pairs), max(pairs)) if pairs else (0.0, 0.0)
    return Row(figure, what, value, "times", least, most, len(pairs), low, high)


def tells(windows: Sequence[Window]) -> bool:
    """Whether these runs were long enough to be held against a target."""
    return all(window.cpu >= LEAST_CPU for window in windows)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of all do not exceed; ValueError for none."""
    if not values:
        raise ValueError("no values, no percentile")
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-int(share * 1e6) * len(ordered) // 10**6) - 1))]
