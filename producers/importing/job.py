"""One run of an import: row by row into drafts, good ones in batches into the outbox, bad ones into the reject file.

Importing the same file again adds nothing: every row has a key made of its content (and its place among equal rows),
and the outbox
keeps it. A row that the hub has refused may come again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from producers import checking
from producers.composing import Author, Draft, compose
from producers.faults import Fault
from producers.importing.mapping import TableMap
from producers.importing.tables import Row, Table, canonical
from producers.outbox import Accepted, Outbox
from schemas.directory import Directory

BATCH = 100


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be an alert: `faults` name the column in `path` where one is to blame, else the field."""

    row: Row
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class Tally:
    """What an import came to."""

    rows: int = 0
    good: int = 0
    accepted: int = 0
    again: int = 0
    rejected: int = 0
    alike: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ways:
    """What a run needs from outside: time, ids, and how a batch gets into the outbox (None for a dry run)."""

    now: Callable[[], int]
    new_id: Callable[[], str]
    accept: Callable[[list[Draft]], list[Accepted]] | None = None
    batch: int = BATCH


class Import:
    """A table on its way into an outbox; without one, a look at it alone."""

    def __init__(
        self,
        table: Table,
        table_map: TableMap,
        author: Author,
        outbox: Outbox | None,
        directory: Directory | None,
        ways: Ways,
    ) -> None:
        self.table = table
        self.tally = Tally()
        self._map = table_map
        self._author = author
        self._outbox = outbox
        self._directory = directory
        self._ways = ways
        self._numbers = {column: number for number, column in enumerate(table.columns, 1)}
        self._seen: Counter[str] = Counter()
        self._batch: list[Draft] = []

    def run(self) -> Iterator[Rejected | Draft | None]:
        """One item a row: the draft of a good one, what is wrong with a bad one, None for one that is in the outbox
        already.
        """
        for row in self.table.rows:
            self.tally.rows += 1
            yield self._row(row)
        self._flush()

    def _row(self, row: Row) -> Rejected | Draft | None:
        if row.broken:
            return self._reject(row, [Fault("", "ROW_UNREADABLE", "", row.broken)])
        key = self._key(row)
        if self._outbox is not None and self._outbox.holds_import(key):
            self.tally.again += 1
            return None
        now = self._ways.now()
        node, audience, faults = self._map.alert(row.cells, self._numbers)
        draft = compose(node, self._author, now, self._ways.new_id, kind=self._map.kind, audience=audience)
        faults = faults or checking.judge(draft, self._directory, now)
        if faults:
            return self._reject(row, faults)
        draft.import_key = key
        self.tally.good += 1
        if self._outbox is not None and self._outbox.alike(draft):
            self.tally.alike += 1
        self._batch.append(draft)
        if len(self._batch) >= self._ways.batch:
            self._flush()
        return draft

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if batch and self._ways.accept is not None:
            self.tally.accepted += sum(not one.again for one in self._ways.accept(batch))

    def _key(self, row: Row) -> str:
        """Of the row's content, not of its number: a row keeps its key when others are added before it."""
        content = f"{self._author.agency}\n{self._map.kind}\n{canonical(row)}"
        self._seen[content] += 1
        return hashlib.sha256(f"{content}\n{self._seen[content]}".encode()).hexdigest()

    def _reject(self, row: Row, faults: list[Fault]) -> Rejected:
        """Faults with the column's name instead of its number, where a column is to blame."""
        self.tally.rejected += 1
        named = [replace(fault, path=self._column(fault), line=row.number) for fault in faults]
        for fault in named:
            self.tally.reasons[fault.rule] = self.tally.reasons.get(fault.rule, 0) + 1
        return Rejected(row, tuple(named))

    def _column(self, fault: Fault) -> str:
        """The column to blame: the one that the value came from, or the one that should have brought it; else the
        field.
        """
        if fault.line:
            return self.table.columns[fault.line - 1]
        return self._map.column_for(fault.path) or fault.path
