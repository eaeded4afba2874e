"""An author's view of its alerts' way, from the outbox alone: what it may know, and no more."""

from __future__ import annotations

from manara.settings import Settings
from manara.trace import TraceStep, in_order
from producers import standing
from producers.outbox import Outbox
from producers.standing import Standing

_PARTITION = {0: "live", 1: "bulk"}


def trace_own(settings: Settings, alert: str) -> list[TraceStep]:
    """The steps of one of our own alerts (its id, the start of it, or its national reference); [] where it is none."""
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        return in_order(step for message in standing.find(outbox, alert) for step in _steps(settings.agency, message))
    finally:
        outbox.close()


def _steps(agency: str, message: Standing) -> list[TraceStep]:
    place = f"number {message.number}, {_PARTITION.get(message.partition, '?')} sequence {message.sequence}"
    steps = [TraceStep("ACCEPTED", message.accepted_at, agency, f"version {message.version}, {place}")]
    if message.sent_at:
        steps.append(TraceStep("SENT", message.sent_at, agency, "confirmed by the broker"))
    if message.outcome:
        detail = message.reason or ("again" if message.again else "")
        steps.append(TraceStep(message.outcome, message.judged_at, "hub.gate", detail))
    if message.routed_at:
        steps.append(TraceStep("ROUTED", message.routed_at, "hub.route", f"into {message.feeds} feeds"))
    said = (TraceStep(one.stage, one.at, f"edge.{one.member.lower()}", one.reason) for one in message.members)
    return [*steps, *said]
