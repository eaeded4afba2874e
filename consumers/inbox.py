"""The inbox: the member's durable copy of everything it was sent and could verify. SQLite, `<folder>/inbox.db`.

Rows and the Kafka positions they came from are committed together, so nothing is lost or doubled by a kill at any
moment. Each thread opens its own `Inbox`; SQLite lets one write at a time.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import apsw

from consumers import purging
from consumers.entry import START, Arrival, Cursor, Entry, checksum, link
from consumers.inbox_schema import MIGRATIONS, SCHEMA, VERSION
from consumers.judging import Accepted, Message, Refused
from manara.stores import open_store, transaction
from schemas.reasons import Reason
from schemas.recipient import Held, Incoming, replay

FILE_NAME: Final = "inbox.db"

_COLUMNS = ("number", "chain", "checksum", *(field.name for field in dataclasses.fields(Arrival)))
_SELECT = f"select {', '.join(_COLUMNS)} from inbox"  # noqa: S608 - column names of ours
_SELECT_REFUSED = "select number, topic, topic_id, partition, offset, time, key, value, headers from refused"
_INSERT = f"insert into inbox({', '.join(_COLUMNS)}) values ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - the same


class Position(NamedTuple):
    """Where to read a partition on. `next_offset` means nothing under another `topic_id`."""

    topic_id: str
    next_offset: int


class Taken(NamedTuple):
    """What one transaction took in: how many were new, how many were known, and what was refused."""

    new: int
    again: int
    refused: tuple[Refused, ...]


class Inbox:
    """One connection to one member's inbox."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db

    @classmethod
    def open(cls, folder: Path, *, thorough: bool = True) -> Self:
        """Open the inbox in this folder, making it if need be. Raises `StoreError` in words. Unless `thorough`, a large
        one is not looked through for damage first: an entry that is read is checked in any case."""
        inbox = cls(open_store(folder / FILE_NAME, SCHEMA, version=VERSION, migrations=MIGRATIONS, thorough=thorough))
        inbox.db.execute("pragma secure_delete = on").fetchall()  # what is overwritten or deleted is gone from the file
        if inbox.meta("id") is None:
            with transaction(inbox.db):  # whoever comes second keeps the first one's id
                inbox.db.execute("insert into meta values ('id', ?) on conflict do nothing", (secrets.token_hex(16),))
        return inbox

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    @property
    def id(self) -> str:
        """This inbox and no other: made anew when the file is lost."""
        return str(self.meta("id"))

    def renew_id(self) -> None:
        """Become another inbox: after a restore from a backup, cursors of before stand for what is not here."""
        self.put_meta({"id": secrets.token_hex(16)})

    def meta(self, name: str) -> int | str | None:
        """A value kept under a name, or None."""
        row = self.db.execute("select value from meta where name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def put_meta(self, values: Mapping[str, int | str]) -> None:
        """Keep values under their names."""
        with transaction(self.db):
            self.db.executemany("insert or replace into meta values (?, ?)", list(values.items()))

    def directory(self) -> bytes | None:
        """The latest directory as it was published."""
        row = self.db.execute("select value from directory order by seq desc limit 1").fetchone()
        return None if row is None else bytes(row[0])

    def keep_directory(self, seq: int, value: bytes, alarms: Sequence[tuple[str, str, str, str]], now: int) -> None:
        """Keep a directory in place of the one before, with the alarms (event, holder, kid, detail) that it gave."""
        with transaction(self.db):
            self.db.execute("delete from directory")
            self.db.execute("insert into directory values (?, ?)", (seq, value))
            self.db.executemany(
                "insert into alarms(at, event, holder, kid, detail) values (?, ?, ?, ?, ?)",
                [(now, *alarm) for alarm in alarms],
            )

    def positions(self) -> dict[tuple[str, int], Position]:
        """Where each partition stands."""
        rows = self.db.execute("select topic, partition, topic_id, next_offset from positions")
        return {(topic, partition): Position(topic_id, offset) for topic, partition, topic_id, offset in rows}

    def take(
        self,
        accepted: Sequence[Accepted],
        refused: Sequence[Refused] = (),
        *,
        positions: Mapping[tuple[str, int], Position] | None = None,
        settled: Sequence[int] = (),
        now: int,
    ) -> Taken:
        """Commit a batch at once: what is new, what is refused, where to read on, which earlier refusals it settles.

        A WITHDRAW empties every version of its alert in the same transaction, and what comes later of that alert is
        kept without its content. A message that is here already is counted and otherwise silent. Other content under a
        known identity and version is refused as EQUIVOCATION, and both are kept.
        """
        bad, again, cursor = list(refused), 0, START
        with transaction(self.db):
            first = cursor = self.tip()
            for message, arrival in accepted:
                known = self._known(arrival)
                if known is None:
                    cursor = self._append(arrival, cursor, now)
                elif known.digest == arrival.digest:
                    again += 1
                    self._receipt_again(known.number)
                else:
                    bad.append(Refused(message, Reason.EQUIVOCATION, "other content came first", arrival.digest))
            self._keep(bad, positions or {}, settled, now)
        return Taken(cursor.number - first.number, again, tuple(bad))

    def tip(self) -> Cursor:
        """The cursor of the newest entry."""
        row = self.db.execute("select number, chain from inbox order by number desc limit 1").fetchone()
        return START if row is None else Cursor(*row)

    def holds(self, cursor: Cursor) -> bool:
        """Whether this inbox has the history that a cursor stands for."""
        if cursor == START:
            return True
        row = self.db.execute("select chain from inbox where number = ?", (cursor.number,)).fetchone()
        return row is not None and bytes(row[0]) == cursor.chain

    def after(self, number: int, limit: int) -> list[Entry]:
        """The next entries after a number, in order."""
        return list(self._entries("where number > ? order by number limit ?", (number, limit)))

    def entry(self, number: int) -> Entry | None:
        """One entry."""
        return next(self._entries("where number = ?", (number,)), None)

    def since(self, received_at: int) -> int:
        """The number after which everything received at or after this time lies."""
        row = self.db.execute("select min(number) from inbox where received_at >= ?", (received_at,)).fetchone()
        return self.tip().number if row is None or row[0] is None else int(row[0]) - 1

    def find(self, alert_id: str, agency: str = "") -> list[Entry]:
        """All entries of the alerts whose id begins so, by identity and version."""
        clause = (
            "where alert_id >= ? and alert_id < ? and (? = '' or agency = ?) order by agency, alert_id, version, number"
        )
        return list(self._entries(clause, (alert_id, alert_id + "\uffff", agency, agency)))

    def held(self, agency: str, alert_id: str) -> Held | None:
        """What we hold of an alert by all that has reached us, in whatever order; None if there is nothing."""
        rows = self.db.execute(
            "select version, message, digest, kind from inbox where alert_id = ? and agency = ?", (alert_id, agency)
        )
        return replay(Incoming(*row) for row in rows)

    def unsettled(self, reasons: Sequence[str], *, and_rules: bool = False) -> list[tuple[int, Message]]:
        """Messages refused for one of these reasons (or by a publication rule) that may be good by now, with their
        numbers.
        """
        marks = ", ".join("?" * len(reasons))
        which = f"reason in ({marks}) or ? and reason glob 'RULE_*'"
        there = "settled_at is null and substr(headers, 1, 1) <> x'00'"  # not one whose alert was withdrawn
        query = f"{_SELECT_REFUSED} where {there} and ({which}) order by number"
        rows = self.db.execute(query, (*reasons, and_rules))
        return [(row[0], message_of(row[1:])) for row in rows]

    def _entries(self, clause: str, values: tuple[object, ...]) -> Iterator[Entry]:
        for row in self.db.execute(f"{_SELECT} {clause}", values):
            fields = dict(zip(_COLUMNS, row, strict=True))
            yield Entry(**{**fields, "hub_time_only": bool(fields["hub_time_only"])})

    def _known(self, arrival: Arrival) -> _Known | None:
        row = self.db.execute(
            "select number, digest from inbox where alert_id = ? and agency = ? and version = ? and type = ?",
            (arrival.alert_id, arrival.agency, arrival.version, arrival.type),
        ).fetchone()
        return None if row is None else _Known(*row)

    def _append(self, arrival: Arrival, cursor: Cursor, now: int) -> Cursor:
        placed = Cursor(cursor.number + 1, link(cursor.chain, arrival.digest))
        ordered = arrival.message == "WITHDRAW"
        gone = ordered or (arrival.type == "ALERT" and purging.withdrawn(self.db, arrival.agency, arrival.alert_id))
        kept = dataclasses.replace(arrival, value=b"", sig=b"") if gone else arrival
        self.db.execute(_INSERT, (*placed, checksum(kept), *_values(kept)))
        if ordered:
            purging.withdraw(self.db, arrival, placed.number, now)
        elif gone:
            purging.came_late(self.db, placed.number, arrival.agency, arrival.alert_id)
        return placed

    def _receipt_again(self, number: int) -> None:
        """A re-send may mean that our receipt was lost with a cluster: send it again, unless it is still to come
        anyway."""
        if purging.receipt_again(self.db, number):
            return
        self.db.execute(
            "insert or ignore into due_receipts select ?1, 'STORED', '' from meta where name = 'receipts' "
            "and value >= ?1 and not exists (select 1 from parked where number = ?1) "
            "and not exists (select 1 from dead_letters where number = ?1)",
            (number,),
        )

    def _keep(
        self,
        bad: Sequence[Refused],
        positions: Mapping[tuple[str, int], Position],
        settled: Sequence[int],
        now: int,
    ) -> None:
        self.db.executemany(
            "insert or ignore into refused(topic, topic_id, partition, offset, time, key, value, headers, reason, "
            "detail, digest, received_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (*purging.kept(self.db, message)[:-1], write_headers(message.headers), str(reason), detail, digest, now)
                for message, reason, detail, digest in bad
            ],
        )
        self.db.executemany(
            "insert or replace into positions values (?, ?, ?, ?)",
            [(*partition, place.topic_id, place.next_offset) for partition, place in positions.items()],
        )
        self.db.executemany("update refused set settled_at = ? where number = ?", [(now, number) for number in settled])


class _Known(NamedTuple):
    number: int
    digest: str


_values = attrgetter(*(field.name for field in dataclasses.fields(Arrival)))


def message_of(row: Sequence[Any]) -> Message:
    """The Kafka record kept in a row of `refused`, from topic to headers."""
    topic, topic_id, partition, offset, time, key, value, headers = row
    return Message(topic, topic_id, partition, offset, time, key, value, read_headers(headers))


def write_headers(headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    """Kafka headers as JSON, their values in hex."""
    return json.dumps([[name, None if value is None else value.hex()] for name, value in headers]).encode()


def read_headers(text: bytes) -> tuple[tuple[str, bytes | None], ...]:
    """What `write_headers` wrote."""
    return tuple((name, None if value is None else bytes.fromhex(value)) for name, value in json.loads(text))
