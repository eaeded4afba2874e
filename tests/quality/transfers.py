"""The detector of transfer patterns: as labelled, and drowned in ten times the lawful traffic."""

from __future__ import annotations

import time
from typing import Any

from tests.quality import baselines, datasets, measures
from tests.quality.datasets import Row
from tests.quality.report import Cell, Grid, Section
from tests.support.lawful_traffic import drowned

FAMILIES = {
    "fan_in": frozenset({"fan_in", "smurfing", "gather_scatter"}),
    "fan_out": frozenset({"fan_out", "scatter_gather", "structuring"}),
    "cycle": frozenset({"cycle", "round_trip"}),
    "round_trip": frozenset({"cycle", "round_trip"}),
    "layering_chain": frozenset({"layering_chain", "random", "stack"}),
    "random": frozenset({"random", "layering_chain"}),
    "stack": frozenset({"stack", "bipartite", "layering_chain"}),
    "bipartite": frozenset({"bipartite", "stack"}),
    "gather_scatter": frozenset({"gather_scatter", "fan_in", "fan_out", "smurfing"}),
    "scatter_gather": frozenset({"scatter_gather", "fan_out", "fan_in"}),
    "structuring": frozenset({"structuring", "smurfing"}),
    "smurfing": frozenset({"smurfing", "structuring", "fan_in", "gather_scatter"}),
}
"""Typologies of attempts that an alert's typology may stand for: part of it, or how it looks from one side."""
TENFOLD = 10
COLUMNS = (
    "stream",
    "transfers",
    "transfer P",
    "R",
    "F1",
    "attempt P",
    "R",
    "F1",
    "right typology",
    "delay",
    "transfers/s",
)


def measure(sample: int) -> Section:
    """The stream as it is, with tenfold lawful traffic, and with tenfold traffic of harder kinds."""
    rows, truth = datasets.transfers(sample)
    labelled = {transfer for attempt in truth for transfer in attempt["transactions"]}
    streams = {
        "as labelled": rows,
        "tenfold lawful traffic, invented": drowned(rows, labelled, factor=TENFOLD),
        "the same with harder look-alikes": drowned(rows, labelled, factor=TENFOLD, hard=True),
    }
    found = {name: _judged(stream, truth) for name, stream in streams.items()}
    lines = [_line(name, len(streams[name]), *judged) for name, judged in found.items()]
    lines += [(f"* {name}", "", *level, *attempt, "", "", rate) for name, level, attempt, rate in baselines.TRANSFERS]
    kinds = found["as labelled"][0].by_typology
    by_kind: list[tuple[Cell, ...]] = [
        (kind, n, *(worth.by_typology[kind][0] for worth, _ in found.values())) for kind, (_, n) in kinds.items()
    ]
    grids = (
        Grid(f"Transfers: {len(truth)} labelled attempts", COLUMNS, lines),
        Grid("Transfers: recall by typology", ("typology", "attempts", *found), by_kind),
    )
    return Section("transfers", grids, {name: _figures(*judged) for name, judged in found.items()})


def _judged(stream: list[Row], truth: list[Row]) -> tuple[measures.OnStream, int]:
    """The worth of the detector on a stream, and transfers a second."""
    from streams.matching import transfers

    start = time.process_time()
    alerts = list(transfers.detect(iter([dict(row) for row in stream])))
    rate = round(len(stream) / max(time.process_time() - start, 1e-9))
    order = {row["id"]: place for place, row in enumerate(stream)}
    attempts = [measures.Attempt(t["typology"], frozenset(t["transactions"])) for t in truth]
    return measures.on_stream(alerts, attempts, order, FAMILIES), rate


def _line(name: str, size: int, worth: measures.OnStream, rate: int) -> tuple[Cell, ...]:
    return (name, size, *worth.transfer, *worth.attempt, worth.typed, worth.delay, rate)


def _figures(worth: measures.OnStream, rate: int) -> dict[str, Any]:
    return {
        "transfer": worth.transfer._asdict(),
        "attempt": worth.attempt._asdict(),
        "right_typology": worth.typed,
        "delay": worth.delay,
        "alerts": worth.alerts,
        "recall_by_typology": {kind: share for kind, (share, _) in worth.by_typology.items()},
        "per_second": rate,
    }
