"""Where our messages stand: one row of the outbox as its author wants to see it, with what each member has said."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from producers.outbox import Outbox
from producers.validity import Validity, judge

_COLUMNS = (
    "number, partition, sequence, alert_id, version, kind, national_ref, digest, trace, accepted_at, "
    "coalesce(sent_at, 0), coalesce(outcome, ''), coalesce(again, 0), coalesce(reason, ''), coalesce(remedy, ''), "
    "coalesce(judged_at, 0), coalesce(routed_at, 0), coalesce(feeds, 0), damaged, message, category, expires_at, "
    "review_at, coalesce(erased_at, 0), coalesce(errors, '[]')"
)
_ENOUGH = 8  # characters of an id, so that the start of one is not a guess
_STAGE = (
    "case when damaged then 'DAMAGED' when outcome is not null then outcome "
    "when sent_at is not null then 'SENT' else 'ACCEPTED' end"
)


@dataclass(frozen=True, slots=True)
class MemberStage:
    """The furthest that a member's edge has signed for: its stage, time (microseconds) and reason."""

    member: str
    stage: str
    at: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """One message: times in microseconds, 0 for "not yet". `members` in the order in which they answered."""

    number: int
    partition: int
    sequence: int
    alert_id: str
    version: int
    kind: str
    national_ref: str
    digest: str
    trace: str
    accepted_at: int
    sent_at: int
    outcome: str
    again: bool
    reason: str
    remedy: str
    judged_at: int
    routed_at: int
    feeds: int
    damaged: bool
    message: str
    category: str
    expires_at: int
    review_at: int
    erased_at: int
    errors: tuple[tuple[str, str], ...]
    members: tuple[MemberStage, ...] = field(default=())

    def validity(self, at: int) -> Validity:
        """How it stands against log time."""
        return judge(self.category, self.message, self.expires_at, self.review_at, at)

    @property
    def stage(self) -> str:
        """The furthest stage that is known: DAMAGED, ACCEPTED, SENT, ADMITTED, REFUSED, ROUTED, STORED, PURGED."""
        if self.damaged:
            return "DAMAGED"
        if self.outcome == "REFUSED":
            return "REFUSED"
        if any(member.stage == "PURGED" for member in self.members):
            return "PURGED"
        if any(member.stage == "STORED" for member in self.members):
            return "STORED"
        if self.routed_at:
            return "ROUTED"
        return self.outcome or ("SENT" if self.sent_at else "ACCEPTED")


def standing_of(outbox: Outbox, row: tuple[Any, ...]) -> Standing:
    """A row of `_COLUMNS` with its receipts."""
    receipts = outbox.db.execute(
        "select member, stage, at, reason from receipts where digest = ? order by at, member", (row[7],)
    ).fetchall()
    errors = tuple((path, rule) for path, rule in json.loads(row[-1]))
    members = tuple(
        MemberStage(str(member), str(stage), int(str(at)), str(reason)) for member, stage, at, reason in receipts
    )
    values = dict(zip((part.name for part in fields(Standing)), row, strict=False))
    flags = {name: bool(values[name]) for name in ("again", "damaged")}
    return Standing(**{**values, **flags, "errors": errors, "members": members})


def by_number(outbox: Outbox, numbers: Collection[int]) -> list[Standing]:
    """The messages with these numbers, in order."""
    wanted = json.dumps(sorted(numbers))
    sql = f"select {_COLUMNS} from messages where number in (select value from json_each(?)) order by number"  # noqa: S608 - columns are ours
    return [standing_of(outbox, row) for row in outbox.db.execute(sql, (wanted,)).fetchall()]


def find(outbox: Outbox, alert: str) -> list[Standing]:
    """All messages of an alert: by id, by the start of an id (8 characters or more), or by national reference."""
    by_id = "alert_id >= ?1 and alert_id < ?1 || 'g'" if len(alert) >= _ENOUGH else "alert_id = ?1"
    sql = (
        f"select {_COLUMNS} from messages where {by_id} "  # noqa: S608 - ours; two queries, as each has an index
        f"union select {_COLUMNS} from messages where national_ref = ?1 and national_ref <> '' order by number"
    )
    return [standing_of(outbox, row) for row in outbox.db.execute(sql, (alert,)).fetchall()]


def latest(outbox: Outbox, most: int) -> Iterator[Standing]:
    """The last messages accepted, newest first."""
    for row in outbox.db.execute(f"select {_COLUMNS} from messages order by number desc limit ?", (most,)).fetchall():  # noqa: S608
        yield standing_of(outbox, row)


def unjudged(outbox: Outbox, numbers: Collection[int]) -> int:
    """How many of these messages have no verdict yet."""
    sql = (
        "select count(*) from messages where outcome is null and damaged = 0 "
        "and number in (select value from json_each(?))"
    )
    row = outbox.db.execute(sql, (json.dumps(list(numbers)),)).fetchone()
    return int(str(row[0])) if row else 0


@dataclass(frozen=True, slots=True)
class Notice:
    """What the hub told this agency about its messages as such, for example a gap in their numbers."""

    type: str
    text: str
    at: int


def notices(outbox: Outbox, most: int) -> list[Notice]:
    """The last notices, newest first."""
    rows = outbox.db.execute("select type, text, at from notices order by at desc limit ?", (most,)).fetchall()
    return [Notice(str(kind), str(text), int(str(at))) for kind, text, at in rows]


def totals(outbox: Outbox) -> dict[str, int]:
    """How many messages stand where; also refusals by reason (`REFUSED reason`) and `STRANGERS`, said in our name by
    nobody here.
    """
    rows = outbox.db.execute(f"select {_STAGE}, count(*) from messages group by 1").fetchall()  # noqa: S608 - ours
    found = {str(name): int(str(count)) for name, count in rows}
    for reason, count in outbox.db.execute(
        "select reason, count(*) from messages where outcome = 'REFUSED' group by 1 order by 2 desc"
    ).fetchall():
        found[f"REFUSED {reason}"] = int(str(count))
    strangers = outbox.db.execute("select count(*) from strangers").fetchone()
    found["STRANGERS"] = int(str(strangers[0])) if strangers else 0
    return found
