"""How the columns of an agency's table become the fields of an alert: a YAML file, read whole, every fault of it named.

kind: person
table: {encoding: cp1251, delimiter: ";", sheet: Wanted, header: 1}    # all optional: found out, and said
audience: ALL                               # as in an alert file; or from columns:
#         {mode: COLUMN, members: {column: COLUMN, split: " "}}
constants:                                  # the same in every row
  category: WNT
  expires_at: +180d
fields:
  national_ref: ref                         # field: column
  names[0].full: latin
  names[1].full: native                     # an item whose cells are all empty is left out, its constants too
  names[1].kind: {constant: ALIAS}
  names[+]: {column: aliases, split: ";", into: full, with: {kind: ALIAS}}
  births[0].date: {column: born, date: ["%d.%m.%Y", "%Y"]}
  sex: {column: sex, values: {М: MALE, Ж: FEMALE}}
  last_seen: {column: seen, split: ">", parts: "|", into: [place, country, date]}
ignore: [remark]                            # columns that are known and not used
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from producers import reading
from producers.errors import FaultyError
from producers.faults import Fault, in_file
from producers.importing.paths import APPEND, Branch, Steps, parse_path, what_is_wrong
from producers.importing.sources import Source, SourceError, read_source
from producers.importing.tables import How
from producers.nodes import Node
from schemas.registry import ALERT_KINDS

_SECTIONS = ("kind", "table", "audience", "constants", "fields", "ignore")


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of the alert and where it comes from."""

    path: str
    steps: Steps
    source: Source


@dataclass(slots=True)
class TableMap:
    """A mapping, ready to use."""

    kind: str
    how: How
    entries: list[Entry]
    mode: Source
    members: Source
    audience: Node | None
    ignored: frozenset[str] = frozenset()
    lines: dict[str, int] = field(default_factory=dict)

    def columns(self) -> Iterator[tuple[str, str]]:
        """Each column used, with the field it is used for."""
        for entry in self.entries:
            if entry.source.column:
                yield entry.source.column, entry.path
        for source, name in ((self.mode, "audience.mode"), (self.members, "audience.members")):
            if source.column:
                yield source.column, name

    def faults_with(self, columns: Sequence[str]) -> list[Fault]:
        """Columns that the mapping uses and the table does not have."""
        found = []
        for column, path in self.columns():
            if column not in columns:
                near = difflib.get_close_matches(column, columns, n=1)
                remedy = f"did you mean `{near[0]}`?" if near else f"the table has: {', '.join(columns)}"
                found.append(Fault(path, "MAP_UNKNOWN_COLUMN", column, remedy, self.lines.get(path, 0)))
        return found

    def column_for(self, path: str) -> str:
        """The first column that a field, or something in it, is taken from; "" if none is."""
        inside = (f"{path}.", f"{path}[")
        return next((column for column, used in self.columns() if used == path or used.startswith(inside)), "")

    def unused(self, columns: Sequence[str]) -> list[str]:
        """Columns of the table that nothing uses and nobody ignores."""
        used = {column for column, _ in self.columns()} | self.ignored
        return [column for column in columns if column and column not in used]

    def alert(self, row: Mapping[str, Node], numbers: Mapping[str, int]) -> tuple[Node, Node | None, list[Fault]]:
        """The alert written in a row, its audience, and cells that do not fit. A node's line is the number of its
        column.
        """
        tree = Branch()
        faults: list[Fault] = []
        for entry in self.entries:
            number = numbers.get(entry.source.column, 0)
            try:
                node = entry.source.take(row, number)
            except SourceError as error:
                faults.append(Fault(entry.path, error.rule, error.value, error.remedy, number))
                continue
            tree.put(entry.steps, node, from_cell=bool(entry.source.column))
        return tree.node(), self._audience(row, numbers, faults), faults

    def _audience(self, row: Mapping[str, Node], numbers: Mapping[str, int], faults: list[Fault]) -> Node | None:
        if not self.mode.column and not self.members.column:
            return self.audience
        try:
            mode = self.mode.take(row, numbers.get(self.mode.column, 0))
            members = self.members.take(row, numbers.get(self.members.column, 0))
        except SourceError as error:
            faults.append(Fault("audience", error.rule, error.value, error.remedy))
            return Node("ALL")  # never used: the row has a fault
        word = mode.value.strip().upper() if isinstance(mode.value, str) else ""
        return (
            mode
            if word == "ALL" and members.value is None
            else Node({word or "LISTED": members}, mode.line or members.line)
        )


def load_map(path: Path, kind: str = "") -> TableMap:
    """The mapping in a file. FaultyError lists all that is wrong with it; AuthorError where it cannot be read."""
    nodes = reading.read_file(path)
    try:
        return read_map(nodes[0], kind)
    except FaultyError as error:
        raise FaultyError(in_file(error.faults, str(path))) from error


