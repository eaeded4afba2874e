"""A source by lanes: owning partition p of the log of blocks is owning lane p, with its state and its agencies' inlets.

Workers form one group on the log. Whoever is given a partition restores the lane off the loop, and reads its inlets
when it is ready. What somebody else has written to the lane meanwhile (the clock; a worker that had lost the lane and
did not know) is read and folded too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from manara import metrics
from streams.engine.clients import Clients, complain, stamped_ids
from streams.engine.contract import CommitStage, Emit, Record
from streams.engine.effects import Ack, Effects
from streams.engine.errors import Exit, Stop, where
from streams.engine.inlets import Inlets
from streams.engine.marker import Marker
from streams.engine.owned import Owned
from streams.engine.restore import Hole, Range, Restorer, block, read
from streams.engine.sandbox import prove
from streams.engine.snapshot import DELIVERY_MS, SnapshotWriter
from streams.engine.source import Share
from streams.engine.store import Lane
from streams.engine.store import Source as Place
from streams.engine.unreadable import Unreadable

Map = Callable[[], Mapping[str, int]]
"""Gives the inlets there are: topic -> lane. Called every second; cheap."""


class _Ready(Owned):
    """A lane that is ready, and the reading of its tail that may be under way."""

    def __init__(self, lane: Lane) -> None:
        super().__init__(lane)
        self.read: Future[tuple[int, list[tuple[int, bytes]]]] | None = None  # end, blocks
        self.looked = time.monotonic()


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of a stage that works by lanes."""

    log: str
    register: str


