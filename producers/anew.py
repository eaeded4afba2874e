# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""Alerts that a hub made anew does not take back: what was admitted once, and was refused when it was sent again.

The likeliest is an extended alert: its first version has run out by itself, so a register without an entry refuses it
(EXPIRED), and all that builds on it (UNKNOWN_ALERT). Members may hold it still, but the network no longer carries it.
Only its author can say it anew, so the author is told until that is done or the alert has expired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from producers.outbox import SAID, Outbox
from schemas.lifecycle import ENDS

_LATEST: Final = (
    # with max() alone beside them, SQLite takes the other columns from the row of the latest version
    "select alert_id, kind, national_ref, message, expires_at, settled, expected, erased_at, outcome, reason, content, "
    "number, judged_at, max(version), count(*) filter (where outcome = 'ADMITTED') as taken, "
    "count(*) filter (where admitted_once and outcome = 'REFUSED') as lost from messages "
    "where admitted_once or outcome is null or reason = 'UNKNOWN_ALERT' group by alert_id"
)
_LOST: Final = (
    f"select alert_id, kind, national_ref, message, reason, taken from ({_LATEST}) m "
    "where lost > 0 and outcome = 'REFUSED' and (expires_at > ?1 or message = 'WITHDRAW' and erased_at is null) "
    # an end that everybody expected has signed needs nothing
    "and (message not in ('CANCEL', 'WITHDRAW', 'FULFIL') or settled = 0 and expected is not '') "
    f"and not exists (select 1 from messages where accepted_at >= m.judged_at and {SAID} and (content = m.content "
    "or alert_id = m.alert_id or national_ref = m.national_ref and national_ref <> '')) order by m.number"
)


@dataclass(frozen=True, slots=True)
class Lost:
    """One alert whose latest message the hub made anew has refused. `taken`: it has earlier versions of the alert."""

    alert_id: str
    kind: str
    national_ref: str
    message: str
    reason: str
    taken: bool

    @property
    def sentence(self) -> str:
        """What is wrong, and what to do."""
        name = f"{self.kind} {self.alert_id} {self.national_ref}".strip()
        why = f"the hub was made anew and does not take it again ({self.reason})"
        if self.message in ENDS:
            return f"its {self.message} must reach members in another way: {name}: {why}; not all of them have signed"
        if self.taken:
            return f"its last version must be said again: {name}: {why}"
        return f"must be published anew: {name}: {why}; publish its present content as a new alert without `alert_id`"


def lost(outbox: Outbox, now: int) -> list[Lost]:
    """What must be said anew, oldest first, at log time `now`. An alert that was said since with the same content, the
    same reference or the same id is not named any more.
    """
    rows = outbox.db.execute(_LOST, (now,)).fetchall()
    return [
        Lost(str(alert_id), str(kind), str(reference), str(message), str(reason), bool(taken))
        for alert_id, kind, reference, message, reason, taken in rows
    ]
