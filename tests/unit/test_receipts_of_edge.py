"""Receipts: one author a record, 500 at most, never in the name of a key that nobody believes, never lost."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.inbox import Inbox
from consumers.receipts import BATCH, CURSOR, Maker, Stored, batches, mark_sent, unsent, unusable
from schemas import message
from schemas.directory import Directory
from tests.support.directories import DAY, NOW, key_of, network
from tests.support.entries import alerts, filled, mixture

NET = network()


def maker(directory: Directory | None = NET.directory) -> Maker:
    """Makes receipts as edge.az."""
    return Maker("AZ", "postgres", key_of("edge.az"), lambda: directory, lambda: NOW, threading.Event())


def stages(inbox: Inbox) -> list[tuple[str, str, str]]:
    """Author, alert id and stage of every receipt that waits to be sent, verified."""
    found = []
    for waiting in unsent(inbox, 1000):
        headers = [(message.SIG, waiting.sig)]
        _schema, record, key = message.open_record(
            waiting.value, headers, directory=NET.directory, at=NOW, holders=["edge.az"]
        )
        assert (record["issuer"], record["member"], key.holder) == ("edge.az", "AZ", "edge.az")
        found += [(record["agency"], receipt["alert_id"], receipt["stage"]) for receipt in record["receipts"]]
    return found


@given(st.lists(st.sampled_from(["az-police", "eg-police", "kz-fiu"]), max_size=1200))
def test_a_record_never_mixes_authors_nor_holds_more_than_500(authors: list[str]) -> None:
    """Every receipt is in exactly one record."""
    found = [Stored(n, agency, "person", f"id-{n}", 1, "d", "STORED", "") for n, agency in enumerate(authors)]
    made = list(batches(found))
    assert all(len({item.agency for item in batch}) == 1 and len(batch) <= BATCH for batch in made)
    assert sorted(item for batch in made for item in batch) == found


def test_every_alert_that_is_stored_is_receipted_and_no_notice(tmp_path: Path) -> None:
    """Up to the sink's cursor and not beyond."""
    made = mixture(9)
    with filled(tmp_path, made) as inbox:
        maker()(inbox, 6)
        expected = {(one.arrival.agency, one.arrival.alert_id, "STORED") for one in made[:6]}
        assert set(stages(inbox)) == expected
        maker()(inbox, 10)
        assert len(stages(inbox)) == 9


def test_receipts_are_made_again_when_their_cursor_is_behind(tmp_path: Path) -> None:
    """A crash between the sink's commit and the receipt: the next start makes them."""
    with filled(tmp_path, alerts(4)) as inbox:
        maker()(inbox, 2)
    with Inbox.open(tmp_path) as inbox:
        maker()(inbox, 4)
        assert len(stages(inbox)) == 4
        assert inbox.meta(CURSOR) == 4


def test_nothing_is_made_twice_by_asking_twice(tmp_path: Path) -> None:
    """A restart of the sink asks again for what was made."""
    with filled(tmp_path, alerts(4)) as inbox:
        for _ in range(3):
            maker()(inbox, 4)
        assert len(stages(inbox)) == 4


@pytest.mark.parametrize("changes", [None, {"valid_until": NOW}, {"compromised_since": NOW - DAY}])
def test_receipts_wait_for_a_key_that_is_believed(tmp_path: Path, changes: dict[str, int] | None) -> None:
    """The hub would refuse them: they are made when the directory knows the key."""
    with filled(tmp_path, alerts(4)) as inbox:
        edge = maker(network(keys={"edge.az": changes} if changes else {"edge.az": None}).directory)
        edge(inbox, 4)
        assert stages(inbox) == []
        assert edge.problem
        edge.directory = lambda: NET.directory
        edge(inbox, 4)
        assert len(stages(inbox)) == 4
        assert edge.problem == ""


def test_another_holders_key_is_said(tmp_path: Path) -> None:
    """The wrong file in the settings."""
    assert "edge.az" in unusable(NET.directory, "edge.az", key_of("edge.tr"), NOW)
    assert unusable(NET.directory, "edge.az", key_of("edge.az"), NOW) == ""
    assert unusable(None, "edge.az", key_of("edge.az"), NOW)


def test_what_is_acknowledged_is_forgotten_but_not_that_it_was_sent(tmp_path: Path) -> None:
    """The bytes go, the fact stays for `manara show`."""
    with filled(tmp_path, alerts(4)) as inbox:
        maker()(inbox, 4)
        waiting = unsent(inbox, 10)
        mark_sent(inbox, [one.id for one in waiting], NOW + 1, "AZ")
        assert unsent(inbox, 10) == []
        assert inbox.db.execute(
            "select count(*), max(sent_at) from receipt_batches join receipt_items on id = batch"
        ).fetchone() == (4, NOW + 1)


def test_more_than_one_transactions_worth_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long absence the cursor has far to go."""
    monkeypatch.setattr("consumers.receipts.AT_ONCE", 3)
    with filled(tmp_path, alerts(10)) as inbox:
        maker()(inbox, 10)
        assert len(stages(inbox)) == 10
