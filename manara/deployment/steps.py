"""What a long start says: each step as a sentence, ticked off with its time when it is done."""

from __future__ import annotations

import time

from rich.console import Console


class Steps:
    """Steps on a console, one after another."""

    def __init__(self, console: Console) -> None:
        """Nothing is printed yet."""
        self._console = console
        self._doing = ""
        self._since = 0.0

    def say(self, doing: str) -> None:
        """Begin a step: the one before is done, and took so long. An empty text only ends the last."""
        now = time.monotonic()
        if self._doing:
            self._console.print(f"[green]✓[/green] {self._doing} [dim]{now - self._since:.1f} s[/dim]", highlight=False)
        self._doing, self._since = doing, now
