"""The guard by itself: what it runs ends when it is told, when its starter is gone, and never before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from manara.embedded.process import GUARD, end_guard, guarded, read_pid

SECONDS = 10.0
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


def until(true: Callable[[], bool]) -> bool:
    """Wait for an outcome; whether it came in time."""
    deadline = time.monotonic() + SECONDS
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


def gone(pid: int) -> bool:
    """Whether no process has this id."""
    return not Path(f"/proc/{pid}").exists()


def serve(log: Path, *command: str, starter: int | None = None, grace: float = 5) -> subprocess.Popen[bytes]:
    """A guard of a command; SIGTERM is its polite request, SIGKILL the kernel's."""
    task = ["serve", str(starter or os.getpid()), str(int(signal.SIGTERM)), str(int(signal.SIGKILL)), str(grace)]
    return guarded(task, command, log=log)


def test_a_guard_tells_the_pid_and_ends_its_server(tmp_path: Path) -> None:
    """The id is the server's own; after the stop both are gone, well within the grace."""
    guard = serve(tmp_path / "log", "/bin/sleep", "60")
    pid = read_pid(guard)
    assert pid is not None
    assert Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
    began = time.monotonic()
    end_guard(guard, SECONDS)
    assert gone(pid)
    assert time.monotonic() - began < 3


def test_a_deaf_server_is_ended_by_force(tmp_path: Path) -> None:
    """Who does not listen to the polite request has the grace and no more."""
    log = tmp_path / "log"
    guard = serve(log, sys.executable, "-c", STUBBORN, grace=0.2)
    pid = read_pid(guard)
    assert pid is not None
    assert until(lambda: "deaf" in log.read_text())
    end_guard(guard, SECONDS)
    assert gone(pid)


def test_a_guard_ends_with_its_servers_status(tmp_path: Path) -> None:
    """A server that ends by itself ends the guard; its output is in the log."""
    guard = serve(tmp_path / "log", "/bin/sh", "-c", "echo out; echo err >&2; exit 7")
    read_pid(guard)
    assert guard.wait(SECONDS) == 7
    assert (tmp_path / "log").read_text().split() == ["out", "err"]


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    """No id, and a line in the log."""
    guard = serve(tmp_path / "log", "/no/such/program")
    assert read_pid(guard) is None
    guard.wait(SECONDS)
    assert "/no/such/program: No such file or directory" in (tmp_path / "log").read_text()


def test_a_server_whose_starter_is_gone_is_ended(tmp_path: Path) -> None:
    """A guard whose parent is not who it was told has been orphaned."""
    guard = serve(tmp_path / "log", "/bin/sleep", "60", starter=1 if os.getppid() != 1 else 2)
    pid = read_pid(guard)
    assert pid is not None
    assert until(lambda: guard.poll() is not None)
    assert gone(pid)


def test_a_swept_folder_stays_until_its_starter_is_gone(tmp_path: Path) -> None:
    """The sweeper of a living starter deletes nothing, also when it is told to end; that of a dead one deletes."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "file").touch()
    living = guarded(["sweep", str(os.getpid()), str(folder)], log=tmp_path / "log")
    assert read_pid(living) is not None
    end_guard(living, SECONDS)
    assert (folder / "file").exists()
    orphan = guarded(["sweep", "1", str(folder)], log=tmp_path / "log")
    read_pid(orphan)
    assert orphan.wait(SECONDS) == 0
    assert not folder.exists()


@pytest.mark.parametrize("arguments", [[], ["serve", "1", "2", "3", "4"], ["unknown"]])
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    """Exit code 2, and the way it is meant."""
    done = subprocess.run([sys.executable, str(GUARD), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "guard.py serve STARTER_PID" in done.stderr
