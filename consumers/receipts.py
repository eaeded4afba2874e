"""Receipts: this member's signed word that an alert is STORED in its national system (or FAILED there, and why), and
after a withdrawal that it is PURGED from all of them.

Made after the primary sink's commit, from a cursor that follows the sink's: a crash between commit and receipt makes
them again, and a repeat is harmless. They wait in an outbox in the inbox's store until the broker has acknowledged
them.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import structlog

from consumers import purging
from consumers.inbox import Inbox
from manara import metrics
from manara.stores import transaction
from schemas import message, registry
from schemas.directory import Directory, judge_key
from schemas.signature import SigningKey

CURSOR: Final = "receipts"
BATCH: Final = 500
"""The most receipts in one record, as the contract has it."""
AT_ONCE: Final = 5_000
MAX_REASON: Final = 200


class Stored(NamedTuple):
    """One stage that one alert has reached here."""

    number: int
    agency: str
    kind: str
    alert_id: str
    version: int
    digest: str
    stage: str
    reason: str


@dataclass
class Maker:
    """Makes receipts in the name of `edge.<member>`, for what `sink` has committed.

    `directory` gives the latest snapshot, or None before the first; `made` is set when there is something to send.
    `sinks` are all that must have purged before PURGED is said; `sink` is always among them.
    """

    member: str
    sink: str
    key: SigningKey
    directory: Callable[[], Directory | None]
    clock: Callable[[], int]
    made: threading.Event
    sinks: Collection[str] = ()
    problem: str = ""

    @property
    def holder(self) -> str:
        """Who signs."""
        return f"edge.{self.member.lower()}"

    def __call__(self, inbox: Inbox, number: int) -> None:
        """Make what is missing up to this entry. Nothing is made with a key that the hub would not believe: it
        waits."""
        purged = purging.complete(inbox.db, {self.sink, *self.sinks})
        if int(inbox.meta(CURSOR) or 0) >= number and not purged and not _any_due(inbox):
            return
        now = self.clock()
        problem = unusable(self.directory(), self.holder, self.key, now)
        if problem != self.problem:
            self.problem = problem
            if problem:
                structlog.get_logger().error("Receipts wait", member=self.member, holder=self.holder, problem=problem)
        if problem:
            return
        if purged:
            with transaction(inbox.db):
                for order in purged:
                    purging.receipted(inbox.db, order, now)
        while self._some(inbox, number, now):
            self.made.set()

    def _some(self, inbox: Inbox, number: int, now: int) -> bool:
        """One transaction's worth; whether there was any."""
        with transaction(inbox.db):
            cursor = int(inbox.meta(CURSOR) or 0)
            upto = min(number, cursor + AT_ONCE)
            found = [*_stored(inbox, self.sink, cursor, upto), *_due(inbox)]
            for batch in batches(found):
                value, headers = self._sign(batch, now)
                _append(inbox, batch, value, dict(headers)[message.SIG], now)
            inbox.db.executemany(
                "delete from due_receipts where number = ? and stage = ?", [(item.number, item.stage) for item in found]
            )
            inbox.db.execute("insert or replace into meta values (?, ?)", (CURSOR, max(cursor, upto)))
        return bool(found) or upto < number

    def _sign(self, batch: Sequence[Stored], now: int) -> tuple[bytes, list[tuple[str, bytes]]]:
        record: dict[str, Any] = {
            "issuer": self.holder,
            "member": self.member,
            "agency": batch[0].agency,
            "receipts": [
                {
                    "digest": item.digest,
                    "kind": item.kind,
                    "alert_id": item.alert_id,
                    "version": item.version,
                    "stage": item.stage,
                    "at": now,
                    "reason": item.reason[:MAX_REASON],
                    "count": 0,
                }
                for item in batch
            ],
        }
        return message.sign_record(registry.by_name("receipt"), record, self.key)


