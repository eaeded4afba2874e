"""Reads an author's YAML or JSON file into nodes with their lines; everything unreadable is a fault with its line,
never a traceback.

Both readers build from a stream of events or tokens, so no input can make them recurse without end. YAML's anchors,
tags and merge keys
are refused: an alert is data, and an alias can blow a kilobyte up to gigabytes.
"""

from __future__ import annotations

import bisect
import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from producers.errors import AuthorError, FaultyError
from producers.faults import Fault
from producers.nodes import Node, Value

MOST_BYTES = 8 * 1024 * 1024
MOST_DEPTH = 32
_EMPTY = ("", "~", "null", "Null", "NULL")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same grammar, ten times as fast where libyaml is built in


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, or UTF-16 with its mark. AuthorError says why it cannot be read and what to do."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AuthorError(
            f"{path} cannot be read: {error.strerror}", remedy="check the name and who may read the file"
        ) from error
    if len(data) > MOST_BYTES:
        raise AuthorError(
            f"{path} is larger than {MOST_BYTES >> 20} MiB",
            remedy="one file holds a few alerts; tables go in with `manara import`",
        )
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise AuthorError(
            f"{path}:{line}: this is not UTF-8 text", remedy="save the file as UTF-8 and try again"
        ) from error


def read_file(path: Path) -> list[Node]:
    """All documents of a `.json` file (one alert or a list), an `.ndjson` file or a YAML file (`---` between them).
    FaultyError, AuthorError.
    """
    text = read_text(path)
    try:
        documents = list(_DOCUMENTS.get(path.suffix.lower(), yaml_documents)(text))
    except FaultyError as error:
        raise FaultyError([_at(fault, path) for fault in error.faults]) from error
    if not documents:
        raise AuthorError(f"{path} is empty", remedy="`manara new person` writes a template to start from")
    return documents


def _at(fault: Fault, path: Path) -> Fault:
    return replace(fault, file=str(path))


def _refuse(rule: str, remedy: str, line: int, value: str = "") -> FaultyError:
    return FaultyError([Fault("", rule, value, remedy, line)])


class _Tree:
    """Grows one document from begin, end and scalar events."""

    def __init__(self) -> None:
        self._open: list[Node] = []
        self._names: list[Node | None] = []
        self.root: Node | None = None

    def scalar(self, text: str | None, line: int) -> None:
        """A value, or inside a group the name of the next one."""
        if self._open and isinstance(self._open[-1].value, dict) and self._names[-1] is None:
            if text in self._open[-1].value:
                raise _refuse("FORM_FIELD_TWICE", "keep one of the two", line, str(text))
            self._names[-1] = Node(text or "", line)
            return
        self._place(Node(text, self._named_at(line)))

    def begin(self, value: Value, line: int) -> None:
        """A list or a group opens."""
        if len(self._open) >= MOST_DEPTH:
            raise _refuse("FORM_TOO_DEEP", f"an alert nests at most {MOST_DEPTH} levels", line)
        if self._open and isinstance(self._open[-1].value, dict) and self._names[-1] is None:
            raise _refuse("FORM_NAME_NOT_TEXT", "a field's name is a word", line)
        node = Node(value, self._named_at(line))
        self._place(node)
        self._open.append(node)
        self._names.append(None)

    def end(self) -> None:
        """The innermost list or group closes."""
        self._open.pop()
        self._names.pop()

    def _named_at(self, line: int) -> int:
        """The line of the field's name, where the value has one: a list begins below its name."""
        name = self._names[-1] if self._names else None
        return name.line if name is not None else line

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1].value
        if isinstance(parent, list):
            parent.append(node)
        elif isinstance(parent, dict):
            name = self._names[-1]
            parent[str(name.value if name else "")] = node
            self._names[-1] = None


