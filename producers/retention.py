# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""Retention: what an alert said is erased 30 days after its end, and the proof of it stays.

An alert has ended when the hub has admitted its end, or when its last version has expired, by log time. Erased are the
signed bytes of every version that had content, the reference, and what its links told of other states' alerts; digests,
numbers, verdicts, receipts, our answers and the end itself, which hold no content, stay: nothing is imported twice, and
it can be shown what became of it. What still waits for the hub is kept.
"""

from __future__ import annotations

import contextlib
from typing import Final

import apsw

from manara.stores import transaction
from producers.outbox import Outbox
from producers.validity import DAY

KEPT: Final = 30 * DAY
"""Between the end of an alert and its erasure, microseconds."""
_AT_ONCE: Final = 500
_ENDED: Final = (
    "select alert_id from messages where erased_at is null group by alert_id having "
    # every message has its verdict, or never will have one
    "sum(outcome is null and (damaged = 0 or sends > 0)) = 0 and ("
    "max(case when outcome = 'ADMITTED' and message in ('CANCEL', 'WITHDRAW', 'FULFIL') then judged_at end) < ?1 "
    "or max(case when outcome = 'ADMITTED' then expires_at end) < ?1 "
    "or (max(outcome is 'ADMITTED') = 0 and max(judged_at) < ?1)) "
    f"limit {_AT_ONCE}"
)


def _forget_links(db: apsw.Connection, alert_id: str) -> None:
    """What was known of other states' alerts through links with this one; our signed answers, without notes, stay."""
    mine = "select link_id from links where alert_id = ?"
    db.execute(
        f"delete from signed where id in (select record from link_notices where link_id in ({mine}))", (alert_id,)
    )
    db.execute(f"update link_answers set note = '' where link_id in ({mine})", (alert_id,))
    db.execute(f"delete from link_notices where link_id in ({mine})", (alert_id,))
    db.execute("delete from links where alert_id = ?", (alert_id,))
    db.execute("delete from not_this_person where alert_id = ?", (alert_id,))


def erase(outbox: Outbox, now: int) -> int:
    """Erase what has ended long enough ago at log time `now`; how many messages. A bounded share at a time."""
    due = [row[0] for row in outbox.db.execute(_ENDED, (now - KEPT,)).fetchall()]
    if not due:
        return 0
    erased = 0
    outbox.db.execute("pragma secure_delete = on").fetchall()  # what is let go of is overwritten in the file, too
    with transaction(outbox.db) as db:
        for alert_id in due:
            db.execute(
                "update messages set key = x'', value = x'', sig = x'', hub = x'', checksum = x'' "
                "where alert_id = ? and erased_at is null and message not in ('CANCEL', 'WITHDRAW', 'FULFIL')",
                (alert_id,),
            )
            db.execute(
                "update messages set national_ref = '', erased_at = ? where alert_id = ? and erased_at is null",
                (now, alert_id),
            )
            erased += db.changes()
            _forget_links(db, str(alert_id))
    with contextlib.suppress(apsw.BusyError):  # the next time, then
        outbox.db.execute("pragma wal_checkpoint(truncate)").fetchall()
    return erased
