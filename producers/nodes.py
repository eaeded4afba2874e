"""What a person wrote, with the place where it stands: the tree between a file and an Avro record.

YAML, JSON, a table's row and a Python mapping all become nodes first, so that one conversion (`forms.py`) serves them
all and each error
can name its line. Scalars stay text: whether `NO` is Norway or a refusal, and `0755` a number or a code, is for the
schema to say.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

_SHOWN = 60
Value = None | str | list["Node"] | dict[str, "Node"]


@dataclass(frozen=True, slots=True)
class Node:
    """One value with the line it stands on (from 1; 0 where there is no line). None is "left empty"."""

    value: Value
    line: int = 0

    @property
    def shown(self) -> str:
        """A single value as it may stand in an error message: one line, not too long; "" for lists and groups."""
        line = " ".join(self.value.split()) if isinstance(self.value, str) else ""
        return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."


def from_python(value: object) -> Node:
    """The node of a Python value: mapping, sequence, text, number, bool, date or time. TypeError for anything else."""
    match value:
        case None:
            return Node(None)
        case str():
            return Node(value)
        case bool():
            return Node("true" if value else "false")
        case dt.datetime() | dt.date():
            return Node(value.isoformat())
        case int() | Decimal():
            return Node(format(value, "f") if isinstance(value, Decimal) else str(value))
        case float():
            return Node(repr(value))
        case Mapping():
            return Node({str(name): from_python(item) for name, item in value.items()})
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return Node([from_python(item) for item in value])
    raise TypeError(f"a value of type {type(value).__name__} cannot stand in an alert")
