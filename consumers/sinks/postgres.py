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
from consumers.sinks.contract import Delivered
from consumers.sinks.migrations import migrate
from consumers.sinks.rows import ALERT_COLUMNS, CHILD_COLUMNS, Row, alert_row, child_rows, notice_row, readied, storable

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
BATCH_LIMIT: Final = 500

_KEY_COLUMNS: LiteralString = "agency, alert_id, version"
_INSERT_NOTICE: LiteralString = (
    "insert into notices(agency, alert_id, version, kind, type, at, value, sig) "
    "values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing"
)
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

    def _commit(self, db: psycopg.Connection[tuple[object, ...]], batch: Sequence[Entry], upto: Cursor) -> int:
        alerts = [(entry, *readied(entry)) for entry in batch if entry.type == "ALERT"]
        notices = [notice_row(entry) for entry in batch if entry.type == "NOTICE"]
        counted = db.cursor()
        with db.pipeline(), db.transaction():
            counted.executemany(_INSERT_ALERT, [alert_row(*alert) for alert in alerts])
            for table, statement in _INSERT_CHILD.items():
                rows = [row for entry, record, _ in alerts for row in _keyed(entry, child_rows(table, record))]
                db.cursor().executemany(statement, rows)
            db.cursor().executemany(_INSERT_NOTICE, notices)
            db.execute(_CURSOR, (self._inbox, upto.number, upto.chain))
        return max(counted.rowcount, 0)


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


def _keyed(entry: Entry, rows: Sequence[Row]) -> list[Row]:
    key = (entry.agency, storable(entry.alert_id), entry.version)
    return [(*key, ordinal, *row) for ordinal, row in enumerate(rows)]


def _marks(columns: str) -> str:
    return ", ".join(["%s"] * (columns.count(",") + 1))


# Column lists are constants of ours; each alert that is really inserted leaves one row in `effects`, by the same
# statement.
_INSERT_ALERT: Final = (
    f"with new as (insert into alerts({ALERT_COLUMNS}) values ({_marks(ALERT_COLUMNS)}) "  # noqa: S608
    f"on conflict do nothing returning {_KEY_COLUMNS}) "
    f"insert into effects({_KEY_COLUMNS}) select {_KEY_COLUMNS} from new"
).encode()
_INSERT_CHILD: Final = {
    table: (
        f"insert into {table}({_KEY_COLUMNS}, ordinal, {columns}) values (%s, %s, %s, %s, {_marks(columns)}) "  # noqa: S608
        "on conflict do nothing"
    ).encode()
    for table, columns in CHILD_COLUMNS.items()
}

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
