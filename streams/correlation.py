"""The processes of correlation, put together: index, correlate and links. One function a process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import structlog
from confluent_kafka import TopicPartition

from manara import keys
from manara.process import Context
from manara.settings import require
from schemas import codec
from streams import unreadable
from streams.correlate.core import Correlation
from streams.correlate.exclusions import Exclusion, load
from streams.correlate.patterns import Patterns
from streams.correlate.stage import Correlate
from streams.correlate.store import Store, collect_seldom
from streams.correlate.substance import RULES
from streams.engine.clients import Clients, stamped_ids
from streams.engine.contract import Emit
from streams.engine.faust_runner import FaustRunner
from streams.engine.group import GroupSource
from streams.engine.kept import KeptSource, Reading
from streams.engine.limits import Limits
from streams.engine.loop import LoopRunner
from streams.engine.restore import Range, read
from streams.engine.source import Share
from streams.engine.unreadable import Unreadable
from streams.index import Index
from streams.release.stage import Release
from streams.release.store import Releases
from streams.wiring import Bench, Runner, drive, lanes_exist, moment, never

ONE = "1"
"""The slot of a stage that keeps one state: a second process anywhere puts the first one out."""
FORMAT = "1"
CORRELATE = Limits(batch=100, session=120.0)
"""An alert that shares all its tokens with as many as its budget allows costs half a second; a batch of such alerts
must not look like a worker that stands still."""


def index(context: Context, slot: str, runner: Runner) -> int:
    """Turn admitted alerts into mentions by token."""
    with ExitStack() as stack:
        bench = Bench("index", context, slot, stack)
        names, limits = bench.names, bench.clients.limits
        lanes_exist(bench.clients, names.admitted, context.settings.lanes)
        stage, stopping = Index(names, context.settings.lanes), bench.stopping(context)
        if runner == "faust":
            blocks = FaustRunner(
                stage, names.admitted, bench.clients, bench.effects, bench.pulse, bench.folder, stopping
            )
            return drive(blocks)
        source = GroupSource(bench.clients, lambda: (names.admitted,), bench.effects, never, limits.blocks)
        return drive(LoopRunner(stage, source, bench.effects, bench.pulse, stopping))


def correlate(context: Context) -> int:
    """Find what belongs together. One process, for the whole network."""
    collect_seldom()
    with ExitStack() as stack:
        bench = Bench("correlate", context, ONE, stack, CORRELATE)
        names, lanes = bench.names, context.settings.lanes
        excluded = load(context.settings.exclusions)
        store = Store(bench.folder / "correlate.db", rules(lanes, excluded))
        stack.callback(store.close)
        if store.fresh:
            inherit(bench.clients, names.links, store)
        topics = (names.mentions, names.transfers, names.heartbeat)
        reading = Reading(lambda: topics, anew={names.transfers}, tail={names.heartbeat})
        source = KeptSource(bench.clients, reading, bench.effects, never, bench.clients.limits.batch, store)
        core = Correlation(store, lanes, [exclusion.value for exclusion in excluded])
        stage = Correlate(names, store, core, Patterns(store), source.caught_up)

        def settle() -> None:
            emits = stage.settle()
            if emits is not None:
                bench.effects.submit(emits, (), lambda acks: source.keep([Share(0, [], [])], acks))

        runner = LoopRunner(stage, source, bench.effects, bench.pulse, bench.stopping(context), aside=settle)
        return drive(runner)


def rules(lanes: int, excluded: Sequence[Exclusion]) -> str:
    """Names everything that decides which links there are: a store made under another name is made anew."""
    values = sha256("\n".join(sorted(exclusion.value for exclusion in excluded)).encode()).hexdigest()
    return " ".join((FORMAT, *RULES, str(lanes), values))


def inherit(clients: Clients, topic: str, store: Store) -> None:
    """Take over what links.v1 says already, so that a store made anew says only what differs."""
    consumer = clients.reader(enable_partition_eof=True)
    try:
        limits = Range(*consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=15.0))
        found = {}
        for message in read(consumer, topic, 0, limits):
            found[(message.key() or b"").decode()] = codec.unframe(message.value() or b"")[1]
    finally:
        consumer.close()
    store.begin()
    store.inherit(found.items())
    store.commit(())
    structlog.get_logger().info("Links that were said before", count=len(found))


def links(context: Context) -> int:
    """Tell authors of matches, and hear their answers. One process, for the whole network."""
    with ExitStack() as stack:
        bench = Bench("links", context, ONE, stack)
        names, reader = bench.names, bench.reader
        store = Releases(bench.folder / "releases.db")
        stack.callback(store.close)
        if store.empty():
            _take_over(bench.clients, names.releases, store)

        def topics() -> list[str]:
            return [names.links, names.heartbeat, *(names.answers(agency) for agency in reader.poll().agencies)]

        def tell(stretch: Unreadable) -> list[Emit]:
            return unreadable.notice(names, stretch, names.agency_of(stretch.topic), moment(), signer)

        signer = keys.load(Path(require(context.settings, "key")))
        stage = Release(names, store, reader.poll, signer, context.settings.match_quota)
        reading = Reading(topics, stamped_ids, tail={names.heartbeat})
        source = KeptSource(bench.clients, reading, bench.effects, tell, bench.clients.limits.batch, store)
        return drive(LoopRunner(stage, source, bench.effects, bench.pulse, bench.stopping(context)))


def _take_over(clients: Clients, topic: str, store: Releases) -> None:
    consumer = clients.reader(enable_partition_eof=True)
    try:
        limits = Range(*consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=15.0))
        latest = {message.key(): message.value() for message in read(consumer, topic, 0, limits)}
    finally:
        consumer.close()
    count = store.load(codec.unframe(value)[1] for value in latest.values() if value)
    structlog.get_logger().info("Releases taken over", count=count)
