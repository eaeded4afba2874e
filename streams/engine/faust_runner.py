"""The runner on Faust: membership, fetching and offsets by Faust, everything that must not be lost by `Effects`.

It reads one topic of blocks that the hub itself writes. A stranger's topic must never be read by it: its client unpacks
whatever it is given.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import faust
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from yarl import URL

from manara import kafka as kernel
from manara.settings import KafkaSettings
from streams.engine.clients import Clients, committed_id, topic_ids
from streams.engine.contract import Headers, Record, Stage
from streams.engine.effects import Ack, Effects
from streams.engine.errors import Exit, Stop, die, where
from streams.engine.faust_safe import SafeApp, SafeConsumer
from streams.engine.loop import Batch, Watch

_NO_STATE = MappingProxyType[bytes, bytes]({})
_STOP_SECONDS = 15.0
_ANSWER_SECONDS = 15.0  # of the broker, before anything is read


@dataclass(frozen=True)
class FaustRunner:
    """Drives a stateless stage over one topic, until `stopping` says true."""

    stage: Stage
    topic: str
    clients: Clients
    effects: Effects
    watch: Watch
    folder: Path  # Faust wants one; nothing is kept in it
    stopping: Callable[[], bool]

    def run(self) -> None:
        """Work until stopped. Raises `Stop` when the worker must end instead."""
        asyncio.run(self._main())

    async def _main(self) -> None:
        app = await asyncio.to_thread(self._app)
        self._agent(app)
        app.finalize()
        starting = asyncio.create_task(app.start())  # it waits for the group, which may never answer: watched meanwhile
        try:
            await asyncio.gather(self._acknowledge(app), self._recheck(app))
        except Stop as stop:  # at once: Faust's own end takes its time, and would go on sending meanwhile
            die(stop.code, stop.why)
        finally:
            starting.cancel()
            await self._end(app)

    async def _end(self, app: SafeApp) -> None:
        """Stop Faust; blocks in flight are acknowledged meanwhile, so that their offsets are committed too."""
        ending = asyncio.create_task(app.stop())
        deadline = time.monotonic() + _STOP_SECONDS
        while not ending.done():
            if time.monotonic() > deadline:
                die(Exit.BROKER, f"Faust did not stop within {_STOP_SECONDS:.0f} s")
            self.effects.pump()
            await asyncio.sleep(0.002)
        await ending

    # ------------------------------------------------------------------ the stream

    def _agent(self, app: SafeApp) -> None:
        source = app.topic(self.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

        async def agent(stream: Any) -> None:
            try:
                async for event in stream.noack().events():
                    await self._take(app, event)
            except (asyncio.CancelledError, GeneratorExit):
                raise
            except Stop as stop:
                die(stop.code, stop.why)
            except BaseException as error:  # noqa: BLE001
                die(Exit.STAGE, f"{type(error).__name__} in {where(error)}")

        app.agent(source, name="blocks", concurrency=1)(agent)

    async def _take(self, app: SafeApp, event: Any) -> None:
        message = event.message
        expected = app.expected.get(message.tp, message.offset)
        if expected < message.offset:
            raise Stop(
                Exit.SKIPPED, f"{message.tp.topic}/{message.tp.partition}: {expected} expected, {message.offset} came"
            )
        app.expected[message.tp] = message.offset + 1
        begun = time.monotonic()
        record = _record(message, app.topic_ids[message.topic])
        answer = self.stage.process(message.partition, [record], _NO_STATE, record.time)
        worked = time.monotonic() - begun

        def done(_acks: Sequence[Ack]) -> None:
            event.ack()
            seconds = time.monotonic() - begun
            self.watch.done(Batch(1, len(answer.emits), 0, 0, record.time, worked, seconds))

        self.effects.submit(answer.emits, answer.commits, done)
        self.effects.pump()
        while self.effects.full():  # the acknowledgements of one block overlap the work on the next
            await asyncio.sleep(0.0005)
            self.effects.pump()

    async def _acknowledge(self, app: SafeApp) -> None:
        """Serve acknowledgements while no block comes, and watch over the application."""
        measured = float("-inf")
        while not self.stopping():
            self.effects.pump()
            if app.should_stop or app.crashed:
                die(Exit.BROKER, f"Faust gave up: {type(app.crash_reason).__name__}")
            consumer = cast("SafeConsumer", app.consumer)
            refused = consumer.refused()
            if refused:
                die(Exit.BROKER, f"the group refused this worker: {refused}")
            self.watch.turned(ready=consumer.joined(), idle=not self.effects.flying)
            if time.monotonic() - measured >= self.clients.limits.look:
                measured = time.monotonic()
                self.watch.behind(consumer.lag())
            await asyncio.sleep(0.002 if self.effects.flying else 0.02)

    async def _recheck(self, app: SafeApp) -> None:
        """A topic that was made anew under the same name must be read from its beginning."""
        admin = self.clients.admin()
        looked = time.monotonic()
        while not self.stopping():
            await asyncio.sleep(0.05)
            if time.monotonic() - looked < self.clients.limits.recheck:
                continue
            looked = time.monotonic()
            try:
                found = await asyncio.to_thread(topic_ids, admin, [self.topic])
            except KafkaException:
                continue  # the broker is away: the next look tells
            if found.get(self.topic, app.topic_ids[self.topic]) != app.topic_ids[self.topic]:
                die(Exit.CONSUME, f"{self.topic} was made anew while it was read")

    # ------------------------------------------------------------------ the application

    def _app(self) -> SafeApp:
        """The application, its group's offsets checked against the topic's id first."""
        found = topic_ids(self.clients.admin(), [self.topic])
        if self.topic not in found:
            raise Stop(Exit.CONSUME, f"the topic {self.topic} does not exist")
        forget_foreign(self.clients, self.topic, found[self.topic])
        self.folder.mkdir(parents=True, exist_ok=True)
        app = SafeApp(self.clients.group, **settings(self.clients, self.folder))
        app.topic_ids = found
        app.expected = {}
        return app


def settings(clients: Clients, folder: Path) -> dict[str, Any]:
    """Faust's settings; those that differ from its defaults close a loss or a stall."""
    limits = clients.limits
    return {
        **_connection(clients.kafka),
        "datadir": folder,
        "processing_guarantee": "at_least_once",
        "store": "memory://",
        "broker_session_timeout": limits.session,  # by default a killed worker's blocks stand still for 60 s
        "broker_heartbeat_interval": 1.0,
        "broker_request_timeout": 30.0,
        "broker_max_poll_interval": 120.0,
        "broker_commit_interval": limits.commit,  # bounds what is repeated after a crash
        "broker_commit_every": 1_000,
        "stream_buffer_maxsize": 64,
        "stream_wait_empty": True,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": f"{clients.group}-{clients.slot}",
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "web_enabled": False,
    }


