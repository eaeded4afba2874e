"""Quarantine: a refused message as it came, with where it stood and why it was refused."""

from __future__ import annotations

import hashlib

from schemas import codec, registry
from schemas.models import HeaderField, Quarantined
from schemas.reasons import Refusal
from streams.engine.contract import Record

MAX_KEPT = 512 * 1024
"""Bytes of a message that are kept. A stranger's batch of a few KB may inflate to megabytes; a record of quarantine.v1
that is larger than a producer takes would end the gate at that offset, again and again."""
MAX_KEPT_HEADERS = 128 * 1024
_HEADER = 8  # bytes of a header beside name and value, at most


def coordinates(topic: str, partition: int, offset: int) -> str:
    """The source coordinates as operators write them: `alerts.v1.az-customs/0/17`. Also the key in quarantine.v1."""
    return f"{topic}/{partition}/{offset}"


def write(record: Record, agency: str, refusal: Refusal, directory_seq: int) -> bytes:
    """The value for quarantine.v1. The original key, value and headers are kept byte for byte.

    Of a message that is larger than MAX_KEPT the beginning is kept, with its length and SHA-256; all of it stays at its
    source coordinates for as long as the inlet keeps it.
    """
    headers = [_header(name, value) for name, value in record.headers]
    whole = _size(record) <= MAX_KEPT
    kept: Quarantined = {
        "source": {
            "topic": record.topic,
            "topic_id": record.topic_id,
            "partition": record.partition,
            "offset": record.offset,
        },
        "agency": agency,
        "time": record.time,
        "key": record.key if whole else _start(record.key, MAX_KEPT // 4),
        "value": record.value if whole else _start(record.value, MAX_KEPT // 2),
        "headers": headers if whole or _weight(record) <= MAX_KEPT_HEADERS else [],
        "reason": refusal.reason,
        "detail": refusal.detail if whole else f"{refusal.detail}; {_cut(record)}",
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


def _weight(record: Record) -> int:
    return sum(len(name) + len(value or b"") + _HEADER for name, value in record.headers)


def _size(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"") + _weight(record)


def _start(part: bytes | None, most: int) -> bytes | None:
    return None if part is None else part[:most]


def _cut(record: Record) -> str:
    value = record.value or b""
    digest = hashlib.sha256(value).hexdigest()
    return f"{_size(record)} bytes in all, only the beginning is kept; the value has {len(value)}, SHA-256 {digest}"


def _header(name: str, value: bytes | None) -> HeaderField:
    # A header name that is no Unicode cannot be Avro text; its bytes are kept readable instead of losing the record.
    return {"name": name.encode("utf-8", "backslashreplace").decode(), "value": value}
