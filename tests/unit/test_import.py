"""Import: any table in any usual encoding becomes alerts; what cannot is in the reject file; a second time adds
nothing.
"""

# Over 400 lines because formats, encodings, mappings and reject files are tested through the same small tables.
from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import reading
from producers.commands.templates import template
from producers.composing import Author, Draft
from producers.errors import AuthorError, FaultyError
from producers.importing import encodings, tables
from producers.importing.job import Import, Rejected, Ways
from producers.importing.mapping import TableMap, load_map, read_map
from producers.importing.rejects import COLUMNS, RejectFile
from producers.importing.tables import How, open_table
from producers.nodes import from_python
from producers.outbox import BULK, Outbox
from tests.support.agency import WANTED
from tests.support.alerts import alert_id
from tests.support.directories import NOW, key_of, network

AGENCY = "az-police"
FIXED = {
    name: WANTED[name] for name in ("category", "status", "action", "crimes", "legal_basis", "handling", "evaluation")
}
FIELDS: dict[str, Any] = {"national_ref": "ref", "names[0].full": "name", "births[0].date": "born", "narrative": "note"}
MAP = {
    "kind": "person",
    "audience": "ALL",
    "constants": {**FIXED, "expires_at": "+90d", "nationalities": ["AZ"]},
    "fields": FIELDS,
}
HEAD = ["ref", "name", "born", "note"]
NAMES = {
    "cp1251": ["Иван Петров", "Ольга Кузнецова", "Алёна Шмелёва"],
    "cp1256": ["محمد عبد الله", "فاطمة الزهراء", "يوسف بن علي"],
    "cp1254": ["Gülşah Yıldız", "İbrahim Çağlar", "Şükrü Öğüt"],
    "cp1252": ["José Muñoz", "Zoë Lefèvre", "François Müller"],
    "koi8-r": ["Иван Петров", "Ольга Кузнецова", "Пётр Чайковский"],
}


def table_map(**changes: Any) -> TableMap:
    """`MAP` with other sections."""
    return read_map(from_python({**MAP, **changes}))


def rows_of(names: Sequence[str]) -> list[list[str]]:
    """A table with these names."""
    return [HEAD, *([f"R-{n}", name, "1984-05", "Invented."] for n, name in enumerate(names, 1))]


