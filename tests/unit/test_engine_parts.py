"""The engine's parts, each alone: order of effects, state of a lane, its tail, the snapshot, what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.clients import committed_id
from streams.engine.contract import Emit
from streams.engine.effects import Ack, Effects
from streams.engine.errors import Exit, Stop
from streams.engine.limits import Limits
from streams.engine.owned import Owned
from streams.engine.snapshot import FRONTIER, Found, SnapshotWriter, assemble, frontier, headers
from streams.engine.store import Entry, Lane, Source
from streams.engine.tail import Tail
from streams.engine.unreadable import measure
from tests.support.engine import Counting
from tests.support.fake_log import FakeProducer, Log, Stored

STAGE = Counting("log", "refusals")


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    """An empty lane."""
    made = Lane(tmp_path / "lane.db", "id-1")
    yield made
    made.close()


def block(at: int, key: str, version: int, *, topic_id: str = "t1", reader: str = "r") -> bytes:
    """A block that admits one version, read at offset `at` of the inlet."""
    position = {"topic": "a", "topic_id": topic_id, "partition": 0, "next_offset": at + 1}
    admitted = ["a", topic_id, 0, at, key, version, reader]
    return json.dumps({"admitted": [admitted], "positions": [position]}).encode()


# ---------------------------------------------------------------------- order of effects


def test_blocks_wait_for_the_emits_of_their_batch_and_for_the_blocks_before() -> None:
    """Verdicts may go at any time; a block is the commit record."""
    log = Log()
    producer = FakeProducer(log)
    effects, done = Effects(producer, Limits()), list[Sequence[Ack]]()
    effects.submit([Emit("v", b"", b"1")], [Emit("log", b"", b"A", None, 0)], done.append)
    effects.submit([], [Emit("log", b"", b"B", None, 0)], done.append)
    assert [queued.topic for queued in producer.queue] == ["v"]
    producer.land(1)
    effects.pump()
    assert [queued.stored.value for queued in producer.queue] == [b"A", b"B"]
    assert done == []
    producer.land(2)
    effects.pump()
    assert done == [[Ack("log", 0, 0)], [Ack("log", 0, 1)]]
    assert (effects.unacknowledged, len(effects.flying)) == (0, 0)


def test_a_failed_delivery_ends_the_worker() -> None:
    """Nothing behind it may be committed."""
    producer = FakeProducer(Log(), eager=True, refuse="v")
    effects = Effects(producer, Limits())
    effects.submit([Emit("v", b"", b"1")], [Emit("log", b"", b"A", None, 0)], lambda _: None)
    with pytest.raises(Stop) as stopped:
        effects.pump()
    assert stopped.value.code is Exit.DELIVERY


def test_a_message_that_the_client_itself_refuses_ends_the_worker_as_a_failed_delivery() -> None:
    """A client that knows that it may not write refuses before it queues: no defect of the stage."""

    class Refusing(FakeProducer):
        def produce(self, *_: Any, **__: Any) -> None:
            raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    effects = Effects(Refusing(Log()), Limits())
    with pytest.raises(Stop, match="v: TOPIC_AUTHORIZATION_FAILED") as stopped:
        effects.submit([Emit("v", b"", b"1")], [], lambda _: None)
    assert stopped.value.code is Exit.DELIVERY


def test_back_pressure_counts_messages_not_batches() -> None:
    """Full above the limit; not full any more when acknowledged."""
    producer = FakeProducer(Log())
    effects = Effects(producer, Limits(flying=10))
    effects.submit([Emit("v", b"", b"1")] * 11, [], lambda _: None)
    assert effects.full()
    producer.land(11)
    effects.pump()
    assert not effects.full()


def test_a_full_client_queue_is_waited_for() -> None:
    """BufferError is no reason to lose a message."""
    log = Log()
    effects = Effects(FakeProducer(log, eager=True, room=2), Limits())
    effects.submit([Emit("v", b"", b"%d" % n) for n in range(7)], [], lambda _: None)
    effects.drain()
    assert [stored.value for stored in log.read("v", -1)] == [b"%d" % n for n in range(7)]


# ---------------------------------------------------------------------- a lane's state


def test_puts_in_flight_are_seen_and_are_durable_only_when_kept(lane: Lane) -> None:
    """The next batch judges by them; a crash forgets them."""
    lane.promise([(b"k", b"1")])
    lane.promise([(b"k", b"2")])
    assert (lane[b"k"], lane.stored(b"k"), list(lane), len(lane)) == (b"2", None, [b"k"], 1)
    lane.keep([(b"k", b"1")], [Source("a", "t1", 0, 5)], 1)
    assert (lane[b"k"], lane.stored(b"k"), lane.next) == (b"2", b"1", 1)
    lane.keep([(b"k", b"2")], [Source("a", "t1", 0, 6)], 2)
    assert (lane[b"k"], lane.known("a", "t1", 0)) == (b"2", 6)


def test_a_position_is_worth_nothing_under_another_topic_id(lane: Lane) -> None:
    """Rule 5."""
    lane.keep([], [Source("a", "t1", 0, 500)], 1)
    assert lane.known("a", "t1", 0) == 500
    assert lane.known("a", "t2", 0) == 0
    assert lane.known("a", "t1", 1) == 0


def test_a_store_is_reopened_as_it_was_and_emptied_for_another_log(tmp_path: Path) -> None:
    """What a log that is gone had said was perhaps never delivered, so it is not known either."""
    first = Lane(tmp_path / "lane.db", "id-1")
    first.promise([(b"k", b"1")])
    first.keep([(b"k", b"1")], [Source("a", "t1", 0, 5)], 7)
    first.close()
    again = Lane(tmp_path / "lane.db", "id-1")
    assert (dict(again), again.next, again.known("a", "t1", 0)) == ({b"k": b"1"}, 7, 5)
    again.close()
    other = Lane(tmp_path / "lane.db", "id-2")
    assert (dict(other), other.next, other.sources()) == ({}, 0, [])
    other.close()


def test_a_fold_skips_what_is_covered_but_notes_whom_it_reached(lane: Lane) -> None:
    """The late block of a worker that had lost the lane: rule 3."""
    lane.fold(STAGE, [(0, block(0, "k", 1)), (1, block(1, "k", 2)), (2, block(1, "k", 2, reader="z"))])
    assert dict(lane) == {b"k": b"2|r,z"}
    assert (lane.known("a", "t1", 0), lane.next) == (2, 3)


def test_hot_entries_are_bounded_and_the_rest_comes_from_the_file(tmp_path: Path) -> None:
    """Memory does not grow with the register."""
    lane = Lane(tmp_path / "lane.db", "id-1", hot=16)
    puts = [(b"%d" % n, b"v%d" % n) for n in range(200)]
    lane.promise(puts)
    lane.keep(puts, [], 1)
    assert all(lane[key] == value for key, value in puts)
    assert len(lane._hot) <= 16
    lane.close()


# ---------------------------------------------------------------------- the end of its log


def test_the_store_does_not_pass_over_what_somebody_else_wrote(lane: Lane) -> None:
    """An offset that is skipped between two of ours is read before `next` may pass it, also after a crash."""
    owned = Owned(lane)
    owned.tail.own(0)
    lane.promise([(b"k", b"1|r"), (b"k", b"2|r")])
    owned.keep([(b"k", b"1|r")], [Source("a", "t1", 0, 1)])
    owned.tail.own(2)
    owned.keep([(b"k", b"2|r")], [Source("a", "t1", 0, 2)])
    assert lane.next == 1
    blocks = [(1, block(0, "k", 1, reader="z")), (2, block(1, "k", 2))]
    assert owned.heal(STAGE, 3, blocks) == 1
    assert (dict(lane), lane.next) == ({b"k": b"2|r,z"}, 3)


@given(st.sets(st.integers(0, 30)), st.integers(0, 31))
def test_the_tail_knows_exactly_which_offsets_are_not_ours(own: set[int], end: int) -> None:
    """Whatever is acknowledged, in order: foreign is the rest, and healing forgets it up to its end."""
    tail = Tail(0)
    for offset in sorted(own):
        tail.own(offset)
    assert {n for n in range(40) if not tail.foreign(n)} == own
    assert tail.floor == next(n for n in range(40) if n not in own)
    tail.healed(end)
    assert all(not tail.foreign(n) for n in range(end))
    assert {n for n in range(end, 40) if not tail.foreign(n)} == {n for n in own if n >= end}


# ---------------------------------------------------------------------- the snapshot


def test_a_snapshot_written_and_read_is_the_lane(lane: Lane, tmp_path: Path) -> None:
    """A sweep: entries, acknowledged; then the frontier. Read back on an empty machine with the tail it is the same."""
    blocks = [(n, block(n, f"k{n % 3}", n // 3 + 1)) for n in range(9)]
    lane.fold(STAGE, blocks[:6])
    log, now = Log(), [0.0]
    writer = SnapshotWriter(FakeProducer(log, eager=True), "register", Limits(snapshot_rate=100), lambda: now[0])
    for _ in range(5):
        now[0] += 1
        writer.turn({0: lane})
    assert lane.dirty() == []
    found = assemble(map(_found, log.read("register", 0)), "id-1")
    assert found is not None
    fresh = Lane(tmp_path / "fresh.db", "id-1")
    fresh.load(found.entries, found.sources, found.next)
    fresh.fold(STAGE, blocks[fresh.next :])
    lane.fold(STAGE, blocks[6:])
    assert (dict(fresh), fresh.sources(), fresh.next) == (dict(lane), lane.sources(), lane.next)
    fresh.close()


def test_an_entry_ahead_of_the_frontier_is_not_changed_by_blocks_it_covers(lane: Lane) -> None:
    """It was written after the sweep began."""
    lane.load([Entry(b"k", b"2|r", 2)], [Source("a", "t1", 0, 1)], 1)
    lane.fold(STAGE, [(1, block(1, "k", 2))])
    assert dict(lane) == {b"k": b"2|r"}
    lane.fold(STAGE, [(2, block(2, "k", 3))])
    assert dict(lane) == {b"k": b"3|r"}


def test_a_snapshot_counts_only_when_a_sweep_was_finished_for_this_log() -> None:
    """Half a sweep, or one of a log that is gone, is no snapshot; of two entries the one that covers more holds."""
    entry = Found(b"k", b"new", dict(headers(9, "id-1")))
    late = Found(b"k", b"old", dict(headers(3, "id-1")))
    edge = Found(FRONTIER, frontier(0, [Source("a", "t1", 0, 4)]), dict(headers(9, "id-1")))
    assert assemble([entry], "id-1") is None
    assert assemble([entry, edge], "id-2") is None
    found = assemble([entry, edge, late], "id-1")
    assert found is not None
    assert (found.entries, found.sources, found.next) == ([Entry(b"k", b"new", 9)], [Source("a", "t1", 0, 4)], 9)


def test_a_snapshot_that_is_not_taken_is_tried_again_and_never_closed_by_a_frontier(lane: Lane) -> None:
    """Entries that failed stay to be written."""
    lane.fold(STAGE, [(0, block(0, "k", 1))])
    log, now = Log(), [0.0]
    producer = FakeProducer(log, eager=True, refuse="register")
    writer = SnapshotWriter(producer, "register", Limits(), lambda: now[0])
    for _ in range(4):
        now[0] += 1
        writer.turn({0: lane})
    assert lane.dirty() == [b"k"]
    producer.refuse = ""
    for _ in range(9):
        now[0] += 1
        writer.turn({0: lane})
    assert [stored.key for stored in log.read("register", 0)] == [b"k", FRONTIER]


def test_the_snapshot_takes_its_time(lane: Lane) -> None:
    """A bounded number of entries a second, whatever has changed."""
    lane.fold(STAGE, [(n, block(n, f"k{n}", 1)) for n in range(50)])
    log, now = Log(), [0.0]
    writer = SnapshotWriter(FakeProducer(log, eager=True), "register", Limits(snapshot_rate=10), lambda: now[0])
    for second in range(1, 4):
        now[0] = float(second)
        writer.turn({0: lane})
        writer.turn({0: lane})
        assert len(log.read("register", 0)) == 10 * second


def _found(stored: Stored) -> Found:
    return Found(stored.key, stored.value, dict(stored.headers))


# ---------------------------------------------------------------------- what cannot be read


@given(st.integers(0, 50), st.integers(1, 60), st.integers(0, 60))
def test_the_end_of_an_unreadable_batch_is_found_exactly(base: int, length: int, behind: int) -> None:
    """Whatever stands behind it: good messages, another unreadable batch, or the end of the log."""
    end = base + length

    def reads(another: bool) -> Callable[[int], int | None]:
        return lambda offset: base if offset < end else (end if another else None)

    assert measure(reads(another=False), base, end + behind) == end
    assert measure(reads(another=True), base, end + behind) == end


@pytest.mark.parametrize("beyond", [b"", b"\x00", b"x", b"\xff\xfe\xe9"])
def test_the_topic_id_of_an_offset_is_read_whatever_the_client_finds_behind_it(beyond: bytes) -> None:
    """confluent-kafka reads metadata beyond its end, and decodes what it finds there as text."""
    topic_id = "769f6a8c576848fda9815bd2e767d2bb"

    class Place:
        @property
        def metadata(self) -> str:
            return (topic_id.encode() + beyond).decode()

    assert committed_id(cast("Any", Place())) == topic_id
