"""What the demo shows while it runs: one live table on a terminal, lines elsewhere, the summary."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from manara.demo.report import Report
from manara.demo.verdicts import Tally
from manara.deployment.steps import Steps

LINE_SECONDS: Final = 5.0
RATE_SECONDS: Final = 3.0
BAR: Final = 24


@dataclass
class Progress:
    """A moment of the run: what agencies, hub and databases have."""

    expected: Mapping[str, int]
    stored: Mapping[str, int]
    tally: Tally
    names: Mapping[str, str] = field(default_factory=dict)
    published: int = 0
    seconds: float = 0.0
    restarts: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every database has as many alerts as it is entitled to."""
        return all(self.stored.get(member, 0) >= count for member, count in self.expected.items())

    @property
    def figures(self) -> tuple[int, ...]:
        """Everything that is counted, to see whether something has changed."""
        said = self.tally
        hub = (self.published, len(said.admitted), said.again, said.refused.total(), said.routed, said.stored)
        return (*hub, *self.stored.values())


class Rate:
    """How many messages a second were published of late."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, progress: Progress) -> float:
        """The rate over the last three seconds, with this moment taken in."""
        self._seen.append((progress.seconds, progress.published))
        while len(self._seen) > 2 and progress.seconds - self._seen[0][0] > RATE_SECONDS:  # noqa: PLR2004 - a rate needs two
            self._seen.popleft()
        (since, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - since) if now > since else 0.0


def table(progress: Progress, rate: float) -> RenderableType:
    """The live table; fits 80 columns."""
    said = progress.tally
    hub = Table(box=None, pad_edge=False, header_style="bold")
    figures = {
        "published": str(progress.published),
        "a second": f"{rate:.0f}",
        "admitted": str(len(said.admitted)),
        "again": str(said.again),
        "refused": str(said.refused.total()),
        "routed": str(said.routed),
        "receipts": str(said.stored),
    }
    for heading in figures:
        hub.add_column(heading, justify="right")
    hub.add_row(*figures.values())
    reasons = "  ".join(f"{reason}×{count}" for reason, count in sorted(said.refused.items()))
    restarted = ", ".join(f"{name} {count}x" for name, count in progress.restarts.items() if count)
    foot = f"{progress.seconds:.0f} s" + (f"   started again: {restarted}" if restarted else "")
    return Group(
        "",
        hub,
        Text(f"refused: {reasons or 'none yet'}", style="dim", no_wrap=False, overflow="fold"),
        "",
        _states(progress),
        "",
        foot,
    )


def _states(progress: Progress) -> Table:
    states = Table(box=None, pad_edge=False, header_style="bold")
    states.add_column("state's own database")
    states.add_column("entitled to", justify="right")
    states.add_column("holds", justify="right")
    states.add_column("", width=BAR)
    for member, expected in sorted(progress.expected.items()):
        stored = progress.stored.get(member, 0)
        name = f"{member}  {progress.names.get(member, '')}".rstrip()
        colour = "red" if stored > expected else "green"
        bar = ProgressBar(expected, min(stored, expected), width=BAR, complete_style=colour, finished_style=colour)
        states.add_row(name, str(expected), f"[{colour}]{stored}[/{colour}]", bar)
    return states


class Screen:
    """Words about the work, on standard error."""

    def __init__(self, console: Console) -> None:
        """Nothing is printed yet."""
        self.console = console
        self.steps = Steps(console)

    @contextmanager
    def live(self) -> Iterator[Callable[[Progress], None]]:
        """A live table on a terminal; elsewhere a line every five seconds."""
        if not self.console.is_terminal:
            yield _Lines(self.console).show
            return
        rate = Rate()
        with Live(console=self.console, refresh_per_second=4, transient=False) as live:
            yield lambda progress: live.update(table(progress, rate.of(progress)))

    def quote(self, text: str) -> None:
        """What a command said, indented."""
        for line in text.rstrip().splitlines():
            self.console.print(f"    {line}", highlight=False, markup=False, soft_wrap=True, style="dim")

    def summary(self, report: Report, failures: Sequence[str]) -> None:
        """The figures, and whether all is well."""
        show = Table(box=None, show_header=False, pad_edge=False)
        show.add_column(style="dim", no_wrap=True)
        show.add_column(overflow="fold")
        for name, value in report.as_json().items():
            show.add_row(name.replace("_", " "), _words(value))
        self.console.print(show, soft_wrap=False)
        for failure in failures:
            self.console.print(f"[red]✗[/red] {failure}", highlight=False)
        if not failures:
            self.console.print(
                "[green]✓ every entitled state holds exactly its alerts: nothing lost, doubled or leaked[/green]"
            )


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "-"
    return str(value)


class _Lines:
    """Progress for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = -LINE_SECONDS

    def show(self, progress: Progress) -> None:
        """Print a line when five seconds have passed since the last."""
        if progress.seconds - self._last < LINE_SECONDS:
            return
        self._last = progress.seconds
        said, expected = progress.tally, sum(progress.expected.values())
        self._console.print(
            f"{progress.seconds:5.1f} s  published {progress.published}  admitted {len(said.admitted)}  "
            f"refused {said.refused.total()}  stored {sum(progress.stored.values())}/{expected}"
        )
