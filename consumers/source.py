"""Where an edge's messages come from: its feeds and the heartbeat, read by `assign()` from positions of our own.

There is no consumer group: positions live in the inbox. Each one counts within one topic id; where the topic was
made anew, or no longer has what comes next, reading begins at the beginning and deduplication does its work.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from consumers.inbox import Position
from consumers.judging import Message
from manara import kafka
from manara.errors import BrokerError, Cause
from manara.settings import Settings
from schemas.registry import ALERT_KINDS
from schemas.topics import Names

LAST_ONE: Final = -2001
"""librdkafka's logical offset for "the last message"."""
LOOK_SECONDS: Final = 5.0
"""So often topics are looked at: for new ones, and for ones made anew."""
ANSWER_SECONDS: Final = 5.0

Partition = tuple[str, int]


@dataclass
class Pulled:
    """What one look brought: messages of feeds with their kind, and heartbeats."""

    feeds: list[tuple[str, Message]] = field(default_factory=list)
    heartbeats: list[Message] = field(default_factory=list)

    def positions(self) -> dict[Partition, Position]:
        """Where to read on once these are stored."""
        return {
            (sent.topic, sent.partition): Position(sent.topic_id, sent.offset + 1)
            for _kind, sent in self.feeds  # in order within a partition: the last one wins
        }


class FeedSource:
    """One member's consumer. For one thread."""

    def __init__(self, settings: Settings, member: str) -> None:
        names = Names(settings.topic_prefix)
        self.problem = kafka.Problem(settings.kafka)
        self._settings = settings.kafka
        self.kinds = {names.feed(member, kind): kind for kind in ALERT_KINDS}
        self._heartbeat = names.heartbeat
        self._consumer = kafka.consumer(settings.kafka, problem=self.problem)
        self._admin = kafka.admin(settings.kafka, problem=self.problem)
        self._assigned: dict[Partition, str] = {}
        self._next_look = 0.0
        self._log = structlog.get_logger().bind(member=member)

    def open(self, positions: Mapping[Partition, Position]) -> None:
        """Reach the cluster and begin to read. Raises `BrokerError` in words."""
        kafka.reach(self._consumer, self.problem)
        try:
            self.look(positions)
        except KafkaException as error:
            raise kafka.words(error.args[0], self._settings, what=", ".join(self.kinds)) from error
        if not any(topic in self.kinds for topic, _ in self._assigned):
            raise self.problem.error or self._missing()

    def look(self, positions: Mapping[Partition, Position]) -> None:
        """Find the topics as they are now; read those that are new, or made anew, from where they should be read."""
        self._next_look = time.monotonic() + LOOK_SECONDS
        topics = [*self.kinds, self._heartbeat]
        ids = kafka.topic_ids(self._admin, topics, ANSWER_SECONDS)
        listed = self._consumer.list_topics(timeout=ANSWER_SECONDS).topics
        now = {(t, p): ids[t] for t in topics if t in ids and t in listed for p in listed[t].partitions}
        gone = [key for key, id_ in self._assigned.items() if now.get(key) != id_]
        fresh = [key for key, id_ in now.items() if self._assigned.get(key) != id_]
        if gone:
            self._consumer.incremental_unassign([TopicPartition(*key) for key in gone])
        if fresh:
            self._consumer.incremental_assign(
                [TopicPartition(*key, self._start(key, now[key], positions)) for key in fresh]
            )
        self._assigned = now

    def look_due(self) -> bool:
        """Whether it is time for `look`."""
        return time.monotonic() >= self._next_look

    def pull(self, limit: int, timeout: float) -> Pulled:
        """Wait for a message, then take what else is here. Raises `BrokerError` for what no waiting cures."""
        first = self._consumer.poll(timeout)
        self.problem.raise_if_fatal()
        pulled = Pulled()
        if first is None:
            return pulled
        for message in [first, *self._consumer.consume(limit - 1, 0)]:
            self._sort(message, pulled)
        return pulled

    def waiting(self) -> int:
        """How many messages of the feeds wait at the broker, as far as the last answers tell; asks nobody."""
        count = 0
        for place in self._consumer.position([TopicPartition(*key) for key in self._assigned if key[0] in self.kinds]):
            _low, high = self._consumer.get_watermark_offsets(place, cached=True)
            count += max(0, high - max(place.offset, 0)) if high > 0 else 0
        return count

    def close(self) -> None:
        """Leave the cluster."""
        self._consumer.close()

    def _sort(self, message: KafkaMessage, pulled: Pulled) -> None:
        error = message.error()
        if error is not None:
            self._complain(message, error)
            return
        self.problem.clear()
        sent = self._message(message)
        if sent.topic == self._heartbeat:
            pulled.heartbeats.append(sent)
        elif (sent.topic, sent.partition) in self._assigned:
            pulled.feeds.append((self.kinds[sent.topic], sent))

    def _message(self, message: KafkaMessage) -> Message:
        topic, partition = str(message.topic()), int(message.partition() or 0)
        return Message(
            topic=topic,
            topic_id=self._assigned.get((topic, partition), ""),
            partition=partition,
            offset=int(message.offset() or 0),
            time=message.timestamp()[1] * 1000,
            key=_bytes(message.key()),
            value=_bytes(message.value()),
            headers=tuple((str(header[0]), _bytes(header[1])) for header in list(message.headers() or ())),
        )

    def _complain(self, message: KafkaMessage, error: KafkaError) -> None:
        topic, partition = message.topic() or "", int(message.partition() or 0)
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            self._log.error("Messages were removed before they were read", topic=topic, partition=partition)
            place = TopicPartition(topic, partition)
            self._consumer.incremental_unassign([place])
            beginning = LAST_ONE if topic == self._heartbeat else OFFSET_BEGINNING
            self._consumer.incremental_assign([TopicPartition(topic, partition, beginning)])
            return
        if kafka.words(error, self._settings, what=topic).cause is Cause.TOPIC:
            self._next_look = 0.0
        self.problem(error)

    def _start(self, key: Partition, topic_id: str, positions: Mapping[Partition, Position]) -> int:
        if key[0] == self._heartbeat:
            return LAST_ONE
        known = positions.get(key)
        if known is None:
            return OFFSET_BEGINNING
        if known.topic_id != topic_id:
            self._log.warning("A topic was made anew and is read from the beginning", topic=key[0], topic_id=topic_id)
            return OFFSET_BEGINNING
        return known.next_offset

    def _missing(self) -> BrokerError:
        return BrokerError(
            f"None of the feeds {', '.join(self.kinds)} exists, or this user may not read them.",
            "The operator creates them with `manara topics apply`; check kafka.username and member.",
            cause=Cause.TOPIC,
        )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
