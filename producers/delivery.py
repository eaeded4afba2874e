# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""The delivery board of an outbox: for each message what its members have signed, what is outstanding, since when.

Members are those *expected*: the policy's answer by the directory at admission. The hub says only how many feeds a
message went into; where that count is another one, the board says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Final

from producers.clocks import MINUTE, OUTSTANDING, PURGED_WITHIN, STORED_WITHIN, Due, Mark, Sent, dues
from producers.expecting import Expectations
from producers.outbox import Outbox
from producers.versions import members_of
from schemas.directory import Directory

_COLUMNS: Final = (
    "m.number, m.alert_id, m.version, m.message, m.precedence, m.judged_at, m.expires_at, m.expected, m.digest, "
    "(select group_concat(r.member || ' ' || r.stage || ' ' || r.at) from receipts r where r.digest = m.digest), "
    "m.routed_at is not null, coalesce(m.feeds, 0)"
)

_OWED: Final = (
    "m.settled = 0 and not exists (select 1 from messages n where n.alert_id = m.alert_id "
    "and n.version > m.version and n.outcome = 'ADMITTED')"
)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A message that the hub has put into another number of feeds than we expected."""

    alert_id: str
    version: int
    expected: int
    feeds: int

    @property
    def sentence(self) -> str:
        """In words."""
        return (
            f"version {self.version} of {self.alert_id}: we expected {self.expected} members, the hub reports "
            f"{self.feeds} feeds; the directory may have changed about then"
        )


@dataclass(frozen=True, slots=True)
class Board:
    """What members owe, by alert, version and member; and where the hub's count is not ours."""

    dues: tuple[Due, ...]
    mismatches: tuple[Mismatch, ...]
    unknown: int  # admitted messages whose members cannot be told, as there is no directory

    @property
    def outstanding(self) -> list[Due]:
        """What is still to come; the longest overdue first."""
        return sorted((due for due in self.dues if due.mark in OUTSTANDING), key=lambda due: due.due_at)

    @property
    def overdue(self) -> int:
        """How many answers are past their clocks."""
        return sum(due.mark is Mark.OVERDUE for due in self.dues)

    def count(self, mark: Mark) -> int:
        """How many answers stand so."""
        return sum(due.mark is mark for due in self.dues)


def late(outbox: Outbox, now: int) -> int:
    """How many messages have an answer past its clock at log time `now`: without looking who owes it, so in one go."""
    spans = " ".join(f"when '{precedence}' then {span}" for precedence, span in STORED_WITHIN.items())
    row = outbox.db.execute(
        f"select count(*) from messages m where m.outcome = 'ADMITTED' and m.erased_at is null and {_OWED} "
        "and m.expected <> '' and case m.message "
        f"when 'WITHDRAW' then m.judged_at + {PURGED_WITHIN} < ?1 "
        f"else m.expires_at > ?1 and m.judged_at + case m.precedence {spans} else {MINUTE} end < ?1 end",
        (now,),
    ).fetchone()
    return int(str(row[0])) if row else 0


def of_alert(outbox: Outbox, alert_id: str, now: int, directory: Callable[[], Directory | None]) -> Board:
    """The board of one alert, every version of it. `now` is log time."""
    return _board(outbox, "m.alert_id = ?", (alert_id,), now, directory)


def whole(outbox: Outbox, now: int, directory: Callable[[], Directory | None]) -> Board:
    """What is owed for the latest admitted message of every alert, where anything is: earlier ones are superseded."""
    return _board(outbox, _OWED, (), now, directory)


def _board(
    outbox: Outbox, which: str, values: tuple[str, ...], now: int, directory: Callable[[], Directory | None]
) -> Board:
    expectations = Expectations(outbox.db, directory, keep=False)
    sql = (
        f"select {_COLUMNS} from messages m where m.outcome = 'ADMITTED' and m.erased_at is null and {which} "
        "order by m.alert_id, m.version"
    )
    found: list[Due] = []
    mismatches: list[Mismatch] = []
    unknown = 0
    for _, rows in groupby(outbox.db.execute(sql, values).fetchall(), key=lambda row: row[1]):
        messages = []
        for row in rows:
            expected = members_of(_text(row[7]))
            expected = expectations.note(str(row[8])) if expected is None else expected
            unknown += expected is None
            messages.append(_sent(row, expected or ()))
            if row[10] and expected is not None and len(expected) != row[11]:
                mismatches.append(Mismatch(str(row[1]), int(str(row[2])), len(expected), int(str(row[11]))))
        found += dues(messages, now)
    return Board(tuple(found), tuple(mismatches), unknown)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _sent(row: tuple[Any, ...], expected: tuple[str, ...]) -> Sent:
    number, alert_id, version, message, precedence, admitted_at, expires_at = row[:7]
    answers: dict[str, dict[str, int]] = {}
    for member, stage, at in _answers(row[9]):
        answers.setdefault(member, {})[stage] = at
    return Sent(number, alert_id, version, message, precedence, admitted_at, expires_at, expected, answers)


def _answers(text: str | None) -> Iterator[tuple[str, str, int]]:
    for one in text.split(",") if text else ():
        member, stage, at = one.split(" ")
        yield member, stage, int(at)


def as_json(due: Due, now: int) -> dict[str, Any]:
    """One due for `--json`; times in microseconds, `late_us` past its clock, 0 where it is not."""
    late = max(0, now - due.due_at) if due.mark is Mark.OVERDUE else 0
    return {**asdict(due), "mark": str(due.mark), "late_us": late}


def disbelieved(outbox: Outbox) -> dict[str, int]:
    """How many receipts were not believed, by why."""
    rows = outbox.db.execute("select why, sum(number) from disbelieved group by 1 order by 1").fetchall()
    return {str(why): int(str(number)) for why, number in rows}
