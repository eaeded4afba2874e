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
6. Every verb of `VERBS` has its effect. After WITHDRAW no content of any version of that alert is in the system, as far
   as it is the system's own; a system that only hands on (`forgets` False) hands on the order itself. An entry without
   content (`Entry.bare`) is proof that a version was there: it never brings content back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from consumers.entry import Cursor, Entry

VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ALERT": "a new alert: a full snapshot, version 1",
        "UPDATE": "a full snapshot in place of the version before",
        "EXTEND": "a full snapshot with a later end",
        "SUSPEND": "a full snapshot; nobody acts on it until RESUME",
        "RESUME": "a full snapshot; it may be acted on again",
        "CANCEL": "the end: no longer wanted, or an error",
        "FULFIL": "the end: done",
        "WITHDRAW": "the end, and every version's content is purged",
        "NO_LONGER_ADDRESSED": "the hub's word: from this version on the alert is not for this member",
    }
)
"""What `Entry.message` may be, and what it means for a national system. What may be acted on at the end, whatever the
order of arrival, says `schemas/recipient.py`."""


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

    def tell_time(self, at: int) -> None:
        """The network's time by the hub's latest heartbeat (microseconds UTC), for predicates such as expiry. A system
        that keeps none ignores it."""
        ...

    def close(self) -> None:
        """Let go of connections and files. Safe to call twice, and before `open`."""
        ...