class LaneSource:
    """Records, state and progress of the lanes that the group gives to this worker."""

    def __init__(
        self, clients: Clients, topics: Topics, stage: CommitStage, effects: Effects, folder: Path, inlets: Map,
        unreadable: Callable[[Unreadable], list[Emit]], accept_hole: bool = False,
    ) -> None:  # fmt: skip
        self._topics = topics
        self._stage = stage
        self._effects = effects
        self._map = inlets
        self._unreadable = unreadable
        self._limits = clients.limits
        self._pool = ThreadPoolExecutor(3, "lane")
        admin = clients.admin()

        def ids(names: list[str]) -> dict[str, str]:
            return stamped_ids(admin, names)

        def tail_reader() -> Consumer:
            return clients.reader(enable_partition_eof=True)

        self._tail_reader = tail_reader
        self._restorer = Restorer(
            tail_reader, ids, topics.log, topics.register, folder, clients.limits.hot, accept_hole
        )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        marker = Marker(folder / "reading.json")
        self._inlets = Inlets(clients.reader, ids, self._pool, clients.limits, marker, partial(prove, clients.kafka))
        # its own producer: the snapshot never stands before a block, and gives up sooner than the group's session ends
        self._snapshot = SnapshotWriter(
            clients.producer(delivery_timeout_ms=DELIVERY_MS, request_timeout_ms=4_000, linger_ms=50),
            topics.register,
            clients.limits,
        )
        self._lanes: dict[int, _Ready] = {}
        self._restoring: dict[int, tuple[Future[Lane | None], threading.Event]] = {}
        self._holes: set[int] = set()  # lanes that stand still
        self._lane_of: Mapping[str, int] = {}
        self._mapped = float("-inf")
        self._joined = False
        self._owner = clients.member(auto_offset_reset="latest")
        self._owner.subscribe([topics.log], on_assign=self._assign, on_revoke=self._revoke, on_lost=_lost)

    # ------------------------------------------------------------------ ownership

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined = True
        consumer.incremental_assign([TopicPartition(p.topic, p.partition, OFFSET_END) for p in partitions])
        consumer.pause(partitions)  # it owns and never fetches
        for p in partitions:
            cancelled = threading.Event()
            job = self._pool.submit(self._restorer.restore, p.partition, self._stage, cancelled)
            self._restoring[p.partition] = (job, cancelled)

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._effects.drain()  # the next owner sees all that we wrote
        for p in partitions:
            self._release(p.partition)
        self._inlets.look(self._ours())
        consumer.incremental_unassign(partitions)
        structlog.get_logger().info("Lanes given away", lanes=[p.partition for p in partitions])

    def _release(self, number: int) -> None:
        job, cancelled = self._restoring.pop(number, (None, None))
        if job is not None and cancelled is not None:
            cancelled.set()
            _close(job)
        self._holes.discard(number)
        owned = self._lanes.pop(number, None)
        if owned is not None:
            owned.lane.close()

    def _ready(self) -> None:
        """Take over lanes whose restore has ended."""
        for number in [n for n, (job, _) in self._restoring.items() if job.done()]:
            job, _ = self._restoring.pop(number)
            try:
                lane = job.result()
            except Stop:
                raise
            except Hole:
                self._holes.add(number)
                continue
            except Exception as error:
                raise Stop(Exit.RESTORE, f"lane {number}: {type(error).__name__} in {where(error)}") from error
            if lane is not None:
                self._lanes[number] = _Ready(lane)
                self._inlets.hurry()

    def _ours(self) -> dict[str, Lane]:
        return {topic: self._lanes[n].lane for topic, n in self._lane_of.items() if n in self._lanes}

    # ------------------------------------------------------------------ what the loop asks

    def turn(self) -> None:
        """Group, restores, directory, stretches that cannot be read, foreign blocks, snapshot."""
        message = self._owner.poll(0)
        error = None if message is None else message.error()
        if error is not None:
            complain(error, self._topics.log)
        self._ready()
        now = time.monotonic()
        if now - self._mapped >= self._limits.look:
            self._mapped = now
            self._lane_of = self._map()
        self._inlets.look(self._ours())
        for stretch in self._inlets.skipped():
            self._skip(stretch)
        for number, owned in self._lanes.items():
            self._heal(number, owned, now)
        self._snapshot.turn({number: owned.lane for number, owned in self._lanes.items()})

    def pull(self, timeout: float) -> list[Record]:
        """Live records of all lanes first, then some bulk ones."""
        return self._inlets.pull(timeout)

    def lane(self, record: Record) -> int:
        """The lane of the record's agency."""
        return self._lane_of[record.topic]

    def state(self, lane: int) -> Mapping[bytes, bytes]:
        """The lane's state, batches in flight included."""
        return self._lanes[lane].lane

    def promise(self, shares: Sequence[Share]) -> None:
        """Show the puts of a batch to the next one."""
        for share in shares:
            self._lanes[share.lane].lane.promise(share.puts)

    def keep(self, shares: Sequence[Share], acks: Sequence[Ack]) -> None:
        """The blocks are acknowledged: committed. One transaction a lane."""
        for ack in acks:
            if ack.topic == self._topics.log and ack.partition in self._lanes:
                self._lanes[ack.partition].tail.own(ack.offset)
        for share in shares:
            self._lanes[share.lane].keep(share.puts, share.places)

    def ready(self) -> bool:
        """Whether the group has spoken and every lane it gave is restored, without a hole."""
        metrics.lanes_waiting.set(len(self._holes))
        return self._joined and not self._restoring and not self._holes

    def lag(self) -> int:
        """Records that wait in the inlets of the lanes that are ready."""
        metrics.lanes_owned.set(len(self._lanes))
        metrics.register_entries.set(sum(owned.lane.count() for owned in self._lanes.values()))
        return self._inlets.lag()

    def close(self) -> None:
        """Leave the group and close everything."""
        self._owner.close()
        for number in [*self._lanes, *self._restoring]:
            self._release(number)
        self._inlets.close()
        self._pool.shutdown(cancel_futures=True)

    # ------------------------------------------------------------------ the exceptions

    def _skip(self, stretch: Unreadable) -> None:
        """Say what was stepped past, then remember where reading went on."""
        number = self._lane_of.get(stretch.topic)
        if number not in self._lanes:
            return
        lane = self._lanes[number].lane
        place = Place(stretch.topic, stretch.topic_id, stretch.partition, stretch.resume)
        self._effects.submit(self._unreadable(stretch), (), lambda _acks: lane.keep((), [place], 0))

    def _heal(self, number: int, owned: _Ready, now: float) -> None:
        """Read what others wrote to our lane: at once where a gap shows it, now and then at the end."""
        if owned.read is None:
            if owned.tail.gaps or now - owned.looked >= self._limits.heal:
                owned.looked = now
                owned.read = self._pool.submit(self._read_tail, number, owned.tail.floor)
            return
        if not owned.read.done():
            return
        end, blocks = owned.read.result()
        owned.read = None
        self._effects.drain()
        owned.heal(self._stage, end, blocks)

    def _read_tail(self, number: int, start: int) -> tuple[int, list[tuple[int, bytes]]]:
        consumer = self._tail_reader()
        try:
            _low, high = consumer.get_watermark_offsets(TopicPartition(self._topics.log, number), timeout=15.0)
            limits = Range(start, high)
            return high, [block(message) for message in read(consumer, self._topics.log, number, limits)]
        finally:
            consumer.close()


def _close(job: Future[Lane | None]) -> None:
    """A restore that nobody wants any more: it stops at its next block; what went wrong in it is of no interest."""
    if job.cancel() or job.exception() is not None:
        return
    lane = job.result()
    if lane is not None:
        lane.close()


def _lost(_consumer: Consumer, partitions: Iterable[TopicPartition]) -> None:
    raise Stop(Exit.LOST, f"lanes {sorted(p.partition for p in partitions)}")
