"""A network in the foreground: started step by step, kept until Ctrl-C or SIGTERM, with words on what to try."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from manara.deployment.home import settings_file
from manara.deployment.network import More, Network, no_more
from manara.deployment.steps import Steps

LOOK_SECONDS: Final = 0.5
EXAMPLE: Final = Path("deploy/demo/example-route.yaml")
"""A finished alert, in a clone of the repository."""


@contextmanager
def running(
    folder: Path,
    directory: Path,
    console: Console,
    *,
    more: More = no_more,
    apart: Collection[str] = frozenset(),
) -> Iterator[Network]:
    """A running network, every step of its start shown. SIGTERM ends it like Ctrl-C."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    steps = Steps(console)
    try:
        with Network.start(folder, directory, steps.say, more=more, apart=apart) as network:
            steps.say("")
            yield network
    finally:
        signal.signal(signal.SIGTERM, before)


def stay(network: Network, console: Console) -> None:
    """Keep it running until Ctrl-C. Raises `ManaraError` where one of its processes dies again and again."""
    console.print("\nRunning. Try, in another terminal:\n")
    for line in things_to_try(network):
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    console.print("\nCtrl-C ends everything.")
    try:
        while True:
            network.look()
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        console.print("Stopping.")


def things_to_try(network: Network) -> Iterator[str]:
    """Commands that are worth a look while the network runs, as they can be typed in the folder that we run in."""
    home, manara = network.home, program()
    place = shorter(home.root)
    yield f"H={shlex.quote(str(place))}"
    for party, words in (
        (home.operator, "top"),
        (home.operator, "quarantine list"),
        (home.member("AZ"), "feed --since 1h"),
        (home.agency("tr-customs"), "status"),
        (home.agency("tr-customs"), f"check {EXAMPLE}"),
        (home.agency("tr-customs"), f"publish {EXAMPLE} --send --wait"),
        (home.agency("tr-customs"), "new route > route.yaml"),
    ):
        if party.is_dir() and (str(EXAMPLE) not in words or EXAMPLE.is_file()):
            yield f'{manara} --config "$H/{settings_file(party).relative_to(home.root)}" {words}'


def program() -> str:
    """How `manara` can be called from here: by its name where the shell finds it, else by its path."""
    if shutil.which("manara"):
        return "manara"
    beside = Path(sys.executable).with_name("manara")
    return shlex.quote(str(shorter(beside))) if beside.exists() else f"{shlex.quote(sys.executable)} -m manara.cli"


def shorter(path: Path) -> Path:
    """A path as seen from the working folder where it lies below it, else as it is."""
    here = Path(os.path.abspath(path))  # noqa: PTH100 - without following links: .venv/bin/python is one
    return here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here
