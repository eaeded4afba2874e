"""The demo's parts for what comes after publication, without a network: a state away, marks, commands' words."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from manara.demo import asking, marks
from manara.demo.away import Away
from manara.demo.report import Committed
from manara.deployment.home import settings_file
from manara.errors import ManaraError

ROOT = Path(__file__).parents[2]


class Switches:
    """A network that notes what is switched."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.draft = SimpleNamespace(members={"MA": None, "TR": None})

    def switch_off(self, member: str) -> None:
        """Note it."""
        self.said.append(f"off {member}")

    def switch_on(self, member: str) -> None:
        """Note it."""
        self.said.append(f"on {member}")


def away(switches: Switches, member: str = "MA") -> Away:
    """One state of that network, by a clock that ticks once a look."""
    ticks = itertools.count(100)
    return Away(cast("Any", switches), member, lambda: next(ticks))


def test_caught_up_is_what_was_admitted_while_it_was_off() -> None:
    """Not before, not after, not at others; rows are counted after its process has ended."""
    switches = Switches()
    one = away(switches)
    one.switch_off(lambda: {"MA": len(switches.said)})  # at 100
    one.switch_on({"MA": 1})  # at 101
    assert switches.said == ["off MA", "on MA"]
    rows = [Committed(member, "az-police", str(at), 1, 0, at) for member in ("MA", "TR") for at in (99, 100, 101)]
    assert one.caught_up(rows) == {"MA": 1}
    assert one.caught_up([]) == {"MA": 0}


def test_rows_that_nobody_brought_are_an_error() -> None:
    """A database that grows while its edge is off was not off."""
    one = away(Switches())
    one.switch_off(lambda: {"MA": 1})
    with pytest.raises(ManaraError, match="MA went from 1 to 2"):
        one.switch_on({"MA": 2})


def test_a_story_without_that_state_switches_nothing() -> None:
    """Its directory decides."""
    switches = Switches()
    one = away(switches, "XX")
    one.switch_off(dict)
    one.switch_on({})
    assert (one.members, one.caught_up([]), switches.said) == (frozenset(), {}, [])


def test_a_mark_is_found_in_every_file_below_a_folder_however_deep(tmp_path: Path) -> None:
    """As its bytes, in text or not; other marks are not."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "inbox.db-wal").write_bytes(b"\0\xff3f9c\0")
    (tmp_path / "clean").write_bytes(b"\0\xff3f9d\0")
    found = marks.places("3f9c", {}, {"AZ": tmp_path})
    assert found == {("AZ", str(tmp_path / "deep" / "er" / "inbox.db-wal"))}
    assert marks.places("77aa", {}, {"AZ": tmp_path}) == set()


def test_holders_are_counted_by_database_and_files_of_each_member() -> None:
    """However many tables and files hold it."""
    assert marks.holders({("AZ", "alerts"), ("AZ", "waypoints"), ("AZ", "/a"), ("TR", "/b"), ("TR", "/c")}) == 3


def test_a_command_that_fails_is_said_in_its_own_words(tmp_path: Path) -> None:
    """Problem and remedy as the party would have read them."""
    settings_file(tmp_path).write_text(f'agency = "az-customs"\nfolder = "{tmp_path}"\n', "utf-8")
    with pytest.raises(ManaraError, match=r"withdraw.*no-such-alert") as caught:
        asking.said(tmp_path, "withdraw", "no-such-alert", "--send")
    assert caught.value.remedy


def test_a_command_may_end_with_the_codes_that_are_expected(tmp_path: Path) -> None:
    """And its JSON document is read."""
    settings_file(tmp_path).write_text(f'agency = "az-customs"\nfolder = "{tmp_path}"\n', "utf-8")
    assert asking.document(tmp_path, "status", "--outstanding")["outstanding"] == []


def test_the_example_to_try_checks_clean(tmp_path: Path) -> None:
    """What is printed to be published has no error in it."""
    settings_file(tmp_path).write_text(f'agency = "tr-customs"\nfolder = "{tmp_path}"\n', "utf-8")
    said = asking.said(tmp_path, "check", str(ROOT / "deploy" / "demo" / "example-route.yaml"))
    assert "no errors" in said
