"""The demo's committed expectations, recomputed from the agencies' committed files by code that shares nothing with
the script that made them: other readers, and the hub's own policy.
"""

from __future__ import annotations

import csv
import json
import runpy
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import openpyxl
import pytest
import yaml

from manara.demo.expectations import CONTENT, NOTICE, PROOF, Delivery, read_expected
from manara.demo.imports import files
from manara.demo.life import MARK
from manara.demo.matches import read_matches
from manara.demo.misbehaviour import AGENCY, GOOD_REF
from manara.directory_file import load_yaml
from manara.errors import InputError
from schemas.audience import Audience, Facts, readers
from schemas.directory import Directory

STORY = Path(__file__).parents[2] / "deploy" / "demo"
DATA = STORY.parents[2] / "shared" / "data"
CSV = {
    "az-police/wanted.csv": ("person", "utf-8", ","),
    "eg-police/wanted.csv": ("person", "utf-8-sig", ","),
    "kz-border/wanted.csv": ("person", "cp1251", ";"),
    "ae-fiu/listed.csv": ("person", "utf-8", "\t"),
    "az-customs/routes.csv": ("route", "utf-8", ","),
    "ma-customs/itineraires.csv": ("route", "utf-16", "\t"),
}
NDJSON = {
    "tr-fiu/listed.ndjson": "person",
    "tr-customs/routes.ndjson": "route",
    "kz-fiu/transfers.ndjson": "transfer",
    "tr-fiu/transfers.ndjson": "transfer",
    "ae-fiu/transfers.ndjson": "transfer",
}
XLSX = {"ma-police/personnes.xlsx": "person", "kz-border/routes.xlsx": "route"}
FRENCH = {"Référence": "ref", "Diffusion": "audience", "États": "members", "TLP": "tlp", "Codes": "codes"}

Row = dict[str, str]


def rows_of_all_files() -> Iterator[tuple[str, str, Row]]:
    """Every row that an agency would import: agency, kind, cells under English names."""
    for name, (kind, encoding, delimiter) in CSV.items():
        with (STORY / name).open(encoding=encoding, newline="") as file:
            yield from ((name.split("/")[0], kind, english(row)) for row in csv.DictReader(file, delimiter=delimiter))
    for name, kind in NDJSON.items():
        lines = (STORY / name).read_text("utf-8").splitlines()
        yield from ((name.split("/")[0], kind, english(json.loads(line))) for line in lines)
    for name, kind in XLSX.items():
        heading, *rows = openpyxl.load_workbook(STORY / name).worksheets[0].iter_rows(values_only=True)
        cells = [dict(zip(map(str, heading), row, strict=True)) for row in rows]
        yield from ((name.split("/")[0], kind, english(row)) for row in cells)


def english(row: Mapping[str, object]) -> Row:
    """The columns that decide who reads, whatever the agency calls them."""
    named = {FRENCH.get(column, column): str(value or "") for column, value in row.items()}
    return {name: named[name] for name in ("ref", "audience", "members", "tlp", "codes")}


def decided(agency: str, kind: str, row: Row, directory: Directory) -> list[Delivery]:
    """The deliveries that the policy makes of a row."""
    facts = Facts(kind, directory.agencies[agency].member, row["tlp"], tuple(sorted(row["codes"].split())))
    found = readers(facts, Audience(row["audience"], tuple(row["members"].split())), directory)
    return [Delivery(agency, row["ref"], kind, member) for member in found.deliver]


@pytest.fixture(scope="module")
def directory() -> Directory:
    """The demo's directory."""
    return load_yaml(STORY / "directory.yaml").directory()


def test_expected_deliveries_are_what_the_policy_decides_about_the_files(directory: Directory) -> None:
    """Row by row, each once: nothing is expected that no file asks for, nothing is left out."""
    wanted = Counter(
        each for agency, kind, row in rows_of_all_files() for each in decided(agency, kind, row, directory)
    )
    good = {"ref": GOOD_REF, "audience": "ALL", "members": "", "tlp": "GREEN", "codes": "H0"}
    wanted.update(decided(AGENCY, "route", good, directory))
    expected = Counter(read_expected(STORY / "expected.csv"))
    assert expected == wanted
    assert max(expected.values()) == 1


def read(path: Path, agency: str, directory: Directory, more: Sequence[str] = ()) -> tuple[Delivery, set[str]]:
    """An alert of this agency in a file: what it leaves at a member (to be completed), and who reads it, with `more`
    members in its audience.
    """
    told = yaml.safe_load(path.read_text("utf-8"))
    audience, handling = told["audience"], told["handling"]
    mode, members = ("ALL", []) if audience == "ALL" else next(iter(audience.items()))
    facts = Facts(told["kind"], agency[:2].upper(), handling["tlp"], tuple(handling["codes"]))
    found = readers(facts, Audience(mode.upper(), (*members, *more)), directory)
    return Delivery(agency, told["national_ref"], told["kind"], ""), set(found.deliver)


def named(name: str, directory: Directory) -> tuple[Delivery, set[str]]:
    """A file of an alert that has a life."""
    return read(STORY / "life" / name, "az-customs", directory)


