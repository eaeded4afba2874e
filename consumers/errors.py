"""What can go wrong at a member's edge; each message says what is wrong, each `remedy` what to do.

ConsumersError
├── EdgeError                 an edge cannot start, or was told to stop working
├── AlertNotFoundError        no such alert in the inbox; exit code 2
└── SinkError
    ├── SinkUnavailableError  retry: the national system does not answer, or is full, or refuses our login
    └── EntryRefusedError     reject: the system can never take this entry; it becomes a dead letter
"""

from __future__ import annotations

from manara.errors import InputError, ManaraError


class ConsumersError(ManaraError):
    """The root of everything this package raises on purpose."""


class EdgeError(ConsumersError):
    """An edge cannot start or go on."""


class AlertNotFoundError(ConsumersError, InputError):
    """The inbox holds no such alert, or the words given fit several."""

    exit_code = 2


class SinkError(ConsumersError):
    """A national system did not take what was given to it."""


class SinkUnavailableError(SinkError):
    """The system as a whole cannot be used now. The same batch is tried again until it can, not before `again_after`
    seconds where the system asked for that.
    """

    again_after: float = 0.0

    def after(self, seconds: float) -> SinkUnavailableError:
        """The same, with the pause that the system asked for."""
        self.again_after = seconds
        return self


class EntryRefusedError(SinkError):
    """Something in the batch can never be stored there. The drain finds out what, and sets it aside."""
