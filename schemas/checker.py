"""Whether a record fits its schema exactly: compiled once per schema into nested functions, run before every encoding.

A check returns None, or (path, why) of the first misfit; the path is put together only on the way out of a failure.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from schemas.registry import Schema

Problem: TypeAlias = tuple[str, str]
Check: TypeAlias = Callable[[Any], Problem | None]

_INT: Final = (-(2**31), 2**31 - 1)
_LONG: Final = (-(2**63), 2**63 - 1)
_EXACT_IN_DOUBLE: Final = 2**53


@functools.cache
def checker_of(schema: Schema) -> Check:
    """The check of a whole record of this schema."""
    return _compile(schema.parsed, {})


def unencodable_text(value: object, path: str = "") -> str:
    """The path of the first string that UTF-8 cannot hold, "" if there is none."""
    if isinstance(value, str):
        return path if any("\ud800" <= char <= "\udfff" for char in value) else ""
    pairs: list[tuple[str, object]] = []
    if isinstance(value, Mapping):
        pairs = [(f"{path}.{name}" if path else str(name), item) for name, item in value.items()]
    elif isinstance(value, list):
        pairs = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    return next((found for inner, item in pairs if (found := unencodable_text(item, inner))), "")


def _compile(definition: Any, named: dict[str, Check]) -> Check:
    if isinstance(definition, list):
        return _union([_compile(branch, named) for branch in definition])
    if isinstance(definition, str):
        return named[definition] if definition in named else _PRIMITIVE[definition]
    kind = definition["type"]
    if kind == "array":
        return _array(_compile(definition["items"], named))
    if kind == "enum":
        named[definition["name"]] = check = _enum(frozenset(definition["symbols"]))
        return check
    if kind == "record":
        fields = {field["name"]: _compile(field["type"], named) for field in definition["fields"]}
        named[definition["name"]] = check = _record(fields)
        return check
    return _compile(kind, named)


def _record(fields: dict[str, Check]) -> Check:
    texts = tuple(name for name, check in fields.items() if check is _string)
    others = tuple((name, check) for name, check in fields.items() if check is not _string)
    count = len(fields)

    def check(value: Any) -> Problem | None:
        if type(value) is not dict or len(value) != count:
            return _misfit(fields, value)
        try:
            for name in texts:
                if not isinstance(value[name], str):
                    return name, f"must be text, not {_kind(value[name])}"
            for name, inner in others:
                problem = inner(value[name])
                if problem is not None:
                    return _below(name, problem)
        except KeyError:
            return _misfit(fields, value)
        return None

    return check


def _misfit(fields: dict[str, Check], value: Any) -> Problem:
    if type(value) is not dict:
        return "", f"must be a record (a dict), not {_kind(value)}"
    missing = [name for name in fields if name not in value]
    if missing:
        return missing[0], "is missing"
    return next(str(name) for name in value if name not in fields), "is not a field of the schema"


def _array(item: Check) -> Check:
    def check(value: Any) -> Problem | None:
        if type(value) is not list:
            return "", f"must be a list, not {_kind(value)}"
        for index, element in enumerate(value):
            problem = item(element)
            if problem is not None:
                return _below(f"[{index}]", problem)
        return None

    return check


def _enum(symbols: frozenset[str]) -> Check:
    def check(value: Any) -> Problem | None:
        if isinstance(value, str) and value in symbols:
            return None
        return "", f"must be one of {', '.join(sorted(symbols - {'UNKNOWN'}))}"

    return check


def _union(branches: list[Check]) -> Check:
    def check(value: Any) -> Problem | None:
        problems = [branch(value) for branch in branches]
        return None if None in problems else problems[-1]

    return check


def _integer(low: int, high: int) -> Check:
    def check(value: Any) -> Problem | None:
        if type(value) is int and low <= value <= high:
            return None
        return "", f"must be a whole number from {low} to {high}, not {value if type(value) is int else _kind(value)}"

    return check


def _string(value: Any) -> Problem | None:
    return None if isinstance(value, str) else ("", _not("text", value))


def _bytes(value: Any) -> Problem | None:
    return None if type(value) is bytes else ("", _not("bytes", value))


def _boolean(value: Any) -> Problem | None:
    return None if type(value) is bool else ("", _not("true or false", value))


def _null(value: Any) -> Problem | None:
    return None if value is None else ("", _not("null", value))


def _double(value: Any) -> Problem | None:
    if type(value) is float and math.isfinite(value):
        return None
    if type(value) is int and abs(value) <= _EXACT_IN_DOUBLE:
        return None
    return "", "must be a finite number"


_PRIMITIVE: Final[Mapping[str, Check]] = {
    "string": _string,
    "bytes": _bytes,
    "boolean": _boolean,
    "null": _null,
    "double": _double,
    "int": _integer(*_INT),
    "long": _integer(*_LONG),
}


def _below(name: str, problem: Problem) -> Problem:
    path, why = problem
    return (name + path if not path or path.startswith("[") else f"{name}.{path}"), why


def _kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__


def _not(what: str, value: object) -> str:
    return f"must be {what}, not {_kind(value)}"
