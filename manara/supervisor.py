"""Keeps processes of ours running on one machine: starts them, starts them again when they die, ends them all.

Each child stands under a guard (`manara/embedded/guard.py`): however the supervisor itself ends, kill -9 included, its
children end with it. A production site uses systemd or Kubernetes for this; `manara up`, the demo and the tests use
this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from manara import metrics
from manara.embedded.files import set_aside, tail
from manara.embedded.process import GUARD, end_guard, read_pid
from manara.errors import ManaraError, in_words

LOOK_SECONDS: Final = 0.2
HEALTHY_SECONDS: Final = 10.0
"""A child that has lived this long is started again at once; one that keeps dying sooner waits longer each time."""
PAUSES: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
GRACE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Child:
    """A process to keep running. Its output goes to the end of `log`; no secret may stand in `argv`."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    log: Path


@dataclass(frozen=True)
class State:
    """How a child is. `pid` is None while it does not run; `code` is the exit code of its last death, if any."""

    name: str
    pid: int | None
    restarts: int
    code: int | None


class _Running:
    """One child with its guard."""

    def __init__(self, child: Child, grace: float) -> None:
        self.child = child
        self.restarts = 0
        self.code: int | None = None
        self.guard: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None
        self._grace = grace
        self._began = 0.0
        self._died = 0.0
        self._quick = 0
        self.paused = False

    def start(self) -> None:
        child = self.child
        task = ["serve", str(os.getpid()), str(int(signal.SIGTERM)), str(int(signal.SIGKILL)), str(self._grace)]
        try:
            child.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            set_aside(child.log)
            with child.log.open("ab") as output:
                os.fchmod(output.fileno(), 0o600)  # whatever a child says is for its owner alone
                self.guard = subprocess.Popen(
                    # no site packages: the guard starts in milliseconds
                    [sys.executable, "-I", "-S", str(GUARD), *task, *child.argv],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    env=dict(child.env),
                    start_new_session=True,  # the terminal's Ctrl-C is for the supervisor, which ends all in order
                )
        except OSError as error:
            raise in_words(error) from error
        self.pid = read_pid(self.guard)
        self._began = time.monotonic()

    def look(self) -> bool:
        """Note a death, and start again once its pause is over; True when it was started again."""
        if self.paused:
            return False
        if self.guard is not None:
            code = self.guard.poll()
            if code is None:
                return False
            self._note(code)
        if time.monotonic() - self._died < PAUSES[min(self._quick, len(PAUSES) - 1)]:
            return False
        self.restarts += 1
        self.start()
        return True

    def _note(self, code: int) -> None:
        self.guard, self.pid, self.code = None, None, code
        self._died = time.monotonic()
        lived = self._died - self._began
        self._quick = 0 if lived > HEALTHY_SECONDS else self._quick + 1
        structlog.get_logger().warning("Child died", child=self.child.name, exit_code=code, seconds=round(lived, 1))


class Supervisor:
    """Runs children until it is left. `look` is done by a thread of its own, so whoever holds it need not."""

    def __init__(self, children: Sequence[Child], *, grace: float = GRACE_SECONDS) -> None:
        names = [child.name for child in children]
        if len(set(names)) != len(names):
            raise ValueError("two children have the same name")
        self._running = {child.name: _Running(child, grace) for child in children}
        self._grace = grace
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Start every child; none is left running where one cannot be started."""
        try:
            for running in self._running.values():
                running.start()
                metrics.child_restarts.labels(running.child.name)
        except BaseException:
            self.stop()
            raise
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()
        return self

    def look(self) -> None:
        """Start again what has died. Also done five times a second on the supervisor's own thread."""
        with self._lock:
            for name, running in self._running.items():
                if not self._stop.is_set() and running.look():
                    metrics.child_restarts.labels(name).inc()

    def stop(self) -> None:
        """End all children, side by side: politely, and by force after the grace."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            guards = [running.guard for running in self._running.values() if running.guard is not None]
            for guard in guards:
                with suppress(OSError):
                    guard.terminate()
            deadline = time.monotonic() + self._grace + 5
            for guard in guards:
                end_guard(guard, max(deadline - time.monotonic(), 0.1))
            for running in self._running.values():
                running.guard = running.pid = None

    def pause(self, name: str) -> None:
        """End one child, politely and by force after the grace, and leave it ended until `resume`."""
        running = self._running[name]
        with self._lock:
            running.paused = True
            guard, running.guard, running.pid = running.guard, None, None
        if guard is not None:  # without the lock: the others are looked after meanwhile
            with suppress(OSError):
                guard.terminate()
            end_guard(guard, self._grace + 5)

    def resume(self, name: str) -> None:
        """Start a child that was paused; not counted as a restart. Raises `ManaraError` where it cannot be started."""
        running = self._running[name]
        with self._lock:
            if running.paused and not self._stop.is_set():
                running.paused = False
                running.start()

    @property
    def restarts(self) -> dict[str, int]:
        """How often each child had to be started again."""
        return {name: running.restarts for name, running in self._running.items()}

    def states(self) -> list[State]:
        """How each child is, in the order given."""
        return [State(name, r.pid, r.restarts, r.code) for name, r in self._running.items()]

    def pid(self, name: str) -> int | None:
        """The process id of a child; None while it does not run."""
        return self._running[name].pid

    def log_tail(self, name: str) -> str:
        """The last lines that a child has said."""
        return tail(self._running[name].child.log)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except ManaraError as error:
                structlog.get_logger().error("Child cannot be started", problem=error.message, remedy=error.remedy)
