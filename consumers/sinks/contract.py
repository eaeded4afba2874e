"""The sink contract: what a national system's adapter does, written once, in full.

The inbox is a numbered list of verified entries. Each sink has a thread of its own (`consumers/drain.py`) that hands
it the entries after its cursor, batch by batch, so a slow system delays nobody else. The laws, which
`tests/support/sink_contract.py` holds every sink to:

1. `deliver` is all or nothing up to the cursor it returns, and durable when it returns.
2. The cursor is committed together with the effect, or after it, never before: an entry at or below it is in the
   system.
3. The same entry delivered again has no second effect where the system enforces the key (agency, alert id, version),
   and elsewhere the same form (same file name), so that the reader there can tell.
4. A cursor belongs to one inbox. `open` for another inbox id, or for a fresh system, starts at `START`.
5. `SinkUnavailableError` means try all of it again later; `EntryRefusedError` means something in this batch never
   will go. Nothing of a batch that raised either counts as delivered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from consumers.entry import Cursor, Entry


class Delivered(NamedTuple):
    """What one `deliver` committed: the cursor now in force, and how many entries had an effect (repeats have none)."""

    cursor: Cursor
    effects: int


class Sink(Protocol):
    """One national system. Used by one thread."""

    @property
    def name(self) -> str:
        """Its name in logs, metrics and the inbox; the same after every restart."""
        ...

    @property
    def batch_limit(self) -> int:
        """The most entries that it takes at once."""
        ...

    def open(self, inbox: str) -> Cursor:
        """Connect (again), bring the system's side up to date, and say where this inbox's reader stands there."""
        ...

    def deliver(self, batch: Sequence[Entry], upto: Cursor) -> Delivered:
        """Store the batch (in order of number; empty moves the cursor alone) and then, in the same commit, the
        cursor `upto`.

        A sink may take a shorter part of the batch; it then returns the cursor of that part's last entry. With
        `upto` below the batch (a single entry tried again later) the cursor stays where it is.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files. Safe to call twice, and before `open`."""
        ...
