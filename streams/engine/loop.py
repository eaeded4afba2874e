"""The loop that drives a stage on librdkafka: read what is there, let the stage answer, send, remember."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from streams.engine.contract import Output, Record, Stage
from streams.engine.effects import Effects
from streams.engine.errors import Exit, Stop, where
from streams.engine.source import Share, Source
from streams.engine.store import Source as Place


class Batch(NamedTuple):
    """What is said about one batch once everything of it is acknowledged."""

    records: int
    emits: int
    commits: int
    puts: int
    latest: int  # log time of its youngest record, microseconds
    work: float  # seconds in the stage
    seconds: float  # from the read to the last acknowledgement


class Watch(Protocol):
    """Who wants to know how the worker fares."""

    def turned(self, *, ready: bool, idle: bool) -> None:
        """The loop is alive; `ready` if all that it owns can be worked on, `idle` if nothing is in work."""
        ...

    def done(self, batch: Batch) -> None:
        """A batch is acknowledged."""
        ...

    def behind(self, records: int) -> None:
        """So many records wait; said about once a second."""
        ...


class LoopRunner:
    """Drives one stage from one source, in the thread that calls `run`, until `stopping` says true."""

    def __init__(
        self,
        stage: Stage,
        source: Source,
        effects: Effects,
        watch: Watch,
        stopping: Callable[[], bool],
        *,
        aside: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stage = stage
        self.source = source
        self.effects = effects
        self.watch = watch
        self.aside = aside  # work off the critical path, a bounded amount a turn
        self.clock = clock
        self.stopping = stopping
        self._polled = clock()
        self._measured = float("-inf")

    def run(self) -> None:
        """Work until stopped, finish what is in flight, leave. Raises `Stop` when the worker must end instead."""
        self._polled = self.clock()
        while not self.stopping():
            self.turn()
        self.effects.drain()
        self.source.close()

    def turn(self) -> None:
        """One round: group, batch, acknowledgements."""
        self._alive()
        self._polled = self.clock()
        self.source.turn()
        self.watch.turned(ready=self.source.ready(), idle=not self.effects.flying)
        if self._polled - self._measured >= self.effects.limits.look:
            self._measured = self._polled
            self.watch.behind(self.source.lag())
        if self.effects.full():
            self.effects.pump(self.effects.limits.idle)
            return
        if self.effects.flying:
            self.effects.pump(0.001)
            batch = self.source.pull(0)
        else:
            batch = self.source.pull(self.effects.limits.idle)
        if batch:
            self._work(batch)
        self.effects.pump()
        self.aside()

    def _alive(self) -> None:
        """Rule 3: the poll after a long sleep would succeed, so the gap is looked at before it."""
        gap = self.clock() - self._polled
        if gap > self.effects.limits.session:
            raise Stop(Exit.ZOMBIE, f"{gap:.1f} s between two polls")

    def _work(self, batch: list[Record]) -> None:
        begun = self.clock()
        answer, shares = Output(), list[Share]()
        for lane, records in self._by_lane(batch).items():
            out = self._ask(lane, records)
            answer.emits += out.emits
            answer.commits += out.commits
            shares.append(Share(lane, [(put.key, put.value) for put in out.puts], places(records)))
        worked = self.clock() - begun
        self._alive()
        self.source.promise(shares)
        puts = sum(len(share.puts) for share in shares)
        latest = max(record.time for record in batch)

        def done(acks: Iterable[object]) -> None:
            self.source.keep(shares, acks)  # type: ignore[arg-type]
            seconds = self.clock() - begun
            self.watch.done(Batch(len(batch), len(answer.emits), len(answer.commits), puts, latest, worked, seconds))

        self.effects.submit(answer.emits, answer.commits, done)

    def _ask(self, lane: int, records: list[Record]) -> Output:
        now = max(record.time for record in records)
        try:
            return self.stage.process(lane, records, self.source.state(lane), now)
        except Stop:
            raise
        except Exception as error:
            raise Stop(Exit.STAGE, f"lane {lane}: {type(error).__name__} in {where(error)}") from error

    def _by_lane(self, batch: list[Record]) -> dict[int, list[Record]]:
        shares = defaultdict[int, list[Record]](list)
        for record in batch:
            shares[self.source.lane(record)].append(record)
        return shares


def places(records: Iterable[Record]) -> list[Place]:
    """How far the sources of these records are dealt with once they are."""
    reached = {(r.topic, r.partition): Place(r.topic, r.topic_id, r.partition, r.offset + 1) for r in records}
    return list(reached.values())
