"""The identifiers: how many cases are normalised and judged as they should be, by kind."""

from __future__ import annotations

import time
from collections import Counter

from tests.quality import datasets
from tests.quality.report import Grid, Section


def measure(sample: int) -> Section:
    """All cases, whatever the sample: they take milliseconds."""
    from streams.matching.identifiers import judge

    cases = datasets.identifier_cases()
    start = time.process_time()
    judged = [judge(case["type"], case["raw"], case.get("country", "")) for case in cases]
    rate = round(len(cases) / max(time.process_time() - start, 1e-9))
    total: Counter[str] = Counter(case["type"] for case in cases)
    right: Counter[str] = Counter(
        case["type"]
        for case, found in zip(cases, judged, strict=True)
        if (found.value, found.valid) == (case["normal"], case["valid"])
    )
    rows = [(kind, total[kind], right[kind], right[kind] / total[kind]) for kind in sorted(total)]
    rows.append(("all", total.total(), right.total(), right.total() / total.total()))
    grid = Grid(f"Identifiers: normalised and judged right ({rate:,}/s)", ("kind", "cases", "right", "share"), rows)
    figures = {"cases": total.total(), "right": right.total(), "per_second": rate}
    return Section("identifiers", (grid,), figures)
