"""Fits the weights of the person matcher on labelled pairs, tests them on lists and regions left out, and writes them.

    python tests/quality/fit_persons.py PAIRS.ndjson             # report the spread over lists and regions left out
    python tests/quality/fit_persons.py PAIRS.ndjson --write     # fit on all and write manara/matching/data/weights.tsv

Logistic regression by Newton's method with a small ridge, on all fields and on names alone together. Weights in
HELD are not fitted: they are set by knowledge, because the labelled pairs were made by rules that life does not keep
(nobody there has two nationalities on two lists, no digit is mistyped in a date, no name is one word, and hardly
two bear one name).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manara.matching import features, persons

TARGET = Path(__file__).parents[2] / "manara/matching/data/weights.tsv"
HELD = {
    "countries_apart": -2.5,
    "countries_shared": 0.3,
    "birth_DIGIT": 0.3,
    "birth_YEARS": -2.5,
    "birth_FAR": -5.0,
    "lone": -6.0,
    "common": -2.5,
}
RIDGE = 0.5
REFITS, STEPS = 3, 8
HEADER = "# Weight in log-odds of each feature of manara.matching.features; made by tests/quality/fit_persons.py.\n"
Values = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One labelled pair as features: one set a pair of names, and what dates and countries say."""

    label: int
    src: str
    region: str
    mode: str
    alignments: list[Values]
    facts: tuple[str, ...]


def read(path: Path) -> list[Row]:
    """All labelled pairs, once with all fields and once with names alone."""
    pairs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [_row(pair, mode) for pair in pairs if pair["stratum"] != "alias_unrelated" for mode in ("full", "name")]


def _row(pair: dict[str, Any], mode: str) -> Row:
    bare: dict[str, list[str]] = {"dob": [], "countries": []} if mode == "name" else {}
    a, b = (persons.prepare(pair[side] | bare) for side in "ab")
    found = [f for f in persons.alignments(a, b) if f.agreements] if a.names and b.names else []
    facts = features.of_facts(*persons.facts(a, b))
    return Row(pair["label"], pair["src"], pair["region"], mode, [features.of_names(f) for f in found], facts)


def fitted(rows: Sequence[Row], start: Values) -> Values:
    """Weights from these rows; the best pair of names of each record is chosen by the weights of the round before."""
    weights = dict(start) | HELD
    for _ in range(REFITS):
        sparse = [(row.label, chosen(row, weights)) for row in rows if row.alignments]
        for _ in range(STEPS):
            weights = _step(sparse, weights)
    return weights


def chosen(row: Row, weights: Values) -> Values:
    """The features of a row's best alignment and its facts."""
    best = max(row.alignments, key=lambda values: sum(weights[f] * x for f, x in values.items()))
    return best | dict.fromkeys(row.facts, 1.0)


def _step(sparse: Iterable[tuple[int, Values]], weights: Values) -> Values:
    """One step of Newton's method over the weights that are free."""
    free = [f for f in features.FEATURES if f not in HELD]
    place = {f: i for i, f in enumerate(free)}
    gradient = [-RIDGE * weights[f] for f in free]
    hessian = [[RIDGE * (i == j) for j in range(len(free))] for i in range(len(free))]
    for label, values in sparse:
        chance = 1 / (1 + math.exp(-max(-30.0, min(30.0, sum(weights[f] * x for f, x in values.items())))))
        spread = chance * (1 - chance)
        held = [(place[f], x) for f, x in values.items() if f in place]
        for i, x in held:
            gradient[i] += (label - chance) * x
            for j, y in held:
                hessian[i][j] += spread * x * y
    move = solved(hessian, gradient)
    return weights | {f: weights[f] + max(-2.0, min(2.0, move[i])) for f, i in place.items()}


def solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solution of a system of linear equations, by elimination with pivots."""
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = max(range(i, len(rows)), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(len(rows)):
            if k != i and rows[k][i]:
                ratio = rows[k][i] / rows[i][i]
                rows[k] = [x - ratio * y for x, y in zip(rows[k], rows[i], strict=True)]
    return [row[-1] / row[i] for i, row in enumerate(rows)]


def scores(rows: Sequence[Row], weights: Values) -> list[float]:
    """The score of every row."""
    found = []
    for row in rows:
        total = sum(weights[f] * x for f, x in chosen(row, weights).items()) if row.alignments else -50.0
        found.append(1 / (1 + math.exp(-max(-50.0, total))))
    return found


def figures(
    rows: Sequence[Row], values: Sequence[float], threshold: float | None = None
) -> tuple[float, float, float, float]:
    """F1, its threshold (the best one where none is given), recall at 1 % and at 0.1 % false positives."""
    matches = [v for row, v in zip(rows, values, strict=True) if row.label]
    others = sorted((v for row, v in zip(rows, values, strict=True) if not row.label), reverse=True)

    def f1(t: float) -> float:
        true = sum(v >= t for v in matches)
        return 2 * true / max(1, len(matches) + true + sum(v >= t for v in others))

    best = threshold if threshold is not None else max((t / 100 for t in range(30, 100)), key=f1)
    recalls = [sum(v > others[int(rate * len(others))] for v in matches) / len(matches) for rate in (0.01, 0.001)]
    return f1(best), best, recalls[0], recalls[1]


def say(line: str) -> None:
    """One line on standard output."""
    sys.stdout.write(line + "\n")


def report(rows: Sequence[Row], start: Values) -> None:
    """Figures of each list and region, by weights and threshold of the others."""
    for field in ("src", "region"):
        for mode in ("full", "name"):
            found = []
            for value in sorted({getattr(row, field) for row in rows}):
                others = [row for row in rows if getattr(row, field) != value]
                weights = fitted(others, start)
                same = [row for row in others if row.mode == mode]
                threshold = figures(same, scores(same, weights))[1]
                held = [row for row in rows if getattr(row, field) == value and row.mode == mode]
                found.append(figures(held, scores(held, weights), threshold)[0])
                say(f"  {mode} without {field} {value}: F1 there {found[-1]:.3f} at {threshold:.2f}")
            say(f"{mode}, {field} left out: F1 {min(found):.3f} to {max(found):.3f}")


def main() -> int:
    """Report or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    rows = read(asked.pairs)
    start = persons.weights()
    if not asked.write:
        report(rows, start)
        return 0
    weights = fitted(rows, start)
    TARGET.write_text(HEADER + "".join(f"{f}\t{weights[f]:.3f}\n" for f in features.FEATURES), encoding="utf-8")
    for mode in ("full", "name"):
        same = [row for row in rows if row.mode == mode]
        f1, threshold, one, tenth = figures(same, scores(same, weights))
        say(f"{mode}: F1 {f1:.3f} at {threshold:.2f}, recall at 1 % {one:.3f}, at 0.1 % {tenth:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
