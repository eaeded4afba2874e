"""What became of our messages: verdicts, receipts and notices of the status topic, written into the outbox with the
position read to.

Everything here was signed, and the signer fits what is said: verdicts and notices by the hub's gate, notices about
links by the hub's links, ROUTED by its route, the other receipts by the edge of the member they speak for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from manara import metrics
from manara.stores import transaction
from producers import linking, links
from producers.expecting import Expectations
from producers.links import Heard
from producers.outbox import Outbox
from producers.validity import LOG_TIME
from schemas.directory import Directory, Key

_GATE, _ROUTE, _LINKS = "hub.gate", "hub.route", "hub.links"
_REFUSED = "MATCH_REFUSED"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a status record was read; `offset` counts only together with the topic's id."""

    topic: str
    topic_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Said:
    """One status record whose signature holds: the schema's name, the record, who signed."""

    name: str
    record: Mapping[str, Any]
    signer: Key
    spot: Spot
    at: int = 0  # log time, microseconds
    value: bytes = b""  # as it was signed, to be kept as evidence
    sig: bytes = b""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A status record under a key that no directory has shown us yet, as it was read; `at` is log time."""

    spot: Spot
    at: int
    value: bytes
    sig: bytes


class UnfitError(Exception):
    """A status record says what its signer may not say, or is about another agency."""


class Ledger:
    """The receiving half of an outbox. `directory` says who is expected to receive what; without one, nobody is
    known to be.
    """

    def __init__(self, outbox: Outbox, agency: str, directory: Callable[[], Directory | None] = lambda: None) -> None:
        self._db = outbox.db
        self._agency = agency
        self._expectations = Expectations(outbox.db, directory)

    def position(self, topic: str, partition: int, topic_id: str) -> int | None:
        """The next offset to read, or None: from the beginning (never read, or the topic was made anew)."""
        row = self._db.execute(
            "select topic_id, next_offset from positions where topic = ? and partition = ?", (topic, partition)
        ).fetchone()
        return int(str(row[1])) if row is not None and row[0] == topic_id else None

    def take(
        self,
        said: list[Said],
        spots: list[Spot],
        log_time: int = 0,
        *,
        unknown: Sequence[Unknown] = (),
        judged: Sequence[Unknown] = (),
    ) -> None:
        """Write records and the positions of all that was read (also of what was not believed), in one transaction.

        `log_time` is the latest that was seen on the way, 0 for none; the outbox's only moves forward. `unknown` is
        kept until a directory knows its key, `judged` is what was kept so and need not be any longer.
        """
        with transaction(self._db):
            for kept in unknown:
                place = (kept.spot.topic, kept.spot.topic_id, kept.spot.partition, kept.spot.offset)
                row = (*place, kept.at, kept.value, kept.sig)
                self._db.execute("insert or ignore into unknown values (?, ?, ?, ?, ?, ?, ?)", row)
            for kept in judged:
                self._db.execute(
                    'delete from unknown where topic = ? and topic_id = ? and partition = ? and "offset" = ?',
                    (kept.spot.topic, kept.spot.topic_id, kept.spot.partition, kept.spot.offset),
                )
            for one in said:
                self._write(one)
            for spot in spots:
                self._db.execute(
                    "insert or replace into positions values (?, ?, ?, ?)",
                    (spot.topic, spot.partition, spot.topic_id, spot.offset + 1),
                )
            latest = max([log_time, *(one.at for one in said)])
            if latest:
                self._db.execute(
                    "insert into facts values (?1, ?2) on conflict (name) do update set value = max(value, ?2)",
                    (LOG_TIME, latest),
                )

    def unknown(self) -> list[Unknown]:
        """What is kept until a directory knows its key, in the order of the log."""
        rows = self._db.execute(
            'select topic, topic_id, partition, "offset", at, value, sig from unknown order by at, "offset"'
        ).fetchall()
        return [
            Unknown(Spot(topic, topic_id, partition, offset), at, value, sig)
            for topic, topic_id, partition, offset, at, value, sig in cast(
                "list[tuple[str, str, int, int, int, bytes, bytes]]", rows
            )
        ]

    def judge(self, said: Said) -> None:
        """UnfitError unless the signer may say this, about this agency."""
        if said.record.get("agency") != self._agency:
            raise UnfitError("it is about another agency")
        holder = said.signer.holder
        if said.name == "notice" and str(said.record.get("type")).startswith(linking.MATCH):
            if holder != _LINKS:
                raise UnfitError("only the hub's links gives notices about links")
        elif said.name in ("verdict", "notice"):
            if holder != _GATE:
                raise UnfitError("only the hub's gate gives verdicts and notices")
        elif said.name == "receipt":
            if said.record["issuer"] != holder:
                raise UnfitError("the receipt names another issuer than its signer")
            if holder not in (_ROUTE, f"edge.{said.record['member'].lower()}"):
                raise UnfitError("only a member's edge gives its receipts")
            if any((receipt["stage"] == "ROUTED") != (holder == _ROUTE) for receipt in said.record["receipts"]):
                raise UnfitError("ROUTED is for the hub's route to say, everything else for the members' edges")
        else:
            raise UnfitError("such a record does not belong on a status topic")

    def _write(self, said: Said) -> None:
        if said.name == "verdict":
            record = self._keep(said)
            for verdict in said.record["verdicts"]:
                self._verdict(verdict, record)
        elif said.name == "receipt":
            record = self._keep(said)
            for receipt in said.record["receipts"]:
                self._receipt(receipt, said.record["member"], record)
        else:
            self._notice(said)

    def _notice(self, said: Said) -> None:
        """About a link, or about our messages; that an answer of ours was refused is told with the latter, too."""
        notice, spot = said.record, said.spot
        link = notice["link_id"] if notice["type"].startswith(linking.MATCH) else ""
        if link:
            links.take(self._db, Heard(notice, spot.topic_id, spot.offset, self._keep(said)))
        if link and notice["type"] != _REFUSED:
            return
        text = f"Link {link[:8]}: {notice['text']}" if link else notice["text"]
        self._db.execute(
            "insert or ignore into notices values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(spot.topic_id, spot.partition, spot.offset),
                *(notice["type"], text, notice["first"], notice["last"], notice["at"]),
            ),
        )

    def _keep(self, said: Said) -> int | None:
        """The number under which the signed record is kept; the same one for the same record that comes again."""
        if not said.value:
            return None
        digest = hashlib.sha256(said.value + said.sig).hexdigest()
        self._db.execute(
            "insert or ignore into signed (name, at, value, sig, digest) values (?, ?, ?, ?, ?)",
            (said.name, said.at, said.value, said.sig, digest),
        )
        row = self._db.execute("select id from signed where digest = ?", (digest,)).fetchone()
        return int(str(row[0])) if row else None

    def _verdict(self, verdict: Mapping[str, Any], record: int | None) -> None:
        """ADMITTED stays: a copy of our message that somebody put elsewhere may be refused; it changes nothing."""
        metrics.verdicts_received.labels(outcome=verdict["outcome"]).inc()
        errors = json.dumps([[error["path"], error["rule"]] for error in verdict["errors"]])
        self._db.execute(
            "update messages set outcome = ?, again = ?, reason = ?, remedy = ?, errors = ?, judged_at = ?, "
            "verdict = ? where digest = ? and outcome is not 'ADMITTED'",
            (
                verdict["outcome"],
                int(verdict["again"]),
                verdict["reason"],
                verdict["remedy"],
                errors,
                verdict["at"],
                record,
                verdict["digest"],
            ),
        )
        changed = self._db.changes()
        if changed and verdict["outcome"] == "ADMITTED":
            self._expectations.note(verdict["digest"])
        if changed or self._db.execute("select 1 from messages where digest = ?", (verdict["digest"],)).fetchone():
            return
        metrics.verdicts_unmatched.inc()
        source = verdict["source"]
        self._db.execute(
            "insert or ignore into strangers values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                source["topic_id"],
                source["partition"],
                source["offset"],
                verdict["digest"],
                verdict["outcome"],
                verdict["reason"],
                verdict["alert_id"],
                verdict["at"],
            ),
        )

    def _receipt(self, receipt: Mapping[str, Any], member: str, record: int | None) -> None:
        if receipt["stage"] == "ROUTED":
            self._db.execute(
                "update messages set routed_at = ?, feeds = ?, routed = ? where digest = ? and routed_at is null",
                (receipt["at"], receipt["count"], record, receipt["digest"]),
            )
            return
        why = self._unfit(receipt, member)
        if why:
            self._disbelieve(why, member)
            return
        self._db.execute(
            "insert or ignore into receipts values (?, ?, ?, ?, ?, ?)",
            (receipt["digest"], member, receipt["stage"], receipt["at"], receipt["reason"], record),
        )
        if self._db.changes():
            self._settle(receipt["digest"])
        else:  # an edge that starts anew says it again: harmless, but counted
            self._disbelieve("REPEATED", member)

    def _unfit(self, receipt: Mapping[str, Any], member: str) -> str:
        """Why this member cannot rightly say this about that message, or ""."""
        row = self._db.execute(
            "select alert_id, version from messages where digest = ?", (receipt["digest"],)
        ).fetchone()
        if row is None:
            return "NOT_OURS"
        if receipt["alert_id"] and (receipt["alert_id"], receipt["version"]) != (row[0], row[1]):
            return "OTHER_ALERT"
        if receipt["stage"] == "PURGED" and not self._withdrawn(str(row[0])):
            return "NOT_WITHDRAWN"
        expected = self._expectations.note(receipt["digest"])
        return "" if expected is None or member in expected else "NOT_ADDRESSED"

    def _settle(self, digest: str) -> None:
        """Note that all members expected have answered, so that nobody looks again and again."""
        self._db.execute(
            "update messages set settled = 1 where digest = ?1 and settled = 0 and expected <> '' and ("
            "select count(*) from receipts where digest = ?1 "
            "and stage = case message when 'WITHDRAW' then 'PURGED' else 'STORED' end"
            ") >= length(expected) - length(replace(expected, ',', '')) + 1",
            (digest,),
        )

    def _withdrawn(self, alert_id: str) -> bool:
        """Whether we have withdrawn it: members then confirm each version that they got, also one never stored."""
        sql = "select 1 from messages where alert_id = ? and message = 'WITHDRAW' and outcome is not 'REFUSED'"
        return self._db.execute(sql, (alert_id,)).fetchone() is not None

    def _disbelieve(self, why: str, member: str) -> None:
        self._db.execute(
            "insert into disbelieved values (?, ?, 1) on conflict (why, member) do update set number = number + 1",
            (why, member),
        )
