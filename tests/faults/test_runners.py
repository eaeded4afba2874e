"""What every runner of a stateless stage holds, on a real broker: route on Faust and on the loop, receipts on the loop.

Pass is always the same: nothing lost, first deliveries of each key in order, repeats only on the log and bounded.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from manara.administration import Administrator
from manara.embedded.kafka import EmbeddedKafka
from streams.engine.errors import Exit
from tests.support.checker import ENGINE_LEAVES_OUT
from tests.support.hub import LANES, Hub, until
from tests.support.kafka import Broker
from tests.support.line import AGENCY, Line
from tests.support.totals import Judge, full

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600 if full() else 200)]

WORKERS = ("route on faust", "route on loop", "receipts on loop")
BACKLOG = 6_000 if full() else 600
FLYING = 3_000
"""Messages that may be in flight when a worker dies (`Limits.flying`), all of which may come again."""
SESSION = 10.0
STALL = 5.0
HELD_UP = "a worker dies without sending what it read together with a broken block: good blocks before it wait too"
LONG = pytest.mark.skipif(not full(), reason="only at full length: make test-long")
Figure = Callable[[str], None]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A broker of this module alone, which it may stop and kill."""
    with EmbeddedKafka(tmp_path_factory.mktemp("own") / "kafka") as server:
        yield server


@pytest.fixture(scope="module", params=WORKERS if full() else WORKERS[:2])
def worker(request: pytest.FixtureRequest) -> str:
    """Which stage on which runner."""
    return str(request.param)


