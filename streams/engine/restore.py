"""Making a lane's state current: the local store, else the snapshot, then the tail of the log. Runs off the loop."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import structlog
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from manara.kafka import is_noise
from streams.engine.clients import complain, pull
from streams.engine.contract import CommitStage
from streams.engine.errors import Exit, Stop
from streams.engine.snapshot import Found, Snapshot, assemble
from streams.engine.store import Lane

CHUNK = 2_000  # blocks folded in one transaction


class Range(NamedTuple):
    """What a partition holds: offsets `low` to `high` - 1."""

    low: int
    high: int


class Hole(Exception):
    """Blocks `first` to `last` are in no log and in no snapshot any more.

    Whatever they admitted is unknown here: its updates and its withdrawal would be refused, as of an unknown alert. So
    a lane with a hole stands still, and its messages wait, until the operator has looked and accepts it.
    """

    def __init__(self, first: int, last: int) -> None:
        super().__init__(f"blocks {first} to {last} are lost")
        self.first = first
        self.last = last


@dataclass(frozen=True)
class Restorer:
    """Restores lanes of one worker."""

    reader: Callable[[], Consumer]
    ids: Callable[[list[str]], dict[str, str]]
    log: str  # the topic of blocks
    register: str  # the topic of the snapshot
    folder: Path
    hot: int
    accept_hole: bool = False

    def restore(self, lane: int, stage: CommitStage, cancelled: threading.Event) -> Lane | None:
        """The lane, folded up to the end that the log has now; None if cancelled.

        Raises `Stop` if it cannot be had, `Hole` if what is left of it does not meet and nobody has accepted that.
        """
        begun = time.monotonic()
        ids = self.ids([self.log])
        if self.log not in ids:
            raise Stop(Exit.RESTORE, f"the topic {self.log} does not exist")
        store = Lane(self.folder / f"lane{lane}.db", ids[self.log], self.hot)
        consumer = self.reader()
        try:
            limits = self._range(consumer, self.log, lane)
            start = self._snapshot(consumer, lane, store, limits)
            blocks = self._fold(consumer, lane, store, stage, Range(max(start, limits.low), limits.high), cancelled)
        except Hole:
            store.close()
            raise
        finally:
            consumer.close()
        if cancelled.is_set():
            store.close()
            return None
        seconds = round(time.monotonic() - begun, 3)
        structlog.get_logger().info(
            "Lane restored", lane=lane, start=start, next=store.next, blocks=blocks, seconds=seconds
        )
        return store

    def _snapshot(self, consumer: Consumer, lane: int, store: Lane, limits: Range) -> int:
        """Take the snapshot where the store has nothing, or is older than the log; returns where the tail begins."""
        if store.next == 0 or store.next < limits.low:
            found = self._read_snapshot(consumer, lane, store.log)
            if found is not None and found.next > store.next:
                store.load(found.entries, found.sources, found.next)
        self._meet(lane, store.next, limits.low)
        return store.next

    def _meet(self, lane: int, known: int, low: int) -> None:
        """Raise where the log begins after all that is known, unless that is accepted. The doctor reads the note."""
        note = self.folder / f"lane{lane}.hole"
        if known >= low:
            note.unlink(missing_ok=True)
            return
        structlog.get_logger().error(
            "The log of blocks begins after the snapshot ends: what lies between is not known",
            lane=lane,
            first=known,
            last=low - 1,
            accepted=self.accept_hole,
        )
        if not self.accept_hole:
            note.write_text(json.dumps({"lane": lane, "first": known, "last": low - 1}))
            raise Hole(known, low - 1)
        note.unlink(missing_ok=True)

    def _read_snapshot(self, consumer: Consumer, lane: int, log: str) -> Snapshot | None:
        limits = self._range(consumer, self.register, lane)
        return assemble((_found(message) for message in read(consumer, self.register, lane, limits)), log)

    def _fold(
        self, consumer: Consumer, lane: int, store: Lane, stage: CommitStage, limits: Range, cancelled: threading.Event
    ) -> int:
        blocks, count = list[tuple[int, bytes]](), 0
        for message in read(consumer, self.log, lane, limits):
            if cancelled.is_set():
                return count
            blocks.append(block(message))
            count += 1
            if len(blocks) >= CHUNK:
                store.fold(stage, blocks)
                blocks.clear()
        if blocks:
            store.fold(stage, blocks)
        store.keep((), (), limits.high)
        return count

    @staticmethod
    def _range(consumer: Consumer, topic: str, partition: int) -> Range:
        return Range(*consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=15.0))


def read(consumer: Consumer, topic: str, partition: int, limits: Range) -> Iterator[Message]:
    """Every message of a stretch of one partition, in order. Needs a consumer that reports ends of partitions."""
    if limits.low >= limits.high:
        return
    consumer.assign([TopicPartition(topic, partition, limits.low)])
    try:
        while True:
            for message in pull(consumer, 1.0, 5_000):
                error = message.error()
                if error is None:
                    if _offset(message) >= limits.high:
                        return
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    return
                elif not is_noise(error):
                    complain(error, topic)
            at = consumer.position([TopicPartition(topic, partition)])[0].offset
            if at >= limits.high:
                return
    finally:
        consumer.unassign()


def block(message: Message) -> tuple[int, bytes]:
    """Offset and value of a block. The log of blocks holds no null."""
    value = message.value()
    if not isinstance(value, bytes):
        raise Stop(Exit.BROKEN_BLOCK, f"{message.topic()}: a block without a value")
    return _offset(message), value


def _offset(message: Message) -> int:
    offset = message.offset()
    return -1 if offset is None else offset


def _found(message: Message) -> Found:
    key, value = message.key(), message.value()
    headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return Found(key or b"", value, dict(headers))
