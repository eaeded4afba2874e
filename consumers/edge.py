"""One member's edge: feeds are read, verified again, and taken into the inbox; threads of their own deliver and give
receipts.

    feeds.v1.<member>.<kind> -> verify -> inbox -> drain + sink (each sink a thread) -> national systems
                                                   -> receipts -> sender (a thread) -> receipts.v1.<member>

A process may host several edges (`host.py`); they share nothing but the process.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import structlog
from confluent_kafka import KafkaException

from consumers import purging, retention
from consumers.drain import Drain
from consumers.errors import EdgeError
from consumers.follower import Follower
from consumers.heartbeat import Beat, newest
from consumers.inbox import Inbox, Taken
from consumers.judges import Judges
from consumers.judging import CURABLE, Accepted, Message, Refused, judge
from consumers.receipts import Maker
from consumers.search.keeper import SINK, Keeper
from consumers.sender import Sender
from consumers.sinks.chosen import sinks_of
from consumers.source import FeedSource, Pulled
from manara import keys, metrics, stores
from manara.errors import BrokerError
from manara.settings import Settings, require
from schemas.directory import Directory
from schemas.topics import Names

POLL_SECONDS: Final = 0.2
SIGN_OF_LIFE: Final = 2_000_000
"""Microseconds between two notes in the inbox that this edge is at work."""
JOIN_SECONDS: Final = 10.0


def now_us() -> int:
    """Our own clock: microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


class Edge:
    """One member's edge. `run` works until `stop` is set; every failure comes out of it in words.

    With `resync` all feeds are read again from their beginning; what is known is silent. `advanced` is told after each
    batch how many messages have been taken since the start and how many wait at the broker.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], int] = now_us, resync: bool = False) -> None:
        self.member = require(settings, "member")
        self.settings = settings
        self.clock = clock
        self.turned: Callable[[], None] = lambda: None
        self.resync = resync
        self.advanced: Callable[[int, int], None] = lambda _taken, _waiting: None
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._log = structlog.get_logger().bind(member=self.member)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`. Raises `ManaraError`s: what cannot be cured by waiting, or the failure of a thread."""
        self._stop, self._failure = threading.Event(), None
        folder = self.settings.folder
        with ExitStack() as stack:
            stack.enter_context(stores.lock(folder / "edge.lock", purpose=f"the work of edge.{self.member.lower()}"))
            inbox = stack.enter_context(Inbox.open(folder))
            retention.compact(inbox.db)
            follower = Follower(self.settings, self.member, inbox, self.clock)
            stack.callback(follower.close)
            source = FeedSource(self.settings, self.member)
            stack.callback(source.close)
            drains = self._threads(stack, follower)
            try:
                follower.open(stop.is_set)
            except BrokerError:
                if stop.is_set():  # asked to stop before the hub had answered: that is no failure
                    return
                raise
            source.open({} if self.resync else inbox.positions())
            self._log.info("Edge is open", sinks=len(drains), number=inbox.tip().number)
            judges = Judges(bulk=self.resync)
            stack.callback(judges.close)
            reading = Reading(self, inbox, source, follower, judges, [drain.wake for drain in drains])
            while not stop.is_set():
                reading.turn()
                self.turned()
                self._raise_failure()

    def _threads(self, stack: ExitStack, follower: Follower) -> list[Drain]:
        """Start the drains, the sender of receipts and the keeper of the search index: they work off the inbox even
        while the hub is away."""
        sinks = sinks_of(self.settings)
        keeper = Keeper(self.settings.folder, self.member, self._stop)
        if not sinks:
            self._log.warning("No sink is configured: alerts stay in the inbox and no receipt is given")
            self._start(stack, [(SINK, keeper.run)], [])
            return []
        topic = Names(self.settings.topic_prefix).receipts(self.member)
        sender = Sender(self.settings.folder, self.member, topic, self.settings.kafka, self._stop, clock=self.clock)
        key = keys.load(Path(require(self.settings, "key")))
        maker = Maker(
            self.member,
            sinks[0].name,
            key,
            lambda: follower.latest,
            self.clock,
            sender.made,
            sinks=[*(sink.name for sink in sinks), SINK],
        )
        drains = [
            Drain(
                self.settings.folder,
                sink,
                self.member,
                self._stop,
                maker if sink is sinks[0] else None,
                clock=self.clock,
            )
            for sink in sinks
        ]
        bodies = [*((f"sink.{drain.sink.name}", drain.run) for drain in drains), ("receipts", sender.run)]
        bodies.append((SINK, keeper.run))
        self._start(stack, bodies, [*(drain.wake for drain in drains), sender.made])
        return drains

    def _start(
        self, stack: ExitStack, bodies: Sequence[tuple[str, Callable[[], None]]], wakes: Sequence[threading.Event]
    ) -> None:
        threads = [threading.Thread(target=self._guard, args=(body,), name=name) for name, body in bodies]
        stack.callback(self._join, threads, wakes)
        for thread in threads:
            thread.start()

    def _guard(self, body: Callable[[], None]) -> None:
        """A thread's failure ends this edge, not silently the thread alone."""
        try:
            body()
        except BaseException as error:  # noqa: BLE001 - handed to the edge's own thread, which raises it
            self._failure = self._failure or error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _join(self, threads: Sequence[threading.Thread], wakes: Sequence[threading.Event]) -> None:
        self._stop.set()
        for wake in wakes:
            wake.set()
        deadline = time.monotonic() + JOIN_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        late = [thread.name for thread in threads if thread.is_alive()]
        if late:
            raise EdgeError(
                f"A sink of {self.member} does not let go: {', '.join(late)}.",
                "Its batch is repeated at the next start.",
            )


