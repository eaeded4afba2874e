"""The PostgreSQL sink: alerts as rows of a national database, exactly one effect each.

Rows, effects and cursor are one transaction, sent as one pipeline. The cursor lives in the database, so that one
restored from a backup catches up by itself. The tables are described in `README.md`, their SQL is in `migrations/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from consumers.entry import START, Cursor, Entry
from consumers.errors import EntryRefusedError, SinkError, SinkUnavailableError
from consumers.sinks.bulk import INSERT_ALERT, INSERT_CHILD, National, copied, national
from consumers.sinks.contract import Delivered
from consumers.sinks.migrations import migrate
from consumers.sinks.rows import moment

CONNECTION: Final = {
    "connect_timeout": "10",
    "application_name": "manara-edge",
    # a server that vanished is noticed in half a minute, not in two hours
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
    "options": "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s",
}
BATCH_LIMIT: Final = 2_000
BULK: Final = 100
"""From so many alerts on, rows go by COPY into staging tables: cheaper a row, dearer a batch."""

_INSERT_NOTICE: LiteralString = (
    "insert into notices(agency, alert_id, version, kind, type, at, value, sig) "
    "values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing"
)
_INSERT_WITHDRAWAL: LiteralString = (
    "insert into withdrawals(agency, alert_id, version, digest, message, at) values (%s, %s, %s, %s, %s, %s) "
    "on conflict do nothing"
)
_TIME: LiteralString = (
    "insert into network(at) values (%s) on conflict (one) do update set at = excluded.at "
    "where network.at < excluded.at"
)
_GONE: LiteralString = "t.alert_id = any(%s) and w.alert_id = t.alert_id and w.agency = t.agency"
_PURGE: tuple[LiteralString, ...] = (
    f"delete from names t using withdrawals w where {_GONE}",  # noqa: S608 - constants of ours
    f"delete from identifiers t using withdrawals w where {_GONE}",  # noqa: S608 - constants of ours
    f"delete from waypoints t using withdrawals w where {_GONE}",  # noqa: S608 - constants of ours
    f"delete from transfers t using withdrawals w where {_GONE}",  # noqa: S608 - constants of ours
    (
        "update alerts t set category = '', action = '', unit = '', national_ref = '', sent_at = t.at, "  # noqa: S608
        "effective_at = t.at, review_at = null, crimes = '{}', tlp = '', handling = '{}', handling_note = '', "
        "record = '{}', value = '', sig = '', purged_at = w.purged_at from withdrawals w "
        f"where {_GONE} and (t.purged_at is null or t.value <> '')"
    ),
)
"""What is left of a withdrawn alert, whichever way it came in: an edge's restored inbox may bring content once more."""
_CURSOR: LiteralString = """
insert into cursor(inbox, number, chain) values (%s, %s, %s)
on conflict (inbox) do update set number = excluded.number, chain = excluded.chain, at = clock_timestamp()
where cursor.number < excluded.number or cursor.chain <> excluded.chain
"""


class PostgresSink:
    """Delivers into one database. `dsn` is any connection string of PostgreSQL's own; it is never logged."""

    name = "postgres"
    batch_limit = BATCH_LIMIT

    def __init__(self, dsn: SecretStr) -> None:
        self._dsn = dsn
        self._db: psycopg.Connection[tuple[object, ...]] | None = None
        self._inbox = ""

    def open(self, inbox: str) -> Cursor:
        """Connect, migrate, and read the cursor of this inbox. Raises `SinkUnavailableError` in words."""
        self.close()
        try:
            given = {name: str(value) for name, value in conninfo_to_dict(self._dsn.get_secret_value()).items()}
            db = psycopg.connect(make_conninfo(**CONNECTION | given), autocommit=True)
        except psycopg.Error as error:
            raise unavailable(error) from None  # libpq repeats parts of a wrong connection string
        self._db, self._inbox = db, inbox
        try:
            migrate(db)
            row = db.execute("select number, chain from cursor where inbox = %s", (inbox,)).fetchone()
        except psycopg.Error as error:
            self.close()
            raise unavailable(error) from error
        return START if row is None else Cursor(int(str(row[0])), bytes(row[1]))

    def deliver(self, batch: Sequence[Entry], upto: Cursor) -> Delivered:
        """One transaction: alerts with their children and effects, notices, cursor."""
        if self._db is None:
            raise SinkUnavailableError("The national database is not connected.", "It is tried again.")
        try:
            return Delivered(upto, self._commit(self._db, batch, upto))
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded) as error:
            raise refused(error) from error
        except psycopg.Error as error:
            self.close()
            raise unavailable(error) from error

    def close(self) -> None:
        """Close the connection."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def tell_time(self, at: int) -> None:
        """Keep the network's time, for the view `living`."""
        if self._db is None:
            raise SinkUnavailableError("The national database is not connected.", "It is tried again.")
        try:
            self._db.execute(_TIME, (moment(at),))
        except psycopg.Error as error:
            self.close()
            raise unavailable(error) from error

    def _commit(self, db: psycopg.Connection[tuple[object, ...]], batch: Sequence[Entry], upto: Cursor) -> int:
        rows = national(batch)
        if len(rows.alerts) >= BULK:
            with db.transaction():
                effects = copied(db, rows)
                self._finish(db, rows, upto)
            return effects
        counted = db.cursor()
        with db.pipeline(), db.transaction():
            counted.executemany(INSERT_ALERT, rows.alerts)
            for table, statement in INSERT_CHILD.items():
                db.cursor().executemany(statement, rows.children[table])
            self._finish(db, rows, upto)
        return max(counted.rowcount, 0)

    def _finish(self, db: psycopg.Connection[tuple[object, ...]], rows: National, upto: Cursor) -> None:
        """Notices, purges, cursor: the same after either way of inserting."""
        db.cursor().executemany(_INSERT_NOTICE, rows.notices)
        db.cursor().executemany(_INSERT_WITHDRAWAL, rows.withdrawals)
        ids = sorted({row[1] for row in rows.alerts})
        for statement in _PURGE:
            db.execute(statement, (ids,))
        db.execute(_CURSOR, (self._inbox, upto.number, upto.chain))


