"""Hypothesis strategies: any record that a schema allows, however little sense it makes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas.registry import Schema

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_PRIMITIVE: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXT,
    "bytes": st.binary(max_size=12),
    "boolean": st.booleans(),
    "null": st.none(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
}


def records(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    """Any record of the schema."""
    return _of(schema.parsed, {})


def _of(definition: Any, named: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    if isinstance(definition, str):
        return named[definition] if definition in named else _PRIMITIVE[definition]
    if isinstance(definition, list):
        return st.one_of([_of(branch, named) for branch in definition])
    if definition["type"] == "array":
        return st.lists(_of(definition["items"], named), max_size=3)
    if definition["type"] == "enum":
        made = st.sampled_from(definition["symbols"])
    else:
        fields = {field["name"]: _of(field["type"], named) for field in definition["fields"]}
        made = st.fixed_dictionaries(fields)
    named[definition["name"]] = made
    return made