def yaml_documents(text: str) -> Iterator[Node]:
    """The documents of a YAML text that are not empty."""
    tree = _Tree()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.DocumentStartEvent):
                tree = _Tree()
            elif isinstance(event, yaml.DocumentEndEvent):
                if tree.root is not None and tree.root.value is not None:
                    yield tree.root
            else:
                _grow(tree, event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _refuse("FORM_NOT_YAML", _explain(error), mark.line + 1 if mark else 0) from error
    except (yaml.YAMLError, ValueError) as error:
        raise _refuse("FORM_NOT_YAML", f"the text cannot be read: {str(error).splitlines()[0]}", 0) from error


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "it cannot be read"
    return f"{problem}; check indentation, and put text with a colon in quotes"


def _grow(tree: _Tree, event: yaml.Event) -> None:
    line = event.start_mark.line + 1 if event.start_mark else 0
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _refuse(
            "FORM_ALIAS",
            "anchors (&) and aliases (*) are not used here: write the value out, or put it in quotes",
            line,
        )
    if isinstance(event, yaml.NodeEvent) and (getattr(event, "tag", None) or "!") not in ("!", ""):
        raise _refuse("FORM_TAG", "tags (!) are not used here: write the plain value, or put it in quotes", line)
    if isinstance(event, yaml.ScalarEvent):
        empty = not event.style and event.value in _EMPTY  # plain: quotes make it text
        tree.scalar(None if empty else event.value, line)
    elif isinstance(event, yaml.MappingStartEvent):
        tree.begin({}, line)
    elif isinstance(event, yaml.SequenceStartEvent):
        tree.begin([], line)
    elif isinstance(event, yaml.CollectionEndEvent):
        tree.end()


_SPACE = re.compile(r"[ \t\r\n]*")


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number")


class _Json:
    """A JSON text read token by token; numbers stay text, so that 0.10 is not 0.1."""

    def __init__(self, text: str, first_line: int) -> None:
        self._text = text
        self._first = first_line
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._scalars = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)
        self._at = 0

    @property
    def line(self) -> int:
        """Of the next character."""
        return bisect.bisect_left(self._breaks, self._at) + self._first

    def look(self) -> str:
        """The next character that is no space, or "" at the end."""
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text[self._at : self._at + 1]

    def take(self, wanted: str) -> None:
        """Steps over one character that must stand here."""
        if self.look() != wanted:
            raise _refuse("FORM_NOT_JSON", f"a {wanted!r} is missing here", self.line)
        self._at += 1

    def scalar(self) -> str | None:
        """Text, number, true, false or null."""
        try:
            value, self._at = self._scalars.raw_decode(self._text, self._at)
        except ValueError as error:
            raise _refuse("FORM_NOT_JSON", f"this is not JSON: {error}", self.line) from error
        if isinstance(value, bool):
            return "true" if value else "false"
        return None if value is None else str(value)


def json_documents(text: str, first_line: int = 1) -> Iterator[Node]:
    """The alert of a JSON text, or the alerts of its list."""
    source, tree = _Json(text, first_line), _Tree()
    if source.look():
        _json_value(source, tree)
    if source.look():
        raise _refuse("FORM_NOT_JSON", "there is more after the end", source.line)
    root = tree.root
    if root is None:
        return
    yield from root.value if isinstance(root.value, list) else [root]


def json_lines(text: str) -> Iterator[Node]:
    """The alerts of a text that has one JSON object a line; a fault has that line's number."""
    for number, line in enumerate(text.splitlines(), 1):
        yield from json_documents(line, number)


_DOCUMENTS = {".json": json_documents, ".ndjson": json_lines, ".jsonl": json_lines}


def _json_value(source: _Json, tree: _Tree) -> None:
    """One value; the depth of the recursion is the tree's, which is bounded."""
    first = source.look()
    line = source.line
    if first not in ("{", "["):
        tree.scalar(source.scalar(), line)
        return
    source.take(first)
    last = "}" if first == "{" else "]"
    tree.begin({} if first == "{" else [], line)
    while source.look() != last:
        if first == "{":
            if source.look() != '"':
                raise _refuse("FORM_NOT_JSON", "a field's name in double quotes is missing here", source.line)
            tree.scalar(source.scalar(), source.line)
            source.take(":")
            source.look()
        _json_value(source, tree)
        if source.look() != ",":
            break
        source.take(",")
    source.take(last)
    tree.end()