def read_map(root: Node, kind: str = "") -> TableMap:
    """The mapping that is written in a node; `kind` is what the caller says it is for. FaultyError lists all faults."""
    sections = root.value if isinstance(root.value, dict) else {}
    faults = _section_faults(root)
    chosen = _kind(sections.get("kind", Node(None)), kind, faults)
    entries, lines = _entries(sections, chosen, faults) if chosen else ([], {})
    mode, members, audience = _audience(sections.get("audience"), faults)
    how = _how(sections.get("table"), faults)
    if faults:
        raise FaultyError(faults)
    ignored = sections.get("ignore", Node(None))
    names = ignored.value if isinstance(ignored.value, list) else [ignored]
    left = frozenset(str(node.value) for node in names if node.value)
    return TableMap(chosen, how, entries, mode, members, audience, left, lines)


def _section_faults(root: Node) -> list[Fault]:
    known = f"known: {', '.join(_SECTIONS)}"
    if not isinstance(root.value, dict):
        return [Fault("", "MAP_NOT_A_GROUP", root.shown, f"a mapping is a group of sections; {known}", root.line)]
    faults = []
    for name in root.value.keys() - set(_SECTIONS):
        near = difflib.get_close_matches(name, _SECTIONS, n=1)
        node, remedy = root.value[name], f"did you mean `{near[0]}`?" if near else known
        faults.append(Fault(name, "MAP_SECTION", node.shown, remedy, node.line))
    return faults


def _kind(node: Node, wanted: str, faults: list[Fault]) -> str:
    written = node.value if isinstance(node.value, str) else ""
    chosen = wanted or written
    if chosen not in ALERT_KINDS:
        faults.append(Fault("kind", "FORM_KIND", chosen, f"write one of {', '.join(ALERT_KINDS)}", node.line))
        return ""
    if written and written != chosen:
        remedy = f"the mapping is for {written}, --kind says {wanted}"
        faults.append(Fault("kind", "MAP_KIND", written, remedy, node.line))
    return chosen


def _entries(sections: Mapping[str, Node], kind: str, faults: list[Fault]) -> tuple[list[Entry], dict[str, int]]:
    entries: list[Entry] = []
    lines: dict[str, int] = {}
    appended = 0
    for section in ("constants", "fields"):
        node = sections.get(section, Node({}))
        if not isinstance(node.value, dict | None):
            faults.append(Fault(section, "MAP_NOT_A_GROUP", node.shown, "write `field: column`, one a line", node.line))
            continue
        for path, written in (node.value or {}).items():
            source, wrong = read_source(written, path) if section == "fields" else (Source(constant=written), [])
            faults += wrong
            steps = parse_path(path)
            unknown = what_is_wrong(kind, steps)
            if unknown:
                faults.append(Fault(path, "MAP_UNKNOWN_FIELD", "", unknown, written.line))
            appended += "+" in steps
            entries.append(Entry(path, tuple(APPEND + appended if step == "+" else step for step in steps), source))
            lines[path] = written.line
    return entries, lines


def _audience(node: Node | None, faults: list[Fault]) -> tuple[Source, Source, Node | None]:
    if node is None:
        remedy = "write `audience: ALL`, {listed: [EG]}, or {mode: COLUMN, members: COLUMN}"
        faults.append(Fault("audience", "FORM_AUDIENCE_MISSING", "", remedy))
    options = node.value if node is not None and isinstance(node.value, dict) else {}
    if not options.keys() & {"mode", "members"}:
        return Source(), Source(), node
    mode, members = Source(constant=Node("LISTED")), Source()
    wrong: list[Fault] = []
    also: list[Fault] = []
    if "mode" in options:
        mode, wrong = read_source(options["mode"], "audience.mode")
    if "members" in options:
        members, also = read_source(options["members"], "audience.members")
    faults += [*wrong, *also]
    return mode, members, node


def _how(node: Node | None, faults: list[Fault]) -> How:
    if node is None or node.value is None:
        return How()
    known = ("encoding", "delimiter", "sheet", "header")
    if not isinstance(node.value, dict):
        faults.append(Fault("table", "MAP_NOT_A_GROUP", node.shown, f"known: {', '.join(known)}", node.line))
        return How()
    faults += [
        Fault(f"table.{name}", "MAP_OPTION", item.shown, f"known: {', '.join(known)}", item.line)
        for name, item in node.value.items()
        if name not in known
    ]
    text = {name: str(item.value or "") for name, item in node.value.items()}
    header = text.get("header", "1")
    if not header.isdecimal() or not 1 <= int(header) <= 1000:  # noqa: PLR2004 - nobody has more rows above the names
        faults.append(
            Fault("table.header", "MAP_OPTION", header, "the number of the row with the column names", node.line)
        )
        header = "1"
    delimiter = {"tab": "\t", "\\t": "\t"}.get(text.get("delimiter", ""), text.get("delimiter", ""))
    return How(text.get("encoding", ""), delimiter, text.get("sheet", ""), int(header))
