"""`manara bench`."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import Progress

from manara.bench.context import Bench
from manara.bench.errors import BenchError, CannotRunError
from manara.bench.figures import FIGURES
from manara.bench.report import COLUMNS as TABLE
from manara.bench.report import Circumstances, Report, method
from manara.bench.rivals import ROUTED
from manara.bench.stand import Stand
from manara.bench.svg import Bar, bars
from manara.console import err, print_json, print_table, progress
from manara.embedded.scratch import ScratchFolder
from manara.errors import InputError

ALERTS: Final = 200_000
ROUNDS: Final = 3
QUICK_ALERTS: Final = 2_000


@dataclass(frozen=True)
class Task:
    """What the command was asked for, and the load that was there when it began."""

    names: list[str]
    count: int
    rounds: int
    quick: bool
    load: float
    report: Path | None


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("bench")(bench)


def bench(
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON; .md and .svg beside it.")] = None,
    only: Annotated[str, typer.Option(help="These figures alone, as in S2,S4.")] = "",
    alerts: Annotated[int, typer.Option(min=500, help="Alerts a run.")] = ALERTS,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each variant; the median counts.")] = ROUNDS,
    quick: Annotated[bool, typer.Option("--quick", help="Small: only shows that it runs and is right.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep servers' data and all logs in this new folder.")] = None,
) -> None:
    """Measure the whole product on a real broker of its own: figures S1 to S10.

    Every output is compared with a reference: a run with a wrong one is void. Leave the machine alone meanwhile.

    Example:  manara bench --report bench.json

    In a minute or two, for a look or for CI:  manara bench --quick
    """
    names = chosen(only)
    if report is not None and not report.absolute().parent.is_dir():
        raise InputError(f"The folder of {report} does not exist.", "Make it, or name another file with --report.")
    count, times = (min(alerts, QUICK_ALERTS), 1) if quick else (alerts, rounds)
    task = Task(names, count, times, quick, os.getloadavg()[0], report)
    with progress() as shown:
        if keep is None:
            with ScratchFolder() as folder:
                made = measure(folder, task, shown)
        else:
            made = measure(_new(keep), task, shown)
    say(made, as_json=as_json)
    if made.failed:
        raise typer.Exit(1)


def _new(folder: Path) -> Path:
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not an empty folder.", "Give a new folder.")
    return folder.absolute()


def chosen(only: str) -> list[str]:
    """The figures that are asked for, in their order. InputError for one that there is not."""
    asked = [name.strip().upper() for name in only.split(",") if name.strip()]
    unknown = [name for name in asked if name not in FIGURES]
    if unknown:
        raise InputError(f"There is no figure {unknown[0]}.", f"The figures are {', '.join(FIGURES)}.")
    return [name for name in FIGURES if not asked or name in asked]


def measure(folder: Path, task: Task, shown: Progress) -> Report:
    """Run the figures one after another; the report is written after each, so that what was measured stays."""
    bar = shown.add_task("Starting Apache Kafka and PostgreSQL", total=None)

    def say(text: str) -> None:
        shown.update(bar, description=text, completed=0, total=None)

    def turn(done: int, goal: int) -> None:
        shown.update(bar, completed=done, total=goal)

    with Stand.open(folder) as stand:
        here = Bench.on(stand, task.count, task.rounds, quick=task.quick, say=say, turn=turn)
        versions = {"Kafka": stand.kafka.version, "PostgreSQL": stand.postgres.version}
        methods = {name: method(FIGURES[name]) for name in task.names}
        made = Report(circumstances(task, versions), [], {}, methods, {})
        for name in task.names:
            _run(name, here, made)
            if task.report is not None:
                write(made, task.report)
    return made


def circumstances(task: Task, versions: Mapping[str, str]) -> Circumstances:
    """Where and how we measure."""
    return Circumstances(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command="manara " + shlex.join(sys.argv[1:]),
        machine=_machine(),
        cores=os.cpu_count() or 1,
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        versions={**versions, "Python": sys.version.split()[0]},
        alerts=task.count,
        rounds=task.rounds,
        quick=task.quick,
        load=task.load,
    )


def _run(name: str, here: Bench, made: Report) -> None:
    """One figure: its rows, or why there are none. What this machine lacks is no failure; a wrong output is."""
    began = time.monotonic()
    try:
        made.rows.extend(FIGURES[name](here))
    except CannotRunError as error:
        made.left_out[name] = f"{error.message} {error.remedy}"
    except BenchError as error:
        made.failed[name] = error.message
        err().print(f"{name} failed: {error.message} {error.remedy}", markup=False, style="bold red")
    made.left_out.update({f"{name}, {what}": why for what, why in here.missing.items()})
    here.missing.clear()
    err().print(f"{name} [dim]{time.monotonic() - began:.0f} s[/dim]", highlight=False)


def _machine() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def write(report: Report, path: Path) -> None:
    """JSON under that name, Markdown and the plot beside it."""
    path.write_text(report.as_json(), encoding="utf-8")
    path.with_suffix(".md").write_text(report.markdown(), encoding="utf-8")
    rivals = [row for row in report.rows if row.figure == "S4" and row.what.startswith(ROUTED)]
    if rivals:
        found = [Bar(row.what.partition(": ")[2], row.value, row.what.endswith("(ours)")) for row in rivals]
        title = "Verify, read the header, route to three feeds"
        path.with_suffix(".svg").write_text(bars(title, rivals[0].unit, found), encoding="utf-8")


def say(report: Report, *, as_json: bool) -> None:
    """Print it, and what could not be run."""
    for what, why in report.left_out.items():
        err().print(f"{what} is left out: {why}", markup=False)
    for warning in report.warnings():
        err().print(warning, style="bold yellow", markup=False)
    if as_json:
        print_json({"figures": [row.as_json() for row in report.rows], "left_out": dict(report.left_out)})
        return
    print_table(TABLE, report.table(), title="Benchmark")