def test_what_is_left_of_alerts_with_a_life_is_what_policy_and_contract_say(directory: Directory) -> None:
    """An update goes to its readers, a notice to those it leaves out; a withdrawal leaves proofs at all it reached."""
    first, had = named("route.yaml", directory)
    second, have = named("route-updated.yaml", directory)
    gone, knew = named("withdrawn.yaml", directory)
    wanted = [
        *(first._replace(member=member) for member in had),
        *(second._replace(member=member, version=2) for member in have),
        *(second._replace(member=member, version=2, holds=NOTICE) for member in had - have),
        *(gone._replace(member=member, version=version, holds=PROOF) for member in knew for version in (1, 2)),
    ]
    assert Counter(read_expected(STORY / "life" / "expected.csv")) == Counter(wanted)
    assert have < had
    assert first.national_ref == second.national_ref != gone.national_ref
    assert len(knew) >= 3


def test_what_matches_leave_behind_is_what_policy_says(directory: Directory) -> None:
    """Each half goes to its own readers, none of them an author of the other; the shared one to one state more."""
    alerts = {path.stem: read(path, path.stem, directory) for path in (STORY / "links").glob("*.yaml")}
    matches = read_matches(STORY / "links" / "matches.csv")
    wanted = [row._replace(member=member) for row, had in alerts.values() for member in had]
    for one, other in (match.sides for match in matches if match.then == "SHARED"):
        path = STORY / "links" / f"{one.agency}.yaml"
        row, have = read(path, one.agency, directory, [other.agency[:2].upper()])
        wanted += [row._replace(member=member, version=2) for member in have]
        assert len(have) == len(alerts[one.agency][1]) + 1
    assert Counter(read_expected(STORY / "links" / "expected.csv")) == Counter(wanted)
    for match in matches:
        assert {alerts[side.agency][0].national_ref for side in match.sides} == {s.national_ref for s in match.sides}
        authors = {side.agency[:2].upper() for side in match.sides}
        assert len(authors) == len(match.sides)
        assert not any(alerts[side.agency][1] & authors for side in match.sides)


def test_whoever_is_withdrawn_from_can_be_told_by_a_mark_in_every_part_of_the_alert() -> None:
    """In the narrative and in fields that databases keep in columns and tables of their own."""
    told = yaml.safe_load((STORY / "life" / "withdrawn.yaml").read_text("utf-8"))
    assert MARK in told["narrative"][0]["text"]
    assert MARK in told["commodity"]
    assert MARK in told["waypoints"][0]["name"]


def test_an_imported_alert_is_expected_with_its_content() -> None:
    """The columns that only alerts with a life have are not written out a thousand times."""
    assert {row[4:] for row in read_expected(STORY / "expected.csv")} == {(1, CONTENT)}


def test_the_story_has_the_shape_that_it_promises() -> None:
    """At least 300 alerts of eight agencies of six states, of three kinds, and no reference twice."""
    rows = [(agency, kind, row["ref"]) for agency, kind, row in rows_of_all_files()]
    assert len(set(rows)) == len(rows) >= 300
    assert len({agency for agency, _, _ in rows}) >= 8
    assert len({agency[:2] for agency, _, _ in rows}) == 6
    kinds = Counter(kind for _, kind, _ in rows)
    assert (kinds["person"], kinds["route"], kinds["transfer"]) == (124, 112, 72)


def test_some_rows_are_for_few_and_some_members_are_denied_by_clearance(directory: Directory) -> None:
    """A story in which everybody reads everything could not show a leak."""
    alerts = list(rows_of_all_files())
    sizes = Counter(len(decided(agency, kind, row, directory)) for agency, kind, row in alerts)
    assert {2, 3, 5} <= sizes.keys()
    assert {row["audience"] for _, _, row in alerts} == {"ALL", "LISTED", "ALL_BUT"}


def test_every_file_is_imported_with_a_map_and_its_number_of_rows() -> None:
    """What the demo hands to `manara import`, against the files that are there."""
    found = {(file.agency, file.kind): file.rows for file in files(STORY)}
    rows = Counter((agency, kind) for agency, kind, _ in rows_of_all_files())
    assert found == dict(rows)
    assert {f"{file.agency}/{file.path.name}" for file in files(STORY)} == {*CSV, *NDJSON, *XLSX}


def test_expectations_that_are_not_there_are_said_in_words(tmp_path: Path) -> None:
    """A folder without the file, and a file with other columns."""
    with pytest.raises(InputError, match="expectations"):
        read_expected(tmp_path / "expected.csv")
    (tmp_path / "expected.csv").write_text("who,what\n1,2\n", "utf-8")
    with pytest.raises(InputError, match="expectations"):
        read_expected(tmp_path / "expected.csv")


@pytest.mark.skipif(not DATA.is_dir(), reason="the development data are not on this machine")
def test_the_files_come_out_the_same_when_they_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script is seeded: what it writes is what is committed, byte for byte."""
    monkeypatch.setattr(sys, "argv", ["make.py", "--data", str(DATA), "--to", str(tmp_path)])
    runpy.run_path(str(STORY / "make.py"), run_name="__main__")
    made = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) == len(CSV) + len(NDJSON) + len(XLSX) + 1
    for path in made:
        assert (tmp_path / path).read_bytes() == (STORY / path).read_bytes(), path
