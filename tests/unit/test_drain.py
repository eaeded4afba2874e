"""The drain: retries, what is set aside, dead letters, receipts behind the cursor, and histories that do not match."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from consumers import purging, resending
from consumers.drain import ATTEMPTS, Drain, pause_after
from consumers.entry import START, Cursor, Entry
from consumers.errors import EntryRefusedError, SinkUnavailableError
from consumers.inbox import Inbox
from consumers.receipts import Maker, unsent
from consumers.sinks.contract import Delivered
from manara.errors import InputError
from schemas import message
from tests.support.directories import NOW, key_of, network
from tests.support.entries import alerts, filled, lives


class Memory:
    """A national system in memory, with faults to order: `refuses` numbers, and so many times `absent`."""

    name = "postgres"
    batch_limit = 10

    def __init__(self) -> None:
        self.cursors: dict[str, Cursor] = {}
        self.taken: list[int] = []
        self.refuses: set[int] = set()
        self.absent = 0
        self.inbox = ""
        self.times: list[int] = []

    def open(self, inbox: str) -> Cursor:
        """Where this inbox stands."""
        self._perhaps_absent()
        self.inbox = inbox
        return self.cursors.get(inbox, START)

    def deliver(self, batch: Sequence[Entry], upto: Cursor) -> Delivered:
        """All or nothing."""
        self._perhaps_absent()
        if any(entry.number in self.refuses for entry in batch):
            raise EntryRefusedError("It does not fit.", "Nothing.")
        fresh = [entry.number for entry in batch if entry.number not in self.taken]
        self.taken += fresh
        self.cursors[self.inbox] = upto
        return Delivered(upto, len(fresh))

    def tell_time(self, at: int) -> None:
        """The network's time."""
        self.times.append(at)

    def close(self) -> None:
        """Nothing is held."""

    def _perhaps_absent(self) -> None:
        if self.absent > 0:
            self.absent -= 1
            raise SinkUnavailableError("It is away.", "Wait.")


def run(folder: Path, sink: Memory, done: Callable[[Inbox], bool], *, maker: Maker | None = None) -> None:
    """Drain until the condition holds, with a clock and a chance that make no pauses."""
    stop, time, looks = threading.Event(), [NOW], [0]

    def clock() -> int:
        time[0] += 10_000_000  # ten seconds a look: whatever waits is due
        return time[0]

    def committed(inbox: Inbox, number: int) -> None:
        if maker is not None:
            maker(inbox, number)
        looks[0] += 1
        assert looks[0] < 100, "the drain does not get there"
        if done(inbox):
            stop.set()

    Drain(folder, sink, "AZ", stop, committed, clock=clock, chance=lambda: -1.0).run()


def test_everything_is_delivered_in_order_over_absences(tmp_path: Path) -> None:
    """An absent system costs time alone; nothing is set aside for it."""
    filled(tmp_path, alerts(25))
    sink = Memory()
    sink.absent = 3
    run(tmp_path, sink, lambda _: len(sink.taken) == 25)
    assert sink.taken == list(range(1, 26))
    with Inbox.open(tmp_path) as inbox:
        assert inbox.db.execute("select count(*) from parked").fetchone() == (0,)


def test_an_entry_that_is_refused_holds_up_nobody(tmp_path: Path) -> None:
    """The others go past it, in order; it is tried again, and stored when it can be."""
    filled(tmp_path, alerts(12))
    sink = Memory()
    sink.refuses = {5}

    def cure(inbox: Inbox) -> bool:
        if inbox.db.execute("select max(attempts) from parked").fetchone() == (2,):
            sink.refuses = set()
        return len(sink.taken) == 12

    run(tmp_path, sink, cure)
    assert sorted(sink.taken) == list(range(1, 13))
    assert sink.taken.index(5) > sink.taken.index(6)


