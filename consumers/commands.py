"""A member's commands: `edge`, `feed`, `show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consumers.host import Host
from consumers.host import settings_of as hosted
from manara.console import settings_of
from manara.process import run
from manara.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this role to the command line."""
    app.command("edge")(edge)


def edge(
    ctx: typer.Context,
    config: Annotated[
        list[Path] | None,
        typer.Option(help="Settings file of an edge; give it several times to host several.", show_default=False),
    ] = None,
) -> None:
    """Receive, verify and deliver into national systems.

    Runs until Ctrl-C. Every alert is verified again under the roots pinned in the settings, kept in the inbox
    (`<folder>/inbox.db`), brought into each sink (`postgres`, `filedrop`), and receipted.

    Example:  manara --config members/az/manara.toml edge

    Two members in one process:  manara edge --config az.toml --config tr.toml
    """
    files = config or []
    first = Settings.load(files[0]) if files else settings_of(ctx)
    host = Host(hosted(first, files[1:]))
    raise typer.Exit(run(host.run, name="edge", settings=first, checks=host.checks))
