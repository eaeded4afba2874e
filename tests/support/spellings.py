"""Other spellings of a record in Avro: the same meaning to a lenient reader, other bytes.

A second encoder, written from the Avro specification, that can deviate at one chosen place: a number padded, an array
in two blocks or with a negative count, an enum or union index counted from the end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from schemas.registry import Schema


def number(value: int, padding: int = 0) -> bytes:
    """A zigzag varint, with that many bytes more than needed."""
    left = (value << 1 if value >= 0 else ~(value << 1)) & (1 << 64) - 1
    out = bytearray()
    while left > 0x7F or padding:
        if left <= 0x7F:
            padding -= 1
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*out, left])


def all_of(schema: Schema, record: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Every spelling with one deviation: what it is, and the bytes."""
    counter = Encoder(schema, -1)
    counter.write(schema.parsed, record)
    for place in range(counter.place):
        encoder = Encoder(schema, place)
        body = encoder.write(schema.parsed, record)
        yield encoder.deviation, body


def plain(schema: Schema, record: dict[str, Any]) -> bytes:
    """The canonical spelling, by this encoder."""
    return Encoder(schema, -1).write(schema.parsed, record)


class Encoder:
    """Writes a record and deviates at the `chosen` one of the places where it can."""

    def __init__(self, schema: Schema, chosen: int) -> None:
        self.place = 0
        self.deviation = ""
        self._chosen = chosen
        self._named = dict(_named_in(schema.parsed))

    def write(self, kind: Any, value: Any) -> bytes:
        """The bytes of a value of an Avro type."""
        if isinstance(kind, str) and kind in self._named:
            kind = self._named[kind]
        if isinstance(kind, list):
            return self._union(kind, value)
        if isinstance(kind, dict):
            return self._complex(kind, value)
        if kind in ("int", "long"):
            return self._number(value, "padded number")
        if kind in ("string", "bytes"):
            data: bytes = value.encode() if kind == "string" else value
            return self._number(len(data), "padded length") + data
        if kind == "double":
            return struct.pack("<d", value)
        return b"" if kind == "null" else bytes([value])

    def _complex(self, kind: Any, value: Any) -> bytes:
        if kind["type"] == "record":
            return self._record(kind, value)
        return self._enum(kind, value) if kind["type"] == "enum" else self._array(kind, value)

    def _here(self, deviation: str) -> bool:
        """Whether this is the place to deviate."""
        self.place += 1
        if self.place - 1 != self._chosen:
            return False
        self.deviation = deviation
        return True

    def _number(self, value: int, deviation: str) -> bytes:
        return number(value, 1 if self._here(deviation) else 0)

    def _record(self, kind: Any, value: Any) -> bytes:
        return b"".join(self.write(field["type"], value[field["name"]]) for field in kind["fields"])

    def _enum(self, kind: Any, value: Any) -> bytes:
        index = kind["symbols"].index(value)
        if self._here("enum counted from the end"):
            return number(index - len(kind["symbols"]))
        return self._number(index, "padded enum")

    def _union(self, branches: list[Any], value: Any) -> bytes:
        index = 0 if value is None else 1
        counted = index - 2 if self._here("union counted from the end") else index
        return self._number(counted, "padded branch") + self.write(branches[index], value)

    def _array(self, kind: Any, value: list[Any]) -> bytes:
        items = [self.write(kind["items"], item) for item in value]
        if not items:
            return self._number(0, "padded end")
        if self._here("negative count"):
            return number(-len(items)) + number(len(b"".join(items))) + b"".join(items) + number(0)
        if self._here("negative count, false size"):
            return number(-len(items)) + number(1) + b"".join(items) + number(0)
        if len(items) > 1 and self._here("two blocks"):
            return number(1) + items[0] + number(len(items) - 1) + b"".join(items[1:]) + number(0)
        return self._number(len(items), "padded count") + b"".join(items) + self._number(0, "padded end")


def _named_in(kind: Any) -> Iterator[tuple[str, Any]]:
    """Every named type in a definition."""
    if isinstance(kind, list):
        for branch in kind:
            yield from _named_in(branch)
    elif isinstance(kind, dict):
        if "name" in kind:
            yield kind["name"], kind
        for inner in (kind.get("items"), *(field["type"] for field in kind.get("fields", ()))):
            yield from _named_in(inner)
