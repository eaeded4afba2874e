"""`manara demo`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from manara.console import err, print_json
from manara.demo import inject, story
from manara.demo.outboxes import Example
from manara.demo.screen import Screen
from manara.deployment.home import settings_file
from manara.deployment.processes import command, environment
from manara.deployment.running import running, stay
from manara.embedded.scratch import ScratchFolder
from manara.errors import InputError

STORY: Final = Path("deploy/demo")
TODAY: Final = re.compile(r"^\d{4}-\d\d-\d\dT(?=\d\d:)")

Report = Annotated[Path | None, typer.Option(help="Write the figures to this file, as JSON.")]
Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
Rate = Annotated[float, typer.Option(min=0.1, help="Alerts a second, over all agencies together.")]
Stay = Annotated[bool, typer.Option("--stay", help="Keep everything running afterwards; Ctrl-C ends it.")]
Home = Annotated[Path | None, typer.Option(help="Keep everything in this new folder; a temporary one otherwise.")]
Patience = Annotated[float, typer.Option(min=1, help="Seconds until a delivery counts as missing.")]
StoryFolder = Annotated[
    Path, typer.Option("--story", help="The folder with directory.yaml, the agencies' files and expected.csv.")
]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("demo")(demo)


def demo(
    report: Report = None,
    as_json: Json = False,
    rate: Rate = 20.0,
    stay_on: Stay = False,
    home: Home = None,
    patience: Patience = 90.0,
    story_folder: StoryFolder = STORY,
) -> None:
    """A whole network on this machine: six states, eleven agencies, real Kafka and PostgreSQL.

    Agencies import their files, one of them misbehaves, the hub verifies, refuses and routes, and every entitled
    state's own database is compared with what it must hold. Exit code 0 only if every expectation held.

    Example:  manara demo --stay
    """
    began, screen = time.monotonic(), Screen(err())
    options = story.Options(_existing(story_folder), rate, patience)
    _writable(report)
    directory = options.story / "directory.yaml"
    with (
        _folder(home) as folder,
        running(folder, directory, screen.console, more=inject.expired_key, apart={story.AWAY}) as network,
    ):
        outcome = story.Story(network, options, screen).tell(began)
        _trace(outcome.example, screen)
        screen.summary(outcome.report, outcome.failures)
        if report is not None:
            report.write_text(json.dumps(outcome.report.as_json(), indent=2) + "\n", encoding="utf-8")
        if as_json:
            print_json(outcome.report.as_json())
        if stay_on:
            stay(network, screen.console)
    if outcome.failures:
        raise typer.Exit(1)


def _existing(folder: Path) -> Path:
    if not (folder / "directory.yaml").is_file():
        raise InputError(
            f"{folder} holds no demo.", "Run this from a clone of the repository, or give the folder with --story."
        )
    return folder


def _writable(report: Path | None) -> None:
    """Say now, not after a minute, that the report cannot be written. `InputError`."""
    if report is not None and not report.absolute().parent.is_dir():
        raise InputError(f"The folder of {report} does not exist.", "Make it, or name another file with --report.")


@contextmanager
def _folder(home: Path | None) -> Iterator[Path]:
    """The folder of the run: the one given, which stays, or a temporary one, which does not, however we end."""
    if home is None:
        with ScratchFolder() as folder:
            yield folder
        return
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise InputError(f"{home} is not an empty folder.", "Give a new folder: the demo begins from nothing.")
    yield home


def _trace(example: Example | None, screen: Screen) -> None:
    """One alert's way, by the very command that its author would use."""
    if example is None:
        return
    argv = command(settings_file(example.agency), "trace", example.national_ref)
    done = subprocess.run(argv, capture_output=True, text=True, env=environment(), check=False)
    agency = example.agency.name
    screen.console.print(
        f"\nOne alert's way, as its author {agency} sees it (manara trace {example.national_ref}):\n", highlight=False
    )
    sys.stderr.write(_columns(done.stdout) + done.stderr + "\n")


def _columns(said: str) -> str:
    """A table with tabs, as commands print without a terminal, in columns of 80 characters: of times only the hour."""
    rows = [[TODAY.sub("", cell) for cell in line.split("\t")] for line in said.splitlines()]
    wide = [max(len(row[place]) for row in rows if place < len(row)) for place in range(max(map(len, rows), default=0))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=False)).rstrip() for row in rows)
    return "".join(f"  {line}\n" for line in lines)
