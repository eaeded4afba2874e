# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""Our answers to links: signed, kept in the outbox in one transaction with what they change, sent by the relay until
the broker has confirmed them, and again to a cluster made anew.

The hub's topic keeps the last record of each link, so of several answers to one link only the last is ever sent late:
one that failed can never come to stand after the one that follows it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from manara.stores import transaction
from producers import linking, links
from producers.errors import AuthorError, LifeError
from producers.linking import Link, Says, State
from producers.outbox import Outbox
from schemas import message, registry
from schemas.signature import SigningKey

REASONS: Final = {
    "MISTAKEN_IDENTITY": "it is not the same person or thing",
    "NOT_RELATED": "the two matters have nothing to do with each other",
    "EVIDENCE_TOO_WEAK": "what matched is too little to act on",
    "NATIONAL_LAW": "our law does not allow it",
    "OPERATIONAL": "it would harm an operation",
    "RESOURCE": "nobody here can work on it",
    "OTHER": "another reason",
}
"""Why a link is declined: a closed list, with what each means."""
MISTAKEN: Final = "MISTAKEN_IDENTITY"
_PERSON: Final = ("name", "birth_date", "country", "note")
_TOPIC: Final = "answers_topic"
_LATEST: Final = (
    "damaged = 0 and not exists (select 1 from link_answers later where later.link_id = a.link_id "
    "and later.number > a.number and later.damaged = 0)"
)


@dataclass(frozen=True, slots=True)
class Answered:
    """The promise: this answer is signed and durable here. `again`: it had been given already, nothing was added."""

    link_id: str
    answer: Says
    number: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """An answer as the relay sends it."""

    number: int
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


def reason_of(says: Says, reason: str) -> str:
    """The reason in the list's own spelling. AuthorError for one that is not in it, or none for a decline."""
    chosen = reason.strip().upper().replace("-", "_")
    if says is not Says.DECLINED:
        return ""
    if chosen not in REASONS:
        said = f"{reason!r} is no reason to decline a link." if reason else "A link is declined with a reason."
        raise AuthorError(said, f"Write one of: {', '.join(REASONS)}.")
    return chosen


@dataclass(frozen=True, slots=True)
class Why:
    """Why a link is answered so: a reason of the list, a note for ourselves, and of a mistaken identity who it is that
    our alert is not about (an OtherPerson), where that is known.
    """

    reason: str = ""
    note: str = ""
    not_this_person: Mapping[str, str] | None = None


def give(outbox: Outbox, link: str, says: Says, key: SigningKey, *, now: int, why: Why | None = None) -> Answered:
    """Sign an answer to a link and keep it; durable when this returns. The same answer again adds nothing.

    AuthorError where there is no such link or reason, LifeError where the link's state does not allow it, StoreError.
    """
    why = why or Why()
    chosen = reason_of(says, why.reason)
    with transaction(outbox.db) as db:
        found = links.get(outbox, link).link
        if chosen == MISTAKEN:
            _note_false_hit(outbox, found, why.not_this_person or {}, now)
        if found.answer is says and found.state is not State.ENDED:
            number = links.spoken(outbox, found.link_id)[-1].number
            return Answered(found.link_id, says, number, again=True)
        _allow(found, says)
        number = _keep(outbox, found, says, key, (chosen, why.note, _later(outbox, found, now)))
        links.refold(db, found.link_id)
    return Answered(found.link_id, says, number)


def _later(outbox: Outbox, link: Link, now: int) -> int:
    """The time of an answer: later than that of the last one, whatever our clock does. The hub takes one that is not
    for an old one sent again.
    """
    return max(now, *(1 + each.at for each in links.spoken(outbox, link.link_id)), 0)


def _allow(link: Link, says: Says) -> None:
    if linking.may(link, says):
        return
    by = f" by {link.declined_by}" if link.declined_by else ""
    remedy = {
        State.DECLINED: "That is for good; the hub offers it again when other evidence is found.",
        State.ENDED: "There is nothing to answer: one of the alerts has ended, or they no longer match.",
        State.AGREED: "Both have accepted: `manara links share` prepares the next step.",
    }.get(link.state, "It was said already.")
    raise LifeError(f"The link {link.link_id} is {link.state}{by}: it cannot be {says} now.", remedy)


