"""How long an edge keeps content: of an alert until some time after its end, of what was refused as long.

Facts stay, and with them the numbers, the chain and the memory that an alert was here: a replay of an emptied alert is
no news.
"""

from __future__ import annotations

import contextlib
from typing import Final

import apsw

from consumers.purging import EMPTY
from manara.stores import transaction

DAY: Final = 86_400_000_000
AT_ONCE: Final = 500
WORTH: Final = 10_000
"""So many emptied entries make it worth to write the file anew."""

_ENDED: Final = """
select agency, alert_id from inbox where type = 'ALERT' group by alert_id, agency
 having coalesce(max(case when message in ('CANCEL', 'WITHDRAW', 'FULFIL') then at end), max(expires_at)) < ?
    and max(number) <= ? and max(unicode(hex(substr(sig, 1, 1)))) > unicode('0')
"""
"""Alerts that have ended by then (by an end or by the latest expiry of any version) and still have content, as far as
every sink has come. A signature never begins with a zero."""


def empty_old(db: apsw.Connection, days: int, log_time: int) -> int:
    """Empty what ended so many days before this time of the log; how many alerts that were."""
    before = log_time - days * DAY
    found = db.execute(_ENDED, (before, _everywhere(db))).fetchall()
    for start in range(0, len(found), AT_ONCE):
        with transaction(db):
            db.executemany(
                f"update inbox set {EMPTY} where agency = ? and alert_id = ? and type = 'ALERT'",  # noqa: S608 - ours
                found[start : start + AT_ONCE],
            )
    with transaction(db):
        db.execute("delete from refused where received_at < ?", (before,))
    return len(found)


def compact(db: apsw.Connection) -> bool:
    """Give the room of what was emptied back, if it is much. Only while nobody else uses the file."""
    row = db.execute("select count(*) from inbox where length(value) > 0 and substr(sig, 1, 1) = x'00'").fetchone()
    if row is None or int(str(row[0])) < WORTH:
        return False
    with transaction(db):
        db.execute("update inbox set value = x'', sig = x'' where length(value) > 0 and substr(sig, 1, 1) = x'00'")
    with contextlib.suppress(apsw.BusyError):  # somebody looks at the feed: another start will do it
        db.execute("vacuum").fetchall()
    return True


def _everywhere(db: apsw.Connection) -> int:
    """The number up to which every sink has delivered; nothing may be emptied that one still has to bring."""
    row = db.execute(
        "select min(number) from (select number from sinks union all select number - 1 from parked)"
    ).fetchone()
    return 0 if row is None or row[0] is None else int(str(row[0]))