def test_an_entry_that_is_refused_for_good_becomes_a_dead_letter(tmp_path: Path) -> None:
    """After so many attempts, with the reason; the receipt says FAILED."""
    filled(tmp_path, alerts(6))
    sink = Memory()
    sink.refuses = {3}
    run(tmp_path, sink, lambda inbox: _dead(inbox) != [], maker=maker())
    with Inbox.open(tmp_path) as inbox:
        assert _dead(inbox) == [("postgres", 3, ATTEMPTS, "It does not fit.")]
        assert sorted(sink.taken) == [1, 2, 4, 5, 6]


def _dead(inbox: Inbox) -> list[tuple[object, ...]]:
    return inbox.db.execute("select sink, number, attempts, reason from dead_letters").fetchall()


def maker(clock: Callable[[], int] = lambda: NOW) -> Maker:
    """Makes receipts as edge.az."""
    return Maker("AZ", "postgres", key_of("edge.az"), lambda: network().directory, clock, threading.Event())


def receipts(inbox: Inbox) -> list[tuple[str, str]]:
    """Stage and alert id in everything that waits to be sent, verified."""
    found = []
    for waiting in unsent(inbox, 100):
        headers = [(message.SIG, waiting.sig)]
        _schema, record, _key = message.open_record(
            waiting.value, headers, directory=network().directory, at=NOW, holders=["edge.az"]
        )
        found += [(receipt["stage"], receipt["alert_id"]) for receipt in record["receipts"]]
    return found


def test_receipts_say_what_was_stored_and_what_never_will_be(tmp_path: Path) -> None:
    """One a stage: STORED for those that went in, FAILED for the dead letter."""
    made = alerts(6)
    filled(tmp_path, made)
    sink = Memory()
    sink.refuses = {3}
    ids = [one.arrival.alert_id for one in made]
    run(tmp_path, sink, lambda inbox: len(receipts(inbox)) == 6, maker=maker())
    with Inbox.open(tmp_path) as inbox:
        assert sorted(receipts(inbox)) == sorted(
            ("FAILED" if index == 2 else "STORED", id_) for index, id_ in enumerate(ids)
        )


def test_a_restored_inbox_is_another_one(tmp_path: Path) -> None:
    """The sink's cursor stands for entries that this inbox never had: everything is delivered, nothing skipped."""
    sink = Memory()
    made = alerts(8)
    filled(tmp_path / "now", made)
    run(tmp_path / "now", sink, lambda _: len(sink.taken) == 8)
    with Inbox.open(tmp_path / "now") as inbox:
        id_ = inbox.id
    restored = filled(tmp_path / "restored", alerts(9, agency="eg-police"))
    restored.put_meta({"id": id_})
    sink.taken.clear()
    run(tmp_path / "restored", sink, lambda _: len(sink.taken) == 9)
    assert restored.id != id_


def test_entries_set_aside_before_a_crash_are_not_tried_in_the_batch(tmp_path: Path) -> None:
    """Killed after the note and before the cursor: the batch goes without it, and so does its receipt."""
    inbox = filled(tmp_path, alerts(4))
    inbox.db.execute("insert into parked values ('postgres', 2, 1, ?, 'x')", (2**60,))
    sink = Memory()
    sink.refuses = {2}
    run(tmp_path, sink, lambda inbox: len(receipts(inbox)) == 3, maker=maker())
    assert sink.taken == [1, 3, 4]


