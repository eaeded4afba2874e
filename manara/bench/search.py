"""SEARCH: a member's edge answers its desk, over as many live alerts as a whole network holds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from manara.bench.context import PROGRAMS, Bench
from manara.bench.errors import BenchError, CannotRunError, VoidRunError
from manara.bench.results import Row
from manara.bench.stand import pinned
from manara.deployment.processes import environment

MILLION: Final = 1_000_000
EXACT: Final = 500.0
FUZZY_MS: Final = 100.0
FOUND: Final = 0.9
"""This share of the misspelled names must find whom they mean; a name of one common part finds the newest alone."""
SECONDS: Final = 7_200


def search(bench: Bench) -> list[Row]:
    """Search: a program fills a real inbox with 1 M live alerts of invented persons, routes and transfers, each signed,
    indexes it as the edge does, and asks on one core what `manara search` asks: passports as a scanner or a clerk
    writes them (by their kind, and as a text that may be anything), full names misspelled, half of them with the year
    of birth, and last names alone. Exact questions a CPU-second; the 95th percentile of fuzzy ones on the
    wall. Every exact question must find its alert, and nine in ten of the fuzzy ones."""
    count = bench.count if bench.quick else MILLION
    found = _run(bench, count)
    for name, least in (("exact", 1.0), ("free", 1.0), ("fuzzy", FOUND), ("part", FOUND)):
        one = found[name]
        if one["right"] < least * one["questions"]:
            raise VoidRunError(f"{one['right']} of {one['questions']} {name} questions found what they had to")
    return rows(found)


def rows(found: Mapping[str, Any]) -> list[Row]:
    """The figures of one run."""
    size = f"over {found['alerts']:,} live alerts"
    fuzzy = found["fuzzy"]
    return [
        Row("SEARCH", f"exact, by kind, {size}", _rate(found["exact"]), "questions/s a core", least=EXACT, more=found),
        Row("SEARCH", f"exact, any kind, {size}", _rate(found["free"]), "questions/s a core", least=EXACT),
        Row("SEARCH", f"fuzzy, p95, {size}", fuzzy["p95_ms"], "ms", most=FUZZY_MS),
        Row("SEARCH", "fuzzy, p95 of CPU", fuzzy["cpu_p95_ms"], "ms"),
        Row("SEARCH", f"one part of a name, p95, {size}", found["part"]["p95_ms"], "ms", most=FUZZY_MS),
        Row("SEARCH", "index", found["bytes_an_alert"], "bytes an alert"),
        Row("SEARCH", "index made", found["alerts"] / found["built_cpu"], "alerts/s a core"),
    ]


def _rate(one: Mapping[str, Any]) -> float:
    return float(one["questions"] / one["cpu"]) if one["cpu"] else 0.0


def _run(bench: Bench, count: int) -> dict[str, Any]:
    """The program's figures. The inbox is deleted again: at 1 M it takes 1.5 GB."""
    if not PROGRAMS.is_dir():
        raise CannotRunError("The search's program is not here.", "Run the benchmark in a clone of the repository.")
    bench.say(f"SEARCH: an inbox of {count:,} alerts is made, indexed and asked")
    folder = Path(tempfile.mkdtemp(prefix="search-", dir=bench.stand.home.root))
    asked = (200, 100) if bench.quick else (3_000, 1_000)
    given = json.dumps({"folder": str(folder), "count": count, "exact": asked[0], "fuzzy": asked[1]})
    env = {**environment(), "PYTHONPATH": str(PROGRAMS.parents[1])}
    try:
        with pinned(bench.stand.cores.ours):
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.search", given],
                capture_output=True, text=True, env=env, timeout=SECONDS, check=False,
            )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode:
        raise BenchError("The search's program failed.", done.stderr.strip()[-300:])
    return dict(json.loads(done.stdout))