class Reading:
    """The reading thread's state: from a poll to the commit in the inbox."""

    def __init__(
        self,
        edge: Edge,
        inbox: Inbox,
        source: FeedSource,
        follower: Follower,
        judges: Judges,
        wakes: Sequence[threading.Event],
    ) -> None:
        self.edge, self.inbox, self.source, self.follower, self.wakes = edge, inbox, source, follower, wakes
        self.judges = judges
        self._taken = 0
        self._beat = _kept_beat(inbox)
        self._noted = 0
        self._seq = -1
        self._tidied = 0
        self._log = structlog.get_logger().bind(member=edge.member)

    def turn(self) -> None:
        """One round: what is there, judged and committed; then what is due by the clock."""
        if self.source.look_due():
            self._look()
        pulled = self.source.pull(self.judges.limit, POLL_SECONDS)
        directory = self.follower.poll()
        if directory.seq != self._seq:
            self._judge_again(directory, start=self._seq < 0)
            self._seq = directory.seq
        if pulled.feeds:
            self._take(pulled, directory)
        self._sign_of_life(pulled.heartbeats, directory)
        if not purging.scrub(self.inbox.db, self.edge.clock()):
            self._log.debug("A reader keeps the inbox's log: it is cut off later")
        self._tidy()

    def _look(self) -> None:
        try:
            self.source.look(self.inbox.positions())
        except KafkaException as error:  # the cluster is away: the consumer keeps trying by itself
            self.source.problem(error.args[0])

    def _take(self, pulled: Pulled, directory: Directory) -> None:
        began = time.monotonic()
        now = self.edge.clock()
        judged = self.judges.judge(pulled.feeds, directory, now)
        if any(isinstance(one, Refused) and one.reason in CURABLE for one in judged):
            directory = self.follower.poll()  # an alert may have overtaken the directory that knows its key
            judged = self.judges.judge(pulled.feeds, directory, now)
        accepted = [one for one in judged if isinstance(one, Accepted)]
        refused = [one for one in judged if isinstance(one, Refused)]
        taken = self.inbox.take(accepted, refused, positions=pulled.positions(), now=now)
        self._taken += len(judged)
        self.edge.advanced(self._taken, self.source.waiting())
        self._count(pulled, taken)
        self._wake()
        self._log.info(
            "Batch taken", count=len(judged), new=taken.new, again=taken.again, refused=len(taken.refused),
            number=self.inbox.tip().number, seconds=round(time.monotonic() - began, 4),
        )  # fmt: skip

    def _judge_again(self, directory: Directory, *, start: bool) -> None:
        """What was refused for want of a key may hold under the new directory; at a start, by a new release's rules."""
        kinds = self.source.kinds
        waiting = [
            (number, sent) for number, sent in self.inbox.unsettled(CURABLE, and_rules=start) if sent.topic in kinds
        ]
        now = self.edge.clock()
        judged = [(number, judge(sent, kinds[sent.topic], directory, now)) for number, sent in waiting]
        good = [(number, one) for number, one in judged if isinstance(one, Accepted)]
        if not good:
            return
        taken = self.inbox.take([one for _, one in good], settled=[number for number, _ in good], now=now)
        self._log.info("Refused messages hold under the new directory", new=taken.new, directory_seq=directory.seq)
        self._wake()

    def _tidy(self) -> None:
        """Once a day by the network's time: content that has been kept long enough goes."""
        log_time = self._beat.at if self._beat else 0
        if log_time - self._tidied < retention.DAY:
            return
        self._tidied = log_time
        count = retention.empty_old(self.inbox.db, self.edge.settings.retention_days, log_time)
        self._log.info("Content past its retention is emptied", count=count)

    def _count(self, pulled: Pulled, taken: Taken) -> None:
        member = self.edge.member
        metrics.batches.labels("edge").inc()
        metrics.records.labels("edge").inc(len(pulled.feeds))
        for kind, count in Counter(kind for kind, _ in pulled.feeds).items():
            metrics.received.labels(member, kind).inc(count)
        metrics.repeated.labels(member).inc(taken.again)
        reasons = Counter(metrics.reason_label(one.reason) for one in taken.refused)
        for reason, count in reasons.items():
            metrics.edge_refused.labels(member, reason).inc(count)
        if taken.refused:
            first = taken.refused[0]
            self._log.error(
                "The hub sent what does not hold",
                reasons=", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())),
                digest=first.digest,
                topic=first.message.topic,
                partition=first.message.partition,
                offset=first.message.offset,
                remedy="The bytes are kept in the inbox's table `refused`: show them to the operator.",
            )

    def _wake(self) -> None:
        for wake in self.wakes:
            wake.set()

    def _sign_of_life(self, sent: Sequence[Message], directory: Directory) -> None:
        now = self.edge.clock()
        beat = newest(sent, self._beat, directory, now) if sent else None
        if beat is not None:
            self._beat = beat
        if self._beat is not None:
            metrics.heartbeat_age.set(max(0, now - self._beat.seen) / 1e6)
        if beat is not None or now - self._noted >= SIGN_OF_LIFE:
            self._noted = now
            self.inbox.put_meta({"edge_seen": now, **(beat.meta() if beat else {})})


def _kept_beat(inbox: Inbox) -> Beat | None:
    values = [inbox.meta(name) for name in ("heartbeat_sequence", "heartbeat_at", "heartbeat_seen")]
    return None if None in values else Beat(*(int(value or 0) for value in values))
