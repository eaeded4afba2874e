"""`manara demo`, `manara up`, `manara down`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from manara.console import err, print_json
from manara.demo import inject, story
from manara.demo.screen import Screen
from manara.deployment.home import Home, settings_file
from manara.deployment.network import Network
from manara.deployment.processes import command, environment
from manara.errors import InputError, ManaraError

STORY: Final = Path("deploy/demo")
HOME: Final = Path(".manara")
STOP_SECONDS: Final = 60.0

StoryOption = Annotated[
    Path, typer.Option("--story", help="The folder with directory.yaml, the agencies' files and expected.csv.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("demo")(demo)
    app.command("up")(up)
    app.command("down")(down)


def demo(
    report: Annotated[Path | None, typer.Option(help="Write the figures to this file, as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, help="Alerts a second, over all agencies together.")] = 20.0,
    stay: Annotated[bool, typer.Option("--stay", help="Keep everything running afterwards; Ctrl-C ends it.")] = False,
    home: Annotated[
        Path | None, typer.Option(help="Keep everything in this new folder; a temporary one otherwise.")
    ] = None,
    patience: Annotated[float, typer.Option(min=1, help="Seconds until a delivery counts as missing.")] = 90.0,
    story_folder: StoryOption = STORY,
) -> None:
    """A whole network on this machine: six states, eleven agencies, real Kafka and PostgreSQL.

    Agencies import their files, one of them misbehaves, the hub verifies, refuses and routes, and every entitled state's own
    database is compared with what it must hold. Exit code 0 only if every expectation held.

    Example:  manara demo --stay
    """
    began, screen = time.monotonic(), Screen(err())
    options = story.Options(_existing(story_folder), rate, patience)
    with _folder(home) as folder, _network(folder, options.story, screen) as network:
        outcome = story.Story(network, options, screen).tell(began)
        _trace(network, outcome.example, screen)
        screen.summary(outcome.report, outcome.failures)
        if report is not None:
            report.write_text(json.dumps(outcome.report.as_json(), indent=2) + "\n", encoding="utf-8")
        if as_json:
            print_json(outcome.report.as_json())
        if stay:
            _stay(network, screen)
    if outcome.failures:
        raise typer.Exit(1)


def up(
    home: Annotated[Path, typer.Option(help="The folder that keeps everything, from start to start.")] = HOME,
    directory: Annotated[Path, typer.Option(help="Who takes part.")] = STORY / "directory.yaml",
) -> None:
    """Start a network on this machine and keep it running: servers, hub, edges, relays. Ctrl-C, or `manara down`, ends it.

    Example:  manara up &      then      manara --config .manara/agencies/az-customs/manara.toml publish alert.yaml --send
    """
    screen = Screen(err())
    if not directory.is_file():
        raise InputError(f"{directory} does not exist.", "Run this from a clone, or name a directory with --directory.")
    with _pid_file(home), _network(home, directory.parent, screen, directory=directory) as network:
        _stay(network, screen)


def down(home: Annotated[Path, typer.Option(help="The folder that was given to `up`.")] = HOME) -> None:
    """Stop what `manara up` started in a folder, and wait until it is gone."""
    path = home / "up.pid"
    try:
        pid = int(path.read_text(encoding="ascii"))
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        path.unlink(missing_ok=True)
        err().print(f"Nothing runs in {home}.")
        return
    deadline = time.monotonic() + STOP_SECONDS
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    if path.exists():
        raise ManaraError(
            f"Process {pid} has not ended within {STOP_SECONDS:.0f} s.", f"Look at {home}/logs, or run: kill -9 {pid}"
        )
    err().print("Stopped.")


def _existing(folder: Path) -> Path:
    if not (folder / "directory.yaml").is_file():
        raise InputError(
            f"{folder} holds no demo.", "Run this from a clone of the repository, or give the folder with --story."
        )
    return folder


@contextmanager
def _folder(home: Path | None) -> Iterator[Path]:
    """The folder of the run: the one given, which stays, or a temporary one, which does not."""
    if home is not None:
        if home.exists() and any(home.iterdir()):
            raise InputError(f"{home} is not empty.", "Give a new folder: the demo begins from nothing.")
        yield home
        return
    folder = Path(tempfile.mkdtemp(prefix="manara-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _network(folder: Path, story_folder: Path, screen: Screen, *, directory: Path | None = None) -> Iterator[Network]:
    """A running network, every step shown. SIGTERM ends it like Ctrl-C."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        with Network.start(
            folder, directory or story_folder / "directory.yaml", screen.say, more=inject.expired_key
        ) as network:
            screen.say("")
            yield network
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _pid_file(home: Path) -> Iterator[None]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / "up.pid"
    path.write_text(str(os.getpid()), encoding="ascii")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _stay(network: Network, screen: Screen) -> None:
    screen.console.print("\nRunning. Try, in another terminal:")
    for line in story.things_to_try(network):
        screen.console.print(f"  {line}", highlight=False, soft_wrap=True)
    screen.console.print("Ctrl-C ends everything.")
    try:
        while True:
            network.supervisor.look()
            time.sleep(0.5)
    except KeyboardInterrupt:
        screen.console.print("Stopping.")


def _trace(network: Network, alert_id: str, screen: Screen) -> None:
    """One alert's way, by the very command that an operator would use."""
    if not alert_id:
        return
    argv = command(settings_file(Home(network.home.root).operator), "trace", alert_id)
    done = subprocess.run(argv, capture_output=True, text=True, env=environment(), check=False)
    screen.console.print(f"\nOne alert's way (manara trace {alert_id}):", highlight=False)
    sys.stderr.write(done.stdout + done.stderr + "\n")
