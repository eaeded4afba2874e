"""Whatever becomes of the process that started the servers, no server and no temporary folder outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SECONDS = 40.0
STARTER = """
import json, sys, time
from pathlib import Path
from manara.embedded.kafka import EmbeddedKafka
from manara.embedded.postgres import EmbeddedPostgres
from manara.embedded.scratch import ScratchFolder

with ScratchFolder(Path(sys.argv[1])) as folder, EmbeddedKafka(folder / "k") as k, EmbeddedPostgres(folder / "p") as p:
    p.create_member("AZ")
    print(json.dumps({"folder": str(folder), "kafka": k.pid, "postgres": p.pid}), flush=True)
    time.sleep(600)
"""


class Started:
    """A process that has started both servers, and what it told us of them."""

    def __init__(self, parent: Path) -> None:
        command = [sys.executable, "-c", STARTER, str(parent)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True)
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.folder = Path(told["folder"])
        self.servers = [int(told["kafka"]), int(told["postgres"])]
        # the guards too, and PostgreSQL's workers: everything below the process
        self.family = sorted(descendants(self.process.pid))

    def left(self) -> list[str]:
        """What is still there: processes that run, and the folder."""
        running = [f"{pid} {command(pid)}" for pid in self.family if alive(pid)]
        return running + ([str(self.folder)] if self.folder.exists() else [])

    def close(self) -> None:
        """End what a failed test has left."""
        for pid in [self.process.pid, *self.family]:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def command(pid: int) -> str:
    """The name of a process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be noticed by its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and theirs."""
    children: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended while we looked
            continue
        children.setdefault(parent, set()).add(int(stat.parent.name))
    below = set(children.get(pid, set()))
    return below.union(*(descendants(each) for each in below))


def left_in_the_end(started: Started) -> list[str]:
    """What is left once the time for cleaning up is over."""
    deadline = time.monotonic() + SECONDS
    while started.left() and time.monotonic() < deadline:
        time.sleep(0.05)
    return started.left()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Both servers, started by a process of its own."""
    made = Started(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_kill_9_of_the_starter_leaves_nothing(started: Started, tmp_path: Path) -> None:
    """The starter has no chance to clean up; the guards do it."""
    assert set(started.servers) <= set(started.family)
    assert all(alive(pid) for pid in started.family)
    started.process.kill()
    assert left_in_the_end(started) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wish", [signal.SIGINT, signal.SIGTERM])
def test_ending_the_starter_leaves_nothing(started: Started, tmp_path: Path, wish: signal.Signals) -> None:
    """Ctrl-C, which the starter acts on; a supervisor's stop (or a closed terminal), which it does not."""
    started.process.send_signal(wish)
    assert left_in_the_end(started) == []
    assert list(tmp_path.iterdir()) == []


def test_kill_9_of_the_guards_ends_the_servers(started: Started) -> None:
    """The kernel ends a server whose guard is gone."""
    guards = [pid for pid in started.family if pid in children_of(started.process.pid)]
    servers = [pid for pid in started.family if pid not in guards]
    for pid in guards:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    while any(map(alive, servers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [command(pid) for pid in servers if alive(pid)] == []


def children_of(pid: int) -> set[int]:
    """The processes that a process has started itself."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {int(each) for thread in threads for each in (thread / "children").read_text().split()}
