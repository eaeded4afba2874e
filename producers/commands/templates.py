"""`manara new KIND`: a commented template to fill in."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from manara.console import err
from producers.errors import AuthorError
from schemas.registry import ALERT_KINDS

MAP = "map"


def new(
    kind: Annotated[
        str, typer.Argument(help=f"{', '.join(ALERT_KINDS)}: an alert; {MAP}: how a table's columns become alerts.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new file to write to; standard output without it.")
    ] = None,
) -> None:
    """Write a commented template: an alert to fill in and check, or a mapping for `manara import`. Example:

    manara new person > wanted.yaml
    """
    text = template(kind)
    if output is None:
        typer.echo(text, nl=False)
        return
    if output.exists():
        raise AuthorError(f"{output} exists already.", "Name another file: what is in there may be somebody's work.")
    output.write_text(text, "utf-8")
    then = "manara import TABLE --map" if kind == MAP else "manara check"
    err().print(f"{output} written. Fill it in, then: {then} {output}", markup=False)


def template(kind: str) -> str:
    """The template of a kind, or that of a mapping. AuthorError for an unknown one."""
    known = (*ALERT_KINDS, MAP)
    if kind not in known:
        near = difflib.get_close_matches(kind, known, n=1)
        start = f"Did you mean {near[0]}? " if near else ""
        raise AuthorError(f"There is no kind of alert called {kind!r}.", f"{start}Known: {', '.join(known)}.")
    return (resources.files("producers") / "templates" / f"{kind}.yaml").read_text("utf-8")
