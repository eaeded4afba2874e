"""The gate for new schema versions: each must read every older one of its major version, and be read by it.

Avro's resolution rules, both ways and against all older versions (full transitive), and stricter in four points: types
do not change at all (a promotion works one way only), a logical type stays, text and bytes are not interchangeable, and
every enum has a default, so that an old reader meets a new symbol as UNKNOWN. `unsafe` finds what makes decoding a
stranger's bytes dangerous: recursion, and lists whose items take no bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from schemas.registry import Schema, without_logical_types

_PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_MAX_DEPTH: Final = 8

Named: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one schema; `definition` is the JSON of its file, with logical types."""

    name: str
    major: int
    minor: int
    definition: Any

    @classmethod
    def of(cls, schema: Schema) -> Version:
        """The version that a released schema is."""
        return cls(schema.name, schema.major, schema.minor, json.loads(schema.text))


def release_problems(new: Version, older: Iterable[Version]) -> list[str]:
    """Why this version may not be released beside the older ones; [] if it may.

    Only those of the same name and major are compared: a new major is another contract, under another id and topic.
    """
    found = [*unparsable(new.definition), *unsafe(new.definition)]
    for old in older:
        if (old.name, old.major) != (new.name, new.major):
            continue
        label = f"{old.name} {old.major}.{old.minor}"
        if old.minor >= new.minor:
            found.append(f"{new.major}.{new.minor} does not come after {label}")
        found += [f"cannot read {label}: {problem}" for problem in misreadings(new.definition, old.definition)]
        found += [f"cannot be read by {label}: {problem}" for problem in misreadings(old.definition, new.definition)]
    return found


def unparsable(definition: Any) -> list[str]:
    """What the Avro library says against the definition, defaults of a wrong type included; [] for a good one."""
    try:
        fastavro.parse_schema(without_logical_types(definition))
    except (SchemaParseException, UnknownType, ValueError, KeyError, TypeError) as error:
        return [f"is no Avro schema: {error}"]
    return []


def misreadings(reader: Any, writer: Any) -> list[str]:
    """Where a reader with the one definition would fail on, or misunderstand, what the other wrote; [] if nowhere."""
    return list(_misread(reader, writer, "", ({}, {})))


def unsafe(definition: Any) -> Iterator[str]:
    """What makes a definition dangerous to decode from a stranger's bytes, or ambiguous to read later."""
    yield from _unsafe(definition, "", (), {})


def _misread(reader: Any, writer: Any, path: str, named: tuple[Named, Named]) -> Iterator[str]:
    reader, writer = _resolve(reader, named[0]), _resolve(writer, named[1])
    if isinstance(reader, list) or isinstance(writer, list):
        yield from _misread_union(reader, writer, path, named)
        return
    kinds = _kind(reader), _kind(writer)
    if kinds[0] != kinds[1]:
        yield f"{path or 'the record'}: is {kinds[0]} here and {kinds[1]} there"
        return
    if _logical(reader) != _logical(writer):
        yield f"{path}: its logical type changed"
    if kinds[0] == "record":
        yield from _misread_record(reader, writer, path, named)
    elif kinds[0] == "enum":
        yield from _misread_enum(reader, writer, path)
    elif kinds[0] == "array":
        yield from _misread(reader["items"], writer["items"], f"{path}[]", named)


def _misread_record(reader: Any, writer: Any, path: str, named: tuple[Named, Named]) -> Iterator[str]:
    if reader["name"] != writer["name"]:
        yield f"{path or 'the record'}: is named {reader['name']} here and {writer['name']} there"
    there = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        inner = f"{path}.{field['name']}".lstrip(".")
        if field["name"] in there:
            yield from _misread(field["type"], there[field["name"]]["type"], inner, named)
        elif "default" not in field:
            yield f"{inner}: is not there, and has no default here"


