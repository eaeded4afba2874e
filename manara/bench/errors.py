"""What can go wrong in a benchmark."""

from __future__ import annotations

from manara.errors import ManaraError


class BenchError(ManaraError):
    """A benchmark, or one figure of it, cannot be measured."""


class VoidRunError(BenchError):
    """What came out is not what had to come out, so the run's speed is worth nothing."""

    def __init__(self, what: str) -> None:
        """`what` says which output differs from the reference."""
        super().__init__(f"The run is void: {what}.", "A wrong output has no speed: find the defect first.")


class CannotRunError(BenchError):
    """This machine lacks what one part needs; the other parts can run."""