def _keep(outbox: Outbox, link: Link, says: Says, key: SigningKey, words: tuple[str, str, int]) -> int:
    """Sign and insert; the answer's number."""
    reason, note, now = words
    schema = registry.by_name("answer")
    record = {
        "agency": outbox.fact("agency"),
        "link_id": link.link_id,
        "alert_id": link.alert_id,
        "version": link.version,
        "answer": str(says),
        "reason": reason or "UNKNOWN",
        "band": link.band,
        "evidence": list(link.evidence),
        "at": now,
    }
    value, headers = message.sign_record(schema, record, key)
    row = {
        "link_id": link.link_id,
        "answer": str(says),
        "offered_at": link.offered_at,
        "band": link.band,
        "evidence": json.dumps(link.evidence),
        "reason": reason,
        "note": note,
        "at": now,
        "value": value,
        "sig": headers[0][1],
        "checksum": _checksum(link.link_id, value, headers[0][1]),
    }
    outbox.db.execute(
        f"insert into link_answers ({', '.join(row)}) values ({', '.join('?' * len(row))})", tuple(row.values())
    )
    return int(outbox.db.last_insert_rowid())


def pending(outbox: Outbox, flying: Collection[int] = ()) -> list[Waiting]:
    """The answers to send, in order; none of them damaged (those are marked and left), none with one after it."""
    rows = outbox.db.execute(
        f"select number, link_id, value, sig, checksum from link_answers a where sent_at is null and {_LATEST} "
        "order by number limit 500"
    ).fetchall()
    found = []
    for number, link_id, value, sig, checksum in cast("list[tuple[int, str, bytes, bytes, bytes]]", rows):
        if number in flying:
            continue
        if _checksum(link_id, value, sig) != checksum:
            _quarantine(outbox, number, link_id)
            continue
        found.append(Waiting(number, link_id.encode(), value, [(message.SIG, sig)]))
    return found


def _quarantine(outbox: Outbox, number: int, link_id: str) -> None:
    """Mark a damaged answer: it stays for who looks into it, is never sent, and the link waits for us again."""
    with transaction(outbox.db) as db:
        db.execute("update link_answers set damaged = 1 where number = ?", (number,))
        links.refold(db, link_id)


def acknowledge(outbox: Outbox, numbers: Sequence[int], now: int) -> None:
    """The broker has these."""
    with transaction(outbox.db) as db:
        db.executemany(
            "update link_answers set sent_at = ?, sends = sends + 1 where number = ?",
            [(now, number) for number in numbers],
        )


def settle(outbox: Outbox, cluster_id: str, topic_id: str) -> int:
    """Remember which cluster and topic answers go to; how many must be sent again because it is another one: the last
    answer to every link that has not ended.
    """
    here = f"{cluster_id}/{topic_id}"
    known = outbox.fact(_TOPIC)
    if known == here:
        return 0
    with transaction(outbox.db) as db:
        db.execute("insert or replace into facts values (?, ?)", (_TOPIC, here))
        if known is None:
            return 0
        db.execute(
            f"update link_answers as a set sent_at = null where sent_at is not null and {_LATEST} "
            "and link_id in (select link_id from links where state <> 'ENDED')"
        )
        return db.changes()


def any_given(outbox: Outbox) -> bool:
    """Whether any link was ever answered here."""
    return outbox.db.execute("select 1 from link_answers limit 1").fetchone() is not None


def waiting(outbox: Outbox) -> int:
    """How many answers wait for the relay."""
    row = outbox.db.execute(f"select count(*) from link_answers a where sent_at is null and {_LATEST}").fetchone()
    return int(str(row[0])) if row else 0


def _note_false_hit(outbox: Outbox, link: Link, entry: Mapping[str, str], now: int) -> None:
    """Remember a false hit. Within a transaction; what was known of it before is kept where nothing new is said."""
    words = tuple(entry.get(name, "") for name in _PERSON)
    outbox.db.execute(
        "insert into not_this_person values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (alert_id, link_id) do update "
        "set name = ?4, birth_date = ?5, country = ?6, note = ?7 where ?4 <> ''",
        (link.alert_id, link.link_id, now, *words),
    )


def false_hits(outbox: Outbox, alert_id: str) -> list[dict[str, str]]:
    """Who is known not to be the subject of an alert of ours, each an OtherPerson; "" where something is not known."""
    rows = outbox.db.execute(
        "select name, birth_date, country, note from not_this_person where alert_id = ? order by at, link_id",
        (alert_id,),
    ).fetchall()
    return [dict(zip(_PERSON, map(str, row), strict=True)) for row in rows]


def _checksum(link_id: str, value: bytes, sig: bytes) -> bytes:
    parts = (link_id.encode(), value, sig)
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
