"""An offset is a number within one topic id: one that carries none is not trusted, by either runner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from tests.support.engine_bench import Bench, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration


@pytest.fixture
def bench(kafka: Broker, tmp_path: Path) -> Iterator[Bench]:
    """A stand with an input of two partitions and an output."""
    stand = Bench(kafka, tmp_path)
    stand.topics(blocks=2, feed=1)
    yield stand
    stand.close()


@pytest.mark.parametrize("role", ["loop", "faust"])
def test_an_offset_without_a_topic_id_is_not_trusted(bench: Bench, role: str) -> None:
    """Nobody knows of which log it is a number: the topic is read from its beginning."""
    texts = [f"k{n % 7}:{n}" for n in range(1, 71)]
    bench.send("blocks", texts[:35], partition=0)
    bench.send("blocks", texts[35:], partition=1)
    group = bench.name("group.bare")
    bare = [TopicPartition(bench.name("blocks"), partition, 20) for partition in (0, 1)]
    bench.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, bare)])[group].result(20)
    bench.start(role, topic=bench.name("blocks"), target=bench.name("feed"), group=group)
    until(lambda: len(bench.values("feed")) >= len(texts), "all of it is read")
    assert Counter(bench.values("feed")) == Counter(texts)
