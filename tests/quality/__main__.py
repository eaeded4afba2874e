"""`python -m tests.quality`: the development figures of every matcher, beside the baselines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.quality import identifiers, persons, report, routes, transfers

SECTIONS: Mapping[str, Callable[[int], report.Section]] = {
    "identifiers": identifiers.measure,
    "persons": persons.full,
    "names": persons.names,
    "refitted": persons.refitted,
    "parts": persons.name_parts,
    "mentions": persons.mentions,
    "routes": routes.measure,
    "transfers": transfers.measure,
}
"""Name of a section on the command line, and who measures it; 0 for all rows, else about so many."""

WIDTH = 150
"""Characters of a line where no terminal says how many it has."""

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"A section: {', '.join(SECTIONS)}; may be given again.")
    ] = None,
    sample: Annotated[
        int, typer.Option(help="About so many rows of each set instead of all: a look, not a figure.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON instead of tables.")] = False,
    to: Annotated[Path | None, typer.Option("--report", help="Also write the figures as JSON to this file.")] = None,
) -> None:
    """Print the development figures of every matcher, by stratum and region, beside the baselines.

    Example: make quality ARGS='--only routes --report routes.json'
    """
    wanted = only or list(SECTIONS)
    unknown = [name for name in wanted if name not in SECTIONS]
    if unknown:
        raise typer.BadParameter(
            f"no section is called {unknown[0]}; there are {', '.join(SECTIONS)}", param_hint="--only"
        )
    if to and not to.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {to.parent}: make it first", param_hint="--report")
    notes = Console(stderr=True)
    sections = []
    for name in wanted:
        with notes.status(f"measuring {name}"):
            sections.append(SECTIONS[name](sample))
    written = json.dumps(report.record(sections), indent=1, sort_keys=True)
    if to:
        to.write_text(f"{written}\n", encoding="utf-8")
    if as_json:
        typer.echo(written)
    else:
        console = Console()
        report.show(sections, console if console.is_terminal else Console(width=WIDTH))


if __name__ == "__main__":
    app()