def unavailable(error: psycopg.Error) -> SinkError:
    """Why the database cannot be used, as a sentence without any part of the connection string."""
    text = str(error).lower()
    for state, marks, sentence, remedy in _SAYINGS:
        if error.sqlstate == state or any(mark in text for mark in marks):
            return SinkUnavailableError(sentence, remedy)
    return SinkUnavailableError(
        f"The national database reports {error.sqlstate or type(error).__name__}.", "Look into PostgreSQL's log."
    )


def refused(error: psycopg.Error) -> EntryRefusedError:
    """Why a row was refused: PostgreSQL's code and the column, never the value."""
    where = ", ".join(
        part for part in (error.diag.table_name, error.diag.column_name, error.diag.constraint_name) if part
    )
    return EntryRefusedError(
        f"PostgreSQL refuses a row: {type(error).__name__} ({error.sqlstate or 'no code'})"
        + (f" at {where}." if where else "."),
        "The signed bytes are in the inbox: `manara show` has them.",
    )


_SAYINGS: Final = (
    (
        "28P01",
        ("password authentication failed", "no password supplied"),
        "The national database does not accept our user or password.",
        "Correct the setting `postgres` (MANARA_POSTGRES).",
    ),
    (
        "3D000",
        ('" does not exist',),
        "The national database, or our role in it, does not exist.",
        "Create it, or correct the setting `postgres` (MANARA_POSTGRES).",
    ),
    (
        "57P03",
        ("starting up", "shutting down", "recovery mode"),
        "The national database is starting or stopping.",
        "Wait: it is tried again.",
    ),
    (
        "08001",
        (
            "connection refused",
            "no such file or directory",
            "timeout expired",
            "timed out",
            "could not translate",
            "resolve",
        ),
        "No PostgreSQL answers at the address in the setting `postgres`.",
        "Start it, or correct the setting (MANARA_POSTGRES). The inbox keeps everything meanwhile.",
    ),
    (
        "57P01",
        ("server closed the connection", "terminating connection", "connection is closed", "connection is lost"),
        "The national database has closed the connection.",
        "Wait: it is tried again.",
    ),
    (
        "53100",
        ("no space left",),
        "The disk of the national database is full.",
        "Free some space there: the inbox keeps everything meanwhile.",
    ),
    (
        "53300",
        ("too many clients", "remaining connection slots"),
        "The national database has no free connection for us.",
        "Raise max_connections, or close some.",
    ),
    (
        "42501",
        ("permission denied",),
        "Our role in the national database lacks a right.",
        "Give it CREATE on the schema and all rights on Manara's tables.",
    ),
    (
        None,
        ('missing "="', "invalid connection option", "invalid uri", "invalid dsn", "invalid port", "invalid percent"),
        "The setting `postgres` is not a connection string of PostgreSQL.",
        "Write it like postgresql://user:password@host:5432/database (MANARA_POSTGRES).",
    ),
)
"""SQLSTATE, words of libpq (which gives no code while connecting), sentence, remedy. The first that fits is said."""
