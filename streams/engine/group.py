"""A source by group: partitions and offsets by Kafka's group protocol, for stages that keep no state of their own.

The topic's id travels in the metadata of each committed offset: a number of another topic id is worth nothing, so the
topic is read from the beginning and the receivers' deduplication does its work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.engine.clients import Clients, committed_id, complain, high_mark, pull, record, topic_ids
from streams.engine.contract import Emit, Record
from streams.engine.effects import Ack, Effects
from streams.engine.errors import Exit, Stop
from streams.engine.source import Share
from streams.engine.store import Source as Place
from streams.engine.unreadable import MISPLACED, POISON, Unreadable, probe

Topics = Callable[[], Collection[str]]
"""Gives the topics to read. Called every second; cheap. Those that do not exist yet are looked for again."""

Ids = Callable[[AdminClient, Collection[str]], dict[str, str]]
"""Looks up topic ids: `topic_ids`, or `stamped_ids` for what strangers write."""

_NO_STATE: Mapping[bytes, bytes] = MappingProxyType({})
_PATIENCE = 15.0  # seconds, of calls that wait for the broker


class GroupSource:
    """Records of some topics, shared out by the group; offsets are committed after the acknowledgements."""

    def __init__(
        self,
        clients: Clients,
        topics: Topics,
        effects: Effects,
        unreadable: Callable[[Unreadable], list[Emit]],
        most: int,
        ids: Ids = topic_ids,
    ) -> None:
        self._look_up = ids
        self._clients = clients
        self._topics = topics
        self._effects = effects
        self._unreadable = unreadable
        self._limits = clients.limits
        self._most = most
        self._admin = clients.admin()
        self._pool = ThreadPoolExecutor(2, "group")
        self._ids: dict[str, str] = {}  # of the topics subscribed to
        self._lookup: Future[dict[str, str]] | None = None
        self._looked = self._committed = float("-inf")
        self._pending: dict[tuple[str, int], Place] = {}
        self._probes: dict[tuple[str, int], Future[Unreadable]] = {}
        self._mine: set[tuple[str, int]] = set()
        self._next: dict[tuple[str, int], int] = {}  # offset after the last record taken
        self._joined = False
        self._consumer = clients.member()

    # ------------------------------------------------------------------ topics and partitions

    def turn(self) -> None:
        """Topics that are new or were made anew, offsets to commit, batches to step past."""
        now = time.monotonic()
        if self._lookup is not None and self._lookup.done():
            self._found(self._lookup)
            self._lookup = None
        if self._lookup is None and now - self._looked >= self._limits.look:
            self._looked = now
            self._lookup = self._pool.submit(self._look_up, self._admin, list(self._topics()))
        if now - self._committed >= self._limits.commit:
            self._commit(wait=False)
        for key in [key for key, job in self._probes.items() if job.done()]:
            self._skip(key, self._probes.pop(key))

    def _found(self, lookup: Future[dict[str, str]]) -> None:
        try:
            found = lookup.result()
        except KafkaException as error:
            structlog.get_logger().warning("Topics cannot be looked up; trying again", code=error.args[0].name())
            return
        anew = [topic for topic, topic_id in found.items() if self._ids.get(topic, topic_id) != topic_id]
        if anew:
            raise Stop(Exit.CONSUME, f"made anew while it was read: {', '.join(anew)}")
        if found.keys() != self._ids.keys():
            self._ids = found
            self._consumer.subscribe(list(found), on_assign=self._assign, on_revoke=self._revoke, on_lost=_lost)

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined = True
        starts = [self._start(consumer, place) for place in consumer.committed(partitions, timeout=_PATIENCE)]
        consumer.incremental_assign(starts)
        self._mine |= {(p.topic, p.partition) for p in partitions}

    def _start(self, consumer: Consumer, committed: TopicPartition) -> TopicPartition:
        """Where to begin: at the committed offset if it is one of this very topic, else at the beginning."""
        topic, partition, offset = committed.topic, committed.partition, committed.offset
        beginning = TopicPartition(topic, partition, OFFSET_BEGINNING)
        if offset < 0:
            return beginning
        if committed_id(committed) != self._ids.get(topic):  # or none: nobody knows of which log it is
            structlog.get_logger().warning(
                "The committed offset is not one of this very topic: read from the beginning",
                topic=topic,
                partition=partition,
            )
            return beginning
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_PATIENCE)
        if low <= offset <= high:
            return TopicPartition(topic, partition, offset)
        structlog.get_logger().error(
            "The committed offset is not in the log",
            topic=topic,
            partition=partition,
            offset=offset,
            first=low,
            last=high,
        )
        return beginning

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._effects.drain()
        self._commit(wait=True)
        for p in partitions:
            self._mine.discard((p.topic, p.partition))
            self._next.pop((p.topic, p.partition), None)
        consumer.incremental_unassign(partitions)

    # ------------------------------------------------------------------ records

    def pull(self, timeout: float) -> list[Record]:
        """What is there, at most as much as one batch may hold."""
        if not self._ids:  # not subscribed yet
            time.sleep(timeout)
            return []
        records = []
        for message in pull(self._consumer, timeout, self._most):
            topic, partition = message.topic() or "", message.partition() or 0
            if message.error() is not None:
                self._trouble(topic, partition, message)
            elif (topic, partition) in self._mine:
                records.append(record(message, self._ids[topic]))
                self._next[topic, partition] = records[-1].offset + 1
        return records

    def _trouble(self, topic: str, partition: int, message: Message) -> None:
        error = message.error()
        if error is None or (topic, partition) in self._probes:
            return
        if error.code() not in POISON | MISPLACED:
            complain(error, topic)
            return
        offset = message.offset()
        self._probes[topic, partition] = self._pool.submit(
            probe, self._clients.reader(enable_partition_eof=True), topic, self._ids[topic], partition,
            0 if offset is None else offset, poison=error.code() in POISON,
        )  # fmt: skip

    def _skip(self, key: tuple[str, int], job: Future[Unreadable]) -> None:
        if key not in self._mine:
            return
        stretch = job.result()
        self._consumer.seek(TopicPartition(*key, stretch.resume))
        place = Place(stretch.topic, stretch.topic_id, stretch.partition, stretch.resume)
        structlog.get_logger().error(
            "Stepped past what cannot be read",
            topic=stretch.topic,
            partition=stretch.partition,
            first=stretch.first,
            last=stretch.last,
        )
        self._effects.submit(self._unreadable(stretch), (), lambda _acks: self._note([place]))

    # ------------------------------------------------------------------ progress

    def lane(self, record: Record) -> int:
        """Its partition."""
        return record.partition

    def state(self, lane: int) -> Mapping[bytes, bytes]:
        """None is kept."""
        return _NO_STATE

    def promise(self, shares: Sequence[Share]) -> None:
        """There is nothing to show."""

    def keep(self, shares: Sequence[Share], acks: Sequence[Ack]) -> None:
        """The batch is acknowledged: its offsets may be committed."""
        for share in shares:
            self._note(share.places)

    def _note(self, places: Iterable[Place]) -> None:
        self._pending.update({(p.topic, p.partition): p for p in places})

    def _commit(self, *, wait: bool) -> None:
        self._committed = time.monotonic()
        offsets = [
            TopicPartition(p.topic, p.partition, p.next_offset, p.topic_id)
            for key, p in self._pending.items()
            if key in self._mine
        ]
        self._pending.clear()
        if not offsets:
            return
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:  # the next commit says it again; a restart repeats at most what lies between
            structlog.get_logger().warning("Offsets were not committed", code=error.args[0].name())

    def ready(self) -> bool:
        """Whether the group has spoken."""
        return self._joined

    def lag(self) -> int:
        """Records that wait in the partitions that are ours."""
        ends = {key: high_mark(self._consumer, *key) for key in self._next}
        return sum(max(0, end - self._next[key]) for key, end in ends.items())

    def close(self) -> None:
        """Commit and leave the group."""
        self._commit(wait=True)
        self._consumer.close()
        self._pool.shutdown(cancel_futures=True)


def _lost(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
    raise Stop(Exit.LOST, f"partitions {sorted((p.topic, p.partition) for p in partitions)}")
