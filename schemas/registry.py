"""The released schemas: the `.avsc` files of this package, found by name or by wire id.

The files of git are the contract; a schema registry beside Kafka is a cache that can be rebuilt from them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

import fastavro

from schemas.errors import SchemaUnknownError

ALERT_KINDS: Final = ("person", "route", "transfer")
"""What an alert can be about. Closed; grows by minor versions of the contract."""

NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "person": 1,
        "route": 2,
        "transfer": 3,
        "end": 9,
        "verdict": 51,
        "receipt": 52,
        "notice": 53,
        "answer": 54,
        "directory": 60,
        "key": 61,
        "heartbeat": 62,
        "block": 70,
        "quarantine": 71,
        "register": 72,
        "mention": 73,
        "flow": 74,
        "link": 75,
        "release": 76,
        "hub": 80,
    }
)
"""The number of every schema name, for ever: a number is never given to another name."""

_FILE_NAME = re.compile(r"^([a-z]+)-([1-9][0-9]?)\.(0|[1-9][0-9]?)\.avsc$")


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """One released version of one schema; there is one object for each, so `is` compares them.

    `context` is what a signature over it is good for (`manara/alert/1`), so that a receipt can never pass as an alert.
    `sha256` is of the file's very bytes. `parsed` is for fastavro, without logical types: times stay `int`.
    """

    name: str
    number: int
    major: int
    minor: int
    id: int
    context: str
    sha256: bytes
    parsed: dict[str, Any] = field(repr=False)
    text: str = field(repr=False)


def by_name(name: str) -> Schema:
    """The latest released version of a schema; SchemaUnknownError if there is none."""
    try:
        return _latest()[name]
    except KeyError:
        raise SchemaUnknownError(f"there is no schema named {name!r}; known are {', '.join(_latest())}") from None


def by_id(schema_id: int) -> Schema:
    """The released schema with this wire id; SchemaUnknownError if there is none."""
    try:
        return _by_id()[schema_id]
    except KeyError:
        raise SchemaUnknownError(f"no released schema has the id {schema_id}") from None


@functools.cache
def current(schema: Schema) -> Schema:
    """The latest released version with the same name and major: what records of all its minor versions are read as."""
    return max(
        (other for other in released() if (other.name, other.major) == (schema.name, schema.major)),
        key=lambda other: other.minor,
        default=schema,
    )


@functools.cache
def released() -> tuple[Schema, ...]:
    """Every released version, by ascending wire id."""
    folder = resources.files("schemas") / "avsc"
    files = [(entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".avsc")]
    return tuple(sorted((load(name, data) for name, data in files), key=lambda schema: schema.id))


def load(file_name: str, data: bytes) -> Schema:
    """The schema in one `.avsc` file, named `<name>-<major>.<minor>.avsc`. ValueError for any other name."""
    match = _FILE_NAME.match(file_name)
    if match is None or match[1] not in NUMBERS:
        raise ValueError(f"{file_name}: a schema file is named <name>-<major>.<minor>.avsc, with a name of NUMBERS")
    name, major, minor = match[1], int(match[2]), int(match[3])
    definition = json.loads(data)
    return Schema(
        name=name,
        number=NUMBERS[name],
        major=major,
        minor=minor,
        id=wire_id(name, major, minor),
        context=f"manara/{'alert' if name in ALERT_KINDS or name == 'end' else name}/{major}",
        sha256=hashlib.sha256(data).digest(),
        parsed=_parse(definition),
        text=data.decode(),
    )


def wire_id(name: str, major: int, minor: int) -> int:
    """The id that goes before an Avro body: number * 10000 + major * 100 + minor."""
    return NUMBERS[name] * 10000 + major * 100 + minor


def without_logical_types(definition: Any) -> Any:
    """The same Avro definition, but every `logicalType` gone and `{"type": "long"}` written as `"long"`."""
    if isinstance(definition, list):
        return [without_logical_types(branch) for branch in definition]
    if not isinstance(definition, dict):
        return definition
    bare = {key: without_logical_types(value) for key, value in definition.items() if key != "logicalType"}
    return bare["type"] if set(bare) == {"type"} and isinstance(bare["type"], str) else bare


def _parse(definition: Any) -> dict[str, Any]:
    parsed = fastavro.parse_schema(without_logical_types(definition))
    if not isinstance(parsed, dict):
        raise TypeError("a schema of the contract is one record")
    return parsed


@functools.cache
def _by_id() -> dict[int, Schema]:
    return {schema.id: schema for schema in released()}


@functools.cache
def _latest() -> dict[str, Schema]:
    return {schema.name: schema for schema in released()}
