"""Quarantine: a refused message as it came, with where it stood and why it was refused."""

from __future__ import annotations

from schemas import codec, registry
from schemas.models import HeaderField, Quarantined
from schemas.reasons import Refusal
from streams.engine.contract import Record


def coordinates(topic: str, partition: int, offset: int) -> str:
    """The source coordinates as operators write them: `alerts.v1.az-customs/0/17`. Also the key in quarantine.v1."""
    return f"{topic}/{partition}/{offset}"


def write(record: Record, agency: str, refusal: Refusal, directory_seq: int) -> bytes:
    """The value for quarantine.v1. The original key, value and headers are kept byte for byte."""
    kept: Quarantined = {
        "source": {
            "topic": record.topic,
            "topic_id": record.topic_id,
            "partition": record.partition,
            "offset": record.offset,
        },
        "agency": agency,
        "time": record.time,
        "key": record.key,
        "value": record.value,
        "headers": [_header(name, value) for name, value in record.headers],
        "reason": refusal.reason,
        "detail": refusal.detail,
        "errors": list(refusal.errors),
        "directory_seq": directory_seq,
    }
    schema = registry.by_name("quarantine")
    return codec.frame(schema, codec.encode(schema, kept))


def read(value: bytes) -> Quarantined:
    """The record in a value of quarantine.v1, which only the hub writes."""
    schema_id, body = codec.unframe(value)
    kept: Quarantined = codec.decode(registry.by_id(schema_id), body)  # type: ignore[assignment]
    return kept


def _header(name: str, value: bytes | None) -> HeaderField:
    # A header name that is no Unicode cannot be Avro text; its bytes are kept readable instead of losing the record.
    return {"name": name.encode("utf-8", "backslashreplace").decode(), "value": value}
