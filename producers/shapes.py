"""The fields of a kind's record as its `.avsc` file has them, logical types included: they say what is a time."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from schemas import registry

HEADER: Final = "AlertHeader"
_KNOWN = "known"  # beside `fields` in each record type: name to type, made once


@functools.cache
def definition(kind: str) -> Mapping[str, Any]:
    """The Avro definition of a kind's record."""
    return _known(json.loads(registry.by_name(kind).text))


@functools.cache
def named_types(kind: str) -> Mapping[str, Any]:
    """The record and enum types of a kind, by name."""
    found: dict[str, Any] = {}

    def visit(shape: Any) -> None:
        for branch in shape if isinstance(shape, list) else ():
            visit(branch)
        if not isinstance(shape, dict):
            return
        if "name" in shape and shape["type"] in ("record", "enum"):
            found[shape["name"]] = shape
        for part in (shape.get("items"), *(member["type"] for member in shape.get("fields", []))):
            visit(part)

    visit(definition(kind))
    return found


def fields_of(shape: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a record type: name to type."""
    found: Mapping[str, Any] = shape[_KNOWN]
    return found


def header_fields(kind: str) -> Mapping[str, Any]:
    """The fields of AlertHeader: name to type."""
    return fields_of(named_types(kind)[HEADER])


@functools.cache
def body(kind: str) -> Mapping[str, Any]:
    """The record type without its header."""
    shape = definition(kind)
    return _known({**shape, "fields": [member for member in shape["fields"] if member["name"] != "header"]})


@functools.cache
def flat(kind: str) -> Mapping[str, Any]:
    """The record type with the header's fields beside its own, as an alert file may be written."""
    shape = definition(kind)
    return _known({**shape, "fields": [*shape["fields"], *named_types(kind)[HEADER]["fields"]]})


def _known(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    made: Mapping[str, Any] = _with_known(definition)
    return made


def _with_known(shape: Any) -> Any:
    """The same definition, each record type in it with its fields by name."""
    if isinstance(shape, list):
        return [_with_known(branch) for branch in shape]
    if not isinstance(shape, dict):
        return shape
    made = {name: _with_known(part) if name in ("type", "items", "fields") else part for name, part in shape.items()}
    if made.get("type") == "record":
        made[_KNOWN] = {member["name"]: member["type"] for member in made["fields"]}
    return made
