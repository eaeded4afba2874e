"""Records to bytes and back: strict on the way out, suspicious on the way in.

`fastavro` is fast but trusting: it ignores unknown fields, wraps integers that overflow, takes enum index -1 for the
last symbol and leaves trailing bytes unread. So `encode` checks the record first, and whoever reads a stranger's bytes
calls `canonical` after `decode`: only bytes that encode to themselves again are the record.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any, Final, cast

from fastavro import schemaless_reader, schemaless_writer

from schemas.checker import checker_of, unencodable_text
from schemas.errors import EncodeError, MalformedError, UndecodableError
from schemas.registry import Schema

MAGIC: Final = b"\x00"
PREFIX_LENGTH: Final = 5
MAX_BODY: Final = 16 * 1024 * 1024
"""Largest body that `decode` will look at unless told otherwise; alerts are held to 64 KiB before this."""

_PREFIX = struct.Struct(">BI")


def encode(schema: Schema, record: Mapping[str, object]) -> bytes:
    """The Avro body of a record.

    EncodeError, naming the field, for a missing or unknown field, a wrong type, a number out of range or not finite,
    an enum symbol that the schema does not know, and text that is not Unicode.
    """
    problem = checker_of(schema)(record)
    if problem is not None:
        raise EncodeError(*problem)
    try:
        return _write(schema, cast("dict[str, Any]", record))
    except UnicodeEncodeError as error:
        raise EncodeError(unencodable_text(record), "holds a lone surrogate, which is not text") from error


def decode(schema: Schema, body: bytes, limit: int = MAX_BODY) -> dict[str, Any]:
    """The record in an Avro body; times are `int` microseconds. UndecodableError for anything that is not one.

    No schema of ours is recursive or has items of no bytes (a test holds that), so time and memory are bounded by the
    body's length, whatever counts it claims. Trailing bytes and odd encodings pass here and fail in `canonical`.
    """
    if len(body) > limit:
        raise UndecodableError(f"the body has {len(body)} bytes; at most {limit} are looked at")
    try:
        return cast("dict[str, Any]", schemaless_reader(io.BytesIO(body), schema.parsed, None))
    except Exception as error:  # the reader raises whatever its innards raise
        raise UndecodableError(f"not a {schema.name} body: {type(error).__name__}") from error


def canonical(schema: Schema, record: Mapping[str, object], body: bytes) -> bool:
    """Whether `body` is the one encoding of `record`, which `decode` made of it.

    False for trailing bytes, padded numbers, split arrays, out-of-range enum indexes and every other second spelling.
    """
    try:
        return _write(schema, cast("dict[str, Any]", record)) == body
    except Exception:  # noqa: BLE001 - what cannot be written again was not canonical
        return False


def frame(schema: Schema, body: bytes) -> bytes:
    """The Kafka value: magic byte 0, schema id as 4 bytes big-endian, Avro body."""
    return _PREFIX.pack(0, schema.id) + body


def unframe(value: bytes) -> tuple[int, bytes]:
    """Schema id and Avro body of a Kafka value. MalformedError where the prefix is not ours."""
    if len(value) < PREFIX_LENGTH:
        raise MalformedError(f"the value has {len(value)} bytes; the prefix alone has {PREFIX_LENGTH}")
    magic, schema_id = _PREFIX.unpack_from(value)
    if magic != 0:
        raise MalformedError(f"the value begins with byte {magic:#04x}, not 0x00")
    return schema_id, value[PREFIX_LENGTH:]


def _write(schema: Schema, record: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    schemaless_writer(buffer, schema.parsed, record)
    return buffer.getvalue()
