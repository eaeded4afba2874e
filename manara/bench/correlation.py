"""CORRELATE: alerts of persons folded into an index that holds as many as a whole network."""

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
RATE: Final = 5_000.0
SECONDS: Final = 7_200


def correlate(bench: Bench) -> list[Row]:
    """Correlation: a program invents wanted persons of six states, every hundredth with the passport number of an
    earlier one of another state, and folds their mentions into the store of `hub.correlate` on one core: decoded,
    posted, compared, committed every 1,000 records. Alerts a CPU-second over the whole run and over its last tenth,
    without the Kafka client; bytes an indexed alert on disk, and in memory with its bounded caches. Every planted pair
    must be linked by its number, and no other."""
    count = bench.count if bench.quick else MILLION
    found = _run(bench, count)
    if found["linked"] != found["planted"]:
        raise VoidRunError(f"{found['planted']} pairs share a number, and {found['linked']} were linked by one")
    return rows(found)


def rows(found: Mapping[str, Any]) -> list[Row]:
    """The figures of one run."""
    size = f"{found['alerts']:,} alerts"
    return [
        Row("CORRELATE", f"the last tenth of {size}", found["last_rate"], "alerts/s a core", least=RATE, more=found),
        Row("CORRELATE", f"all of {size}", found["rate"], "alerts/s a core"),
        Row("CORRELATE", "pairs compared", found["compared"] / found["alerts"], "an alert"),
        Row("CORRELATE", "index on disk", found["disk"], "bytes an alert"),
        Row("CORRELATE", "memory, caches included", found["memory"], "bytes an alert"),
    ]


def _run(bench: Bench, count: int) -> dict[str, Any]:
    """The program's figures. Its store is deleted again."""
    if not PROGRAMS.is_dir():
        raise CannotRunError(
            "The program of correlation is not here.", "Run the benchmark in a clone of the repository."
        )
    bench.say(f"CORRELATE: {count:,} alerts are folded")
    folder = Path(tempfile.mkdtemp(prefix="correlate-", dir=bench.stand.home.root))
    env = {**environment(), "PYTHONPATH": str(PROGRAMS.parents[1])}
    try:
        with pinned(bench.stand.cores.ours):
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.correlate", json.dumps({"folder": str(folder), "count": count})],
                capture_output=True, text=True, env=env, timeout=SECONDS, check=False,
            )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode:
        raise BenchError("The program of correlation failed.", done.stderr.strip()[-300:])
    return dict(json.loads(done.stdout))
