"""The demo's count of matches can fail: what is missing, what nobody expected, what only one side was told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import apsw
import pytest

from manara.demo import outboxes
from manara.demo.matches import Match, Matches, read_matches
from manara.demo.outboxes import Side
from manara.errors import InputError

STORY = Path(__file__).parents[2] / "deploy" / "demo"
LINKS = "CREATE TABLE links (link_id, alert_id, state); CREATE TABLE messages (alert_id, national_ref);"


class Outboxes:
    """Outboxes of agencies in a folder, with what the hub offered them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def offered(self, link: str, *sides: Side) -> None:
        """A match that these authors were told of."""
        for side in sides:
            home = self.folder / side.agency
            home.mkdir(exist_ok=True)
            db = apsw.Connection(str(home / "outbox.db"))
            if not list(db.execute("SELECT 1 FROM sqlite_master")):
                db.execute(LINKS)
            db.execute("INSERT INTO links VALUES (?, ?, 'OFFERED')", (link, f"id of {side.national_ref}"))
            db.execute("INSERT INTO messages VALUES (?, ?)", (f"id of {side.national_ref}", side.national_ref))
            db.close()

    def judged(self) -> tuple[int, int, int]:
        """(expected, found, false) as the demo counts them."""
        matches = read_matches(STORY / "links" / "matches.csv")
        home = SimpleNamespace(agency=self.folder.joinpath)
        agencies = [side.agency for match in matches for side in match.sides]
        network = SimpleNamespace(home=home, draft=SimpleNamespace(agencies=agencies))
        one = Matches(cast("Any", network), STORY, cast("Any", None), cast("Any", None), 1.0)
        one.judge()
        return one.result.expected, one.result.found, one.result.false


@pytest.fixture
def told(tmp_path: Path) -> Outboxes:
    """No agency was told anything yet."""
    return Outboxes(tmp_path)


@pytest.fixture
def wanted() -> list[Match]:
    """What has to be found."""
    return read_matches(STORY / "links" / "matches.csv")


def test_what_every_author_was_told_is_found(told: Outboxes, wanted: list[Match]) -> None:
    """All of them, and nothing else; a second kind of evidence for one picture is not a false one."""
    for match in wanted:
        told.offered(match.name, *match.sides)
    told.offered("again", *wanted[0].sides)
    assert told.judged() == (4, 4, 0)


def test_what_only_one_author_was_told_is_not_found_and_false(told: Outboxes, wanted: list[Match]) -> None:
    """Half an offer helps nobody."""
    told.offered("half", wanted[0].sides[0])
    assert told.judged() == (4, 0, 1)


def test_a_match_between_other_alerts_is_false(told: Outboxes, wanted: list[Match]) -> None:
    """Whoever they are of."""
    told.offered("strange", wanted[0].sides[0], wanted[1].sides[0])
    assert told.judged() == (4, 0, 1)


def test_the_alert_of_a_match_is_found_at_the_agency_that_was_told(told: Outboxes, wanted: list[Match]) -> None:
    """By the link's id."""
    side = wanted[0].sides[0]
    told.offered("known", side)
    assert outboxes.alert_of(told.folder / side.agency, "known") == f"id of {side.national_ref}"
    assert outboxes.alert_of(told.folder / side.agency, "unknown") == ""


def test_a_story_without_matches_to_find_says_where_to_look(tmp_path: Path) -> None:
    """In words."""
    with pytest.raises(InputError, match="matches to be found"):
        read_matches(tmp_path / "matches.csv")
