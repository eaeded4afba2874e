"""The life of one server process: prepared, started under a guard, awaited, stopped within a bound."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from manara.embedded import ports
from manara.embedded.errors import PortTakenError, ServerStartError
from manara.embedded.files import lock_folder, set_aside, tail

GUARD = Path(__file__).with_name("guard.py")
ATTEMPTS = 3
"""How often free ports are chosen anew when another program was quicker."""
LOOK_SECONDS = 0.02
TAKEN = re.compile(r"address already in use|could not bind", re.IGNORECASE)
HINTS = (
    (r"no space left on device", "the disk is full", "Make room, then start it again."),
    (
        r"could not reserve enough space|insufficient memory|cannot allocate memory",
        "the machine has too little free memory",
        "Stop another program, then start it again.",
    ),
    (
        r"permission denied|accessdenied|wrong ownership",
        "a file or folder may not be used by this user",
        "Start it as the user that owns its folder, or choose another folder.",
    ),
)
"""What servers say in their own words, the reason that we give people, and the remedy."""


class Server(ABC):
    """A server that lives in a folder of its own and listens on 127.0.0.1 alone.

    `start` returns when the server answers in its own protocol; `stop` returns when the process is gone. Both may be
    called again: data and ports stay the same. Whatever becomes of us, the server ends with us (see `guard.py`).
    """

    title: ClassVar[str]
    log_name: ClassVar[str]
    ports_needed: ClassVar[int]
    stop_signal: ClassVar[int]
    """Asks the server to end politely."""
    death_signal: ClassVar[int]
    """What the kernel sends the server when its guard is killed."""
    grace: ClassVar[float]
    """Seconds between the polite request and the use of force."""

    def __init__(self, folder: Path, *, port: int | None = None, patience: float = 60.0) -> None:
        """Nothing is started or written yet. `patience` is the longest wait for an answer, in seconds."""
        self.folder = folder.absolute()
        self.log = self.folder / self.log_name
        self.patience = patience
        self._wanted = port
        self._ports: tuple[int, ...] = ()
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._pid: int | None = None
        self._log_start = 0

    @property
    def port(self) -> int:
        """The port for clients; 0 before the first start when none was asked for."""
        return self._ports[0] if self._ports else self._wanted or 0

    @property
    def pid(self) -> int | None:
        """The process id of the server itself (not of its guard) while it runs."""
        return self._pid if self.running else None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._guard is not None and self._guard.poll() is None

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises `FolderInUseError`, `PortTakenError`, `ServerStartError` or what the server's preparation raises;
        nothing is left running then.
        """
        if self.running:
            return self
        self.stop()  # forget a process that has ended by itself
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock_folder(self.folder)
            self._start_on_some_port()
        except OSError as error:
            self.stop()
            reason, remedy = explain(str(error), error.strerror or str(error))
            raise ServerStartError(self.title, f"{reason} ({error.filename})", remedy, log=self.log) from error
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server: politely, after `grace` seconds by force. Does nothing when it does not run."""
        lock, self._lock = self._lock, None
        try:
            self._end_process()
        finally:
            if lock is not None:
                os.close(lock)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the server needs in its folder; the ports are known. Called before every start."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The command line of the server; no secret in it."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server does its real work now; may raise when it is clear that it never will."""

    def _start_on_some_port(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._choose_ports()
                self._prepare()
                self._launch()
                self._await()
                return
            except PortTakenError as error:
                if error.port == self._wanted or attempt == ATTEMPTS:
                    raise
                self._end_process()
                self._ports = ()

    def _choose_ports(self) -> None:
        """Keep the ports of the last start; else the one asked for and free ones beside it."""
        if not self._ports:
            found = ports.free_ports(self.ports_needed)
            others = [port for port in found if port != self._wanted]
            self._ports = found if self._wanted is None else (self._wanted, *others[: self.ports_needed - 1])
        for port in self._ports:
            if not ports.is_free(port):
                raise PortTakenError(self.title, port, log=self.log)

    def _launch(self) -> None:
        """Start the server under its guard."""
        self._spawn(self._command())
        if self._pid is None:
            self._fail("its program could not be started")

    def _run(self, command: Sequence[str], failure: str) -> None:
        """Run a program that prepares the folder, guarded and logged like the server; `failure` is said if it fails."""
        guard = self._spawn(command)
        try:
            if guard.wait(self.patience) != 0:
                self._fail(failure)
        except subprocess.TimeoutExpired:
            self._fail(failure)
        finally:
            self._end_process()

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        set_aside(self.log)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._guard = guarded(
            ["serve", str(os.getpid()), str(self.stop_signal), str(self.death_signal), str(self.grace)],
            command,
            log=self.log,
            keep=(self._lock,) if self._lock is not None else (),
        )
        self._pid = read_pid(self._guard)
        return self._guard

    def _await(self) -> None:
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            if not self.running:
                self._fail("it ended at once")
            if ports.answers(self.port) and self._answers():
                return
            time.sleep(LOOK_SECONDS)
        self._fail(f"it did not answer within {self.patience:.0f} s")

    def _fail(self, reason: str) -> None:
        """Raise what the log of this start tells."""
        said = tail(self.log, self._log_start)
        if TAKEN.search(said):
            taken = next((port for port in self._ports if not ports.is_free(port)), self.port)
            raise PortTakenError(self.title, taken, log=self.log, tail=said)
        raise ServerStartError(self.title, *explain(said, reason), log=self.log, tail=said)

    def _end_process(self) -> None:
        """End the process, but keep the folder's lock."""
        guard, self._guard = self._guard, None
        if guard is not None:
            end_guard(guard, self.grace + 5)


def explain(said: str, reason: str) -> tuple[str, str]:
    """Reason and remedy for people when the server's words are of a known kind; else the reason given and no remedy."""
    known = (hint for pattern, *hint in HINTS if re.search(pattern, said, re.IGNORECASE))
    found, remedy = next(known, [reason, ""])
    return found, remedy


def environment() -> dict[str, str]:
    """What a server sees of our environment: nothing that could change it or that it should not know."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LD_LIBRARY_PATH"}}
    return {**kept, "LANG": "C.UTF-8", "TZ": "UTC"}


def guarded(
    task: Sequence[str],
    command: Sequence[str] = (),
    *,
    log: Path,
    keep: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a guard with its task; `keep` are open files that it holds as long as it lives, `env` what it sees."""
    with log.open("ab") as output:
        os.fchmod(output.fileno(), 0o600)
        return subprocess.Popen(
            # no site packages: it starts in milliseconds
            [sys.executable, "-I", "-S", str(GUARD), *task, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=log.parent,
            env=environment() if env is None else dict(env),
            pass_fds=keep,
            start_new_session=True,  # the terminal's Ctrl-C is for us; we stop the server in order
        )


def read_pid(guard: subprocess.Popen[bytes]) -> int | None:
    """The process id that a guard reports first of all; None when it could not start its server."""
    if guard.stdout is None:
        return None
    with guard.stdout as pipe:
        line = pipe.readline().strip()
    return int(line) if line else None


def end_guard(guard: subprocess.Popen[bytes], bound: float) -> None:
    """Tell a guard to end what it guards, and wait; at the bound, or at a second Ctrl-C, the kernel ends both."""
    try:
        guard.terminate()
        with suppress(subprocess.TimeoutExpired):
            guard.wait(bound)
    finally:
        if guard.poll() is None:
            guard.kill()
            guard.wait()
