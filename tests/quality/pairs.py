"""Figures over labelled pairs, the same for persons and routes: headline, strata, regions, and the spread of folds."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import mean
from typing import Any, NamedTuple

from tests.quality import measures
from tests.quality.baselines import Quoted
from tests.quality.datasets import UNSOLVABLE, Row
from tests.quality.report import Cell, Grid

Scorer = Callable[[Mapping[str, Any], Mapping[str, Any]], float]
COLUMNS = ("matcher", "threshold", "P", "R", "F1", "AP", "R at FPR 1%", "R at 0.1%", "pairs/s cold")
_WARM_UP = 20
_ONE_PERCENT, _ONE_IN_A_THOUSAND = 0.01, 0.001


class Figures(NamedTuple):
    """One matcher over one set of pairs, at the threshold that is best there."""

    threshold: float
    precision: float
    recall: float
    f1: float
    average_precision: float
    recall_1: float
    recall_01: float
    per_second: float


class Scored(NamedTuple):
    """The rows with their scores, and how many pairs a second were scored on first sight."""

    rows: list[Row]
    scores: list[float]
    per_second: float


def forget() -> None:
    """Empty every memory of the matchers, so that a speed is the one of names seen for the first time."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("manara.matching", "streams.matching", "tests.quality.baselines")):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def score_all(scorer: Scorer, rows: Sequence[Row]) -> Scored:
    """Score every pair once, from cold; a few are scored before the clock starts, so that tables are loaded."""
    forget()
    for row in rows[-_WARM_UP:]:
        scorer(row["a"], row["b"])
    start = time.process_time()
    scores = [scorer(row["a"], row["b"]) for row in rows]
    return Scored(list(rows), scores, len(rows) / max(time.process_time() - start, 1e-9))


def headline(scored: Scored) -> Figures:
    """The figures over every row but the unsolvable ones."""
    scores, labels = _counted(scored)
    threshold = measures.best_threshold(scores, labels)
    found = measures.at_threshold(scores, labels, threshold)
    return Figures(
        threshold,
        *found,
        measures.average_precision(scores, labels),
        measures.recall_at_false_positives(scores, labels, _ONE_PERCENT),
        measures.recall_at_false_positives(scores, labels, _ONE_IN_A_THOUSAND),
        scored.per_second,
    )


def _counted(scored: Scored, keep: Callable[[Row], bool] = lambda _: True) -> tuple[list[float], list[int]]:
    kept = [
        (score, row["label"])
        for row, score in zip(scored.rows, scored.scores, strict=True)
        if row["stratum"] != UNSOLVABLE and keep(row)
    ]
    return [score for score, _ in kept], [label for _, label in kept]


def shares_by(scored: Scored, field: str, threshold: float, *, positives: bool) -> dict[str, tuple[float, int]]:
    """The share of pairs called a match, and their number, by a field; `positives` counts pairs of one person alone."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for row, score in zip(scored.rows, scored.scores, strict=True):
        if not positives or (row["label"] and row["stratum"] != UNSOLVABLE):
            hits[row[field]].append(score >= threshold)
    return {key: (sum(found) / len(found), len(found)) for key, found in sorted(hits.items())}


def folds(scored: Scored, fold_of: Callable[[Row], str]) -> dict[str, Figures | None]:
    """Each fold judged at the threshold that is best on all the others; None for a fold without both labels."""
    found: dict[str, Figures | None] = {}
    for name in sorted({fold_of(row) for row in scored.rows}):
        others = _counted(scored, lambda row, left=name: fold_of(row) != left)  # type: ignore[misc]
        scores, labels = _counted(scored, lambda row, left=name: fold_of(row) == left)  # type: ignore[misc]
        if not 0 < sum(labels) < len(labels) or not sum(others[1]):
            found[name] = None
            continue
        threshold = measures.best_threshold(*others)
        shares = measures.at_threshold(scores, labels, threshold)
        found[name] = Figures(threshold, *shares, *([0.0] * 4))
    return found


def spread(found: Mapping[str, Figures | None]) -> dict[str, float]:
    """Lowest, mean and highest F1 of the folds."""
    values = [figures.f1 for figures in found.values() if figures]
    return {"lowest": min(values), "mean": mean(values), "highest": max(values)} if values else {}


def line(name: str, figures: Figures) -> tuple[Cell, ...]:
    """A measured matcher as a row of the headline table."""
    return (name, f"{figures.threshold:.2f}", *figures[1:7], round(figures.per_second))


def quoted_lines(quoted: Iterable[Quoted]) -> list[tuple[Cell, ...]]:
    """Quoted matchers as rows of the headline table."""
    return [
        (f"* {q.name}", "", *map(_known, (q.precision, q.recall, q.f1)), "", *map(_known, (q.recall_1, q.recall_01)),
         "" if q.per_second is None else q.per_second)
        for q in quoted
    ]  # fmt: skip


def _known(value: float | None) -> Cell:
    return "" if value is None else value


def shares_grid(field: str, title: str, found: Mapping[str, Mapping[str, tuple[float, int]]]) -> Grid:
    """Shares by a field, of every matcher."""
    rows: list[tuple[Cell, ...]] = [
        (key, n, *(shares[key][0] for shares in found.values())) for key, (_, n) in next(iter(found.values())).items()
    ]
    return Grid(title, (field, "pairs", *found), rows)


def folds_grid(title: str, found: Mapping[str, Figures | None]) -> Grid:
    """The folds and their spread."""
    rows: list[Sequence[Cell]] = [
        (name, f"{f.threshold:.2f}", f.precision, f.recall, f.f1) for name, f in found.items() if f
    ]
    rows += [(f"{name} F1", "", "", "", value) for name, value in spread(found).items()]
    return Grid(title, ("left out", "threshold", "P", "R", "F1"), rows)
