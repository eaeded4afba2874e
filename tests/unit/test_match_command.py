"""`manara match`: two names or two alert files, explained in words; no match by emptiness."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.agency import wanted
from tests.unit.test_agency_commands import Run, run  # noqa: F401 - a fixture


def person(folder: Path, file: str, **changes: Any) -> str:
    """An alert file about a person."""
    (folder / file).write_text(yaml.safe_dump({"kind": "person", **wanted(**changes)}, allow_unicode=True))
    return file


def test_two_names_in_two_scripts_are_explained(run: Run) -> None:  # noqa: F811
    """Which parts agree, how rare they are; the same whichever comes first."""
    said = run("match", "Юсуф Абдулкаримов", "Yusuf Abdulkarimov")
    assert said.code == 0
    assert said.out.startswith(("strong", "probable", "possible")), said.out
    one, other = (
        json.loads(run("match", *pair, "--json").out) for pair in (("Ali Reza", "Reza Ali"), ("Reza Ali", "Ali Reza"))
    )
    assert one["score"] == other["score"]
    assert one["evidence"]


def test_unlike_names_are_none_and_say_what_speaks_against(run: Run) -> None:  # noqa: F811
    """Exit code 0: to differ is no failure."""
    said = run("match", "Tural Guliyev", "Maria Gonzalez")
    assert (said.code, said.out.startswith("none")) == (0, True)
    assert len(said.out.splitlines()) > 1


@pytest.mark.parametrize("text", ["", " ", "X", "\u200f", "\u0301"])
def test_an_empty_name_matches_nothing_not_even_itself(run: Run, text: str) -> None:  # noqa: F811
    """No match by emptiness."""
    assert json.loads(run("match", text, text, "--json").out)["band"] == "NONE"


def test_two_alert_files_are_compared_with_births_states_and_numbers(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """A strong number that both carry is said first; where the only persons have other names it is doubted."""
    passport = [{"type": "PASSPORT", "value": "C01234567", "country": "AZ"}]
    a = person(tmp_path, "a.yaml", names=["Tural Guliyev"], identifiers=passport)
    b = person(tmp_path, "b.yaml", names=["Maria Gonzalez"], births=["1951-01-01"], identifiers=passport)
    c = person(tmp_path, "c.yaml", names=["Туралъ Гулиев"], births=["1984-05"], identifiers=passport)
    strong, doubted = (json.loads(run("match", a, other, "--json").out) for other in (c, b))
    assert (strong["band"], strong["identifiers"]) == ("STRONG", ["id:document:C01234567"])
    assert strong["evidence"][0].startswith("the same document C01234567")
    assert (doubted["band"], doubted["evidence"][1].startswith("against: the names do not agree")) == ("PROBABLE", True)


def test_a_number_given_by_two_states_is_two_numbers(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """As the hub judges it."""
    files = [
        person(tmp_path, f"{state}.yaml", identifiers=[{"type": "PASSPORT", "value": "C01234567", "country": state}])
        for state in ("AZ", "TR")
    ]
    assert json.loads(run("match", *files, "--json").out)["identifiers"] == []


ROUTE = {
    "kind": "route",
    "conveyances": [{"type": "TRUCK", "identifier": {"type": "PLATE", "value": "34 ABC 123", "country": "TR"}}],
    "consignments": [{"description": "tiles", "container": "CSQU 305438 3"}],
    "persons": [{"name": "Kenan Invented", "identifiers": [{"type": "PASSPORT", "value": "C01234567"}]}],
}
TRANSFER = {
    "kind": "transfer",
    "transfers": [{"from": {"account": "TR33 0006 1005 1978 6457 8413 26"}, "to": {"account": "7", "country": "TR"}}],
    "subjects": [{"name": "Kenan Invented", "birth_date": "1980"}],
}


@pytest.mark.parametrize(
    ("alert", "numbers"), [(ROUTE, ["container", "document", "plate"]), (TRANSFER, ["iban"])], ids=["route", "transfer"]
)
def test_alerts_of_other_kinds_are_compared_by_what_they_name(
    run: Run,  # noqa: F811
    tmp_path: Path,
    alert: dict[str, Any],
    numbers: list[str],
) -> None:
    """Their numbers and their persons, also with an alert about a person; the road is said to be left out."""
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(alert))
    same = run("match", "a.yaml", "a.yaml", "--json")
    assert [token.split(":")[1] for token in json.loads(same.out)["identifiers"]] == numbers
    assert ("the road is the hub's to compare" in same.err) == (alert is ROUTE)
    assert json.loads(run("match", "a.yaml", "Kenan Invented", "--json").out)["band"] != "NONE"
    assert json.loads(run("match", "a.yaml", "Zzyzx Qwerty", "--json").out)["band"] == "NONE"


def test_what_cannot_be_compared_is_said(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """No such file, two alerts in one, no kind: exit code 2 with what to do."""
    a = person(tmp_path, "a.yaml")
    (tmp_path / "two.yaml").write_text(f"{(tmp_path / a).read_text()}---\n{(tmp_path / a).read_text()}")
    (tmp_path / "nothing.yaml").write_text("names: [A B]\n")
    for file in ("gone.yaml", "two.yaml", "nothing.yaml"):
        said = run("match", a, file)
        assert (said.code, "what to do:" in said.err) == (2, True), file
