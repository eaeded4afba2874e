"""`manara up` and `manara down`: a network on this machine that keeps what it holds from start to start."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from manara.console import err
from manara.deployment.home import Home
from manara.deployment.running import running, stay
from manara.errors import InputError, InUseError, ManaraError
from manara.stores import lock

HOME: Final = Path(".manara")
DIRECTORY: Final = Path("deploy/demo/directory.yaml")
STOP_SECONDS: Final = 60.0


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("up")(up)
    app.command("down")(down)


def up(
    home: Annotated[Path, typer.Option(help="The folder that keeps everything, from start to start.")] = HOME,
    directory: Annotated[Path, typer.Option(help="Who takes part.")] = DIRECTORY,
) -> None:
    """Start a network on this machine and keep it running: servers, hub, edges, relays.

    Ctrl-C, or `manara down`, ends it. Started again on the same folder it has the same keys, topics and alerts.

    Example:  manara up &
    """
    if not directory.is_file():
        raise InputError(f"{directory} does not exist.", "Run this from a clone, or name a directory with --directory.")
    console = err()
    with running(home, directory, console) as network:
        stay(network, console)


def down(home: Annotated[Path, typer.Option(help="The folder that was given to `up`.")] = HOME) -> None:
    """Stop what `manara up` started in a folder, and wait until it is gone.

    Example:  manara down
    """
    path = Home(home).running
    if not _held(path):
        err().print(f"Nothing runs in {home}.", markup=False)
        return
    pid = int(path.read_text(encoding="ascii"))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _held(path):
        if time.monotonic() > deadline:
            raise ManaraError(
                f"Process {pid} has not ended within {STOP_SECONDS:.0f} s.",
                f"Look at {home}/logs, or run: kill -9 {pid}",
            )
        time.sleep(0.1)
    err().print("Stopped.")


def _held(path: Path) -> bool:
    """Whether a process runs the network: the kernel says so, however the last one ended."""
    if not path.exists():
        return False
    try:
        lock(path).close()
    except InUseError:
        return True
    return False