def written(path: Path, rows: Sequence[Sequence[str]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    """A CSV file."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def run(path: Path, mapping: TableMap, outbox: Outbox | None = None, *, send: bool = False) -> tuple[Import, list[Any]]:
    """Go through a table; with `send` into the outbox."""
    ids = iter(range(1, 1_000_000))
    accept = (
        (lambda drafts: outbox.accept(drafts, key_of(AGENCY), partition=BULK, now=NOW)) if send and outbox else None
    )
    ways = Ways(lambda: NOW, lambda: alert_id(next(ids)), accept)
    job = Import(open_table(path, mapping.how), mapping, Author.of(AGENCY), outbox, network().directory, ways)
    return job, list(job.run())


def full_names(results: Sequence[Any]) -> list[str]:
    """The first name of each draft."""
    return [result.record["names"][0]["full"] for result in results if isinstance(result, Draft)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", *NAMES])
def test_a_table_in_any_usual_encoding_is_read_right_and_a_guess_is_said(tmp_path: Path, encoding: str) -> None:
    """The names come out as they went in; where nothing in the file says the encoding, a sentence does."""
    names = NAMES.get(encoding, NAMES["cp1251"])
    path = written(tmp_path / "people.csv", rows_of(names), encoding)
    job, results = run(path, table_map())
    assert full_names(results) == names
    assert bool(job.table.assumed) == (encoding in NAMES or encoding.startswith("utf-16-"))
    if encoding in NAMES:
        assert encoding.removeprefix("cp") in job.table.assumed[0].lower().replace("windows-", "")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    """Also where cells hold the other ones."""
    rows = rows_of(["A; B, C", "D|E"])
    path = written(tmp_path / "people.csv", rows, delimiter=delimiter)
    assert full_names(run(path, table_map())[1]) == ["A; B, C", "D|E"]


def test_a_workbook_is_read_with_its_dates_and_numbers(tmp_path: Path) -> None:
    """Dates without a midnight, whole numbers without a point, empty rows left out, row numbers as shown."""
    import datetime as dt

    born = dt.datetime(1984, 5, 6)  # noqa: DTZ001 - a spreadsheet's dates have no zone
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (HEAD, [17, "A B", born, "x"], [None] * 4, [18.0, "C", born.replace(year=1990), "y"]):
        sheet.append(row)
    book.save(tmp_path / "people.xlsx")
    _, results = run(tmp_path / "people.xlsx", table_map())
    assert [(d.header["national_ref"], d.record["births"][0]["date"]) for d in results] == [
        ("17", "1984-05-06"),
        ("18", "1990-05-06"),
    ]


def test_nested_ndjson_is_taken_as_it_stands(tmp_path: Path) -> None:
    """Lists and groups inside a line; numbers exactly as written."""
    line = {
        "ref": "T-1",
        "moves": [
            {
                "ref": "a",
                "at": "2026-11-01T00:00:00Z",
                "amount": 12.10,
                "currency": "EUR",
                "from": {"account": "X"},
                "to": {"account": "Y"},
                "channel": "WIRE",
            }
        ],
        "note": "n",
    }
    path = tmp_path / "t.ndjson"
    path.write_text(json.dumps(line) + "\n\n[1]\n{broken\n")
    fixed = {
        **FIXED,
        "category": "STR",
        "action": "ANALYSE",
        "expires_at": "+90d",
        "report_type": "STR",
        "indicators": ["structuring"],
    }
    mapping = table_map(
        kind="transfer", constants=fixed, fields={"national_ref": "ref", "transfers": "moves", "narrative": "note"}
    )
    _, results = run(path, mapping)
    assert results[0].record["transfers"][0]["amount"] == 1210
    assert [result.row.number for result in results[1:]] == [3, 4]


def test_constants_splits_parts_dates_codes_and_appended_items(tmp_path: Path) -> None:
    """The tools of a mapping, all at once."""
    head = ["ref", "name", "other", "born", "sex", "nat", "pass", "alias", "note"]
    rows = [
        head,
        ["1", "A", "Б", "06.05.1984", "Ж", "Морокко Норвегия".replace("Морокко", "Марокко"), "P1", "C; D;", "x"],
        ["2", "E", "", "1984", "М", "AZ", "", "", "y"],
    ]
    fields = {
        **FIELDS,
        "names[1].full": "other",
        "names[1].kind": {"constant": "ALIAS"},
        "names[+]": {"column": "alias", "split": ";", "into": "full", "with": {"kind": "WEAK_ALIAS"}},
        "births[0].date": {"column": "born", "date": ["%d.%m.%Y", "%Y"]},
        "sex": {"column": "sex", "values": {"М": "MALE", "Ж": "FEMALE"}},
        "nationalities": {"column": "nat", "split": " "},
        "identifiers[0].value": "pass",
        "identifiers[0].type": {"constant": "PASSPORT"},
    }
    constants = {name: value for name, value in MAP["constants"].items() if name != "nationalities"}  # type: ignore[attr-defined]
    path = written(tmp_path / "p.csv", rows)
    _, (first, second) = run(path, table_map(fields=fields, constants=constants))
    names = [(name["full"], name["kind"], name["script"]) for name in first.record["names"]]
    assert names == [
        ("A", "BIRTH", "Latn"),
        ("Б", "ALIAS", "Cyrl"),
        ("C", "WEAK_ALIAS", "Latn"),
        ("D", "WEAK_ALIAS", "Latn"),
    ]
    assert (first.record["births"][0]["date"], first.record["sex"]) == ("1984-05-06", "FEMALE")
    assert first.record["nationalities"] == ["MA", "NO"]
    assert first.record["identifiers"] == [{"type": "PASSPORT", "value": "P1", "country": ""}]
    assert [name["full"] for name in second.record["names"]] == ["E"], "an item whose cells are empty is left out"
    assert second.record["identifiers"] == []
    assert second.record["births"][0]["date"] == "1984"


def test_places_in_one_cell_become_waypoints(tmp_path: Path) -> None:
    """Cut by one separator into items and by another into fields; empty parts stay empty."""
    rows = [
        ["places", "note"],
        ["Mersin|TR|TRMER|36.8|34.6|ORIGIN > Port Said|EG||||BORDER", "x"],
        ["a|b|c|d|e|f|g", "y"],
    ]
    spec = {"column": "places", "split": ">", "parts": "|", "into": ["name", "country", "code", "lat", "lon", "role"]}
    fixed = {
        **FIXED,
        "category": "TRF",
        "action": "DISCREET_CHECK",
        "expires_at": "+90d",
        "commodity": "x",
        "modes": ["SEA"],
    }
    mapping = table_map(kind="route", constants=fixed, fields={"waypoints": spec, "narrative": "note"})
    _, (first, second) = run(written(tmp_path / "r.csv", rows, delimiter=";"), mapping)
    assert isinstance(first, Draft), first
    assert [(p["name"], p["country"], p["code_type"], p["lat"]) for p in first.record["waypoints"]] == [
        ("Mersin", "TR", "LOCODE", 36.8),
        ("Port Said", "EG", "NONE", None),
    ]
    assert [fault.rule for fault in second.faults] == ["MAP_PARTS"]


def test_the_audience_may_come_from_columns(tmp_path: Path) -> None:
    """A mode and a list of members, row by row."""
    rows = [
        [*HEAD, "to", "who"],
        ["1", "A", "1984", "n", "ALL", ""],
        ["2", "B", "1984", "n", "listed", "EG MA"],
        ["3", "C", "1984", "n", "ALL_BUT", "KZ"],
    ]
    audience = {"mode": "to", "members": {"column": "who", "split": " "}}
    _, results = run(written(tmp_path / "p.csv", rows), table_map(audience=audience))
    seen = [(d.audience["mode"], d.audience["members"]) for d in results]
    assert seen == [("ALL", []), ("LISTED", ["EG", "MA"]), ("ALL_BUT", ["KZ"])]


def test_a_bad_row_is_rejected_with_row_column_value_and_reason_and_the_others_go_on(tmp_path: Path) -> None:
    """The reject file has only the bad rows, can be corrected, and is imported by the same mapping."""
    rows = rows_of(["Good One", "Bad Date", "", "Formula", "Good Two"])
    rows[2][2], rows[4][2] = "31.02.1990", "=cmd()"
    path = written(tmp_path / "p.csv", rows)
    outbox = Outbox.open(tmp_path, AGENCY)
    job, results = run(path, table_map(), outbox, send=True)
    bad = [result for result in results if isinstance(result, Rejected)]
    with RejectFile(tmp_path / "bad.csv", job.table) as file:
        for one in bad:
            file.add(one)
    assert (job.tally.rows, job.tally.accepted, job.tally.rejected) == (5, 2, 3)
    with (tmp_path / "bad.csv").open(encoding="utf-8-sig", newline="") as lines:
        found = list(csv.DictReader(lines))
    assert [(row[COLUMNS[0]], row[COLUMNS[1]], row[COLUMNS[2]]) for row in found][:2] == [
        ("3", "born", "31.02.1990"),
        ("4", "name", ""),
    ]
    assert all(row[COLUMNS[3]] for row in found)
    assert found[2][COLUMNS[1]] == "born"
    assert found[2][COLUMNS[2]].startswith("'="), "a spreadsheet must not take a note for a formula"
    assert (tmp_path / "bad.csv").stat().st_mode & 0o077 == 0
    for row, name, born in zip(found, ("Bad Date", "Third", "Fourth"), ("1990-02-28", "1984", "1984"), strict=True):
        row |= {"name": name, "born": born}
    corrected = [list(found[0]), *(list(row.values()) for row in found)]
    job, _ = run(written(tmp_path / "again.csv", corrected), table_map(), outbox, send=True)
    assert (job.tally.accepted, job.tally.rejected) == (3, 0)
    outbox.close()


def test_a_row_with_more_cells_than_the_header_is_rejected(tmp_path: Path) -> None:
    """A delimiter in a cell without quotes would else move every value one to the left."""
    path = tmp_path / "p.csv"
    path.write_text("ref,name,born,note\n1,Petrov, Ivan,1984,x\n2,B,1984,y\n")
    _, results = run(path, table_map())
    assert [fault.rule for fault in results[0].faults] == ["ROW_UNREADABLE"]
    assert full_names(results) == ["B"]


def test_importing_the_same_file_again_adds_nothing_and_new_rows_go_in(tmp_path: Path) -> None:
    """By content: rows before it, another order of columns and a changed mapping do not make a row new; equal rows
    count.
    """
    outbox = Outbox.open(tmp_path, AGENCY)
    rows = rows_of(["A", "B", "B"])
    rows[3] = rows[2]
    path = written(tmp_path / "p.csv", rows)
    job, _ = run(path, table_map(), outbox, send=True)
    assert job.tally.accepted == 3
    job, _ = run(path, table_map(), outbox, send=True)
    assert (job.tally.accepted, job.tally.again) == (0, 3)
    moved = [[row[3], row[0], row[1], row[2]] for row in [rows[0], ["R-0", "New", "1984", "n"], *rows[1:]]]
    job, _ = run(written(tmp_path / "q.csv", moved, "utf-16"), table_map(), outbox, send=True)
    assert (job.tally.accepted, job.tally.again) == (1, 3)
    outbox.close()


def test_a_dry_run_adds_nothing(tmp_path: Path) -> None:
    """It counts."""
    outbox = Outbox.open(tmp_path, AGENCY)
    job, _ = run(written(tmp_path / "p.csv", rows_of(["A"])), table_map(), outbox)
    assert (job.tally.good, job.tally.accepted, outbox.waiting()) == (1, 0, (0, 0))
    outbox.close()


def test_unknown_columns_are_all_named_with_the_nearest_that_exist(tmp_path: Path) -> None:
    """Before a single row is read."""
    table = open_table(written(tmp_path / "p.csv", [["Ref", "name", "birn", "extra"], ["1", "2", "3", "4"]]), How())
    mapping = table_map()
    found = {fault.value: fault.remedy for fault in mapping.faults_with(table.columns)}
    assert found["ref"] == "did you mean `Ref`?" or "Ref" in found["ref"]
    assert found["born"] == "did you mean `birn`?"
    assert found.keys() == {"ref", "born", "note"}
    assert mapping.unused(table.columns) == ["Ref", "birn", "extra"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"kind": "vessel"}, "FORM_KIND"),
        ({"fields": {"names[0].fall": "x"}}, "MAP_UNKNOWN_FIELD"),
        ({"fields": {"names.full": "x"}}, "MAP_UNKNOWN_FIELD"),
        ({"fields": {"sex[0]": "x"}}, "MAP_UNKNOWN_FIELD"),
        ({"fields": {"a b": "x"}}, "MAP_UNKNOWN_FIELD"),
        ({"fields": {"sex": {"colum": "x"}}}, "MAP_OPTION"),
        ({"fields": {"sex": {"split": ","}}}, "MAP_SOURCE"),
        ({"fields": {"sex": ["x"]}}, "MAP_SOURCE"),
        ({"fields": {"sex": {"column": "x", "zone": "Mars/Olympus"}}}, "MAP_ZONE"),
        ({"table": {"sheat": "x"}}, "MAP_OPTION"),
        ({"table": {"header": "first"}}, "MAP_OPTION"),
        ({"feelds": {}}, "MAP_SECTION"),
        ({"audience": None}, "FORM_AUDIENCE_MISSING"),
    ],
)
def test_a_wrong_mapping_is_said(changes: dict[str, Any], rule: str) -> None:
    """Each fault by its rule, with a remedy."""
    merged = {name: value for name, value in {**MAP, **changes}.items() if value is not None}
    with pytest.raises(FaultyError) as caught:
        read_map(from_python(merged))
    assert rule in [fault.rule for fault in caught.value.faults]
    assert all(fault.remedy for fault in caught.value.faults)


def test_a_mapping_file_names_file_and_line(tmp_path: Path) -> None:
    """As compilers do."""
    path = tmp_path / "m.yaml"
    path.write_text("kind: person\naudience: ALL\nfields:\n  names[0].fall: x\n")
    with pytest.raises(FaultyError) as caught:
        load_map(path)
    assert caught.value.faults[0].place == f"{path}:4"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "cannot be read"),
        ("empty.csv", b"\n", "is empty"),
        ("twice.csv", b"a,a\n1,2\n", "two columns called a"),
        ("book.xlsx", b"not a workbook", "not a workbook"),
        ("old.xls", b"x", "not read"),
        ("lines.ndjson", b"[1]\n", "no JSON object"),
    ],
)
def test_a_file_that_is_no_table_is_a_sentence(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    """With what to do."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(AuthorError, match=said) as caught:
        open_table(tmp_path / name, How())
    assert caught.value.remedy


def test_a_wrong_encoding_or_sheet_is_a_sentence(tmp_path: Path) -> None:
    """The line that is not in it, the sheets that there are."""
    path = written(tmp_path / "p.csv", rows_of(["Иван"]), "cp1251")
    with pytest.raises(AuthorError, match="line 2 is not utf-8"):
        open_table(path, How(encoding="utf-8"))
    with pytest.raises(AuthorError, match="no encoding called"):
        open_table(path, How(encoding="cp99999"))
    openpyxl.Workbook().save(tmp_path / "b.xlsx")
    with pytest.raises(AuthorError, match="no sheet called 'x'"):
        open_table(tmp_path / "b.xlsx", How(sheet="x"))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_guess_fall_over(data: bytes) -> None:
    """Whatever it is, it decodes by what was guessed, or is the claim of a mark."""
    guessed = encodings.guess(data)
    try:
        data.decode(guessed.name)
    except UnicodeDecodeError:
        assert guessed.name in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.text(max_size=5)), max_size=5))
