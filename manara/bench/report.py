"""The report: a table for people, JSON for machines, Markdown for the README. Pure."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from manara.bench.results import Row, number

QUICK: Final = "QUICK: this only shows that everything runs and that outputs are equal. The figures are worth nothing."
BUSY: Final = (
    "LOAD: the machine had other work ({load:.1f} processes wanted its {cores} cores): read ratios, not speeds."
)
COLUMNS: Final = ("figure", "what", "median", "unit", "range", "target", "met")


@dataclass(frozen=True)
class Circumstances:
    """Where and how a report came about."""

    date: str
    command: str
    machine: str
    cores: int
    memory_gib: float
    versions: Mapping[str, str]
    alerts: int
    rounds: int
    quick: bool
    load: float  # the load that was there before we began: processes that want to run

    @property
    def busy(self) -> bool:
        """Whether others had a quarter of a core or more when it began."""
        return self.load > 0.25  # noqa: PLR2004


@dataclass(frozen=True)
class Report:
    """All rows, what could not be run and why, the methods, and which figures failed (a wrong output, a death)."""

    circumstances: Circumstances
    rows: list[Row]
    left_out: dict[str, str]
    methods: Mapping[str, str]
    failed: dict[str, str]

    def as_json(self) -> str:
        """One document."""
        document: dict[str, Any] = {
            "circumstances": asdict(self.circumstances),
            "busy": self.circumstances.busy,
            "methods": dict(self.methods),
            "figures": [row.as_json() for row in self.rows],
            "left_out": self.left_out,
            "failed": self.failed,
        }
        return json.dumps(document, ensure_ascii=False, indent=2) + "\n"

    def warnings(self) -> list[str]:
        """What a reader must know before any figure."""
        here = self.circumstances
        said = [QUICK] if here.quick else []
        return said + ([BUSY.format(load=here.load, cores=here.cores)] if here.busy else [])

    def table(self) -> list[list[str]]:
        """The lines of the table. A quick run is held against no target."""
        return [cells(replace(row, least=None, most=None) if self.circumstances.quick else row) for row in self.rows]

    def markdown(self) -> str:
        """Method first, figures after, as Markdown."""
        here = self.circumstances
        lines = [f"{here.date} · {here.machine}, {here.cores} cores, {here.memory_gib:.0f} GiB · `{here.command}`", ""]
        lines += [f"{here.alerts:,} alerts a run, {here.rounds} runs of each variant, interleaved. "
                  + ", ".join(f"{name} {version}" for name, version in here.versions.items()) + ".", ""]  # fmt: skip
        lines += [f"**{text}**\n" for text in self.warnings()]
        lines += [f"* **{name}** {text}" for name, text in self.methods.items()]
        lines += ["", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        lines += ["| " + " | ".join(line) + " |" for line in self.table()]
        lines += ["", *(f"* **{name} failed**: {why}" for name, why in self.failed.items())]
        lines += [*(f"* {name} was not run: {why}" for name, why in self.left_out.items())]
        return "\n".join(lines).rstrip() + "\n"


def cells(row: Row) -> list[str]:
    """One line of the table."""
    spread = f"{number(row.low)} to {number(row.high)}" if row.runs > 1 else ""
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return [row.figure, row.what, number(row.value), row.unit, spread, row.target, met]


def method(figure: Callable[..., object]) -> str:
    """The method of a figure: its docstring, on one line."""
    return " ".join((inspect.getdoc(figure) or "").split())