def batches(found: Sequence[Stored]) -> Iterator[list[Stored]]:
    """Receipts by author, 500 at most in one: a record never mixes authors."""
    by_author = sorted(found, key=lambda item: (item.agency, item.number))
    for _agency, group in itertools.groupby(by_author, key=lambda item: item.agency):
        items = list(group)
        for start in range(0, len(items), BATCH):
            yield items[start : start + BATCH]


def unusable(directory: Directory | None, holder: str, key: SigningKey, now: int) -> str:
    """Why the hub would not believe a receipt by this key; "" if it would."""
    if directory is None:
        return "No directory has been read yet."
    known = directory.keys.get(key.kid)
    if known is None or known.holder != holder:
        return (
            f"The directory does not know the key of the setting `key` as {holder}'s. "
            "Have it certified (manara keys certify) and published, or name the right file."
        )
    if judge_key(known, now) is not None:
        return f"The key of {holder} is not valid now. Have a new one certified and published (manara keys)."
    return ""


_ITEM = "inbox.number, agency, kind, alert_id, version, digest"


def _stored(inbox: Inbox, sink: str, cursor: int, upto: int) -> list[Stored]:
    """Alerts that the primary sink has taken and that have no receipt yet; what is set aside has its own way."""
    rows = inbox.db.execute(
        f"select {_ITEM}, 'STORED', '' from inbox where number > ?2 and number <= ?3 and type = 'ALERT' "  # noqa: S608
        "and (message = 'WITHDRAW' or length(ltrim(hex(substr(sig, 1, 8)), '0')) > 0) "  # not one that came bare
        "and not exists (select 1 from parked p where p.sink = ?1 and p.number = inbox.number) "
        "and not exists (select 1 from dead_letters d where d.sink = ?1 and d.number = inbox.number) order by number",
        (sink, cursor, upto),
    )
    return [Stored(*row) for row in rows]


def _any_due(inbox: Inbox) -> bool:
    return inbox.db.execute("select 1 from due_receipts limit 1").fetchone() is not None


def _append(inbox: Inbox, batch: Sequence[Stored], value: bytes, sig: bytes, now: int) -> None:
    inbox.db.execute(
        "insert into receipt_batches(agency, value, sig, made_at) values (?, ?, ?, ?)",
        (batch[0].agency, value, sig, now),
    )
    row = inbox.db.last_insert_rowid()
    inbox.db.executemany(
        "insert or replace into receipt_items values (?, ?, ?, ?)",
        [(item.number, row, item.stage, item.reason) for item in batch],
    )


def _due(inbox: Inbox) -> list[Stored]:
    rows = inbox.db.execute(
        f"select {_ITEM}, stage, reason from due_receipts join inbox using (number) where type = 'ALERT' "  # noqa: S608
        "order by due_receipts.number limit ?",
        (AT_ONCE,),
    )
    return [Stored(*row) for row in rows]


class Unsent(NamedTuple):
    """A record of receipts that waits in the outbox."""

    id: int
    agency: str
    value: bytes
    sig: bytes


def unsent(inbox: Inbox, limit: int) -> list[Unsent]:
    """The oldest records that no broker has acknowledged."""
    rows = inbox.db.execute(
        "select id, agency, value, sig from receipt_batches where sent_at is null order by id limit ?", (limit,)
    )
    return [Unsent(*row) for row in rows]


def mark_sent(inbox: Inbox, ids: Sequence[int], now: int, member: str) -> None:
    """The broker has these: their bytes are no longer ours to keep."""
    with transaction(inbox.db):
        inbox.db.executemany(
            "update receipt_batches set sent_at = ?, value = null, sig = null where id = ?", [(now, id_) for id_ in ids]
        )
        counts = inbox.db.execute(
            f"select stage, count(*) from receipt_items where batch in ({', '.join('?' * len(ids))}) group by stage",  # noqa: S608
            tuple(ids),
        ).fetchall()
    for stage, count in counts:
        metrics.receipts_sent.labels(member, stage).inc(float(str(count)))
