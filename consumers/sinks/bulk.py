"""A batch as rows of the national tables, and the two ways of inserting them: row by row for a few, and for many by
COPY into staging tables from which one statement a table inserts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString, NamedTuple

import psycopg

from consumers.entry import Entry
from consumers.sinks.rows import (
    ALERT_COLUMNS,
    CHILD_COLUMNS,
    Row,
    alert_row,
    child_rows,
    notice_row,
    readied,
    storable,
    withdrawal_row,
)

KEY_COLUMNS: LiteralString = "agency, alert_id, version"


class National(NamedTuple):
    """The rows of one batch, by table; `children` are those below `alerts`."""

    alerts: Sequence[Row]
    children: Mapping[str, Sequence[Row]]
    notices: Sequence[Row]
    withdrawals: Sequence[Row]


def national(batch: Sequence[Entry]) -> National:
    """The rows of these entries, in order. Each record is decoded once."""
    alerts: list[Row] = []
    children: dict[str, list[Row]] = {table: [] for table in CHILD_COLUMNS}
    for entry in batch:
        if entry.type != "ALERT":
            continue
        record, text = readied(entry)
        alerts.append(alert_row(entry, record, text))
        for table in children:
            children[table] += _keyed(entry, child_rows(table, record))
    notices = [notice_row(entry) for entry in batch if entry.type == "NOTICE"]
    return National(alerts, children, notices, [withdrawal_row(e) for e in batch if e.message == "WITHDRAW"])


def copied(db: psycopg.Connection[tuple[object, ...]], rows: National) -> int:
    """Insert by COPY; how many alerts were new. Inside a transaction."""
    db.execute(_STAGING)
    cursor = db.cursor()
    for statement, some in (
        (_COPY_ALERT, rows.alerts),
        *((_COPY_CHILD[table], rows.children[table]) for table in _COPY_CHILD),
    ):
        if not some:
            continue
        with cursor.copy(statement) as copy:
            for row in some:
                copy.write_row(row)
    effects = db.execute(_FROM_ALERTS).rowcount
    for statement in _FROM_CHILDREN:
        db.execute(statement)
    return max(effects, 0)


def _keyed(entry: Entry, rows: Sequence[Row]) -> list[Row]:
    key = (entry.agency, storable(entry.alert_id), entry.version)
    return [(*key, ordinal, *row) for ordinal, row in enumerate(rows)]


def _marks(columns: str) -> str:
    return ", ".join(["%s"] * (columns.count(",") + 1))


# Column lists are constants of ours; each alert that is really inserted leaves one row in `effects`, by the same
# statement.
INSERT_ALERT: Final = (
    f"with new as (insert into alerts({ALERT_COLUMNS}) values ({_marks(ALERT_COLUMNS)}) "  # noqa: S608
    f"on conflict do nothing returning {KEY_COLUMNS}) "
    f"insert into effects({KEY_COLUMNS}) select {KEY_COLUMNS} from new"
).encode()
INSERT_CHILD: Final = {
    table: (
        f"insert into {table}({KEY_COLUMNS}, ordinal, {columns}) values (%s, %s, %s, %s, {_marks(columns)}) "  # noqa: S608
        "on conflict do nothing"
    ).encode()
    for table, columns in CHILD_COLUMNS.items()
}
_TABLES: Final = ("alerts", *CHILD_COLUMNS)
_STAGING: Final = "; ".join(
    f"create temp table if not exists new_{table} on commit delete rows as select * from {table} limit 0"  # noqa: S608 - ours
    for table in _TABLES
).encode()
_COPY_ALERT: Final = f"copy new_alerts({ALERT_COLUMNS}) from stdin".encode()
_COPY_CHILD: Final = {
    table: f"copy new_{table}({KEY_COLUMNS}, ordinal, {columns}) from stdin".encode()
    for table, columns in CHILD_COLUMNS.items()
}
_FROM_ALERTS: Final = (
    f"with new as (insert into alerts({ALERT_COLUMNS}) select {ALERT_COLUMNS} from new_alerts "  # noqa: S608 - ours
    f"on conflict do nothing returning {KEY_COLUMNS}) "
    f"insert into effects({KEY_COLUMNS}) select {KEY_COLUMNS} from new"
).encode()
_FROM_CHILDREN: Final = tuple(
    f"insert into {table}({KEY_COLUMNS}, ordinal, {columns}) "  # noqa: S608 - the same
    f"select {KEY_COLUMNS}, ordinal, {columns} from new_{table} on conflict do nothing".encode()
    for table, columns in CHILD_COLUMNS.items()
)
