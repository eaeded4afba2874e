"""The engine's lanes under faults on a real broker: kills, lost stores, two workers, sleepers, topics made anew."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from streams.engine.errors import Exit
from tests.support.checker import ENGINE_LEAVES_OUT
from tests.support.engine import admitted
from tests.support.engine_bench import Bench, stop, until
from tests.support.history import Delivery, History, Place, Submission
from tests.support.kafka import Broker
from tests.support.totals import Judge

pytestmark = [pytest.mark.faults, pytest.mark.integration]
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


def held(bench: Bench, scenario: str, *sent: str) -> History:
    """What the lanes have admitted, for the checker. A block is a commit, so a repeat of it is an effect done twice."""
    history = History(f"lanes: {scenario}", (Place.EFFECT,))
    for text in sent:
        key, _, version = text.partition(":")
        history.submissions.append(Submission(text, "a", key, int(version), "", frozenset({"register"}), 0))
    for order, text in enumerate(said(bench)):
        key, _, version = text.partition(":")
        history.deliveries.append(Delivery("register", Place.EFFECT, "a", key, int(version), order, text))
    return history


def more(bench: Bench, than: int) -> bool:
    """Whether more is admitted than before."""
    return len(said(bench)) > than


def test_a_backlog_is_admitted_once_and_in_order(bench: Bench, judge: Judge) -> None:
    """Both lanes, live and bulk; a graceful stop leaves nothing to repeat for the next start."""
    bench.send("inlet.a", versions("x", 1, 300))
    bench.send("inlet.b", versions("y", 1, 100), partition=1)
    worker = bench.start("lanes")
    until(lambda: len(said(bench)) >= 400, "all are admitted")
    assert stop(worker) == 0
    bench.send("inlet.a", versions("x", 301, 310))
    bench.start("lanes")
    until(lambda: len(said(bench)) >= 410, "the rest is admitted")
    judge(held(bench, "graceful restart", *versions("x", 1, 310), *versions("y", 1, 100)), ENGINE_LEAVES_OUT)
    assert bench.values("refusals") == []


def test_nothing_is_lost_or_said_twice_by_kills_in_a_backlog(bench: Bench, judge: Judge) -> None:
    """Three times kill -9 at whatever moment, once with the store deleted: the register is a fold of blocks."""
    each = 1500
    for number in range(3):
        worker = bench.start("lanes", limits={"batch": 30})
        bench.send("inlet.a", versions("x", each * number + 1, each * number + each))
        bench.send("inlet.b", versions("y", each * number + 1, each * number + each))
        until(partial(more, bench, len(said(bench))), "some are admitted")
        assert stop(worker, signal.SIGKILL) == -signal.SIGKILL
        if number == 1:
            shutil.rmtree(bench.folder / "slot1")
    bench.start("lanes")
    until(lambda: len(said(bench)) >= 6 * each, "all are admitted")
    sent = [*versions("x", 1, 3 * each), *versions("y", 1, 3 * each)]
    judge(held(bench, "kill -9 x3, store deleted", *sent), ENGINE_LEAVES_OUT)
    assert bench.values("refusals") == []


def test_a_machine_that_has_nothing_restores_from_snapshot_and_tail(bench: Bench, judge: Judge) -> None:
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
    judge(held(bench, "snapshot and tail", *versions("x", 1, 62)), ENGINE_LEAVES_OUT)
    restored = [line for line in bench.logged("lanes") if line["event"] == "Lane restored" and line["lane"] == 0]
    assert restored[-1]["start"] > 0


def test_a_machine_and_a_cluster_that_kept_nothing_but_the_log_restore_from_it(bench: Bench, judge: Judge) -> None:
    """Store deleted, snapshot deleted: the register is a fold of the blocks, so nothing is admitted twice."""
    bench.send("inlet.a", versions("x", 1, 60))
    worker = bench.start("lanes")
    until(lambda: len(said(bench)) >= 60, "all are admitted")
    assert stop(worker, signal.SIGKILL) == -signal.SIGKILL
    shutil.rmtree(bench.folder / "slot1")
    bench.delete("register")
    bench.topics(register=2)
    bench.send("inlet.a", versions("x", 50, 70))
    bench.start("lanes")
    until(lambda: len(said(bench)) >= 70, "the new ones are admitted")
    judge(held(bench, "only the log left", *versions("x", 1, 70)), ENGINE_LEAVES_OUT)
    assert bench.values("refusals") == []


def test_two_workers_share_the_lanes_and_one_takes_over(bench: Bench, judge: Judge) -> None:
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
    judge(held(bench, "join and leave", *versions("x", 1, 30), *versions("y", 1, 30)), ENGINE_LEAVES_OUT)


def test_a_worker_that_stood_still_ends_itself_and_nothing_is_said_twice(bench: Bench, judge: Judge) -> None:
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
    # what the sleeper's client still held may leave after the takeover: on the log it is a repeat, without effect
    history = held(bench, "SIGSTOP, lane moved", *versions("x", 1, 610))
    history.places = (Place.LOG,)
    history.deliveries = [replace(each, place=Place.LOG) for each in history.deliveries]
    judge(history, ENGINE_LEAVES_OUT)
    assert bench.values("refusals") == []


@pytest.mark.parametrize("running", [True, False], ids=["while it is read", "while the worker is away"])
def test_a_topic_made_anew_is_read_from_its_beginning(bench: Bench, running: bool, judge: Judge) -> None:
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
    judge(held(bench, f"topic made anew{' while read' if running else ''}", *versions("x", 1, 20)), ENGINE_LEAVES_OUT)