@pytest.fixture(scope="module")
def hub(own: EmbeddedKafka, worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Topics, rights and directory of one worker, for all scenarios but those that spoil them; no process."""
    made = Hub.build(Broker(own), tmp_path_factory.mktemp("hub"))
    yield made
    made.close()


@pytest.fixture
def spoilt(own: EmbeddedKafka, tmp_path: Path) -> Iterator[Hub]:
    """The same for one scenario alone."""
    made = Hub.build(Broker(own), tmp_path)
    yield made
    made.close()


@pytest.fixture(params=WORKERS[:2])
def route(request: pytest.FixtureRequest) -> str:
    """Route, on either runner."""
    return str(request.param)


def admin(hub: Hub) -> Any:
    """The super user's client."""
    return AdminClient(cast("dict[str, str | int | float | bool]", hub.broker.client()))


def test_a_body_that_raises_is_asked_again_and_nothing_is_passed_over(hub: Hub, worker: str, judge: Judge) -> None:
    """At the first, a middle and the last message: the process ends, and meets the same message again."""
    with Line.running(hub, worker, "body raises") as line:
        digests = line.next(120)
        for at in (0, 60, 119):
            (line.raising / digests[at]).touch()
        line.send(120)
        line.start()
        judge(line.finish(), ENGINE_LEAVES_OUT)
        assert list(line.raising.iterdir()) == []
        assert line.died() >= 1
        assert line.code() == Exit.STAGE


def test_three_kills_under_a_backlog_lose_nothing_and_repeat_within_bounds(hub: Hub, worker: str, judge: Judge) -> None:
    """kill -9 at whatever moment: repeats are at most what was in flight and not yet committed, for each kill."""
    with Line.running(hub, worker, "kill -9 x3, backlog") as line:
        line.send(BACKLOG)
        line.start()
        for number in range(1, 4):
            line.until(line.wanted * number // 5)
            line.kill()
            line.send(BACKLOG // 3)
        report = judge(line.finish(), ENGINE_LEAVES_OUT)
        assert report.totals.repeats <= 3 * (FLYING + line.wanted // 3)


def test_sigterm_in_mid_batch_and_a_graceful_restart_repeat_nothing(hub: Hub, worker: str, judge: Judge) -> None:
    """Twice ended with a backlog in front of it: what was sent is committed, so nothing comes twice."""
    with Line.running(hub, worker, "SIGTERM, backlog") as line:
        line.send(BACKLOG)
        for number in (1, 2):
            line.start()
            line.until(line.wanted * number // 8)
            line.stop()
            line.send(60)
        line.start()
        report = judge(line.finish(), ENGINE_LEAVES_OUT)
        assert report.totals.repeats == 0


@pytest.mark.full
def test_workers_that_join_leave_and_die_under_load_lose_nothing(
    hub: Hub, worker: str, judge: Judge, figure: Figure
) -> None:
    """Join, leave, join, kill at a constant rate; order within each key holds over every move of a partition."""
    with Line.running(hub, worker, "join, leave, join, kill") as line:
        line.start("1")
        with line.load(100):
            line.until(20)
            line.start("2")
            time.sleep(SESSION / 2)
            line.stop("2")
            time.sleep(SESSION / 4)
            line.start("2")
            time.sleep(SESSION / 4)
            line.kill("1")
            time.sleep(SESSION / 2)
        judge(line.finish(), ENGINE_LEAVES_OUT)
        figure(f"{line.history.scenario}: the longest stall was {line.stall():.1f} s")


@LONG
def test_after_a_kill_under_a_supervisor_work_goes_on_at_once(
    hub: Hub, worker: str, judge: Judge, figure: Figure
) -> None:
    """The stall of the alerts that came meanwhile; asserted at full length, on a machine that does nothing else."""
    with Line.running(hub, worker, "kill -9, 100/s") as line:
        line.start()
        line.send(5)
        line.until(line.wanted)
        del line.history.submissions[:]
        with line.load(100):
            time.sleep(1)
            line.kill()
            time.sleep(4)
        judge(line.finish(), ENGINE_LEAVES_OUT)
        figure(f"{line.history.scenario}: the longest stall was {line.stall():.1f} s")
        assert not full() or line.stall() < STALL


@pytest.mark.full
@pytest.mark.parametrize("how", ["stopped", "killed"] if full() else ["killed"])
def test_a_broker_that_goes_away_under_load_loses_nothing(
    own: EmbeddedKafka, hub: Hub, worker: str, how: str, judge: Judge
) -> None:
    """Stopped in order, or killed; the worker waits for it or ends with a code, and goes on."""
    with Line.running(hub, worker, f"broker {how}") as line:
        line.start()
        line.send(BACKLOG)
        line.until(line.wanted // 10)
        if how == "killed":
            assert own.pid is not None
            os.kill(own.pid, signal.SIGKILL)
        own.stop()
        time.sleep(20.0 if full() else 5.0)
        own.start()
        line.send(100)
        judge(line.finish(), ENGINE_LEAVES_OUT)


@pytest.mark.full
def test_a_right_that_is_taken_away_ends_the_worker_and_nothing_is_passed_over(
    hub: Hub, worker: str, judge: Judge
) -> None:
    """Not authorised to write: it ends with a code again and again, and goes on when the right is back."""
    with Line.running(hub, worker, "not authorised") as line:
        topic = hub.names.feed("EG", "person") if line.stage == "route" else hub.names.status(AGENCY)
        client = admin(hub)
        line.start()
        line.send(30)
        line.until(line.wanted)
        taken = _rights(f"hub.{line.stage}", topic)
        try:
            for future in client.delete_acls(taken).values():
                assert future.result()
            line.send(60)
            until("the worker ends for that", lambda: line.code() == Exit.DELIVERY)
        finally:
            _administer(hub)
        judge(line.finish(), ENGINE_LEAVES_OUT)


@LONG
@pytest.mark.full
def test_a_message_that_the_broker_finds_too_large_is_not_passed_over(hub: Hub, worker: str, judge: Judge) -> None:
    """The topic takes less than what is to be written: the worker ends, and delivers once the limit is right again."""
    with Line.running(hub, worker, "too large") as line:
        topic = hub.names.feed("EG", "person") if line.stage == "route" else hub.names.status(AGENCY)
        before = _limit(hub, topic, "60")
        try:
            line.send(40)
            line.start()
            until("the worker ends for that", lambda: line.code() == Exit.DELIVERY)
        finally:
            _limit(hub, topic, before)
        judge(line.finish(), ENGINE_LEAVES_OUT)


def test_an_undecodable_block_is_never_passed_over_in_silence(spoilt: Hub, route: str, judge: Judge) -> None:
    """Route ends with its code before it, each time; what stands behind arrives once an operator has cut it out."""
    with Line.running(spoilt, route, "undecodable block") as line:
        line.start()
        line.send(60)
        line.until(line.wanted)
        before = line.wanted
        broken = _broken_blocks(spoilt)
        line.send(60)
        until("it ends twice", lambda: line.died() >= 2, 60)
        assert line.code() == Exit.BROKEN_BLOCK
        assert line.arrived() == before
        client = admin(spoilt)
        for future in client.delete_records(broken).values():
            future.result(30)
        judge(line.finish(), ENGINE_LEAVES_OUT)


@LONG
@pytest.mark.xfail(strict=False, reason=HELD_UP)
def test_good_blocks_right_before_a_broken_one_are_not_held_up_by_it(spoilt: Hub, route: str) -> None:
    """Read together with a broken block, they leave all the same; Faust may be quick enough, the loop never is."""
    with Line.running(spoilt, route, "blocks before a broken one") as line:
        line.send(60)
        _broken_blocks(spoilt)
        line.start()
        until("it ends twice", lambda: line.died() >= 2, 60)
        line.until(line.wanted)


def _broken_blocks(hub: Hub) -> list[TopicPartition]:
    """Write one into each lane; the places behind them."""
    client, behind = hub.producer("admin"), list[TopicPartition]()

    def written(_error: object, message: Any) -> None:
        behind.append(TopicPartition(message.topic(), message.partition(), message.offset() + 1))

    for lane in range(LANES):
        client.produce(hub.names.admitted, b"\x00no block", b"0", lane, on_delivery=written)
    assert client.flush(30) == 0
    return behind


@pytest.mark.full
def test_receipts_that_are_no_receipts_do_not_hold_up_the_others(spoilt: Hub, judge: Judge) -> None:
    """Garbage in a member's topic goes to quarantine; what stands around it arrives."""
    hub = spoilt
    with Line.running(hub, "receipts on loop", "undecodable record") as line:
        line.send(30)
        client = hub.producer("admin")
        for value in (b"", b"\x00garbage", None, bytes(5000)):
            client.produce(hub.names.receipts("EG"), value, b"x", 0)
        assert client.flush(30) == 0
        line.send(30)
        line.start()
        judge(line.finish(), ENGINE_LEAVES_OUT)
        assert line.died() == 0


@pytest.mark.skipif(
    not full(), reason="longer than a session: only at full length (the lanes' zombie is always tested)"
)
def test_a_worker_that_wakes_after_its_partitions_have_moved_loses_nothing(hub: Hub, worker: str, judge: Judge) -> None:
    """SIGSTOP for longer than the session: the other one works on, and the sleeper ends itself."""
    with Line.running(hub, worker, "SIGSTOP, lanes moved") as line:
        line.start("1")
        line.send(60)
        line.until(line.wanted)
        with line.load(50):
            pid = line.pid("1")
            os.kill(pid, signal.SIGSTOP)
            line.start("2")
            time.sleep(SESSION * 1.5)
            os.kill(pid, signal.SIGCONT)
            time.sleep(SESSION / 2)
        judge(line.finish(), ENGINE_LEAVES_OUT)


@pytest.mark.full
def test_the_runners_take_over_from_each_other(spoilt: Hub, route: str, judge: Judge) -> None:
    """Both commit the same way to the same group: changing the runner is one setting, and repeats nothing.

    Until the group has forgotten the first one (a session) the other is refused, says so and is started again.
    """
    with Line.running(spoilt, route, "handed to the other runner") as line:
        line.send(60)
        line.start()
        line.until(line.wanted)
        line.stop()
        line.runner = "loop" if line.runner == "faust" else "faust"
        line.send(60)
        line.start()
        report = judge(line.finish(), ENGINE_LEAVES_OUT)
        assert report.totals.repeats == 0


def test_a_topic_made_anew_is_read_from_its_beginning(spoilt: Hub, worker: str, judge: Judge) -> None:
    """The committed offset carries the topic's id, so a number of the old topic is not believed."""
    with Line.running(spoilt, worker, "topic made anew") as line:
        topic = spoilt.names.admitted if line.stage == "route" else spoilt.names.receipts("EG")
        line.send(70)
        line.start()
        line.until(line.wanted)
        line.stop()
        client = admin(spoilt)
        client.delete_topics([topic])[topic].result(20)
        until("it is gone", lambda: topic not in client.list_topics(timeout=5).topics)
        _administer(spoilt)
        line.send(140)
        line.start()
        report = judge(line.finish(), ENGINE_LEAVES_OUT)
        assert report.totals.repeats == 0


def _administer(hub: Hub) -> None:
    """Topics and rights as the catalogue has them."""
    administrator = Administrator(hub.settings("admin"), hub.folder / "secrets")
    administrator.apply(administrator.plan(hub.net.directory))


def _rights(principal: str, topic: str) -> list[Any]:
    """The right of a principal to write to a topic."""
    place = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL)
    host: Any = None
    return [AclBindingFilter(*place, f"User:{principal}", host, AclOperation.WRITE, AclPermissionType.ALLOW)]


def _limit(hub: Hub, topic: str, size: str) -> str:
    """Set a topic's largest message; what it was before."""
    client, name = admin(hub), "max.message.bytes"
    resource = ConfigResource(ResourceType.TOPIC, topic)
    before = str(client.describe_configs([resource])[resource].result(20)[name].value)
    entry = ConfigEntry(name, size, incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client.incremental_alter_configs([changed])[changed].result(20)
    return before
