"""An alert's way as the hub knows it: admitted, routed, and what each member's edge said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from manara.trace import TraceStep, in_order
from schemas import message
from schemas.directory import Directory
from schemas.errors import ContractError
from streams.gate.quarantine import coordinates
from streams.operate.finding import DAY, Found, made_at
from streams.operate.log import Log, Progress, Read


def trace(log: Log, found: list[Found], directory: Directory, progress: Progress) -> list[TraceStep]:
    """Every step of an admitted alert, all versions: from its blocks and from its author's status topic."""
    item = found[0].item
    since = made_at(item["alert_id"]) - DAY
    steps = [_admitted(each, log) for each in found]
    for read in log.scan(log.names.status(item["agency"]), since=since, progress=progress):
        steps += _said(read, item["alert_id"], directory)
    return in_order(steps)


def _admitted(found: Found, log: Log) -> TraceStep:
    item = found.item
    place = coordinates(log.names.inlet(item["agency"]), item["partition"], item["offset"])
    members = ", ".join(item["deliver"]) or "nobody"
    return TraceStep(
        "ADMITTED",
        item["admitted_at"],
        "hub.gate",
        f"version {item['version']}, {item['precedence']}, for {members}; {place}, block {found.lane}/{found.offset}",
    )


def _said(read: Read, alert_id: str, directory: Directory) -> Iterator[TraceStep]:
    """What a record of the status topic says about the alert. Whose word it is, its signature tells."""
    if read.value is None or alert_id.encode() not in read.value:
        return
    try:
        schema, record, signer = message.open_record(read.value, read.headers, directory=directory, at=read.time)
    except ContractError as error:
        yield TraceStep("UNVERIFIED", read.time, "?", f"{read.topic}/{read.partition}/{read.offset}: {error}")
        return
    if schema.name == "verdict":
        yield from (_verdict(each, signer.holder) for each in record["verdicts"] if _refused(each, alert_id))
    if schema.name == "receipt":
        yield from (_receipt(each, signer.holder) for each in record["receipts"] if each["alert_id"] == alert_id)


def _refused(verdict: dict[str, Any], alert_id: str) -> bool:
    """Admission is in the block already; a verdict adds what was refused, or came again."""
    return bool(verdict["alert_id"] == alert_id and (verdict["outcome"] == "REFUSED" or verdict["again"]))


def _verdict(verdict: dict[str, Any], who: str) -> TraceStep:
    source = verdict["source"]
    place = coordinates(source["topic"], source["partition"], source["offset"])
    detail = f"again; {place}" if verdict["again"] else f"{verdict['reason']}; {place}"
    return TraceStep(verdict["outcome"], verdict["at"], who, f"version {verdict['version']}, {detail}")


def _receipt(receipt: dict[str, Any], who: str) -> TraceStep:
    parts = [f"version {receipt['version']}"]
    if receipt["stage"] == "ROUTED":
        parts.append(f"{receipt['count']} feeds")
    if receipt["reason"]:
        parts.append(receipt["reason"])
    return TraceStep(receipt["stage"], receipt["at"], who, ", ".join(parts))
