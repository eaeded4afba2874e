"""The directory on the cluster: published as numbered snapshots, read back by every process.

A reader believes a key only under the roots pinned in its own settings; the cluster's word is not enough.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, cast

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from manara import metrics
from manara.directory_file import DirectoryDraft, dump_yaml, load_yaml
from manara.errors import BrokerError, Cause, DirectoryError, InputError
from manara.kafka import Problem, check_topic, consumer, is_noise, producer, reach, words
from manara.settings import Settings
from schemas import codec
from schemas import directory as rules
from schemas.directory import Directory, Pins
from schemas.errors import ContractError
from schemas.models import DirectoryRecord
from schemas.registry import by_id, by_name
from schemas.topics import Names

KEPT: Final = 32
"""Snapshots kept in memory, for looking at an old decision."""


class DirectoryReader:
    """Follows `sys.directory` by its own consumer, without a group. For one thread.

    `refused` are sentences about what the latest snapshot held and was not believed.
    """

    def __init__(self, settings: Settings, pins: Pins | None = None) -> None:
        self._pins = settings.roots if pins is None else pins
        self._topic = Names(settings.topic_prefix).directory
        self._problem = Problem(settings.kafka)
        self._kafka = settings.kafka
        self._latest: Directory | None = None
        self._record: DirectoryRecord | None = None
        self._known: OrderedDict[int, Directory] = OrderedDict()
        self._at_end = False
        self._next = 0
        self._refusal: BrokerError | None = None
        self.refused: tuple[str, ...] = ()
        # from the beginning is right whatever happened to the topic: a snapshot is known by its number
        self._consumer: Consumer = consumer(
            settings.kafka, problem=self._problem, auto_offset_reset="earliest", enable_partition_eof=True
        )
        self._consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])

    def wait(self, timeout: float = 10.0, *, stop: Callable[[], bool] = lambda: False) -> Directory:
        """The latest directory on the cluster. Raises `BrokerError` or `DirectoryError` when there is none in time."""
        deadline = time.monotonic() + timeout
        end = -1
        while not self._at_end and not 0 <= end <= self._next:
            if time.monotonic() > deadline or stop():
                raise self._nothing(timeout)
            self._take(self._consumer.poll(0.1))
            self._problem.raise_if_fatal()
            if self._refusal is not None:
                raise self._refusal
            # asking where the end is spares half a second of waiting for the broker to say that there is no more
            end = self._end() if end < 0 else end
        self._at_end = True
        if self._latest is None:
            raise self._nothing(timeout)
        return self._latest

    def poll(self) -> Directory:
        """The latest directory known, after a quick look for a newer one; the last good one while the cluster is away.

        Raises `DirectoryError` where there has never been one: call `wait` first.
        """
        while (message := self._consumer.poll(0)) is not None:
            self._take(message)
        if self._latest is None:
            raise self._nothing(0)
        return self._latest

    def at_seq(self, seq: int) -> Directory | None:
        """The snapshot of that number, where it is one of the latest 32."""
        return self._known.get(seq)

    @property
    def record(self) -> DirectoryRecord | None:
        """The latest snapshot as published, with the keys that are not believed."""
        return self._record

    def close(self) -> None:
        """Let go of the consumer."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self) -> int:
        """The offset after the last snapshot; -1 while the cluster does not say."""
        try:
            return int(self._consumer.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=0.5)[1])
        except KafkaException as error:
            if error.args[0].code() == KafkaError._UNKNOWN_PARTITION:  # noqa: SLF001
                check_topic(self._consumer, self._kafka, self._topic)
            return -1

    def _take(self, message: Message | None) -> None:
        if message is None:
            return
        error = message.error()
        if error is not None:
            self._complain(error)
            return
        self._next = (message.offset() or 0) + 1
        value = message.value()
        if value is None:
            return
        try:
            record = open_record(value)
        except ContractError as fault:
            metrics.directory_refused.inc()
            structlog.get_logger().warning("Directory snapshot refused", offset=message.offset(), error=str(fault))
            return
        if self._latest is None or record["directory_seq"] > self._latest.seq:
            self._accept(record)

    def _complain(self, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            self._at_end = True
            self._problem.clear()
            return
        if is_noise(error):
            return
        said = words(error, self._kafka, what=self._topic)
        if said.cause in (Cause.RIGHTS, Cause.TOPIC):  # no waiting cures it; whoever runs already keeps what it has
            self._refusal = said
        self._problem(error)

    def _accept(self, record: DirectoryRecord) -> None:
        directory, refused = rules.read(record, self._pins, self._latest)
        self._latest, self._record, self.refused = directory, record, refused
        self._known[directory.seq] = directory
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        metrics.directory_seq.set(directory.seq)
        metrics.directory_refused.inc(len(refused))
        metrics.start(tuple(directory.members), tuple(directory.agencies))

    def _nothing(self, seconds: float) -> BrokerError | DirectoryError:
        if self._at_end:
            return DirectoryError(
                "No directory has been published yet.", "Run `manara directory publish FILE` as operator."
            )
        return self._problem.after(seconds)


def open_record(value: bytes) -> DirectoryRecord:
    """The record in a message of `sys.directory`. Raises `ContractError` for anything else."""
    schema_id, body = codec.unframe(value)
    schema = by_id(schema_id)
    if schema.name != "directory":
        raise ContractError(f"a {schema.name} on the directory's topic")
    return cast("DirectoryRecord", codec.decode(schema, body))


def latest(settings: Settings, pins: Pins | None = None, timeout: float = 10.0) -> DirectoryReader:
    """A reader that has read everything there is, perhaps nothing.

    Raises `BrokerError` where the cluster does not answer.
    """
    reader = DirectoryReader(settings, pins)
    try:
        reader.wait(timeout)
    except DirectoryError:  # nothing published yet, which the caller can see
        pass
    except BaseException:
        reader.close()
        raise
    return reader


def publish(settings: Settings, record: DirectoryRecord, timeout: float = 15.0) -> int:
    """Publish a snapshot and give back its offset once the cluster holds it. Raises `BrokerError` where it does not."""
    problem = Problem(settings.kafka)
    client = producer(settings.kafka, problem=problem, delivery_timeout_ms=int(timeout * 1000), request_timeout_ms=5000)
    reach(client, problem, timeout)
    outcome: list[tuple[KafkaError | None, int]] = []
    schema = by_name("directory")
    topic = Names(settings.topic_prefix).directory
    try:
        client.produce(
            topic,
            key=str(record["directory_seq"]).encode(),
            value=codec.frame(schema, codec.encode(schema, record)),
            partition=0,
            on_delivery=lambda error, message: outcome.append((error, message.offset() or 0)),
        )
    except KafkaException as error:
        raise words(error.args[0], settings.kafka, what=topic) from error
    _settle(client, problem, outcome, timeout)
    refused, offset = outcome[0]
    if refused is not None:
        raise words(refused, settings.kafka, what=topic)
    return offset


def _settle(client: Producer, problem: Problem, outcome: list[tuple[KafkaError | None, int]], timeout: float) -> None:
    deadline = time.monotonic() + timeout + 1
    while not outcome:
        client.poll(0.1)
        problem.raise_if_fatal()
        if time.monotonic() > deadline:
            raise problem.after(timeout)


__all__ = [
    "DirectoryDraft",
    "DirectoryReader",
    "InputError",
    "dump_yaml",
    "latest",
    "load_yaml",
    "open_record",
    "publish",
]
