"""What is said about a stretch that could not be read: coordinates for the operator, a notice for the agency."""

from __future__ import annotations

from typing import cast

from manara import metrics
from schemas import codec, message, notices, registry
from schemas.models import Quarantined
from schemas.reasons import Reason
from schemas.signature import SigningKey
from schemas.topics import Names
from streams.engine.contract import Emit, Headers
from streams.engine.unreadable import Unreadable
from streams.gate.quarantine import coordinates


def quarantined(names: Names, stretch: Unreadable, agency: str, at: int) -> list[Emit]:
    """Its coordinates for quarantine.v1; the bytes stay where they are, since nobody could unpack them."""
    if stretch.last < stretch.first:
        return []
    metrics.poisoned.inc()
    metrics.quarantined.inc()
    place = coordinates(stretch.topic, stretch.partition, stretch.first)
    kept: Quarantined = {
        "source": {
            "topic": stretch.topic,
            "topic_id": stretch.topic_id,
            "partition": stretch.partition,
            "offset": stretch.first,
        },
        "agency": agency,
        "time": at,
        "key": None,
        "value": None,
        "headers": [],
        "reason": Reason.UNREADABLE,
        "detail": _sentence(stretch),
        "errors": [],
        "directory_seq": 0,
    }
    schema = registry.by_name("quarantine")
    return [Emit(names.quarantine, place.encode(), codec.frame(schema, codec.encode(schema, kept)))]


def notice(names: Names, stretch: Unreadable, agency: str, at: int, signer: SigningKey) -> list[Emit]:
    """BATCH_UNREADABLE for the agency whose inlet it is."""
    if stretch.last < stretch.first:
        return []
    span = {"partition": stretch.partition, "first": stretch.first, "last": stretch.last}
    said = notices.notice("BATCH_UNREADABLE", agency, at, _sentence(stretch), **span)
    value, headers = message.sign_record(registry.by_name("notice"), said, signer)
    return [Emit(names.status(agency), agency.encode(), value, cast("Headers", headers))]


def _sentence(stretch: Unreadable) -> str:
    where = f"Offsets {stretch.first} to {stretch.last} of partition {stretch.partition}"
    if stretch.poison:
        return f"{where} could not be unpacked; send what they held again, in batches that inflate to less than 4 MB."
    return f"{where} were no longer in the log when they should have been read; send what they held again."
