"""The engine's lanes on a real broker: kills, lost stores, two workers, topics that come and go."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from streams.engine.errors import Exit
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


def test_a_backlog_is_admitted_once_and_in_order(bench: Bench) -> None:
    """Both lanes, live and bulk; a graceful stop leaves nothing to repeat for the next start."""
    bench.send("inlet.a", versions("x", 1, 300))
    bench.send("inlet.b", versions("y", 1, 100), partition=1)
    worker = bench.start("lanes")
    until(lambda: len(said(bench)) >= 400, "all are admitted")
    assert stop(worker) == 0
    bench.send("inlet.a", versions("x", 301, 310))
    bench.start("lanes")
    until(lambda: len(said(bench)) >= 410, "the rest is admitted")
    found = said(bench)
    assert [t for t in found if t.startswith("x")] == versions("x", 1, 310)
    assert [t for t in found if t.startswith("y")] == versions("y", 1, 100)
    assert bench.values("refusals") == []


def test_nothing_is_lost_or_said_twice_by_kills_in_a_backlog(bench: Bench) -> None:
    """Three times kill -9 at whatever moment, once with the store deleted: the register is a fold of blocks."""
    for number in range(3):
        worker = bench.start("lanes", limits={"batch": 30})
        bench.send("inlet.a", versions("x", 1500 * number + 1, 1500 * number + 1500))
        bench.send("inlet.b", versions("y", 1500 * number + 1, 1500 * number + 1500))
        until(partial(more, bench, len(said(bench))), "some are admitted")
        assert stop(worker, signal.SIGKILL) == -signal.SIGKILL
        if number == 1:
            shutil.rmtree(bench.folder / "slot1")
    bench.start("lanes")
    until(lambda: len(said(bench)) >= 9000, "all are admitted")
    assert Counter(said(bench)) == Counter([*versions("x", 1, 4500), *versions("y", 1, 4500)])
    assert bench.values("refusals") == []


def test_a_machine_that_has_nothing_restores_from_snapshot_and_tail(bench: Bench) -> None:
    """The snapshot is used, not only the log: what the log has forgotten is still known."""
    bench.send("inlet.a", versions("x", 1, 50))
    worker = bench.start("lanes")
    until(lambda: b"@frontier" in [key for _, _, key, _ in bench.read("register")], "a sweep is finished")
    until(lambda: b"x" in [key for _, _, key, _ in bench.read("register")], "x is in the snapshot")
    bench.send("inlet.a", versions("x", 51, 60))
    until(lambda: len(said(bench)) >= 60, "all are admitted")
    assert stop(worker) == 0
    shutil.rmtree(bench.folder / "slot1")
    bench.send("inlet.a", [*versions("x", 55, 62)])
    bench.start("lanes")
    until(lambda: len(said(bench)) >= 62, "the new ones are admitted")
    assert said(bench) == versions("x", 1, 62)
    restored = [line for line in bench.logged("lanes") if line["event"] == "Lane restored" and line["lane"] == 0]
    assert restored[-1]["start"] > 0


def test_two_workers_share_the_lanes_and_one_takes_over(bench: Bench) -> None:
    """A second worker takes a lane without a repeat; when it leaves, the first one goes on with both."""
    bench.start("lanes", "1", limits=SHORT)
    bench.send("inlet.a", versions("x", 1, 10))
    until(lambda: len(said(bench)) >= 10, "the first worker works")
    second = bench.start("lanes", "2", limits=SHORT)
    until(lambda: any(line["event"] == "Lane restored" for line in bench.logged("lanes", "2")), "a lane moves")
    bench.send("inlet.a", versions("x", 11, 20))
    bench.send("inlet.b", versions("y", 1, 20))
    until(lambda: len(said(bench)) >= 40, "both work")
    assert stop(second) == 0
    bench.send("inlet.a", versions("x", 21, 30))
    bench.send("inlet.b", versions("y", 21, 30))
    until(lambda: len(said(bench)) >= 60, "the first one has both lanes")
    assert Counter(said(bench)) == Counter([*versions("x", 1, 30), *versions("y", 1, 30)])


def test_a_worker_that_stood_still_ends_itself_and_nothing_is_said_twice(bench: Bench) -> None:
    """SIGSTOP for longer than the session: another has its lanes, and the poll after the sleep would succeed."""
    sleeper = bench.start("lanes", "1", limits={**SHORT, "batch": 20})
    bench.send("inlet.a", versions("x", 1, 500))
    until(partial(more, bench, 0), "some are admitted")
    sleeper.send_signal(signal.SIGSTOP)
    bench.send("inlet.a", versions("x", 501, 600))
    bench.start("lanes", "2", limits=SHORT)
    until(lambda: "x:600" in said(bench), "the other one goes on")
    sleeper.send_signal(signal.SIGCONT)
    assert sleeper.wait(20) in (Exit.ZOMBIE, Exit.LOST)
    bench.send("inlet.a", versions("x", 601, 610))
    until(lambda: "x:610" in said(bench), "the lane goes on")
    assert list(dict.fromkeys(said(bench))) == versions("x", 1, 610)
    assert bench.values("refusals") == []


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


@pytest.mark.parametrize("running", [True, False], ids=["while it is read", "while the worker is away"])
def test_a_topic_made_anew_is_read_from_its_beginning(bench: Bench, running: bool) -> None:
    """An offset is worth nothing under another topic id: a reader that trusts it loses the beginning in silence."""
    bench.send("inlet.a", versions("x", 1, 8))
    worker = bench.start("lanes")
    until(lambda: len(said(bench)) >= 8, "the old topic is read")
    if not running:
        assert stop(worker) == 0
    bench.delete("inlet.a")
    bench.topics(inlet_a=2)
    bench.send("inlet.a", versions("x", 1, 20))
    if not running:
        bench.start("lanes")
    until(lambda: len(said(bench)) >= 20, "the new topic is read")
    assert said(bench) == versions("x", 1, 20)


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