def test_a_damaged_entry_is_never_delivered(tmp_path: Path) -> None:
    """A flipped bit in the inbox: a dead letter, and all others go on."""
    inbox = filled(tmp_path, alerts(5))
    entry = inbox.entry(3)
    assert entry is not None
    flipped = bytes([*entry.value[:-1], entry.value[-1] ^ 1])
    inbox.db.execute("update inbox set value = ? where number = 3", (flipped,))
    sink = Memory()
    run(tmp_path, sink, lambda inbox: len(receipts(inbox)) == 5, maker=maker())
    assert sink.taken == [1, 2, 4, 5]
    assert ("FAILED", entry.alert_id) in receipts(inbox)


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_pauses_double_and_are_bounded(chance: float) -> None:
    """From a quarter of a second to half a minute, spread by chance."""
    pauses = [pause_after(attempts, chance) for attempts in range(1, 100)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= 0.25
    assert pauses[-1] <= 30.0


def test_purged_is_said_when_every_sink_has_purged_and_not_before(tmp_path: Path) -> None:
    """Once for the order; a version that never got to the system is receipted as PURGED, not as STORED."""
    made = lives("ALERT", "UPDATE", "WITHDRAW")
    with Inbox.open(tmp_path) as inbox:
        inbox.take(made, now=NOW)
        purging.scrub(inbox.db, NOW)
    primary = maker()
    primary.sinks = ["postgres", "filedrop"]
    run(tmp_path, Memory(), lambda inbox: len(receipts(inbox)) == 1, maker=primary)
    with Inbox.open(tmp_path) as inbox:
        assert [stage for stage, _ in receipts(inbox)] == ["STORED"]  # of the order itself
        purging.passed(inbox.db, "filedrop", 3)
    run(tmp_path, Memory(), lambda inbox: len(receipts(inbox)) > 1, maker=primary)
    with Inbox.open(tmp_path) as inbox:
        assert [stage for stage, _ in receipts(inbox)] == ["STORED", *["PURGED"] * 3]
        primary(inbox, 3)
        assert len(receipts(inbox)) == 4
        inbox.take(made[:1], now=NOW)  # it comes again: perhaps the receipt was lost
        primary(inbox, 3)
        assert [stage for stage, _ in receipts(inbox)][-1] == "PURGED"


def test_an_order_to_purge_is_never_given_up(tmp_path: Path) -> None:
    """However often the system refuses it: no dead letter, no receipt, and it is tried again."""
    with Inbox.open(tmp_path) as inbox:
        inbox.take(lives("ALERT", "WITHDRAW"), now=NOW)
        purging.scrub(inbox.db, NOW)
    sink = Memory()
    sink.refuses = {2}

    def patient(inbox: Inbox) -> bool:
        attempts = inbox.db.execute("select max(attempts) from parked").fetchone()
        return attempts is not None and int(str(attempts[0] or 0)) > 3 * ATTEMPTS

    run(tmp_path, sink, patient, maker=maker())
    with Inbox.open(tmp_path) as inbox:
        assert inbox.db.execute("select count(*) from dead_letters").fetchone() == (0,)
        assert purging.complete(inbox.db, ["postgres"]) == []
    sink.refuses = set()
    run(tmp_path, sink, lambda inbox: ("PURGED", lives("ALERT")[0].arrival.alert_id) in receipts(inbox), maker=maker())


def test_the_networks_time_is_handed_on(tmp_path: Path) -> None:
    """So that the national system can tell what has expired."""
    with Inbox.open(tmp_path) as inbox:
        inbox.put_meta({"heartbeat_at": NOW + 5})
    sink = Memory()
    run(tmp_path, sink, lambda _: bool(sink.times))
    assert sink.times == [NOW + 5]


def test_what_is_asked_for_by_hand_is_delivered_again(tmp_path: Path) -> None:
    """From a number on, or one alert; what is still to come is not asked for."""
    made = alerts(5)
    with Inbox.open(tmp_path) as inbox:
        inbox.take(made, now=NOW)
    sink = Memory()
    run(tmp_path, sink, lambda _: len(sink.taken) == 5)
    sink.taken = []
    with Inbox.open(tmp_path) as inbox:
        assert resending.ask(inbox, "postgres", "4") == 2
        assert resending.ask(inbox, "postgres", made[0].arrival.alert_id) == 1
        with pytest.raises(InputError):
            resending.ask(inbox, "webhook", "1")
    run(tmp_path, sink, lambda _: len(sink.taken) == 3)
    assert sorted(sink.taken) == [1, 4, 5]
