"""What was measured, as tables for people and as one record for machines."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

NOTE = (
    "Development figures: measured on the data the matchers were developed with (tests/quality/data). They say whether "
    "a change helps, not how the matchers fare in the field. Figures marked * are quoted, not measured in this run."
)

Cell = str | float | int


@dataclass(frozen=True)
class Grid:
    """One table: a title, its columns and rows."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Section:
    """The figures of one matcher."""

    name: str
    grids: tuple[Grid, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)


def show(sections: Sequence[Section], console: Console) -> None:
    """Print every table, and first and last what kind of figures they are."""
    console.print(NOTE, style="bold")
    for section in sections:
        for grid in section.grids:
            table = Table(title=grid.title, title_justify="left", title_style="bold")
            for place, column in enumerate(grid.columns):
                table.add_column(column, justify="right" if place else "left", overflow="fold")
            for row in grid.rows:
                table.add_row(*(_cell(value) for value in row))
            console.print(table)
    console.print(NOTE, style="dim")


def _cell(value: Cell) -> str:
    """A share to three places, a count with separators, a text as it is."""
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else value


def record(sections: Sequence[Section]) -> dict[str, Any]:
    """Everything as one JSON value."""
    return {
        "note": NOTE,
        "machine": {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()},
        "sections": {section.name: dict(section.figures) for section in sections},
    }
