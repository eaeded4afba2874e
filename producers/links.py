# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""The links of an outbox: what the hub told us of them, kept as it was signed, and how each stands.

A row of `links` is nothing but the fold of what stands in `link_notices` and `link_answers`, written in the same
transaction as these.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Final, cast

import apsw

from producers import linking
from producers.errors import AuthorError
from producers.linking import Clock, Link, Other, Own, Says, State, Word
from producers.outbox import Outbox

_ENOUGH: Final = 8  # characters of an id, so that the start of one is not a guess
_COLUMNS: Final = (
    "link_id, alert_id, version, kind, band, evidence, offered_at, state, others, acknowledged_at, answered_at, "
    "agreed_at, ended_at, answer, declined_by, reason"
)
_SAID: Final = "damaged = 0 or sends > 0"
"""SQL: answers that count. One that was damaged before anybody had it was not given."""


@dataclass(frozen=True, slots=True)
class Held:
    """A link with what we know at home: our alert's precedence and reference, "" where it is not in this outbox."""

    link: Link
    precedence: str
    national_ref: str

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """What we owe for it."""
        return linking.clocks(self.link, self.precedence)

    def overdue(self, now: int) -> tuple[Clock, ...]:
        """What we owe for it past its time, at log time `now`."""
        return linking.overdue(self.link, self.precedence, now)


@dataclass(frozen=True, slots=True)
class Heard:
    """A notice about a link as it was read: where it stood, and the number of the signed record that is kept of it."""

    notice: Mapping[str, Any]
    topic_id: str
    offset: int
    record: int | None = None


def take(db: apsw.Connection, heard: Heard) -> None:
    """Keep what the hub said about a link, and fold it in; the same record again changes nothing. Within a transaction
    of the caller's.

    A hub that offers what we have answered does not know our answer, as after the loss of a cluster: it is sent again.
    """
    notice = heard.notice
    link_id, text = notice["link_id"], json.dumps(dict(notice), sort_keys=True)
    row = (link_id, heard.topic_id, heard.offset, text, heard.record)
    db.execute("insert or ignore into link_notices values (?, ?, ?, ?, ?)", row)
    if not db.changes():
        return
    link = refold(db, link_id)
    if link is not None and link.answer and notice["type"] == "MATCH_OFFERED":
        db.execute(
            "update link_answers set sent_at = null where number = "
            "(select max(number) from link_answers where link_id = ? and damaged = 0)",
            (link_id,),
        )


def refold(db: apsw.Connection, link_id: str) -> Link | None:
    """Write down how a link stands after all that is kept about it. Within a transaction of the caller's."""
    notices = cast(
        "list[tuple[str, int]]",
        db.execute('select notice, "offset" from link_notices where link_id = ?', (link_id,)).fetchall(),
    )
    answers = db.execute(
        f"select answer, offered_at, band, evidence, at, reason from link_answers where link_id = ? and ({_SAID})",
        (link_id,),
    ).fetchall()
    link = linking.fold(link_id, (Word.of(json.loads(text), place) for text, place in notices), map(_own, answers))
    if link is None:
        return None
    others = json.dumps([astuple(other) for other in link.others])
    row = (
        *(link.link_id, link.alert_id, link.version, link.kind, link.band, json.dumps(link.evidence)),
        *(link.offered_at, link.state, others),
        *(link.acknowledged_at, link.answered_at, link.agreed_at, link.ended_at),
        *(link.answer or "", link.declined_by, link.reason),
    )
    db.execute(f"insert or replace into links ({_COLUMNS}) values ({', '.join('?' * len(row))})", row)
    return link


def _own(row: tuple[Any, ...]) -> Own:
    answer, offered_at, band, evidence, at, reason = row
    return Own(Says(answer), offered_at, band, tuple(json.loads(evidence)), at, reason)


def _link(row: tuple[Any, ...]) -> Link:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    values["others"] = tuple(Other(*other) for other in json.loads(values["others"]))
    values["evidence"] = tuple(json.loads(values["evidence"]))
    values["state"] = State(values["state"])
    values["answer"] = Says(values["answer"]) if values["answer"] else None
    return Link(**values)


def _held(outbox: Outbox, where: str, *values: apsw.SQLiteValue, most: int = -1) -> list[Held]:
    own = (
        "(select {0} from messages m where m.alert_id = links.alert_id and {0} <> '' and outcome is not 'REFUSED' "
        "order by version desc limit 1)"
    )
    rows = outbox.db.execute(
        f"select coalesce({own.format('precedence')}, ''), coalesce({own.format('national_ref')}, ''), {_COLUMNS} "
        f"from links where {where} order by offered_at, link_id limit ?",
        (*values, most),
    ).fetchall()
    return [Held(_link(row[2:]), row[0], row[1]) for row in cast("list[tuple[Any, ...]]", rows)]


def held(outbox: Outbox, states: Collection[State] = tuple(State)) -> list[Held]:
    """The links in these states, the oldest offer first."""
    return _held(outbox, "state in (select value from json_each(?))", json.dumps(sorted(states)))


def waiting(outbox: Outbox) -> list[Held]:
    """The links that wait for us, the oldest offer first."""
    return _held(outbox, "state in ('OFFERED', 'ACKNOWLEDGED')")


def get(outbox: Outbox, link: str) -> Held:
    """The link with this id, or start of one (8 characters or more). AuthorError for none or several."""
    where = "link_id >= ?1 and link_id < ?1 || 'g'" if len(link) >= _ENOUGH else "link_id = ?1"
    found = _held(outbox, where.replace("?1", "?"), *([link] * where.count("?1")), most=5)
    if not found:
        raise AuthorError(f"No link is called {link!r} here.", "`manara links list --all` lists them.")
    if len(found) > 1:
        names = ", ".join(one.link.link_id for one in found)
        raise AuthorError(f"Several links begin with {link!r}.", f"Write more of one: {names}.")
    return found[0]


def counts(outbox: Outbox) -> dict[str, int]:
    """How many links stand in each state."""
    rows = outbox.db.execute("select state, count(*) from links group by 1 order by 1").fetchall()
    return {str(state): int(str(number)) for state, number in rows}


def refusals(outbox: Outbox, link_id: str) -> list[tuple[int, str]]:
    """Answers of ours to a link that the hub refused: when, and why in a sentence; the last 5."""
    rows = outbox.db.execute(
        "select notice ->> 'at', notice ->> 'text' from link_notices "
        "where link_id = ? and notice ->> 'type' = 'MATCH_REFUSED' order by 1 desc limit 5",
        (link_id,),
    ).fetchall()
    return [(int(str(at)), str(text)) for at, text in reversed(rows)]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One of our answers as it is kept: `sent_at` 0 while it waits for the relay. The note stays at home."""

    number: int
    answer: str
    reason: str
    note: str
    at: int
    sent_at: int
    damaged: bool


def spoken(outbox: Outbox, link_id: str) -> list[Spoken]:
    """Our answers to a link, in order."""
    rows = outbox.db.execute(
        "select number, answer, reason, note, at, coalesce(sent_at, 0), damaged from link_answers "
        "where link_id = ? order by number",
        (link_id,),
    ).fetchall()
    return [
        Spoken(number, answer, reason, text, at, sent_at, bool(damaged))
        for number, answer, reason, text, at, sent_at, damaged in cast("list[tuple[Any, ...]]", rows)
    ]
