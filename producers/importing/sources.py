"""One entry of a mapping: from which cell, or from none, a field gets its value, and what is done to it on the way."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field

from producers.faults import Fault
from producers.nodes import Node

_OPTIONS = (
    "column",
    "constant",
    "split",
    "parts",
    "into",
    "with",
    "date",
    "time",
    "zone",
    "values",
    "default",
    "decimal",
)
_GROUPING = re.compile(r"[ \u00a0\u202f'’]")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from. Without a column it is `constant`, the same for every row."""

    column: str = ""
    constant: Node = field(default_factory=lambda: Node(None))
    split: str = ""  # cuts a cell into several values
    parts: str = ""  # cuts each of those into the fields `into`
    into: tuple[str, ...] = ()
    also: Mapping[str, Node] = field(default_factory=dict)  # fields that each of the values gets besides
    dates: tuple[str, ...] = ()  # strptime formats, tried in order
    times: tuple[str, ...] = ()
    zone: str = ""
    values: Mapping[str, str] | None = None  # the agency's codes, translated
    default: str = ""
    decimal: str = ""

    def take(self, row: Mapping[str, Node], number: int) -> Node:
        """The field's value in this row, marked with the column's number as its line. SourceError where a cell does not
        fit.
        """
        if not self.column:
            return _marked(self.constant, 0)
        cell = row.get(self.column, Node(None))
        if not isinstance(cell.value, str | None):
            return _marked(cell, number)  # nested NDJSON is taken as it stands
        text = cell.value or self.default
        if not text.strip():
            return Node(None, number)
        if not self.split and not self.into:
            return Node(self._one(text), number)
        pieces = [piece.strip() for piece in (text.split(self.split) if self.split else [text])]
        return Node([self._item(piece, number) for piece in pieces if piece], number)

    def _item(self, piece: str, number: int) -> Node:
        if not self.into:
            return Node(self._one(piece), number)
        cells = [part.strip() for part in piece.split(self.parts)] if self.parts else [piece]
        if len(cells) > len(self.into):
            raise SourceError(
                "MAP_PARTS",
                piece,
                f"at most {len(self.into)} parts between {self.parts!r} are expected: {', '.join(self.into)}",
            )
        made = {name: Node(self._one(cell), number) for name, cell in zip(self.into, cells, strict=False) if cell}
        return Node({**{name: _marked(node, 0) for name, node in self.also.items()}, **made}, number)

    def _one(self, text: str) -> str:
        text = text.strip()
        if self.values is not None:
            if text not in self.values:
                raise SourceError(
                    "MAP_VALUE", text, f"the mapping translates {', '.join(self.values)} only: add it under `values:`"
                )
            text = self.values[text]
        if self.decimal:
            bare = _GROUPING.sub("", text)
            text = bare.replace(".", "").replace(",", ".") if self.decimal == "," else bare.replace(",", "")
        if self.dates:
            return _date(text, self.dates)
        return _time(text, self.times, self.zone) if self.times else text


class SourceError(ValueError):
    """A cell that the mapping cannot use: rule, value, and what to do."""

    def __init__(self, rule: str, value: str, remedy: str) -> None:
        super().__init__(remedy)
        self.rule = rule
        self.value = value
        self.remedy = remedy


def _marked(node: Node, line: int) -> Node:
    """The same value with another line throughout."""
    if isinstance(node.value, list):
        return Node([_marked(item, line) for item in node.value], line)
    if isinstance(node.value, dict):
        return Node({name: _marked(item, line) for name, item in node.value.items()}, line)
    return Node(node.value, line)


def _date(text: str, formats: tuple[str, ...]) -> str:
    """A date in one of the formats, as precise as the format; what is ISO 8601 already stays."""
    for form in formats:
        try:
            day = dt.datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        return (
            day.isoformat()
            if "%d" in form or "%j" in form
            else f"{day:%Y-%m}"
            if "%m" in form or "%b" in form.lower()
            else f"{day:%Y}"
        )
    if re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", text):
        return text
    raise SourceError("MAP_DATE", text, f"no day in the form {' or '.join(formats)}")


def _time(text: str, formats: tuple[str, ...], zone: str) -> str:
    for form in formats:
        try:
            moment = dt.datetime.strptime(text, form)  # noqa: DTZ007 - the zone comes next
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=_zone(zone))).isoformat()
    raise SourceError("MAP_TIME", text, f"no time in the form {' or '.join(formats)}")


def read_source(node: Node, path: str) -> tuple[Source, list[Fault]]:
    """The source written in a mapping: a column's name, or a group of options."""
    if isinstance(node.value, str):
        return Source(column=node.value), []
    if not isinstance(node.value, dict):
        remedy = "write a column's name, or options as in {column: born, date: '%d.%m.%Y'}"
        return Source(), [Fault(path, "MAP_SOURCE", node.shown, remedy, node.line)]
    options = node.value
    source = Source(
        column=_text(options, "column"),
        constant=options.get("constant", Node(None)),
        split=_separator(options, "split"),
        parts=_separator(options, "parts"),
        into=_texts(options, "into"),
        also=_group(options, "with") or {},
        dates=_texts(options, "date"),
        times=_texts(options, "time"),
        zone=_text(options, "zone"),
        values=_table(options),
        default=_text(options, "default"),
        decimal=_text(options, "decimal"),
    )
    return source, _faults(options, source.zone, path, node.line)


def _faults(options: Mapping[str, Node], zone: str, path: str, line: int) -> list[Fault]:
    faults = [
        Fault(f"{path}.{name}", "MAP_OPTION", item.shown, f"known: {', '.join(_OPTIONS)}", item.line)
        for name, item in options.items()
        if name not in _OPTIONS
    ]
    if ("column" in options) == ("constant" in options):
        faults.append(Fault(path, "MAP_SOURCE", "", "give `column:` or `constant:`, one of the two", line))
    try:
        _zone(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        faults.append(Fault(f"{path}.zone", "MAP_ZONE", zone, "name a zone as in Asia/Baku", line))
    return faults


def _zone(name: str) -> dt.tzinfo:
    """UTC where no zone is named: that one needs no table of zones on the machine."""
    return zoneinfo.ZoneInfo(name) if name else dt.UTC


def _group(options: Mapping[str, Node], name: str) -> dict[str, Node] | None:
    node = options.get(name)
    return node.value if node is not None and isinstance(node.value, dict) else None


def _table(options: Mapping[str, Node]) -> dict[str, str] | None:
    group = _group(options, "values")
    return None if group is None else {name: str(item.value or "") for name, item in group.items()}


def _text(options: Mapping[str, Node], name: str) -> str:
    node = options.get(name)
    return node.value if node is not None and isinstance(node.value, str) else ""


def _separator(options: Mapping[str, Node], name: str) -> str:
    """A separator keeps its spaces inside, but one that is spaces only is one space."""
    text = _text(options, name)
    return text.strip() or text[:1] if text else ""


def _texts(options: Mapping[str, Node], name: str) -> tuple[str, ...]:
    node = options.get(name)
    if node is None:
        return ()
    items = node.value if isinstance(node.value, list) else [node]
    return tuple(item.value for item in items if isinstance(item.value, str))
