"""Records to bytes and back: strict on the way out, suspicious on the way in.

`fastavro` is fast but trusting: it ignores unknown fields, wraps integers that overflow, takes enum index -1 for the
last symbol and leaves trailing bytes unread. So `encode` checks the record first, and a stranger's bytes are opened by
`read`: only bytes that encode to themselves again are the record. For the schemas of the hot path there is generated
code (`reader.py`, `writer.py`) that takes canonical bytes and fitting records alone, in a third of the time; what it
does not take, checker and library judge.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any, Final, cast

from fastavro import schemaless_reader, schemaless_writer

from schemas.checker import checker_of, unencodable_text
from schemas.errors import EncodeError, MalformedError, NotCanonicalError, UndecodableError
from schemas.reader import READERS
from schemas.registry import Schema
from schemas.writer import WRITERS

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
    body = _write_fitting(schema, record)
    if body is not None:
        return body
    problem = checker_of(schema)(record)
    if problem is not None:
        raise EncodeError(*problem)
    try:
        return _write(schema, cast("dict[str, Any]", record))
    except UnicodeEncodeError as error:
        raise EncodeError(unencodable_text(record), "holds a lone surrogate, which is not text") from error


def read(schema: Schema, body: bytes, limit: int = MAX_BODY) -> dict[str, Any]:
    """The record that these bytes are the one encoding of; times are `int` microseconds.

    UndecodableError for bytes that are no record of the schema, NotCanonicalError for another spelling of one.
    """
    found = _read_canonical(schema, body) if len(body) <= limit else None
    if found is not None:
        return found
    record = _decode(schema, body, limit)
    if not canonical(schema, record, body):
        raise NotCanonicalError(f"not the canonical encoding of a {schema.name} record")
    return record


def decode(schema: Schema, body: bytes, limit: int = MAX_BODY) -> dict[str, Any]:
    """The record in an Avro body; times are `int` microseconds. UndecodableError for anything that is not one.

    No schema of ours is recursive or has items of no bytes (a test holds that), so time and memory are bounded by the
    body's length, whatever counts it claims. Trailing bytes and odd encodings pass here and fail in `canonical`.
    """
    found = _read_canonical(schema, body) if len(body) <= limit else None
    return _decode(schema, body, limit) if found is None else found


def resolve(body: bytes, writer: Schema, reader: Schema) -> dict[str, Any]:
    """The record of an older version as one of a newer: added fields have their defaults. UndecodableError if it fails.

    The body is one that `read` has taken with the writer's schema.
    """
    try:
        return cast("dict[str, Any]", schemaless_reader(io.BytesIO(body), writer.parsed, reader.parsed))
    except Exception as error:  # as in _decode
        raise UndecodableError(f"not to be read as {reader.name} {reader.major}.{reader.minor}") from error


def canonical(schema: Schema, record: Mapping[str, object], body: bytes) -> bool:
    """Whether `body` is the one encoding of `record`, which `decode` made of it.

    False for trailing bytes, padded numbers, split arrays, out-of-range enum indexes and every other second spelling,
    and for what `encode` would refuse to write: an int of more than 32 bits, a number that is none.
    """
    try:
        return checker_of(schema)(record) is None and _write(schema, cast("dict[str, Any]", record)) == body
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


def _write_fitting(schema: Schema, record: Mapping[str, object]) -> bytes | None:
    """The body, if generated code knows the schema and the record fits it."""
    writer = WRITERS.get(schema.id)
    if writer is None:
        return None
    out = bytearray()
    try:
        writer(record, out)
    except (KeyError, TypeError, ValueError):
        return None
    return bytes(out)


def _read_canonical(schema: Schema, body: bytes) -> dict[str, Any] | None:
    """The record, if generated code knows the schema and the bytes are canonical."""
    reader = READERS.get(schema.id)
    if reader is None or type(body) is not bytes:
        return None
    try:
        record, end = reader(body, 0)
    except (IndexError, KeyError, ValueError, struct.error):
        return None
    return record if end == len(body) else None


def _decode(schema: Schema, body: bytes, limit: int) -> dict[str, Any]:
    if len(body) > limit:
        raise UndecodableError(f"the body has {len(body)} bytes; at most {limit} are looked at")
    try:
        return cast("dict[str, Any]", schemaless_reader(io.BytesIO(body), schema.parsed, None))
    except Exception as error:  # the reader raises whatever its innards raise
        raise UndecodableError(f"not a {schema.name} body: {type(error).__name__}") from error


def _write(schema: Schema, record: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    schemaless_writer(buffer, schema.parsed, record)
    return buffer.getvalue()
