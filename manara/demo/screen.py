"""What the demo shows while it runs: steps as sentences, one live table, the summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from manara.demo.report import Report
from manara.demo.verdicts import Tally


@dataclass
class Progress:
    """A moment of the run: what agencies, hub and databases have."""

    expected: Mapping[str, int]
    stored: Mapping[str, int]
    tally: Tally
    published: int = 0
    seconds: float = 0.0
    restarts: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every database has as many alerts as it is entitled to."""
        return all(self.stored.get(member, 0) >= count for member, count in self.expected.items())


def table(progress: Progress) -> RenderableType:
    """The live table."""
    hub = Table(title="Hub", title_justify="left", box=None, pad_edge=False)
    for heading in ("published", "admitted", "again", "refused", "routed", "receipts"):
        hub.add_column(heading, justify="right")
    said = progress.tally
    figures = (progress.published, len(said.admitted), said.again, sum(said.refused.values()), said.routed, said.stored)
    hub.add_row(*map(str, figures))
    members = Table(title="National databases", title_justify="left", box=None, pad_edge=False)
    members.add_column("member")
    members.add_column("entitled to", justify="right")
    members.add_column("stored", justify="right")
    members.add_column("")
    for member, expected in sorted(progress.expected.items()):
        stored = progress.stored.get(member, 0)
        bar = "█" * round(24 * min(1.0, stored / expected if expected else 1.0))
        members.add_row(member, str(expected), str(stored), f"[green]{bar}[/green]")
    restarted = ", ".join(f"{name} {count}x" for name, count in progress.restarts.items() if count)
    foot = f"{progress.seconds:5.1f} s" + (f"   restarted: {restarted}" if restarted else "")
    return Group("", hub, "", members, foot)


class Screen:
    """Where the demo speaks: standard error, so that standard output stays free for results."""

    def __init__(self, console: Console) -> None:
        """Nothing is printed yet."""
        self.console = console
        self._doing = ""
        self._since = 0.0

    def say(self, doing: str) -> None:
        """Begin a step: the one before is done, and took so long. An empty text only ends the last."""
        now = time.monotonic()
        if self._doing:
            self.console.print(f"[green]✓[/green] {self._doing} [dim]{now - self._since:.1f} s[/dim]", highlight=False)
        self._doing, self._since = doing, now

    @contextmanager
    def live(self) -> Iterator[Callable[[Progress], None]]:
        """A live table on a terminal; elsewhere a line every five seconds."""
        if not self.console.is_terminal:
            yield _Lines(self.console).show
            return
        with Live(console=self.console, refresh_per_second=4, transient=False) as live:
            yield lambda progress: live.update(table(progress))

    def summary(self, report: Report, failures: Sequence[str]) -> None:
        """The figures, and whether all is well."""
        show = Table(box=None, show_header=False, pad_edge=False)
        for name, value in report.as_json().items():
            text = (
                ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else str(value)
            )
            show.add_row(name.replace("_", " "), text or "-")
        self.console.print(show)
        for failure in failures:
            self.console.print(f"[red]✗[/red] {failure}", highlight=False)
        if not failures:
            self.console.print(
                "[green]✓ every entitled state holds exactly its alerts; nothing lost, doubled or leaked[/green]"
            )


class _Lines:
    """Progress for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = -5.0

    def show(self, progress: Progress) -> None:
        """Print a line when five seconds have passed since the last."""
        if progress.seconds - self._last < 5:  # noqa: PLR2004 - said in the docstring
            return
        self._last = progress.seconds
        said = progress.tally
        self._console.print(
            f"{progress.seconds:5.1f} s  published {progress.published}  admitted {len(said.admitted)}  "
            f"refused {sum(said.refused.values())}  stored {sum(progress.stored.values())}/{sum(progress.expected.values())}"
        )
