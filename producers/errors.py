"""What can go wrong at the agency.

    ManaraError
    └── ProducerError           failure: exit code 1
        └── AuthorError         what the author handed in is wrong: exit code 2
            ├── FaultyError     ... in ways that are listed one by one, with their places
            ├── KeyNotUsableError   no signing key, or one that the directory does not call valid
            ├── ContradictionError  an alert id and version that the outbox already holds with other content
            ├── StaleVersionError   somebody has written another version meanwhile
            └── LifeError           the alert's life does not allow this message: ended, suspended, expired

A full disk, a lock held by another relay and a broker that refuses are the kernel's StoreError, InUseError and
BrokerError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from manara.errors import ManaraError
from producers.faults import Fault


class ProducerError(ManaraError):
    """Root of what this package raises: a sentence and what to do about it."""


class AuthorError(ProducerError):
    """What the author handed in cannot be used."""

    exit_code: ClassVar[int] = 2


class FaultyError(AuthorError):
    """Input with faults that can be listed: `.faults` has all of them, in the order of the file."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        first = self.faults[0]
        more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        super().__init__(f"{first.sentence}{more}.", first.remedy)


class KeyNotUsableError(AuthorError):
    """There is no signing key, or the directory does not call it valid for this agency now."""


class ContradictionError(AuthorError):
    """The outbox already holds this alert id and version with other content; one of the two would be a lie."""


class StaleVersionError(AuthorError):
    """The message does not follow the current version of its alert: another one was written meanwhile."""


class LifeError(AuthorError):
    """The state that the alert is in does not allow this message."""