def _connection(kafka: KafkaSettings) -> dict[str, Any]:
    given = kafka.aiokafka()
    servers = cast("list[str]", given["bootstrap_servers"])
    found: dict[str, Any] = {
        "broker": [URL(f"kafka://{server}") for server in servers],
        "broker_client_id": given["client_id"],
    }
    context = cast("Any", given.get("ssl_context"))
    if "sasl_mechanism" in given:
        found["broker_credentials"] = faust.SASLCredentials(
            username=cast("str", given["sasl_plain_username"]),
            password=cast("str", given["sasl_plain_password"]),
            mechanism=cast("str", given["sasl_mechanism"]),
            ssl_context=context,
        )
    elif context is not None:
        found["broker_credentials"] = faust.SSLCredentials(context=context)
    return found


def forget_foreign(clients: Clients, topic: str, topic_id: str) -> None:
    """Rule 5: set offsets that were committed under another id of the topic, or none, back before they are read by."""
    # by a consumer that never joins: librdkafka's list_consumer_group_offsets kills the process where the coordinator
    # has still to load, as on a new cluster (librdkafka issue 5040)
    reader = kernel.consumer(clients.kafka, clients.group, problem=clients.problem)
    try:
        parts = reader.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions
        committed = reader.committed([TopicPartition(topic, part) for part in parts], timeout=_ANSWER_SECONDS)
    except KafkaException as error:
        raise Stop(Exit.CONSUME, f"offsets of {topic} cannot be read: {error.args[0].name()}") from error
    finally:
        reader.close()
    stale = [p for p in committed if p.offset >= 0 and committed_id(p) != topic_id]
    if stale:
        admin = clients.admin()
        beginning = [TopicPartition(p.topic, p.partition, 0, topic_id) for p in stale]
        reset = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(clients.group, beginning)])
        try:
            reset[clients.group].result()
        except KafkaException as error:
            raise Stop(
                Exit.CONSUME, f"offsets of an older {topic} cannot be set back: {error.args[0].name()}"
            ) from error


def _record(message: Any, topic_id: str) -> Record:
    headers = cast("Headers", list(message.headers.items()) if message.headers else [])
    at = round(message.timestamp * 1_000) * 1_000  # the log's milliseconds, which came as a float
    return Record(message.topic, topic_id, message.partition, message.offset, at, message.key, message.value, headers)
