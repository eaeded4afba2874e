"""The process that stands between us and a server, so that nothing is left behind however we end.

It starts the server and waits. When it is told to stop (SIGTERM), or when the process that started it is gone
(kill -9 included), it ends the server: first politely, after a grace by force. Should the guard itself be killed, the
kernel ends the server. It can guard a folder instead: it deletes it once its starter is gone.

Run by path, with the standard library alone, so that it starts in milliseconds.

    guard.py serve STARTER_PID STOP_SIGNAL DEATH_SIGNAL GRACE_SECONDS COMMAND...
    guard.py sweep STARTER_PID FOLDER
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

TICK = 0.2
"""Seconds between two looks at whether the starter is there; a stop and the server's end are noticed at once."""
SWEEP_SECONDS = 60.0
PR_SET_PDEATHSIG = 1
HEARD = {signal.SIGTERM, signal.SIGCHLD}


def serve(starter: int, stop: int, death: int, grace: float, command: list[str]) -> int:
    """Run a command until it ends, we are told to stop, or the starter is gone; its exit status."""
    _listen()

    def die_with_guard() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # the guard has one thread, to which the kernel ties this wish
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death)

    try:
        server = subprocess.Popen(command, preexec_fn=die_with_guard, stdin=subprocess.DEVNULL, stdout=2)  # noqa: PLW1509
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    _report(server.pid)
    while server.poll() is None and os.getppid() == starter and not _told_to_end():
        pass
    if server.poll() is None:
        _end(server, stop, grace)
    return server.returncode


def sweep(starter: int, folder: Path) -> int:
    """Wait until the starter is gone (or tells us to end), then delete a folder for good."""
    _listen()
    _report(os.getpid())
    while os.getppid() == starter:
        if _told_to_end():
            return 0
    deadline = time.monotonic() + SWEEP_SECONDS
    quiet = 0
    # servers in it may still be writing while they stop: go on until it stays away for a second
    while quiet < 1 / TICK and time.monotonic() < deadline:
        quiet = 0 if folder.exists() else quiet + 1
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(TICK)
    return 0


def _listen() -> None:
    """Keep a stop and a server's end waiting until we ask. Ctrl-C does not come: the guard leads its own session."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)


def _told_to_end() -> bool:
    """Whether a SIGTERM came; waits a tick for it, but no longer than the server lives."""
    heard = signal.sigtimedwait(HEARD, TICK)
    return heard is not None and heard.si_signo == signal.SIGTERM


def _report(pid: int) -> None:
    """Tell the starter the process id; standard output is a pipe to it, or to nobody any more."""
    with contextlib.suppress(OSError):
        os.write(1, f"{pid}\n".encode())
    os.dup2(2, 1)


def _end(server: subprocess.Popen[bytes], stop: int, grace: float) -> None:
    server.send_signal(stop)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(grace)
    if server.poll() is None:
        server.kill()
        server.wait()


def main(arguments: list[str]) -> int:
    """Do what the command line says; 2 when it says nothing known."""
    match arguments:
        case ["serve", starter, stop, death, grace, *command] if command:
            return serve(int(starter), int(stop), int(death), float(grace), command)
        case ["sweep", starter, folder]:
            return sweep(int(starter), Path(folder))
    sys.stderr.write(f"{__doc__}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
