"""The inbox: what is committed together, what is known already, and cursors that cannot lie."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.entry import START, Cursor
from consumers.inbox import Inbox, Position, read_headers, write_headers
from consumers.judging import CURABLE, Accepted
from consumers.receipts import CURSOR
from tests.support.alerts import Author, person
from tests.support.directories import NOW, network
from tests.support.entries import accepted, alerts, filled, mixture, notice, refused, sent

PLACE = ("feeds.v1.az.person", 0)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """An empty inbox."""
    return Inbox.open(tmp_path)


def test_rows_and_positions_are_committed_together(inbox: Inbox, tmp_path: Path) -> None:
    """Another process sees both or neither."""
    inbox.take(alerts(3), positions={PLACE: Position("aa", 3)}, now=NOW)
    other = Inbox.open(tmp_path)
    assert [entry.number for entry in other.after(0, 10)] == [1, 2, 3]
    assert other.positions() == {PLACE: Position("aa", 3)}


def test_a_failure_in_the_middle_leaves_nothing(inbox: Inbox) -> None:
    """A crash between two statements is no different from one before both."""
    bad = alerts(2)
    broken = [bad[0], bad[1]._replace(arrival=replace(bad[1].arrival, digest="not hex"))]
    with pytest.raises(ValueError, match="hex"):
        inbox.take(broken, positions={PLACE: Position("aa", 3)}, now=NOW)
    assert inbox.positions() == {}
    assert inbox.after(0, 9) == []


def test_what_is_known_is_counted_and_silent(inbox: Inbox) -> None:
    """A replay of the whole feed has no effect but on the count."""
    made = mixture(6)
    first = inbox.take(made, now=NOW)
    again = inbox.take([*made, *made], now=NOW + 1)
    assert (first.new, first.again) == (7, 0)
    assert (again.new, again.again) == (0, 14)
    assert [entry.received_at for entry in inbox.after(0, 10)] == [NOW] * 7


def test_the_same_id_of_another_agency_is_another_alert(inbox: Inbox) -> None:
    """Identity is (agency, alert id)."""
    one = accepted(sent(Author.of("az-police").seal(person("az-police"))))
    other = accepted(sent(Author.of("eg-police").seal(person("eg-police"))))
    assert one.arrival.alert_id == other.arrival.alert_id
    assert inbox.take([one, other], now=NOW).new == 2


@pytest.mark.parametrize("same_batch", [True, False])
def test_other_content_under_a_known_version_is_equivocation(inbox: Inbox, same_batch: bool) -> None:
    """The first one stands; the second is refused, and its bytes are kept."""
    author, record = Author.of("az-police"), person("az-police")
    one = accepted(sent(author.seal(record), offset=0))
    other = accepted(sent(author.seal({**record, "description": "Another one."}), offset=1))
    if same_batch:
        taken = inbox.take([one, other], now=NOW)
    else:
        inbox.take([one], now=NOW)
        taken = inbox.take([other], now=NOW)
    assert [bad.reason for bad in taken.refused] == ["EQUIVOCATION"]
    assert [entry.digest for entry in inbox.after(0, 9)] == [one.arrival.digest]
    assert inbox.db.execute("select reason, value from refused").fetchall() == [("EQUIVOCATION", other.message.value)]


def test_a_notice_cannot_take_an_alerts_place(inbox: Inbox) -> None:
    """A hub that says "no longer addressed" first does not make the alert vanish."""
    author, record = Author.of("az-police"), person("az-police")
    early = accepted(notice("az-police", record["header"]["alert_id"], 1))
    alert = accepted(sent(author.seal(record)))
    assert inbox.take([early, alert], now=NOW).new == 2


def test_what_is_refused_is_kept_with_its_bytes_once(inbox: Inbox) -> None:
    """Read again after a topic was made anew, it is not kept twice."""
    bad = refused(sent(Author.of("az-police").write())._replace(value=b"\x00garbage"))
    inbox.take([], [bad], now=NOW)
    inbox.take([], [bad], now=NOW)
    rows: list[Any] = inbox.db.execute("select reason, topic, offset, key, value, headers from refused").fetchall()
    assert len(rows) == 1
    assert rows[0][:5] == (bad.reason, bad.message.topic, bad.message.offset, bad.message.key, bad.message.value)
    assert read_headers(rows[0][5]) == bad.message.headers


def test_what_a_new_directory_makes_good_is_taken_after_all(inbox: Inbox) -> None:
    """An alert may overtake the directory that knows its key: it must not be lost."""
    alert = sent(Author.of("az-police").write())
    early = network(keys={"az-police": None}).directory
    inbox.take([], [refused(alert, directory=early)], now=NOW)
    ((number, kept),) = inbox.unsettled(CURABLE)
    assert kept == alert
    inbox.take([accepted(kept)], settled=[number], now=NOW)
    assert inbox.unsettled(CURABLE) == []
    assert len(inbox.after(0, 9)) == 1


def test_a_cursor_of_another_history_is_not_held(tmp_path: Path) -> None:
    """Two inboxes filled in another order have the same numbers and other chains."""
    made = alerts(4)
    one, other = filled(tmp_path / "one", made), filled(tmp_path / "other", [*made[1:], made[0]])
    cursors = [entry.cursor for entry in one.after(0, 9)]
    assert all(one.holds(cursor) for cursor in [START, *cursors])
    assert not any(other.holds(cursor) for cursor in cursors)
    assert not one.holds(Cursor(99, b"x"))


@given(st.lists(st.integers(0, 7), max_size=30), st.lists(st.integers(1, 5), max_size=10))
def test_any_replay_in_any_batches_holds_each_alert_once_in_first_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], sizes: list[int]
) -> None:
    """Deduplication is by identity, whatever comes how often and in which batches; numbers have no gaps."""
    made = alerts(8)
    with Inbox.open(tmp_path_factory.mktemp("inbox")) as inbox:
        queue, new, again = [made[index] for index in order], 0, 0
        for size in [*sizes, max(len(queue), 1)]:
            batch: list[Accepted] = queue[:size]
            queue = queue[size:]
            taken = inbox.take(batch, now=NOW)
            new, again = new + taken.new, again + taken.again
        found = inbox.after(0, 100)
        assert [entry.number for entry in found] == list(range(1, len(set(order)) + 1))
        assert [entry.digest for entry in found] == [made[index].arrival.digest for index in dict.fromkeys(order)]
        assert (new, again) == (len(set(order)), len(order) - len(set(order)))


def test_each_inbox_has_an_id_of_its_own_that_lasts(tmp_path: Path) -> None:
    """Sinks know an inbox by it."""
    first = Inbox.open(tmp_path / "a").id
    assert Inbox.open(tmp_path / "a").id == first
    assert Inbox.open(tmp_path / "b").id != first


def test_a_message_that_comes_again_wants_its_receipt_again(inbox: Inbox) -> None:
    """Our receipt may have been lost with a cluster; one that is still to come anyway is not asked for."""
    made = alerts(2)
    inbox.take(made, now=NOW)
    inbox.put_meta({CURSOR: 1})
    inbox.take(made, now=NOW)
    assert inbox.db.execute("select number, stage from due_receipts").fetchall() == [(1, "STORED")]


def test_entries_are_found_by_the_beginning_of_an_id(inbox: Inbox) -> None:
    """People do not type 36 letters."""
    made = alerts(3)
    inbox.take(made, now=NOW)
    whole = made[1].arrival.alert_id
    assert [entry.alert_id for entry in inbox.find(whole)] == [whole]
    assert len(inbox.find(whole[:8])) == 3
    assert inbox.find(whole, "eg-police") == []


@given(st.lists(st.tuples(st.text(), st.none() | st.binary())))
def test_headers_come_back_as_they_were(headers: list[tuple[str, bytes | None]]) -> None:
    """Evidence is kept to the byte."""
    assert read_headers(write_headers(headers)) == tuple(headers)


def test_many_may_open_a_new_inbox_at_once(tmp_path: Path) -> None:
    """The edge makes it while a desk already looks; all see one and the same."""
    with ThreadPoolExecutor(4) as pool:
        for number in range(20):
            folder = tmp_path / str(number)
            ids = list(pool.map(lambda _, folder=folder: Inbox.open(folder).id, range(4)))
            assert len(set(ids)) == 1
