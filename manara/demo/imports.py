"""The agencies' imports: each file through `manara import`, all at once, as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from manara.demo.expectations import read_expected
from manara.deployment import processes
from manara.deployment.home import Home, settings_file
from manara.embedded.files import tail
from manara.embedded.process import end_guard, guarded, read_pid
from manara.errors import InputError, ManaraError

GRACE: Final = 5
"""Seconds that an import has to end when it is told to."""
KINDS: Final = {"routes": "route", "itineraires": "route", "transfers": "transfer"}
"""What a file holds, by its name; persons otherwise."""


@dataclass(frozen=True)
class File:
    """One file of one agency and the map that turns its rows into alerts."""

    agency: str
    path: Path
    map: Path
    kind: str
    rows: int


def files(story: Path) -> list[File]:
    """The files of the story, each beside its map. `InputError` where there is none."""
    alerts = {(row.agency, row.kind, row.national_ref) for row in read_expected(story / "expected.csv")}
    rows = Counter((agency, kind) for agency, kind, _ in alerts)
    found = []
    for path in sorted(story.absolute().glob("*/*.map.yaml")):
        stem, agency = path.name.removesuffix(".map.yaml"), path.parent.name
        table = next((file for file in sorted(path.parent.glob(f"{stem}.*")) if _is_table(file)), None)
        kind = KINDS.get(stem, "person")
        if table is not None:
            found.append(File(agency, table, path, kind, rows[agency, kind]))
    if not found:
        raise InputError(
            f"{story} holds no agency files.", "Run the demo from a clone, or give its folder with --story."
        )
    return found


def _is_table(path: Path) -> bool:
    return path.suffix in {".csv", ".ndjson", ".xlsx"} and ".rejected." not in path.name


class Imports:
    """All imports, each at its share of the rate. Leaving ends those that still run; they end with us, too."""

    def __init__(self, home: Home, found: Sequence[File], rate: float) -> None:
        """Nothing is started yet. `rate` is alerts a second over all of them."""
        self._home = home
        self._files = found
        self._pace = rate / sum(file.rows for file in found)
        self._running: list[tuple[File, Path, subprocess.Popen[bytes]]] = []
        self.accepted = 0

    @property
    def done(self) -> bool:
        """Whether every import has ended."""
        return not self._running

    def check(self) -> None:
        """Take in those that have ended. Raises `ManaraError` with the words of one that failed."""
        for running in [each for each in self._running if each[2].poll() is not None]:
            self._running.remove(running)
            file, log, guard = running
            self.accepted += _outcome(file, log, guard.returncode)

    def __enter__(self) -> Self:
        try:
            for file in self._files:
                self._start(file)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _start(self, file: File) -> None:
        log = self._home.logs / f"import.{file.agency}.{file.path.stem}.log"
        rejects = log.with_suffix(".rejected")
        argv = processes.command(
            settings_file(self._home.agency(file.agency)),
            *("import", str(file.path), "--kind", file.kind, "--map", str(file.map)),
            *("--send", "--yes", "--json", "--rejects", str(rejects)),
            *("--rate", f"{self._pace * file.rows:.3f}"),
        )
        task = ["serve", str(os.getpid()), str(int(signal.SIGTERM)), str(int(signal.SIGKILL)), str(GRACE)]
        guard = guarded(task, argv, log=log, env=processes.environment())
        self._running.append((file, log, guard))
        read_pid(guard)

    def _end(self) -> None:
        for _file, _log, guard in self._running:
            guard.terminate()
        for _file, _log, guard in self._running:
            end_guard(guard, GRACE + 1)
        self._running.clear()


def _outcome(file: File, log: Path, code: int) -> int:
    """How many alerts an import has put into the outbox: its JSON document is the last that it says."""
    said = tail(log)
    if code:
        problem, _, remedy = said.partition("\nwhat to do: ")
        raise ManaraError(f"The import of {file.path.name} by {file.agency} failed: {problem}", remedy)
    return int(json.loads(said[f"\n{said}".rindex("\n{") :])["accepted"])
