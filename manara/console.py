"""What the commands of the command line share: settings, tables, JSON, progress bars that show on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from manara.settings import Settings

_JOINERS: Final = "\u200c\u200d"


@dataclass(frozen=True)
class Options:
    """The options given before the command: `manara --config FILE COMMAND`."""

    config: Path | None = None


def settings_of(ctx: typer.Context, **overrides: object) -> Settings:
    """The settings that this command runs with. Raises `SettingsError`, so call it only where they are needed."""
    options = ctx.find_object(Options) or Options()
    given = {name: value for name, value in overrides.items() if value is not None}
    return Settings.load(options.config, **given)


def out() -> Console:
    """Where results go: standard output, plain when it is no terminal."""
    return Console(soft_wrap=not sys.stdout.isatty(), highlight=False)


def err() -> Console:
    """Where words about the work go: standard error."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def print_json(value: object) -> None:
    """A result for machines: one JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def printable(text: str) -> str:
    """Text of others for a terminal or a pipe: what could steer it, or end a line or a column, is written as an escape.

    The joiners that Persian and Indic words need stay.
    """
    return "".join(c if c.isprintable() or c in _JOINERS else c.encode("unicode_escape").decode() for c in text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """A table for people; without a terminal, columns apart by tabs, for pipes."""
    rows = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(row) + "\n" for row in [columns, *rows])
        return
    table = Table(
        *columns,
        title=Text(printable(title)) if title else None,
        title_justify="left",
        header_style="bold",
        box=None,
        pad_edge=False,
    )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # as text: a reference such as [/x] is no markup of ours
    out().print(table)


def progress() -> Progress:
    """A progress bar on standard error that shows on a terminal only and leaves nothing behind."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def confirm(question: str, *, yes: bool) -> bool:
    """Whether the person agrees. Without a terminal nobody can be asked, so it is `yes` that decides."""
    if yes or not sys.stdin.isatty():
        return yes
    return typer.confirm(question, err=True)
