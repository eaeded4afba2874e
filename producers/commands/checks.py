"""`manara check`: every error of alert files at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manara.console import out, print_json, settings_of
from manara.settings import Settings
from producers import checking
from producers.commands.saying import counted, note, remembered, say_faults
from producers.composing import Author
from producers.hours import now_micros
from producers.publisher import new_id

Files = Annotated[list[Path], typer.Argument(help="Alert files, YAML or JSON; several alerts a file are fine.")]


def check(
    ctx: typer.Context,
    files: Files,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")] = False,
) -> None:
    """Check alert files: every error at once, with line, field, value, rule and what to do. Exit code 2 if there is
    one.

    The rules are those that the hub will apply. Needs no network, no key and no settings. Example:

      manara check wanted.yaml
    """
    settings = settings_of(ctx)
    now = now_micros()
    drafts, faults = checking.draft_files(files, author_of(settings), now, new_id)
    directory = remembered(settings)
    faults += checking.judge_all(drafts, directory, now)
    if as_json:
        print_json({"alerts": len(drafts), "errors": [fault.as_json() for fault in faults]})
    else:
        say_faults(faults)
        if directory is None:
            note("No directory is known here yet: members, clearances and what you may publish were not checked.")
        verdict = f"{counted(len(faults), 'error')}." if faults else "no errors."
        out().print(f"{counted(len(drafts), 'alert')}, {verdict}", style="bold red" if faults else "bold green")
    if faults:
        raise typer.Exit(2)


def author_of(settings: Settings) -> Author:
    """Who writes; whoever the file names where the settings do not say, so that a file can be checked anywhere."""
    return Author.of(settings.agency)
