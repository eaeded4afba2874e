"""Opens a table, CSV, NDJSON or xlsx, as rows of named cells. What had to be assumed about it is said, never silent."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from producers import reading
from producers.errors import AuthorError, FaultyError
from producers.importing import encodings
from producers.nodes import Node

MOST_BYTES = 1 << 30
_DELIMITERS = ",;\t|"
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SAMPLE_ROWS = 50
_CELL = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number as a spreadsheet shows it (a line's number in NDJSON), cells by column, or why it cannot be
    read.
    """

    number: int
    cells: dict[str, Node]
    broken: str = ""


@dataclass(frozen=True, slots=True)
class How:
    """How to read a table, where the author says so; "" and 0 are for us to find out."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header: int = 1


@dataclass(slots=True)
class Table:
    """An open table. `rows` can be gone through once; `total` is a close estimate for progress, `assumed` what was
    guessed.
    """

    form: str
    columns: list[str]
    rows: Iterator[Row]
    total: int
    assumed: list[str] = field(default_factory=list)
    delimiter: str = ","


def open_table(path: Path, how: How) -> Table:
    """The table in a file, told by its ending. AuthorError says why it cannot be read and what to do."""
    ending = path.suffix.lower()
    if ending in (".xlsx", ".xlsm"):
        return _workbook(path, how)
    if ending in (".xls", ".ods", ".numbers"):
        raise AuthorError(
            f"{path} is a workbook of a kind that is not read.", "Save it as .xlsx or as CSV, and import that."
        )
    text, assumed = _text(path, how)
    if ending in (".ndjson", ".jsonl", ".json"):
        return _lines(path, text, assumed)
    return _separated(path, text, how, assumed)


def _text(path: Path, how: How) -> tuple[str, list[str]]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise AuthorError(
                f"{path} is larger than {MOST_BYTES >> 20} MiB.", "Split it, and import the parts one after another."
            )
        data = path.read_bytes()
    except OSError as error:
        raise AuthorError(
            f"{path} cannot be read: {error.strerror}.", "Check the name, and who may read the file."
        ) from error
    chosen = encodings.Encoding(how.encoding) if how.encoding else encodings.guess(data)
    try:
        text = data.decode(chosen.name)
    except LookupError as error:
        raise AuthorError(
            f"There is no encoding called {chosen.name!r}.", "Name it as in cp1251, cp1256, utf-8 or utf-16."
        ) from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise AuthorError(
            f"{path} line {line} is not {chosen.name}.",
            "Leave the encoding out to have it found, or name the right one.",
        ) from error
    if not text.strip("\ufeff \r\n\t"):
        raise AuthorError(f"{path} is empty.", "Export the table again.")
    return text.removeprefix("\ufeff"), [f"encoding: {chosen.assumed}"] if chosen.assumed else []


def _separated(path: Path, text: str, how: How, assumed: list[str]) -> Table:
    if len(how.delimiter) > 1:
        raise AuthorError(
            f"{how.delimiter!r} is more than one character.", "A delimiter is one character, as in ; or \\t."
        )
    delimiter = how.delimiter or _sniff(text)
    if not how.delimiter and delimiter != ",":
        assumed.append(f"delimiter: taken to be the {_NAMES[delimiter]}")
    csv.field_size_limit(_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    heads = list(islice(reader, how.header))
    columns = _columns(path, heads[-1] if len(heads) == how.header else [])
    return Table("csv", columns, _csv_rows(reader, columns, how.header), text.count("\n"), assumed, delimiter)


def _csv_rows(reader: Iterator[list[str]], columns: Sequence[str], header: int) -> Iterator[Row]:
    number = header
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, {}, f"the row cannot be read: {error}")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        row = {column: _cell(cell) for column, cell in zip(columns, cells, strict=False)}
        extra = len(cells) - len(columns)
        surplus = extra > 0 and any(cell.strip() for cell in cells[len(columns) :])
        yield Row(
            number,
            row,
            f"the row has {extra} cells more than the header: is a delimiter inside a cell without quotes?"
            if surplus
            else "",
        )


def _sniff(text: str) -> str:
    """The delimiter that cuts the first rows into the most columns, the same number in each."""
    sample = "".join(islice(io.StringIO(text), _SAMPLE_ROWS))

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            widths = [len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            return (0.0, 0)
        head = widths[0] if widths else 1
        return (widths.count(head) / len(widths), head) if head > 1 else (0.0, 0)

    return max(_DELIMITERS, key=fit)


def _columns(path: Path, head: Sequence[str]) -> list[str]:
    names = [name.strip() for name in head]
    if not any(names):
        raise AuthorError(
            f"{path} has no row of column names where one is expected.",
            "Say in the mapping which row it is: `table: {header: 3}`.",
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise AuthorError(f"{path} has two columns called {', '.join(twice)}.", "Rename one of them.")
    return names


def _cell(text: str) -> Node:
    stripped = text.strip()
    return Node(stripped or None)


def _lines(path: Path, text: str, assumed: list[str]) -> Table:
    lines = text.splitlines()
    sample = [row for row in islice(_json_rows(lines), 1000) if not row.broken]
    columns = list(dict.fromkeys(name for row in sample for name in row.cells))
    if not columns:
        raise AuthorError(f"{path} holds no JSON object a line.", "NDJSON has one object {...} on each line.")
    return Table("ndjson", columns, _json_rows(lines), len(lines), assumed)


def _json_rows(lines: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = list(reading.json_documents(line))
        except FaultyError as error:
            yield Row(number, {}, error.faults[0].remedy)
            continue
        value = found[0].value if len(found) == 1 else None
        yield Row(number, value, "") if isinstance(value, dict) else Row(number, {}, "the line is not one JSON object")


def _workbook(path: Path, how: How) -> Table:
    import openpyxl  # noqa: PLC0415 - 0.2 s that only workbooks need
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except OSError as error:
        raise AuthorError(
            f"{path} cannot be read: {error.strerror or error}.", "Check the name, and who may read the file."
        ) from error
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise AuthorError(
            f"{path} is not a workbook that can be read.", "Open it in your spreadsheet and save it again as .xlsx."
        ) from error
    names = book.sheetnames
    if how.sheet and how.sheet not in names:
        raise AuthorError(f"{path} has no sheet called {how.sheet!r}.", f"It has: {', '.join(names)}.")
    sheet = book[how.sheet or names[0]]
    assumed = [] if how.sheet or len(names) == 1 else [f"sheet: {names[0]!r}, the first of {len(names)}"]
    found = sheet.iter_rows(values_only=True)
    heads = list(islice(found, how.header))
    columns = _columns(
        path, [str(value) if value is not None else "" for value in (heads[-1] if len(heads) == how.header else ())]
    )
    return Table(
        "xlsx", columns, _sheet_rows(found, columns, how.header), max((sheet.max_row or 1) - how.header, 0), assumed
    )


def _sheet_rows(found: Iterator[tuple[object, ...]], columns: Sequence[str], header: int) -> Iterator[Row]:
    for number, cells in enumerate(found, header + 1):
        row = {column: Node(_written(cell)) for column, cell in zip(columns, cells, strict=False)}
        if any(node.value is not None for node in row.values()):
            yield Row(number, row)


def _written(cell: object) -> str | None:
    """A cell as its reader sees it: dates without a midnight, whole numbers without a point."""
    match cell:
        case None:
            return None
        case bool():
            return "true" if cell else "false"
        case dt.datetime() if (cell.hour, cell.minute, cell.second, cell.microsecond) == (0, 0, 0, 0):
            return cell.date().isoformat()
        case dt.datetime() | dt.date() | dt.time():
            return cell.isoformat()
        case float() if cell.is_integer():
            return str(int(cell))
    return str(cell).strip() or None


def raw(row: Row) -> dict[str, object]:
    """A row's cells as plain values again, for the reject file and for telling rows apart."""
    return {name: plain(node) for name, node in row.cells.items()}


def plain(node: Node) -> object:
    """A node as plain Python."""
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    if isinstance(node.value, dict):
        return {name: plain(item) for name, item in node.value.items()}
    return node.value


def canonical(row: Row) -> str:
    """One text for one content of a row: empty cells do not count, nor does the order of columns."""
    cells = {name: value for name, value in raw(row).items() if name and value not in (None, "")}
    return json.dumps(cells, ensure_ascii=False, sort_keys=True)
