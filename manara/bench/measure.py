"""What is measured, and how: CPU time from /proc, progress by counting what has arrived, one window without warm-up."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from manara.bench.errors import BenchError

TICK: Final = os.sysconf("SC_CLK_TCK")
PAUSE: Final = 0.05
WARM_UP: Final = 0.2
"""This share of a run is discarded: imports, joining a group, compilers."""
PATIENCE: Final = 300.0

_UTIME: Final = 11  # fields of /proc/<pid>/stat after the name; children's time follows as 13 and 14


class Sample(NamedTuple):
    """One look: seconds on the wall, CPU-seconds of ours and of the servers since their starts, results so far."""

    at: float
    ours: float
    broker: float
    done: int


class Window(NamedTuple):
    """A run without its warm-up: results, seconds, CPU-seconds."""

    alerts: int
    seconds: float
    cpu: float
    broker: float

    @property
    def rate(self) -> float:
        """Results a second on the wall."""
        return self.alerts / self.seconds if self.seconds else 0.0

    @property
    def per_core(self) -> float:
        """Results a CPU-second of ours."""
        return self.alerts / self.cpu if self.cpu else 0.0

    @property
    def cpu_million(self) -> float:
        """CPU-seconds of ours a million results."""
        return self.cpu / self.alerts * 1e6 if self.alerts else 0.0

    @property
    def broker_million(self) -> float:
        """CPU-seconds of the servers a million results."""
        return self.broker / self.alerts * 1e6 if self.alerts else 0.0


def cpu_seconds(pid: int, *, children: bool = False) -> float:
    """User and system time of a process; `children` adds those that it has waited for. 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    return parse_stat(text, children=children)


def parse_stat(text: str, *, children: bool = False) -> float:
    """User and system time in the text of /proc/<pid>/stat; the name in it may hold anything, brackets too."""
    fields = text.rpartition(")")[2].split()
    return sum(int(field) for field in fields[_UTIME : _UTIME + (4 if children else 2)]) / TICK


def family_seconds(pid: int) -> float:
    """The same of a process with all its descendants, those that live and those that have ended."""
    return cpu_seconds(pid, children=True) + sum(family_seconds(child) for child in children_of(pid))


def children_of(pid: int) -> list[int]:
    """The process ids of a process's living children; none when it is gone."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for thread in threads for child in (thread / "children").read_text("ascii").split()]
    except OSError:
        return []


def memory_bytes(pid: int) -> int:
    """Resident memory of a process."""
    try:
        text = Path(f"/proc/{pid}/statm").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Meters(NamedTuple):
    """What one look asks: CPU-seconds of ours, of the servers, and how many results there are."""

    ours: Callable[[], float]
    broker: Callable[[], float]
    done: Callable[[], int]


def watch(
    meters: Meters, goal: int, *, turned: Callable[[int], None] = lambda _done: None, patience: float = PATIENCE
) -> list[Sample]:
    """Look until `goal` results are there. BenchError where none has come for `patience` seconds."""
    samples: list[Sample] = []
    moved, before = time.monotonic(), 0
    while True:
        done = meters.done()
        now = time.monotonic()
        samples.append(Sample(now, meters.ours(), meters.broker(), done))
        turned(done)
        if done >= goal:
            return samples
        if done != before:
            moved, before = now, done
        elif now - moved > patience:
            raise BenchError(
                f"Only {done:,} of {goal:,} results came; none in the last {patience:.0f} s.",
                "Look at the logs: --keep FOLDER keeps them.",
            )
        time.sleep(PAUSE)


def window(samples: Sequence[Sample], goal: int, *, start: float = WARM_UP, end: float = 1.0) -> Window:
    """From the first look with `start` of the goal done to the first with `end` of it."""
    counts = [sample.done for sample in samples]
    first = samples[min(bisect_left(counts, max(1, int(goal * start))), len(samples) - 1)]
    last = samples[min(bisect_left(counts, int(goal * end)), len(samples) - 1)]
    if last.done <= first.done:  # all came between two looks, as in a very short run: take everything
        first = next((s for s in reversed(samples) if s.done < last.done), samples[0])
    return Window(last.done - first.done, last.at - first.at, last.ours - first.ours, last.broker - first.broker)
