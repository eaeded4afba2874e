"""Faust with its known losses closed. Every override answers to one that was reproduced; none is for convenience.

Not used, because they lose events: tables, `exactly_once`, `topic.send`, `concurrency` above 1, decoding by Faust.
These are private names of Faust: it is pinned, and the conformance tests judge every new version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any

import faust
import structlog
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.engine.errors import Exit, die, where

_REFUSED_SECONDS = 2.0


class SafeThread(driver.AIOKafkaConsumerThread):
    """Commits each offset together with its topic's id."""

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        app = self.consumer.app
        assert isinstance(app, SafeApp)  # noqa: S101
        mine = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
        self.tp_last_committed_at.update(dict.fromkeys(mine, monotonic()))
        found = {
            driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, app.topic_ids.get(tp.topic, ""))
            for tp, offset in mine.items()
        }
        try:
            await consumer.commit(found)
        except CommitFailedError:  # rebalanced meanwhile: the new owner reads them again
            return False
        except Exception as error:  # noqa: BLE001
            die(Exit.BROKER, f"offsets cannot be committed: {type(error).__name__} in {where(error)}")
        return True


class SafeConsumer(driver.Consumer):
    """Never commits past an event in flight, believes only commits that succeeded, commits before it forgets."""

    _refusal: tuple[BaseException | None, float] = (None, 0.0)

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return SafeThread(self, loop=self.loop, beacon=self.beacon)

    def _new_offset(self, tp: TP) -> int | None:
        # the base class takes a gap of one at the head for nothing and would commit past the event in flight
        floor = min((m.offset for m in self._unacked_messages if m.tp == tp and not m.acked), default=None)
        acked = self._acked[tp]
        if floor is None or not acked:
            return super()._new_offset(tp)
        usable = [offset for offset in acked if offset < floor]
        if not usable:
            return None
        keep = [offset for offset in acked if offset >= floor]
        self._acked[tp] = usable
        found = super()._new_offset(tp)
        self._acked[tp] = sorted({*self._acked[tp], *keep})
        return found

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        # the base class books offsets as committed even where the commit failed
        before = {tp: self._committed_offset[tp] for tp in offsets}
        done = await super()._commit_offsets(offsets, start_new_transaction)
        if not done:
            self._committed_offset.update(before)
        return done

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Wait for what is in flight and commit it before the base class forgets what was acknowledged."""
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        try:
            await asyncio.wait_for(self.wait_empty(), self.app.conf.broker_session_timeout / 2)
        except TimeoutError:
            structlog.get_logger().warning("Partitions are given up with blocks in flight: they are repeated")
        app = self.app
        assert isinstance(app, SafeApp)  # noqa: S101
        app.expected.clear()
        await super().on_partitions_revoked(revoked)

    def refused(self) -> str:
        """The error that the group answered with and that nobody takes notice of, after two seconds; else "".

        aiokafka keeps it for the next read; without partitions there is none, and Faust would wait for ever.
        """
        client = getattr(self._thread, "_consumer", None)
        error = getattr(getattr(client, "_coordinator", None), "_pending_exception", None)
        if error is None or error is not self._refusal[0]:
            self._refusal = (error, monotonic())
            return ""
        return type(error).__name__ if monotonic() - self._refusal[1] > _REFUSED_SECONDS else ""

    def lag(self) -> int:
        """Blocks that wait in the partitions that are ours, as far as the client knows."""
        app = self.app
        assert isinstance(app, SafeApp)  # noqa: S101 - as above
        ends = {tp: self.highwater(tp) for tp in app.expected}
        return sum(max(0, (end or 0) - app.expected[tp]) for tp, end in ends.items())

    def joined(self) -> bool:
        """Whether the group has given this worker something to read."""
        try:
            return bool(self.assignment())
        except ConsumerNotStarted:
            return False

    async def perform_seek(self) -> None:
        """Begin at the committed offsets, and remember them: the first event of a partition must be that one."""
        await super().perform_seek()
        app = self.app
        assert isinstance(app, SafeApp)  # noqa: S101
        app.expected.update({tp: offset for tp, offset in self._committed_offset.items() if offset})


class SafeTransport(driver.Transport):
    """Kafka through aiokafka, with the consumer above."""

    Consumer = SafeConsumer


class SafeApp(faust.App):
    """An application that dies rather than acknowledge what it did not finish."""

    topic_ids: dict[str, str]
    expected: dict[TP, int]

    def _new_transport(self) -> SafeTransport:
        return SafeTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> SafeTransport:
        return SafeTransport(self.conf.broker_producer, self)

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        die(Exit.STAGE, f"{type(exc).__name__} in {where(exc)}")
