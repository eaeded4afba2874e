"""The engine's lanes on a real broker: kills, lost stores, two workers, topics that come and go."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from tests.support.engine import admitted
from tests.support.engine_bench import Bench, stop, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration
SHORT = {"session": 6.0}
"""The shortest session that a broker takes by default."""


@pytest.fixture
def bench(kafka: Broker, tmp_path: Path) -> Iterator[Bench]:
    """A stand with two lanes and an inlet in each."""
    stand = Bench(kafka, tmp_path)
    stand.topics(log=2, register=2, refusals=1, inlet_a=2, inlet_b=2)
    stand.inlet("inlet.a", 0)
    stand.inlet("inlet.b", 1)
    yield stand
    stand.close()


def versions(key: str, first: int, last: int) -> list[str]:
    """`key:first` to `key:last`."""
    return [f"{key}:{n}" for n in range(first, last + 1)]


def said(bench: Bench) -> list[str]:
    """Everything that the blocks admit, in the order of each lane."""
    return [text for *_, value in bench.read("log") for text in admitted(value or b"{}")]


def more(bench: Bench, than: int) -> bool:
    """Whether more is admitted than before."""
    return len(said(bench)) > than


def test_a_lane_whose_log_begins_after_its_snapshot_stands_still_until_that_is_accepted(bench: Bench) -> None:
    """Nothing of it is judged meanwhile, the other lane works on; also the next start does not forget the hole."""
    bench.send("inlet.a", versions("x", 1, 40))
    worker = bench.start("lanes", limits={"snapshot_pause": 3600.0, "batch": 10})
    until(lambda: len(said(bench)) >= 40, "all are admitted")
    assert stop(worker) == 0
    shutil.rmtree(bench.folder / "slot1")
    end = max(offset for partition, offset, *_ in bench.read("log") if partition == 0) + 1
    forgotten = bench.admin.delete_records([TopicPartition(bench.name("log"), 0, end)])
    next(iter(forgotten.values())).result(20)
    note = bench.folder / "slot1" / "lane0.hole"
    for number in (1, 2):
        worker = bench.start("lanes")
        bench.send("inlet.a", [f"new{number}:1"])
        bench.send("inlet.b", [f"y:{number}"])
        until(partial(more, bench, number - 1), "the other lane works on")
        until(note.exists, "the hole is noted")
        assert stop(worker) == 0
        first = json.loads(note.read_text())
        assert (first["lane"], first["last"]) == (0, end - 1)
    assert said(bench) == versions("y", 1, 2)
    bench.start("lanes", accept_hole=True)
    until(lambda: {"new1:1", "new2:1"} <= set(said(bench)), "what has waited is judged")
    assert not note.exists()


def test_an_agency_may_join_while_the_worker_runs(bench: Bench) -> None:
    """Its topic is on the map before it exists, and read as soon as it does; nobody is disturbed."""
    bench.start("lanes")
    bench.inlet("inlet.c", 0)
    bench.send("inlet.a", versions("x", 1, 5))
    until(lambda: len(said(bench)) >= 5, "the first is admitted")
    bench.topics(inlet_c=2)
    bench.send("inlet.c", versions("z", 1, 5))
    until(lambda: len(said(bench)) >= 10, "the newcomer is admitted")
    assert not any(line["event"] == "Lanes given away" for line in bench.logged("lanes"))


@pytest.mark.parametrize(("records", "size"), [(1, 12_000_000), (300, 50_000)], ids=["one record", "many records"])
def test_a_batch_that_inflates_too_far_is_stepped_past_and_told(bench: Bench, records: int, size: int) -> None:
    """Good messages before and right behind it arrive, its coordinates are said once, also over a restart."""
    bench.send("inlet.a", versions("x", 1, 5))
    bench.bomb("inlet.a", records, size)
    bench.send("inlet.a", versions("x", 6, 10))
    worker = bench.start("lanes")
    until(lambda: len(said(bench)) >= 10, "what stands behind it is admitted")
    until(lambda: bench.values("refusals"), "its coordinates are said")
    expected = json.dumps([bench.name("inlet.a"), 0, 5, 4 + records, True])
    assert bench.values("refusals") == [expected]
    assert said(bench) == versions("x", 1, 10)
    assert stop(worker) == 0
    bench.start("lanes")
    bench.send("inlet.a", versions("x", 11, 12))
    until(lambda: len(said(bench)) >= 12, "it goes on")
    assert bench.values("refusals") == [expected]


def test_two_unreadable_batches_in_a_row_and_nothing_behind_them(bench: Bench) -> None:
    """Each is told by itself; the search ends at the end of the log, and what comes later is read."""
    bench.bomb("inlet.b", 40, 300_000)
    bench.bomb("inlet.b", 1, 20_000_000)
    bench.start("lanes")
    until(lambda: len(bench.values("refusals")) >= 2, "both are said")
    assert [json.loads(text)[2:4] for text in bench.values("refusals")] == [[0, 39], [40, 40]]
    bench.send("inlet.b", versions("y", 1, 3))
    until(lambda: len(said(bench)) >= 3, "what comes later is admitted")
