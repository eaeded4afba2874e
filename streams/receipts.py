"""Receipts: what members' edges say about an alert, handed on to its author, untouched.

The bytes and the signature go through as they came: the author believes the member, not the hub. What is not that
member's own word about an agency of the network is kept in quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from manara import metrics
from schemas import message
from schemas.directory import Directory
from schemas.errors import ContractError
from schemas.models import Receipts
from schemas.reasons import Reason, Refusal
from schemas.topics import Names
from streams.engine.contract import Emit, Output, Record
from streams.gate import quarantine

MAX_RECEIPTS: Final = 500
"""In one signed record (contract section 7)."""
MAX_VALUE: Final = 512 * 1024
"""Bytes of one record. The topic bounds what is compressed; a record that inflates beyond what a producer takes would
end the worker at that offset, again and again."""
MAX_TRACE: Final = 64
"""Bytes of a traceparent, which has 55; anything longer is left behind."""
OURS: Final = frozenset({"ROUTED", "UNKNOWN"})
"""Stages that an edge may not claim: the hub says the one, nobody the other."""


class Forward:
    """The stage. `directory` gives the latest snapshot."""

    def __init__(self, names: Names, directory: Callable[[], Directory]) -> None:
        self._names = names
        self._directory = directory

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Forward or refuse each record."""
        directory = self._directory()
        output = Output()
        for record in batch:
            member = self._names.member_of(record.topic)
            try:
                said = judge(record, member, directory)
            except Refusal as refusal:
                metrics.receipts_refused.labels(metrics.reason_label(refusal.reason)).inc()
                output.emits.append(self._quarantined(record, refusal, directory.seq))
                continue
            for receipt in said["receipts"]:
                metrics.receipts_forwarded.labels(receipt["stage"]).inc()
            output.emits.append(self._forwarded(record, said["agency"]))
        return output

    def _forwarded(self, record: Record, agency: str) -> Emit:
        sig = [header for header in record.headers if header[0] == message.SIG]
        trace = [header for header in record.headers if header[0] == message.TRACE and _short(header[1])]
        return Emit(self._names.status(agency), agency.encode(), record.value, sig + trace[:1])

    def _quarantined(self, record: Record, refusal: Refusal, seq: int) -> Emit:
        key = quarantine.coordinates(record.topic, record.partition, record.offset)
        return Emit(self._names.quarantine, key.encode(), quarantine.write(record, "", refusal, seq))


def _short(value: bytes | None) -> bool:
    return value is not None and len(value) <= MAX_TRACE


def judge(record: Record, member: str, directory: Directory) -> Receipts:
    """The receipts in a record of `receipts.v1.<member>`. Refusal where they are not that member's own word."""
    holder = f"edge.{member.lower()}"
    try:
        schema, said, _key = message.open_record(
            record.value, record.headers, directory=directory, at=record.time, holders=(holder,), limit=MAX_VALUE
        )
    except Refusal:
        raise
    except ContractError as error:
        raise Refusal(Reason.UNDECODABLE, type(error).__name__) from error
    if schema.name != "receipt":
        raise Refusal(Reason.SCHEMA_MISMATCH, f"a {schema.name} record stands where receipts belong")
    if said["member"] != member or said["issuer"] != holder:
        raise Refusal(Reason.WRONG_AGENCY, "the record speaks for another member than the one that signed it")
    if said["agency"] not in directory.agencies:
        raise Refusal(Reason.WRONG_AGENCY, "the directory does not know the author that it is about")
    if len(said["receipts"]) > MAX_RECEIPTS:
        raise Refusal(Reason.TOO_LARGE, f"{len(said['receipts'])} receipts in one record; {MAX_RECEIPTS} are allowed")
    if any(receipt["stage"] in OURS for receipt in said["receipts"]):
        raise Refusal(Reason.WRONG_AGENCY, "a stage that a member cannot speak of")
    return cast("Receipts", said)
