"""The engine's Kafka clients: what each is set to, and why, in one place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from time import time_ns
from typing import Any, cast

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from manara import kafka as kernel
from manara.kafka import Problem
from manara.settings import KafkaSettings
from streams.engine.contract import Headers, Record
from streams.engine.errors import Exit, Stop
from streams.engine.limits import Limits

WAITS = frozenset(
    {
        KafkaError._PARTITION_EOF,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)
"""Errors of a read that heal by waiting: the client tries again by itself."""


_ID_LENGTH = 32


@dataclass(frozen=True)
class Clients:
    """Makes the clients of one worker. `slot` names it for good: a quick restart gets its work back at once."""

    kafka: KafkaSettings
    group: str
    slot: str
    limits: Limits
    problem: Problem = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "problem", Problem(self.kafka))

    def producer(self, **extra: Any) -> Producer:
        """The one that sends what the stage answers."""
        return kernel.producer(self.kafka, problem=self.problem, **extra)

    def member(self, **extra: Any) -> Consumer:
        """A static member of the group. The next one of this slot takes over; a third is fenced."""
        return kernel.consumer(
            self.kafka,
            self.group,
            problem=self.problem,
            group_instance_id=f"{self.group}-{self.slot}",
            session_timeout_ms=int(self.limits.session * 1000),
            heartbeat_interval_ms=1000,
            partition_assignment_strategy="cooperative-sticky",
            fetch_wait_max_ms=100,
            queued_max_messages_kbytes=16_384,
            **extra,
        )

    def reader(self, **extra: Any) -> Consumer:
        """A consumer without a group, for partitions that are assigned by hand.

        What a stranger may write is read with the bounds of `manara.kafka`: a batch that inflates above about 4 MB is
        refused, and a position that does not exist is an error, never silently another one.
        """
        return kernel.consumer(
            self.kafka, problem=self.problem, fetch_wait_max_ms=100, queued_max_messages_kbytes=16_384, **extra
        )

    def admin(self) -> AdminClient:
        """For looking up the ids of topics."""
        return kernel.admin(self.kafka, problem=self.problem)


def topic_ids(admin: AdminClient, topics: Collection[str]) -> dict[str, str]:
    """The ids of those topics that exist."""
    return kernel.topic_ids(admin, topics)


def stamped_ids(admin: AdminClient, topics: Collection[str]) -> dict[str, str]:
    """The same for topics that strangers write: the broker must give their records the time, else `Stop`.

    Validity of keys and expiry of alerts are judged by that time, so no writer may choose it.
    """
    found = topic_ids(admin, topics)
    wrong = kernel.without_log_time(admin, list(found))
    if wrong:
        raise Stop(Exit.CONSUME, f"{', '.join(wrong)}: whoever writes chooses the time; run `manara topics apply`")
    return found


def committed_id(place: TopicPartition) -> str:
    """The topic id that a committed offset carries as its metadata; "" where it carries none.

    Cut to its length: the client reads metadata beyond its end (confluent-kafka 2.16), and what it finds there may be a
    byte too many, or no text at all.
    """
    try:
        return (place.metadata or "")[:_ID_LENGTH]
    except UnicodeDecodeError as error:
        return error.object[:_ID_LENGTH].decode("ascii", "replace")


def record(message: Message, topic_id: str) -> Record:
    """A message as stages see it. The log's time is in milliseconds on the wire.

    A time that is not the log's is its writer's word. Ours counts then: it is later than the true one, so nobody gains.
    """
    kind, at = message.timestamp()
    time = at * 1000 if kind == TIMESTAMP_LOG_APPEND_TIME else time_ns() // 1000
    return Record(
        cast("str", message.topic()),
        topic_id,
        cast("int", message.partition()),
        cast("int", message.offset()),
        time,
        message.key(),
        message.value(),
        _headers(message),
    )


def _headers(message: Message) -> Headers:
    """None where a stranger's header name is no text: without them no signature is found, so the message is refused."""
    try:
        return cast("Headers", message.headers() or [])
    except UnicodeDecodeError:
        return []


def high_mark(consumer: Consumer, topic: str, partition: int) -> int:
    """The end of a partition as the client last heard of it; 0 if it has not yet. Asks nobody."""
    try:
        _low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
    except KafkaException:  # not fetched from yet
        return 0
    return max(0, high)


def pull(consumer: Consumer, timeout: float, most: int) -> list[Message]:
    """At most `most` messages: waits for the first, takes what else is there. (`consume(n, t)` would wait all of t.)"""
    first = consumer.poll(timeout)
    if first is None:
        return []
    return [first, *consumer.consume(most - 1, 0)] if most > 1 else [first]


def complain(error: KafkaError, what: str) -> None:
    """An error of a read that nobody knows better: those that heal are waited for, the others end the worker."""
    if error.fatal():
        raise Stop(Exit.BROKER, f"{what}: {error.str()}")
    if error.code() not in WAITS and not error.retriable():
        raise Stop(Exit.CONSUME, f"{what}: {error.name()} {error.str()}")
