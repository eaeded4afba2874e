"""Withdrawal in the inbox: the content goes, at once and from the file itself; the proof stays.

An order to withdraw empties every version in the transaction that takes it in. Content is overwritten with as many
zeros, so that no row changes its length and no copy of it is left behind where rows move; then the write-ahead log is
brought into the file and cut off (`scrub`). Every sink purges when it comes to the order. The receipt PURGED follows
when all of that has happened, however often the edge was killed in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

import apsw

from manara.stores import transaction

if TYPE_CHECKING:
    from consumers.entry import Arrival
    from consumers.judging import Message

EMPTY: Final = "value = zeroblob(length(value)), sig = zeroblob(length(sig))"
PURGED: Final = "PURGED"


def withdrawn(db: apsw.Connection, agency: str, alert_id: str) -> bool:
    """Whether this alert's author has withdrawn it."""
    row = db.execute("select 1 from withdrawals where alert_id = ? and agency = ?", (alert_id, agency)).fetchone()
    return row is not None


def withdraw(db: apsw.Connection, order: Arrival, number: int, now: int) -> None:
    """Empty every version of the alert and whatever was refused under its key, and keep the proof. Inside a
    transaction."""
    identity = (order.alert_id, order.agency)
    db.execute(f"update inbox set {EMPTY} where alert_id = ? and agency = ? and type = 'ALERT'", identity)  # noqa: S608
    db.execute(
        "update refused set value = zeroblob(length(value)), headers = zeroblob(length(headers)) where key = ?",
        (f"{order.agency}/{order.alert_id}".encode(),),
    )
    db.execute(
        "insert into withdrawals(number, agency, alert_id, version, digest, at, purged_at) "
        "values (?, ?, ?, ?, ?, ?, ?)",
        (number, order.agency, order.alert_id, order.version, order.digest, order.at, now),
    )


def kept(db: apsw.Connection, message: Message) -> Message:
    """A refused message as it may be kept: of a withdrawn alert, without its bytes."""
    agency, _, alert_id = (message.key or b"").decode(errors="replace").partition("/")
    return message._replace(value=None) if withdrawn(db, agency, alert_id) else message


def came_late(db: apsw.Connection, number: int, agency: str, alert_id: str) -> None:
    """A version that came after the order was never stored: where the purge is receipted, this version's is due."""
    db.execute(
        "insert or ignore into due_receipts select ?, 'PURGED', '' from withdrawals "
        "where alert_id = ? and agency = ? and receipted_at is not null limit 1",
        (number, alert_id, agency),
    )


def receipt_again(db: apsw.Connection, number: int) -> bool:
    """Whether this entry is of a withdrawn alert; then it is PURGED that is said again, if it was said."""
    row = db.execute(
        "select max(receipted_at is not null) from withdrawals w join inbox i "
        "on i.alert_id = w.alert_id and i.agency = w.agency where i.number = ? and i.type = 'ALERT'",
        (number,),
    ).fetchone()
    if row is None or row[0] is None:
        return False
    if row[0]:
        db.execute("insert or ignore into due_receipts values (?, 'PURGED', '')", (number,))
    return True


def scrub(db: apsw.Connection, now: int) -> bool:
    """Cut the write-ahead log off, so that what was overwritten is nowhere in our files. False while a reader keeps it:
    then it is tried again."""
    waiting = db.execute("select max(number) from withdrawals where scrubbed_at is null").fetchone()
    if waiting is None or waiting[0] is None:
        return True
    try:
        busy = db.execute("pragma wal_checkpoint(truncate)").fetchall()[0][0]
    except apsw.BusyError:
        return False
    if busy:
        return False
    with transaction(db):
        db.execute("update withdrawals set scrubbed_at = ? where scrubbed_at is null and number <= ?", (now, *waiting))
    return True


def emptied(db: apsw.Connection, numbers: Iterable[int]) -> list[int]:
    """Those of these entries whose content is gone. A signature never begins with a zero."""
    query = "select 1 from inbox where number = ? and substr(sig, 1, 1) > x'00'"
    return [number for number in numbers if db.execute(query, (number,)).fetchone() is None]


def passed(db: apsw.Connection, sink: str, number: int) -> None:
    """A sink has come so far: it has purged what was ordered up to there, unless that order is set aside."""
    rows = db.execute(
        "select number from withdrawals where number <= ?2 and receipted_at is null "
        "and not exists (select 1 from purged_by p where p.sink = ?1 and p.number = withdrawals.number) "
        "and not exists (select 1 from parked p where p.sink = ?1 and p.number = withdrawals.number) "
        "and not exists (select 1 from dead_letters d where d.sink = ?1 and d.number = withdrawals.number)",
        (sink, number),
    ).fetchall()
    if rows:
        with transaction(db):
            db.executemany("insert or ignore into purged_by values (?, ?)", [(sink, number) for (number,) in rows])


def complete(db: apsw.Connection, sinks: Collection[str]) -> list[int]:
    """Orders that every one of these sinks and our own files have carried out, and that are not receipted yet."""
    rows = db.execute(
        "select number from withdrawals where receipted_at is null and scrubbed_at is not null order by number"
    ).fetchall()
    done: list[int] = []
    for number in (int(str(row[0])) for row in rows):
        by = {name for (name,) in db.execute("select sink from purged_by where number = ?", (number,))}
        if by >= set(sinks):
            done.append(number)
    return done


def receipted(db: apsw.Connection, number: int, now: int) -> None:
    """Make PURGED due for the order, and for every version that never got as far as STORED. Inside a transaction."""
    db.execute("update withdrawals set receipted_at = ? where number = ?", (now, number))
    db.execute(
        "insert or ignore into due_receipts select i.number, 'PURGED', '' from inbox i "
        "join withdrawals w on i.alert_id = w.alert_id and i.agency = w.agency "
        "where w.number = ?1 and i.type = 'ALERT' and (i.number = ?1 or not exists "
        "(select 1 from receipt_items r where r.number = i.number and r.stage = 'STORED'))",
        (number,),
    )
