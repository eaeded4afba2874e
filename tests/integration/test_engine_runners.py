"""What every runner of a stateless stage must hold, on a real broker: the same tests for the loop and for Faust."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from streams.engine.errors import Exit
from tests.support.engine_bench import Bench, stop, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration


@pytest.fixture
def bench(kafka: Broker, tmp_path: Path) -> Iterator[Bench]:
    """A stand with an input of two partitions and an output."""
    stand = Bench(kafka, tmp_path)
    stand.topics(blocks=2, feed=1)
    yield stand
    stand.close()


@pytest.fixture(params=["loop", "faust"])
def role(request: pytest.FixtureRequest) -> str:
    """Which runner."""
    return str(request.param)


def texts(first: int, last: int) -> list[str]:
    """Messages, each with a key of its own kind: `k<n mod 7>:<n>`."""
    return [f"k{n % 7}:{n}" for n in range(first, last + 1)]


def begin(bench: Bench, role: str, slot: str = "1") -> object:
    """Start a worker from `blocks` to `feed`."""
    return bench.start(role, slot, topic=bench.name("blocks"), target=bench.name("feed"))


def arrived(bench: Bench, number: int) -> bool:
    """Whether at least so many different messages have come out."""
    return len(set(bench.values("feed"))) >= number


def in_order(values: list[str]) -> bool:
    """Whether the first deliveries of each key came in the order they were sent."""
    first = dict.fromkeys(values)
    by_key: dict[str, list[int]] = {}
    for text in first:
        key, _, number = text.partition(":")
        by_key.setdefault(key, []).append(int(number))
    return all(numbers == sorted(numbers) for numbers in by_key.values())


def send(bench: Bench, values: list[str]) -> None:
    """Spread over two partitions by key."""
    for partition in (0, 1):
        bench.send("blocks", [v for v in values if int(v[1]) % 2 == partition], partition)


def test_a_backlog_arrives_once_and_a_graceful_restart_repeats_nothing(bench: Bench, role: str) -> None:
    """SIGTERM ends with exit 0 and with everything committed."""
    send(bench, texts(1, 500))
    worker = bench.start(role, topic=bench.name("blocks"), target=bench.name("feed"))
    until(partial(arrived, bench, 500), "the backlog arrives")
    assert stop(worker) == 0
    begin(bench, role)
    send(bench, texts(501, 520))
    until(partial(arrived, bench, 520), "the rest arrives")
    assert Counter(bench.values("feed")) == Counter(texts(1, 520))
    assert in_order(bench.values("feed"))


def test_nothing_is_lost_by_kills_and_repeats_are_bounded(bench: Bench, role: str) -> None:
    """kill -9 in a backlog: repeats are at most what one commit interval and the messages in flight hold."""
    for number in range(2):
        worker = bench.start(role, topic=bench.name("blocks"), target=bench.name("feed"))
        send(bench, texts(2000 * number + 1, 2000 * number + 2000))
        until(partial(arrived, bench, 2000 * number + 200), "some arrive")
        assert stop(worker, signal.SIGKILL) == -signal.SIGKILL
    begin(bench, role)
    until(partial(arrived, bench, 4000), "all arrive")
    found = bench.values("feed")
    assert set(found) == set(texts(1, 4000))
    assert len(found) <= 4000 + 2 * 3000
    assert in_order(found)


def test_a_topic_made_anew_is_read_from_its_beginning_by_its_id(bench: Bench, role: str) -> None:
    """The committed offset carries the topic's id, so a number of the old topic is not believed."""
    send(bench, texts(1, 70))
    worker = bench.start(role, topic=bench.name("blocks"), target=bench.name("feed"))
    until(partial(arrived, bench, 70), "the old topic is read")
    assert stop(worker) == 0
    bench.delete("blocks")
    bench.topics(blocks=2)
    send(bench, texts(101, 240))
    begin(bench, role)
    until(partial(arrived, bench, 210), "the new topic is read from its beginning")
    assert Counter(bench.values("feed")) == Counter([*texts(1, 70), *texts(101, 240)])


def test_an_offset_without_a_topic_id_is_not_trusted(bench: Bench, role: str) -> None:
    """Nobody knows of which log it is a number: the topic is read from its beginning."""
    send(bench, texts(1, 70))
    group = bench.name("group.bare")
    bare = [TopicPartition(bench.name("blocks"), partition, 20) for partition in (0, 1)]
    bench.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, bare)])[group].result(20)
    bench.start(role, topic=bench.name("blocks"), target=bench.name("feed"), group=group)
    until(partial(arrived, bench, 70), "all of it is read")
    assert Counter(bench.values("feed")) == Counter(texts(1, 70))


def test_the_runners_take_over_from_each_other(bench: Bench, role: str) -> None:
    """Both commit the same way to the same group: changing the runner is one setting, and repeats nothing.

    Until the group has forgotten the first one (a session) the other is refused, says so and is started again.
    """
    other = "faust" if role == "loop" else "loop"
    given = {"topic": bench.name("blocks"), "target": bench.name("feed"), "group": bench.name("group.shared")}
    limits = {"session": 6.0}
    send(bench, texts(1, 60))
    worker = bench.start(role, **given, limits=limits)
    until(partial(arrived, bench, 60), "the first runner works")
    assert stop(worker) == 0
    send(bench, texts(61, 80))
    found = Supervised(partial(bench.start, other, **given, limits=limits))
    until(lambda: found.turn() and arrived(bench, 80), "the other one goes on")
    assert Counter(bench.values("feed")) == Counter(texts(1, 80))


class Supervised:
    """A worker that is started again when it has ended with an engine's exit code."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._worker = start()

    def turn(self) -> bool:
        """Start it again if it has ended."""
        code = self._worker.poll()
        if code is not None:
            assert code in (Exit.BROKER, Exit.CONSUME)
            self._worker = self._start()
        return True