def test_a_rows_key_does_not_depend_on_the_order_of_columns(cells: list[dict[str, str]]) -> None:
    """Nor on cells that are empty."""
    for row in cells:
        nodes = from_python(row).value
        assert isinstance(nodes, dict)
        turned = dict(reversed(nodes.items()))
        assert tables.canonical(tables.Row(1, nodes)) == tables.canonical(
            tables.Row(9, {**turned, "z": from_python("")})
        )


def test_the_template_of_a_mapping_reads_a_table(tmp_path: Path) -> None:
    """A row with every column comes out whole."""
    (node,) = reading.yaml_documents(template("map"))
    mapping = read_map(node)
    row = {
        "ref": "1", "decision": "D-1", "decided": "01.10.2026", "remark": "x", "name": "A B", "native_name": "Б",
        "aliases": "C; D", "born": "05.1984", "sex": "f", "nationality": "Morocco, AZ", "passport": "P1",
        "seen": "Baku|AZ|2026-10 > Tbilisi|GE", "row": "1", "clerk": "x",
    }  # fmt: skip
    job, (found,) = run(written(tmp_path / "p.csv", [list(row), list(row.values())]), mapping)
    assert isinstance(found, Draft), found
    assert [name["full"] for name in found.record["names"]] == ["A B", "Б", "C", "D"]
    assert (found.record["births"][0]["date"], found.record["nationalities"]) == ("1984-05", ["MA", "AZ"])
    assert [seen["place"] for seen in found.record["last_seen"]] == ["Baku", "Tbilisi"]
    assert mapping.unused(job.table.columns) == []


def test_the_example_in_the_documentation_of_mappings_is_a_mapping() -> None:
    """What stands there works."""
    from producers.importing import mapping

    text = (mapping.__doc__ or "").split("\n\n", 1)[1]
    lines = [line.removeprefix("    ") for line in text.splitlines()]
    (node,) = reading.yaml_documents("\n".join(lines))
    found = read_map(node)
    assert {path for _, path in found.columns()} >= {"national_ref", "names[0].full"}
