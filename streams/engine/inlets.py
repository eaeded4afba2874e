"""The inlets of the lanes that a worker owns: which are read, from where, by which of two consumers.

Partition 0 of an inlet is live, partition 1 bulk: two consumers, so that live comes first and bulk in small portions.
Nothing of the group protocol is used: a new agency costs no rebalance. Every position is bound to its topic's id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from typing import NamedTuple

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from manara.kafka import is_noise
from streams.engine.clients import complain, high_mark, record
from streams.engine.contract import Record
from streams.engine.limits import Limits
from streams.engine.marker import Marker
from streams.engine.store import Lane
from streams.engine.unreadable import MISPLACED, POISON, Unreadable, probe

LIVE, BULK = 0, 1
ABSENT = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)
"""The inlet is not there (any more), or we may not read it: it is looked for again, the others go on."""

Ids = Callable[[list[str]], dict[str, str]]
"""Looks up topic ids; blocks, so it is called off the loop."""

Prove = Callable[[str, str, int, int], Unreadable]
"""(topic, topic id, partition, offset) -> what to step past there; blocks. `sandbox.prove`, with the cluster known."""

FETCH = {"fetch_message_max_bytes": 262_144}
"""One batch of the largest size a fetch and inlet: gzip makes 260 MB of it, and a fetch is unpacked whole."""
CAREFUL = {"fetch_message_max_bytes": 1, "queued_min_messages": 1}
"""One batch a fetch, whatever its size: what stands before a batch that kills its reader is dealt with first."""


class Inlet(NamedTuple):
    """One source partition."""

    topic: str
    partition: int


class Inlets:
    """Two consumers and what they read. Used from the loop's thread; what blocks is done by `pool`."""

    def __init__(
        self, reader: Callable[..., Consumer], ids: Ids, pool: Executor, limits: Limits, marker: Marker, prove: Prove
    ) -> None:
        self._reader = reader
        self._marker = marker
        self._prove = prove
        fetch = CAREFUL if marker.careful else FETCH
        self._consumers = {LIVE: reader(**fetch), BULK: reader(**fetch)}
        self._ids = ids
        self._pool = pool
        self._limits = limits
        self._read: dict[Inlet, str] = {}  # -> topic id
        self._next: dict[Inlet, int] = {}  # -> offset after the last record taken
        self._probes: dict[Inlet, tuple[str, Future[Unreadable]]] = {}
        self._lookup: Future[dict[str, str]] | None = None
        self._looked = self._rechecked = float("-inf")

    def __len__(self) -> int:
        return len(self._read)

    # ------------------------------------------------------------------ what is read

    def look(self, lanes: Mapping[str, Lane]) -> None:
        """Read what `lanes` (topic -> its lane, for the topics that are ours) says, and nothing else.

        Topics that are not read yet are looked up every second, all of them every few seconds: one may have been made
        anew.
        """
        self._drop(inlet for inlet in self._read if inlet.topic not in lanes)
        if self._lookup is not None and self._lookup.done():
            self._found(self._lookup, lanes)
            self._lookup = None
        now = time.monotonic()
        if self._lookup is None and now - self._looked >= self._limits.look:
            self._looked = now
            everything = now - self._rechecked >= self._limits.recheck
            self._rechecked = now if everything else self._rechecked
            wanted = [topic for topic in lanes if everything or Inlet(topic, LIVE) not in self._read]
            if wanted:
                self._lookup = self._pool.submit(self._ids, wanted)

    def hurry(self) -> None:
        """Look at once: the owned lanes have changed."""
        self._looked = self._rechecked = float("-inf")

    def _found(self, lookup: Future[dict[str, str]], lanes: Mapping[str, Lane]) -> None:
        try:
            found = lookup.result()
        except KafkaException as error:
            structlog.get_logger().warning("Topics cannot be looked up; trying again", code=error.args[0].name())
            return
        for topic, topic_id in found.items():
            if topic in lanes:
                self._ensure(topic, topic_id, lanes[topic])

    def _ensure(self, topic: str, topic_id: str, lane: Lane) -> None:
        for partition in (LIVE, BULK):
            inlet = Inlet(topic, partition)
            if self._read.get(inlet) == topic_id or (inlet in self._probes and self._probes[inlet][0] == topic_id):
                continue
            if inlet in self._read:
                structlog.get_logger().warning(
                    "An inlet was made anew: read from the beginning", topic=topic, topic_id=topic_id
                )
            self._begin(inlet, topic_id, lane.known(topic, topic_id, partition))

    def _begin(self, inlet: Inlet, topic_id: str, offset: int) -> None:
        """Read from `offset` on; but first look, elsewhere, at what the process has died of there before."""
        if not self._marker.suspects(inlet, topic_id, offset):
            self._assign(inlet, topic_id, offset)
            return
        structlog.get_logger().warning(
            "The process died here before: what stands there is proven first",
            topic=inlet.topic,
            partition=inlet.partition,
            offset=offset,
        )
        self._drop([inlet])
        job = self._pool.submit(self._prove, inlet.topic, topic_id, inlet.partition, offset)
        self._probes[inlet] = (topic_id, job)

    def _assign(self, inlet: Inlet, topic_id: str, offset: int) -> None:
        self._drop([inlet])
        self._consumers[inlet.partition].incremental_assign([TopicPartition(inlet.topic, inlet.partition, offset)])
        self._read[inlet] = topic_id
        self._next[inlet] = offset

    def _drop(self, inlets: Iterable[Inlet]) -> None:
        for inlet in list(inlets):
            self._probes.pop(inlet, None)
            if self._read.pop(inlet, None) is not None:
                self._consumers[inlet.partition].incremental_unassign([TopicPartition(inlet.topic, inlet.partition)])

    # ------------------------------------------------------------------ records

    def pull(self, timeout: float) -> list[Record]:
        """The next batch: live records first, then some bulk ones. Waits up to `timeout` seconds for a live one.

        All that was pulled before counts as judged: the marker says so before anything more is unpacked.
        """
        limits = self._limits
        self._marker.note({inlet: (topic_id, self._next[inlet]) for inlet, topic_id in self._read.items()})
        messages = self._consumers[LIVE].consume(limits.batch - limits.batch // 8, 0)  # an eighth is never bulk's loss
        messages += self._consumers[BULK].consume(min(limits.bulk, limits.batch - len(messages)), 0)
        if not messages and timeout > 0:
            first = self._consumers[LIVE].poll(timeout)
            messages = [] if first is None else [first, *self._consumers[LIVE].consume(limits.batch, 0)]
        return self._good(messages)

    def _good(self, messages: Iterable[Message]) -> list[Record]:
        records = []
        for message in messages:
            error = message.error()
            inlet = Inlet(message.topic() or "", message.partition() or 0)
            if error is not None and is_noise(error):
                continue
            if error is not None:
                self._trouble(inlet, error, message)
            elif inlet in self._read:  # else it was dropped after the client had fetched it
                taken = record(message, self._read[inlet])
                records.append(taken)
                self._next[inlet] = taken.offset + 1
        return records

    def lag(self) -> int:
        """Records that wait, as far as the clients know."""
        ends = {inlet: high_mark(self._consumers[inlet.partition], *inlet) for inlet in self._read}
        return sum(max(0, end - self._next[inlet]) for inlet, end in ends.items())

    def _trouble(self, inlet: Inlet, error: KafkaError, message: Message) -> None:
        topic_id = self._read.get(inlet)
        if error.code() in POISON | MISPLACED and topic_id is not None:
            offset = message.offset()
            self._drop([inlet])
            job = self._pool.submit(
                probe, self._reader(enable_partition_eof=True), inlet.topic, topic_id, inlet.partition,
                0 if offset is None else offset, poison=error.code() in POISON,
            )  # fmt: skip
            self._probes[inlet] = (topic_id, job)
        elif error.code() in ABSENT:
            structlog.get_logger().warning(
                "An inlet cannot be read; looking for it again", topic=inlet.topic, code=error.name()
            )
            self._drop([inlet])
        elif topic_id is not None or not inlet.topic:
            complain(error, inlet.topic)

    # ------------------------------------------------------------------ what cannot be read

    def skipped(self) -> list[Unreadable]:
        """Stretches that turned out to be unreadable; reading has gone on behind them."""
        found = []
        for inlet, (topic_id, job) in list(self._probes.items()):
            if job.done():
                del self._probes[inlet]
                found += self._resume(inlet, topic_id, job)
        return found

    def _resume(self, inlet: Inlet, topic_id: str, job: Future[Unreadable]) -> list[Unreadable]:
        try:
            stretch = job.result()
        except KafkaException as error:  # not read now: the next look assigns it again and meets the same trouble
            structlog.get_logger().warning(
                "An unreadable batch could not be measured", topic=inlet.topic, code=error.args[0].name()
            )
            return []
        self._marker.acquit(inlet)
        self._assign(inlet, topic_id, stretch.resume)
        if stretch.last < stretch.first:
            return []
        structlog.get_logger().error(
            "Stepped past what cannot be read",
            topic=inlet.topic,
            partition=inlet.partition,
            first=stretch.first,
            last=stretch.last,
        )
        return [stretch]

    def close(self) -> None:
        """Stop reading, as it should be."""
        for consumer in self._consumers.values():
            consumer.close()
        self._marker.clear()
