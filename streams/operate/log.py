"""Reading the hub's topics as an operator: without a group, from a known beginning to the end there is now."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import NamedTuple, Self, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from manara.errors import BrokerError
from manara.kafka import Problem, consumer, is_noise, reach, words
from manara.settings import Settings
from schemas.message import Headers
from schemas.topics import Names

TIMEOUT = 15.0
"""Seconds that one answer of the cluster may take."""
CHUNK = 500

Progress = Callable[[int, int], None]
"""Hears how much is read, and how much there is."""


class Read(NamedTuple):
    """One message of the log."""

    topic: str
    partition: int
    offset: int
    time: int  # the log's, microseconds
    key: bytes | None
    value: bytes | None
    headers: Headers


class Log:
    """The cluster, to look at. For one thread; close it."""

    def __init__(self, settings: Settings) -> None:
        self.names = Names(settings.topic_prefix)
        self.lanes = settings.lanes
        self.kafka = settings.kafka
        self.problem = Problem(settings.kafka)
        self.client: Consumer = consumer(
            settings.kafka, problem=self.problem, enable_partition_eof=True, fetch_wait_max_ms=50
        )
        try:
            reach(self.client, self.problem, TIMEOUT)
        except BaseException:
            self.client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the consumer."""
        self.client.close()

    def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic; none where it does not exist."""
        found = self.client.list_topics(topic, timeout=TIMEOUT).topics[topic]
        if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return []
        if found.error is not None:
            raise words(found.error, self.kafka, what=topic)
        return sorted(found.partitions)

    def span(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset that a partition holds, and the one after its last."""
        try:
            low, high = self.client.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT)
        except KafkaException as error:
            raise words(error.args[0], self.kafka, what=topic) from error
        return low, high

    def first_at(self, places: Collection[tuple[str, int]], at: int) -> dict[tuple[str, int], int]:
        """For each (topic, partition): the offset of the first message at or after a time in microseconds, else -1."""
        asked = [TopicPartition(topic, partition, max(0, at // 1000)) for topic, partition in places]
        if not asked:
            return {}
        try:
            found = self.client.offsets_for_times(asked, timeout=TIMEOUT)
        except KafkaException as error:
            raise words(error.args[0], self.kafka, what="offsets by time") from error
        return {(place.topic, place.partition): place.offset for place in found}

    def scan(
        self,
        topic: str,
        partitions: Collection[int] | None = None,
        *,
        since: int = 0,
        progress: Progress = lambda _done, _all: None,
    ) -> Iterator[Read]:
        """All that these partitions hold now, or since a time; in order per partition. All partitions if none is named.

        It ends: what is written while it reads is left for the next time.
        """
        chosen = self.partitions(topic) if partitions is None else sorted(partitions)
        spans = {partition: self._span_since(topic, partition, since) for partition in chosen}
        open_ = {partition: span for partition, span in spans.items() if span[0] < span[1]}
        if not open_:
            return
        total = sum(high - low for low, high in open_.values())
        self.client.assign([TopicPartition(topic, partition, low) for partition, (low, _) in open_.items()])
        try:
            yield from self._until(topic, {partition: high for partition, (_, high) in open_.items()}, total, progress)
        finally:
            self.client.unassign()

    def follow(self, places: dict[tuple[str, int], int]) -> None:
        """Assign these places at these offsets, for `news`."""
        self.client.assign([TopicPartition(topic, partition, offset) for (topic, partition), offset in places.items()])

    def news(self, timeout: float) -> list[Read]:
        """What has come since the last call, in the places that are followed; waits at most `timeout` seconds."""
        return [read for message in self._consume(timeout) if (read := self._read(message)) is not None]

    def _span_since(self, topic: str, partition: int, since: int) -> tuple[int, int]:
        low, high = self.span(topic, partition)
        if since <= 0 or low >= high:
            return low, high
        first = self.first_at([(topic, partition)], since)[topic, partition]
        return (max(low, first), high) if first >= 0 else (high, high)

    def _until(self, topic: str, ends: dict[int, int], total: int, progress: Progress) -> Iterator[Read]:
        done, quiet = 0, time.monotonic()
        while ends:
            for message in self._consume(0.1):
                partition, offset = cast("int", message.partition()), cast("int", message.offset())
                if message.error() is not None:
                    if self._at_end(message):
                        ends.pop(partition, None)
                    continue
                quiet = time.monotonic()
                if partition not in ends:
                    continue
                done += 1
                if offset + 1 >= ends[partition]:
                    ends.pop(partition)
                read = self._read(message)
                if read is not None:
                    yield read
            progress(done, total)
            if time.monotonic() - quiet > TIMEOUT:
                raise self.problem.after(TIMEOUT)
        progress(total, total)

    def _consume(self, timeout: float) -> list[Message]:
        first = self.client.poll(timeout)  # `consume` waits all of its time, even when it has something
        self.problem.raise_if_fatal()
        return [first, *self.client.consume(CHUNK, 0)] if first is not None else []

    def _at_end(self, message: Message) -> bool:
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name for this
            return True
        if error is not None and not error.retriable() and not is_noise(error):
            raise self._broken(error, message.topic() or "")
        return False

    def _broken(self, error: KafkaError, topic: str) -> BrokerError:
        return words(error, self.kafka, what=topic)

    def _read(self, message: Message) -> Read | None:
        if message.error() is not None:
            return None
        return Read(
            cast("str", message.topic()),
            cast("int", message.partition()),
            cast("int", message.offset()),
            message.timestamp()[1] * 1000,
            message.key(),
            message.value(),
            cast("Headers", message.headers() or []),
        )
