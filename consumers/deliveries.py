"""What the inbox remembers about one sink: entries set aside, dead letters, and how it does, for people to see.

The cursor is not here: it lives where the effect is (`sinks/contract.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import apsw

from manara.stores import transaction


class Parked(NamedTuple):
    """An entry that the sink refused and that will be tried again, alone, at `due_at`."""

    number: int
    attempts: int
    due_at: int


@dataclass(frozen=True)
class Deliveries:
    """The side of one sink. `primary` is the sink whose commits are receipted."""

    db: apsw.Connection
    sink: str
    primary: bool

    def set_aside(self, numbers: Sequence[int]) -> set[int]:
        """Those among the numbers that are parked or dead: the batch goes without them."""
        if not numbers:
            return set()
        rows = self.db.execute(
            "select number from parked where sink = ?1 and number between ?2 and ?3 "
            "union select number from dead_letters where sink = ?1 and number between ?2 and ?3",
            (self.sink, numbers[0], numbers[-1]),
        )
        return {int(number) for (number,) in rows}

    def due(self, now: int, limit: int = 20) -> list[Parked]:
        """What should be tried again by now."""
        rows = self.db.execute(
            "select number, attempts, due_at from parked where sink = ? and due_at <= ? order by due_at limit ?",
            (self.sink, now, limit),
        )
        return [Parked(*row) for row in rows]

    def next_due(self) -> int | None:
        """When something is to be tried again."""
        row = self.db.execute("select min(due_at) from parked where sink = ?", (self.sink,)).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def park(self, parked: Parked, reason: str) -> None:
        """Set an entry aside, durably, before the cursor goes past it."""
        with transaction(self.db):
            self.db.execute("insert or replace into parked values (?, ?, ?, ?, ?)", (self.sink, *parked, reason))

    def settle(self, number: int) -> None:
        """A parked entry has been stored after all; its receipt is due."""
        with transaction(self.db):
            self._unpark(number)
            self._receipt(number, "STORED", "")

    def bury(self, number: int, attempts: int, reason: str, now: int) -> None:
        """A parked entry is given up: a dead letter, and a receipt that says so."""
        with transaction(self.db):
            self._unpark(number)
            self.db.execute(
                "insert or replace into dead_letters values (?, ?, ?, ?, ?)", (self.sink, number, attempts, reason, now)
            )
            self._receipt(number, "FAILED", reason)

    def note(self, number: int, state: str, detail: str, now: int) -> None:
        """How the sink does, for people. `state` is OK or WAITING."""
        with transaction(self.db):
            self.db.execute(
                "insert or replace into sinks values (?, ?, ?, ?, ?, ?)",
                (self.sink, number, self.primary, now, state, detail),
            )

    def _unpark(self, number: int) -> None:
        self.db.execute("delete from parked where sink = ? and number = ?", (self.sink, number))

    def _receipt(self, number: int, stage: str, reason: str) -> None:
        if self.primary:
            self.db.execute(  # of alerts alone: the hub's notice has no author who waits, and would stay due for ever
                "insert or ignore into due_receipts select number, ?, ? from inbox where number = ? and type = 'ALERT'",
                (stage, reason, number),
            )