def _misread_enum(reader: Any, writer: Any, path: str) -> Iterator[str]:
    if reader["name"] != writer["name"]:
        yield f"{path}: is named {reader['name']} here and {writer['name']} there"
    new = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
    if new and reader.get("default") not in reader["symbols"]:
        yield f"{path}: {', '.join(new)} is unknown here, and the enum has no default"


def _misread_union(reader: Any, writer: Any, path: str, named: tuple[Named, Named]) -> Iterator[str]:
    """Each branch that may be written must be one that is read."""
    readers = reader if isinstance(reader, list) else [reader]
    for branch in writer if isinstance(writer, list) else [writer]:
        if not any(not list(_misread(candidate, branch, path, named)) for candidate in readers):
            yield f"{path}: {_kind(_resolve(branch, named[1]))} is no branch here"


def _unsafe(definition: Any, path: str, inside: tuple[str, ...], named: Named) -> Iterator[str]:
    if isinstance(definition, str) and definition in inside:
        yield f"{path}: {definition} holds itself; a recursive type lets a stranger exhaust the stack"
        return
    definition = _resolve(definition, named)
    kind = _kind(definition)
    if kind in _UNSAFE_IN:
        yield from _UNSAFE_IN[kind](definition, path, inside, named)
    elif kind not in _PRIMITIVES:
        yield f"{path}: {kind} is not used in the contract"


def _unsafe_union(definition: Any, path: str, inside: tuple[str, ...], named: Named) -> Iterator[str]:
    for branch in definition:
        yield from _unsafe(branch, path, inside, named)


def _unsafe_array(definition: Any, path: str, inside: tuple[str, ...], named: Named) -> Iterator[str]:
    problems = list(_unsafe(definition["items"], f"{path}[]", inside, named))
    yield from problems
    if not problems and _takes_no_bytes(definition["items"], named):
        yield f"{path}: items that take no bytes let five bytes claim millions of them"


def _unsafe_enum(definition: Any, path: str, _: tuple[str, ...], __: Named) -> Iterator[str]:
    if definition.get("default") != "UNKNOWN" or definition["symbols"][0] != "UNKNOWN":
        yield f"{path}: the enum {definition['name']} must begin with UNKNOWN and have it as default"


def _unsafe_record(definition: Any, path: str, inside: tuple[str, ...], named: Named) -> Iterator[str]:
    if len(inside) >= _MAX_DEPTH:
        yield f"{path}: records are nested deeper than {_MAX_DEPTH}"
    for field in definition["fields"]:
        inner = f"{path}.{field['name']}".lstrip(".")
        yield from _unsafe(field["type"], inner, (*inside, definition["name"]), named)


_UNSAFE_IN: Final[Mapping[str, Callable[[Any, str, tuple[str, ...], Named], Iterator[str]]]] = {
    "union": _unsafe_union,
    "array": _unsafe_array,
    "enum": _unsafe_enum,
    "record": _unsafe_record,
}


def _takes_no_bytes(definition: Any, named: Named) -> bool:
    """Whether a value of the type may be encoded as nothing; the type is not recursive."""
    definition = _resolve(definition, named)
    if _kind(definition) == "record":
        return all(_takes_no_bytes(field["type"], named) for field in definition["fields"])
    return _kind(definition) == "null"


def _resolve(definition: Any, named: Named) -> Any:
    """The definition behind a name; a named definition is remembered for later mention."""
    if isinstance(definition, str):
        return named.get(definition, definition)
    if isinstance(definition, dict):
        if "name" in definition:
            named[definition["name"]] = definition
        elif isinstance(definition["type"], (dict, list)):
            return _resolve(definition["type"], named)
    return definition


def _kind(definition: Any) -> str:
    if isinstance(definition, list):
        return "union"
    return definition if isinstance(definition, str) else str(definition["type"])


def _logical(definition: Any) -> object:
    return definition.get("logicalType") if isinstance(definition, dict) else None
