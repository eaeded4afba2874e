"""The circuit breaker of a sink that talks to a stranger's server: after some failures in a row it is left alone for a
while, then tried with one batch. Pure: the clock is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from consumers.errors import SinkUnavailableError

THRESHOLD: Final = 5
REST_SECONDS: Final = 60.0


@dataclass
class Breaker:
    """Closed while all is well; open for `REST_SECONDS` after `THRESHOLD` failures; then one failure opens it again."""

    clock: Callable[[], float]
    failures: int = 0
    until: float = 0.0

    def check(self, what: str) -> None:
        """Raises `SinkUnavailableError` while the circuit is open: nobody is asked."""
        left = self.until - self.clock()
        if left > 0:
            raise SinkUnavailableError(
                f"{what} has failed {self.failures} times in a row and is left alone.", "It is tried again by itself."
            ).after(left)

    def failed(self) -> None:
        """Count a failure."""
        self.failures += 1
        if self.failures >= THRESHOLD:
            self.until = self.clock() + REST_SECONDS

    def worked(self) -> None:
        """All is well again."""
        self.failures, self.until = 0, 0.0
