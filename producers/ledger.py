"""What became of our messages: verdicts, receipts and notices of the status topic, written into the outbox with the
position read to.

Everything here was signed, and the signer fits what is said: verdicts, notices and ROUTED by the hub, the other
receipts by the edge
of the member they speak for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manara import metrics
from manara.stores import transaction
from producers.outbox import Outbox
from schemas.directory import Key


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


class UnfitError(Exception):
    """A status record says what its signer may not say, or is about another agency."""


class Ledger:
    """The receiving half of an outbox."""

    def __init__(self, outbox: Outbox, agency: str) -> None:
        self._db = outbox.db
        self._agency = agency

    def position(self, topic: str, partition: int, topic_id: str) -> int | None:
        """The next offset to read, or None: from the beginning (never read, or the topic was made anew)."""
        row = self._db.execute(
            "select topic_id, next_offset from positions where topic = ? and partition = ?", (topic, partition)
        ).fetchone()
        return int(str(row[1])) if row is not None and row[0] == topic_id else None

    def take(self, said: list[Said], spots: list[Spot]) -> None:
        """Write records and the positions of all that was read (also of what was not believed), in one transaction."""
        with transaction(self._db):
            for one in said:
                self._write(one)
            for spot in spots:
                self._db.execute(
                    "insert or replace into positions values (?, ?, ?, ?)",
                    (spot.topic, spot.partition, spot.topic_id, spot.offset + 1),
                )

    def judge(self, said: Said) -> None:
        """UnfitError unless the signer may say this, about this agency."""
        if said.record.get("agency") != self._agency:
            raise UnfitError("it is about another agency")
        by_hub = said.signer.holder.startswith("hub.")
        if said.name in ("verdict", "notice") and not by_hub:
            raise UnfitError("only the hub gives verdicts and notices")
        if said.name == "receipt":
            if said.record["issuer"] != said.signer.holder or (
                not by_hub and said.record["member"] != said.signer.member
            ):
                raise UnfitError("the receipt names another issuer than its signer")
            if any((receipt["stage"] == "ROUTED") != by_hub for receipt in said.record["receipts"]):
                raise UnfitError("ROUTED is the hub's to say, everything else the members' edges'")
        if said.name not in ("verdict", "notice", "receipt"):
            raise UnfitError("such a record does not belong on a status topic")

    def _write(self, said: Said) -> None:
        if said.name == "verdict":
            for verdict in said.record["verdicts"]:
                self._verdict(verdict)
        elif said.name == "receipt":
            for receipt in said.record["receipts"]:
                self._receipt(receipt, said.record["member"])
        else:
            notice, spot = said.record, said.spot
            self._db.execute(
                "insert or ignore into notices values (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    spot.topic_id,
                    spot.partition,
                    spot.offset,
                    notice["type"],
                    notice["text"],
                    notice["first"],
                    notice["last"],
                    notice["at"],
                ),
            )

    def _verdict(self, verdict: Mapping[str, Any]) -> None:
        """ADMITTED stays: a copy of our message that somebody put elsewhere may be refused; it changes nothing."""
        metrics.verdicts_received.labels(outcome=verdict["outcome"]).inc()
        errors = json.dumps([[error["path"], error["rule"]] for error in verdict["errors"]])
        self._db.execute(
            "update messages set outcome = ?, again = ?, reason = ?, remedy = ?, errors = ?, judged_at = ? "
            "where digest = ? and outcome is not 'ADMITTED'",
            (
                verdict["outcome"],
                int(verdict["again"]),
                verdict["reason"],
                verdict["remedy"],
                errors,
                verdict["at"],
                verdict["digest"],
            ),
        )
        if (
            self._db.changes()
            or self._db.execute("select 1 from messages where digest = ?", (verdict["digest"],)).fetchone()
        ):
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

    def _receipt(self, receipt: Mapping[str, Any], member: str) -> None:
        if receipt["stage"] == "ROUTED":
            self._db.execute(
                "update messages set routed_at = ?, feeds = ? where digest = ? and routed_at is null",
                (receipt["at"], receipt["count"], receipt["digest"]),
            )
            return
        self._db.execute(
            "insert or ignore into receipts select ?1, ?2, ?3, ?4, ?5 "
            "where exists (select 1 from messages where digest = ?1)",
            (receipt["digest"], member, receipt["stage"], receipt["at"], receipt["reason"]),
        )
