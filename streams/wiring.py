"""The hub's processes, put together: settings, directory, clients, stage, runner. One function a process."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import structlog
from confluent_kafka import KafkaException, TopicPartition

from manara import keys, metrics, stores
from manara.directory import DirectoryReader
from manara.errors import SettingsError
from manara.health import Health
from manara.kafka import words
from manara.process import Context
from manara.settings import Settings, require
from schemas import codec, registry
from schemas.directory import lane_of
from schemas.topics import Names
from streams import unreadable
from streams.clock import tick
from streams.engine.clients import Clients, stamped_ids
from streams.engine.contract import Emit
from streams.engine.effects import Ack, Effects
from streams.engine.errors import Exit, Stop, die, where
from streams.engine.faust_runner import FaustRunner
from streams.engine.group import GroupSource
from streams.engine.lanes import LaneSource, Topics
from streams.engine.limits import Limits
from streams.engine.loop import Batch, LoopRunner
from streams.engine.restore import Range, read
from streams.engine.unreadable import Unreadable
from streams.gate.stage import Gate
from streams.receipts import Forward
from streams.route import Route

Runner = Literal["faust", "loop"]


class Pulse:
    """Tells health, metrics and the log how a stage fares: one line a batch, ids and counts alone."""

    def __init__(self, stage: str, health: Health) -> None:
        self._stage = stage
        self._health = health
        self._log = structlog.get_logger()

    def turned(self, *, ready: bool, idle: bool) -> None:
        """The loop turns; with all that it owns in hand, an empty input is a success too."""
        if idle:
            metrics.lag_seconds.labels(self._stage).set(0)
        if ready:
            self._health.progress()
        else:
            self._health.alive()

    def behind(self, records: int) -> None:
        """So many records wait."""
        metrics.lag_records.labels(self._stage).set(records)

    def done(self, batch: Batch) -> None:
        """A batch is acknowledged."""
        metrics.batches.labels(self._stage).inc()
        metrics.records.labels(self._stage).inc(batch.records)
        metrics.batch_seconds.labels(self._stage).observe(batch.seconds)
        metrics.last_progress.labels(self._stage).set_to_current_time()
        metrics.lag_seconds.labels(self._stage).set(max(0.0, time.time() - batch.latest / 1e6))
        self._log.info(
            "Batch done",
            stage=self._stage,
            records=batch.records,
            emits=batch.emits,
            blocks=batch.commits,
            puts=batch.puts,
            work_ms=round(batch.work * 1000, 2),
            total_ms=round(batch.seconds * 1000, 2),
        )


class Bench:
    """What every stage of the hub is built from; opened at its start, closed at its end."""

    def __init__(
        self,
        stage: str,
        context: Context,
        slot: str,
        stack: ExitStack,
        limits: Limits | None = None,
        **producer: object,
    ) -> None:
        settings = context.settings
        self.settings = settings
        self.names = Names(settings.topic_prefix)
        self.folder = slot_folder(settings, stage, slot)
        stack.enter_context(stores.lock(self.folder / "lock", purpose=f"the work of hub.{stage}, slot {slot}"))
        self.reader = stack.enter_context(DirectoryReader(settings))
        self.reader.wait(30.0, stop=lambda: context.stopping)
        self.clients = Clients(settings.kafka, self.names.group(stage), slot, limits or Limits())
        self.effects = Effects(self.clients.producer(**producer), self.clients.limits)
        self.pulse = Pulse(stage, context.health)

    def stopping(self, context: Context) -> Callable[[], bool]:
        """Whether to stop; raises `BrokerError` in words where a client was refused for good."""

        def ask() -> bool:
            self.clients.problem.raise_if_fatal()
            return context.stopping

        return ask


def slot_folder(settings: Settings, stage: str, slot: str) -> Path:
    """Where a worker keeps its stores: one folder a slot, never shared."""
    return settings.folder / f"{stage}-{slot}"


def gate(context: Context, slot: str, *, accept_hole: bool = False) -> int:
    """Verify, judge and decide: inlets in, blocks, verdicts and quarantine out. Always on the loop runner."""
    bound_memory(context.settings.memory_limit)
    with ExitStack() as stack:
        bench = Bench("gate", context, slot, stack)
        names, lanes = bench.names, context.settings.lanes
        signer = keys.load(Path(require(context.settings, "key")))
        lanes_exist(bench.clients, names.admitted, lanes)
        stage = Gate(names, bench.reader.poll, signer, lanes)
        stack.callback(stage.close)

        def inlets() -> Mapping[str, int]:
            return {names.inlet(agency): lane_of(agency, lanes) for agency in bench.reader.poll().agencies}

        def tell(stretch: Unreadable) -> list[Emit]:
            agency, now = names.agency_of(stretch.topic), moment()
            told = unreadable.notice(names, stretch, agency, now, signer)
            return unreadable.quarantined(names, stretch, agency, now) + told

        topics = Topics(names.admitted, names.register)
        source = LaneSource(bench.clients, topics, stage, bench.effects, bench.folder, inlets, tell, accept_hole)
        return drive(LoopRunner(stage, source, bench.effects, bench.pulse, bench.stopping(context)))


def bound_memory(mebibytes: int) -> None:
    """Let this process die of a stranger's batch before the machine does: its data may grow so far; 0 is no bound."""
    if mebibytes:
        _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = mebibytes * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))


