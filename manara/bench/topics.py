"""What a benchmark itself does with Kafka: fill topics before a run, count during it, read everything after it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import confluent_kafka.admin
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from manara import kafka
from manara.bench.errors import BenchError
from manara.settings import KafkaSettings

_kafka: Any = confluent_kafka.admin  # its stubs hide most of what it exports
READ_SECONDS: Final = 60.0
LEADERLESS: Final = frozenset(
    {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART}
)
Headers = list[tuple[str, bytes]]


class Item(NamedTuple):
    """A message to put somewhere before a run."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


class Topics:
    """One connection of the super user. `close` it."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Connects when it is first used."""
        self._settings = settings
        self._admin: Any = kafka.admin(settings)
        self._known: dict[tuple[str, int], int] = {}  # end offsets as they were last seen

    def make(self, partitions: Mapping[str, int]) -> None:
        """Make topics that no catalogue knows, for systems that are not ours."""
        wanted = [_kafka.NewTopic(name, count, 1) for name, count in partitions.items()]
        for future in self._admin.create_topics(wanted).values():
            future.result(30)
        deadline = time.monotonic() + READ_SECONDS
        while len(self.partitions(list(partitions))) < sum(partitions.values()):
            if time.monotonic() > deadline:
                raise BenchError("New topics do not appear.", "See the broker's log.")
            time.sleep(0.05)

    def delete(self, prefix: str) -> None:
        """Delete all topics of a run, so that the disk does not fill."""
        names = [name for name in self._admin.list_topics(timeout=10).topics if name.startswith(prefix)]
        if names:
            for future in self._admin.delete_topics(names, operation_timeout=30).values():
                future.result(60)

    def fill(self, items: Iterable[Item]) -> int:
        """Write messages, all acknowledged at the return; how many."""
        producer = kafka.producer(self._settings, linger_ms=50, queue_buffering_max_messages=200_000)
        failed: list[KafkaError] = []
        count = 0

        def report(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failed.append(error)

        for count, (topic, partition, key, value, headers) in enumerate(items, 1):
            while True:
                try:
                    producer.produce(topic, value, key, partition, on_delivery=report, headers=list(headers))
                    break
                except BufferError:
                    producer.poll(0.1)
            if not count % 1000:
                producer.poll(0)
        if producer.flush(120) or failed:
            raise BenchError(f"Topics could not be filled: {failed[:1]}.", "See the broker's log.")
        return count

    def partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """Every partition of these topics."""
        listed = self._admin.list_topics(timeout=10).topics
        return [TopicPartition(topic, p) for topic in topics if topic in listed for p in listed[topic].partitions]

    def ends(self, partitions: Sequence[TopicPartition]) -> int:
        """How many messages these partitions have had in all: one request. What has no leader just now, as a new topic
        may not, is as it was.
        """
        latest = _kafka.OffsetSpec.latest()
        asked = self._admin.list_offsets({TopicPartition(p.topic, p.partition): latest for p in partitions})
        for place, future in asked.items():
            try:
                self._known[place.topic, place.partition] = int(future.result(15).offset)
            except KafkaException as error:
                if error.args[0].code() not in LEADERLESS:
                    raise
        return sum(self._known.get((p.topic, p.partition), 0) for p in partitions)

    def read(self, topics: Sequence[str]) -> Iterator[Message]:
        """Everything that stands in these topics now."""
        consumer: Consumer = kafka.consumer(self._settings, enable_partition_eof=True, auto_offset_reset="earliest")
        places = [TopicPartition(p.topic, p.partition, 0) for p in self.partitions(topics)]
        open_ends = {(p.topic, p.partition) for p in places}
        try:
            consumer.assign(places)
            deadline = time.monotonic() + READ_SECONDS
            while open_ends:
                for message in consumer.consume(1000, 0.1):
                    error = message.error()
                    if error is None:
                        deadline = time.monotonic() + READ_SECONDS
                        yield message
                    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                        open_ends.discard((str(message.topic()), int(message.partition() or 0)))
                if time.monotonic() > deadline:
                    raise BenchError(f"{min(open_ends)[0]} could not be read to its end.", "See the broker's log.")
        finally:
            consumer.close()
