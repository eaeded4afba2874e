"""Whole commands as a user runs them: started in a session of their own, watched, interrupted, and what they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "manara.cli"]


def environment(temporary: Path) -> dict[str, str]:
    """Ours without settings of other parties; temporary folders are made where the test can see them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MANARA_")}
    return {**kept, "TMPDIR": str(temporary), "COLUMNS": "120"}


class Run:
    """One `manara` command. Its output is in a file; leaving it kills what still runs of it."""

    def __init__(self, folder: Path, *words: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self._said = folder / f"said.{len(list(folder.glob('said.*')))}"
        with self._said.open("wb") as output:
            self.process = subprocess.Popen(
                [*COMMAND, *words],
                cwd=ROOT,
                env=environment(self.temporary),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Everything that it has printed so far."""
        return self._said.read_text("utf-8")

    def wait(self, seconds: float) -> int:
        """Its exit code; its output where it does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {seconds} s; it said:\n{self.said}") from None

    def until(self, what: Callable[[], object], seconds: float) -> None:
        """Wait for something to become true while it runs."""
        deadline = time.monotonic() + seconds
        while not what():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}; it said:\n{self.said}"
            assert time.monotonic() < deadline, f"nothing of it within {seconds} s; it said:\n{self.said}"
            time.sleep(0.05)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill -9, of this process alone."""
        self.process.kill()
        self.process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()  # its guards end the rest


def manara(temporary: Path, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """A short command, to its end."""
    return subprocess.run(
        [*COMMAND, *words],
        cwd=ROOT,
        env=environment(temporary),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def pids(home: Path) -> dict[str, int | None]:
    """The process ids that a network has noted in its home; none while it starts."""
    path = home / "processes.json"
    found: dict[str, int | None] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def processes_with(text: str) -> list[str]:
    """The command lines of all processes on this machine that name `text`, us apart."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and int(folder.name) != os.getpid():
            found.append(line)
    return found


def gone(what: Callable[[], list[Any]], seconds: float) -> list[Any]:
    """What is still there after at most so many seconds; [] as soon as nothing is."""
    deadline = time.monotonic() + seconds
    while (left := what()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