def route(context: Context, slot: str, runner: Runner) -> int:
    """Fan blocks out to the members' feeds."""
    with ExitStack() as stack:
        bench = Bench("route", context, slot, stack)
        stage = Route(bench.names, bench.reader.poll, keys.load(Path(require(context.settings, "key"))))
        stopping, limits = bench.stopping(context), bench.clients.limits
        if runner == "faust":
            return drive(
                FaustRunner(
                    stage, bench.names.admitted, bench.clients, bench.effects, bench.pulse, bench.folder, stopping
                )
            )
        admitted = (bench.names.admitted,)
        source = GroupSource(bench.clients, lambda: admitted, bench.effects, never, limits.blocks)
        return drive(LoopRunner(stage, source, bench.effects, bench.pulse, stopping))


def receipts(context: Context, slot: str) -> int:
    """Hand members' receipts on to the authors. On the loop runner: members write what it reads."""
    with ExitStack() as stack:
        bench = Bench("receipts", context, slot, stack)
        names = bench.names

        def topics() -> list[str]:
            return [names.receipts(member) for member in bench.reader.poll().members]

        def tell(stretch: Unreadable) -> list[Emit]:
            return unreadable.quarantined(names, stretch, "", moment())

        stage = Forward(names, bench.reader.poll)
        source = GroupSource(bench.clients, topics, bench.effects, tell, bench.clients.limits.batch, stamped_ids)
        return drive(LoopRunner(stage, source, bench.effects, bench.pulse, bench.stopping(context)))


def clock(context: Context, every: float) -> int:
    """Let time pass on every lane and say that the hub lives, every `every` seconds."""
    with ExitStack() as stack:
        bench = Bench("clock", context, "1", stack)
        signer = keys.load(Path(require(context.settings, "key")))
        stopping = bench.stopping(context)
        sequence, due = last_beat(bench.clients, bench.names.heartbeat), time.monotonic()
        try:
            while not stopping():
                if time.monotonic() >= due:
                    due, sequence, now = due + every, sequence + 1, moment()
                    emits = tick(bench.names, context.settings.lanes, signer, now, sequence)
                    bench.effects.submit(emits, (), _beaten(bench.pulse, now, len(emits)))
                bench.effects.pump(min(0.1, max(0.0, due - time.monotonic())))
            bench.effects.drain()
        except Stop as stop:
            die(stop.code, stop.why)
        return 0


def _beaten(pulse: Pulse, now: int, count: int) -> Callable[[Sequence[Ack]], None]:
    def done(_acks: Sequence[Ack]) -> None:
        metrics.heartbeats.inc()
        pulse.turned(ready=True, idle=True)
        seconds = max(0.0, (moment() - now) / 1e6)
        pulse.done(Batch(0, count, 0, 0, now, 0.0, seconds))

    return done


def last_beat(clients: Clients, topic: str) -> int:
    """The sequence of the last heartbeat, so that numbers grow over restarts; 0 where there is none."""
    consumer = clients.reader(enable_partition_eof=True)
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=15.0)
        found = list(read(consumer, topic, 0, Range(max(low, high - 1), high)))
    except KafkaException as error:
        raise words(error.args[0], clients.kafka, what=topic) from error
    finally:
        consumer.close()
    if not found:
        return 0
    _schema_id, body = codec.unframe(found[-1].value() or b"")
    return int(codec.decode(registry.by_name("heartbeat"), body)["sequence"])


def drive(runner: LoopRunner | FaustRunner) -> int:
    """Run to the end; where the worker must end instead, it does so without flushing anything."""
    try:
        runner.run()
    except Stop as stop:
        die(stop.code, stop.why)
    except KafkaException as error:
        die(Exit.BROKER, f"{error.args[0].name()} in {where(error)}")
    return 0


def lanes_exist(clients: Clients, topic: str, lanes: int) -> None:
    """Agencies of a lane without a partition would never be read, in silence; so the two numbers must agree.

    Raises `BrokerError` where the topic cannot be seen, `SettingsError` where it has another number.
    """
    consumer = clients.reader()
    try:
        found = consumer.list_topics(topic, timeout=15.0).topics[topic]
    except KafkaException as error:
        raise words(error.args[0], clients.kafka, what=topic) from error
    finally:
        consumer.close()
    if found.error is not None:
        raise words(found.error, clients.kafka, what=topic)
    if len(found.partitions) != lanes:
        raise SettingsError(
            f"The settings say {lanes} lanes, and {topic} has {len(found.partitions)} partitions.",
            f"Set MANARA_LANES={len(found.partitions)}: the number of lanes is fixed when the topics are made.",
        )


def never(stretch: Unreadable) -> list[Emit]:
    """The hub's own blocks are never stepped past: one that cannot be read means that the hub is broken."""
    raise Stop(Exit.BROKEN_BLOCK, f"{stretch.topic}/{stretch.partition}/{stretch.first} cannot be read")


def moment() -> int:
    """Our clock, in microseconds since the epoch."""
    return time.time_ns() // 1000
