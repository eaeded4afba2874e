"""The relay of one outbox: sends what waits, takes in what the hub and the members answer, and starts over after any
trouble.

One relay an outbox, by a lock file. It runs as a process (`manara relay`) and inside `publish --wait`. It decides
nothing: what is
sent, and what an answer means, is in the outbox, so it can be killed at any moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from manara import kafka, metrics, stores
from manara.errors import BrokerError, Cause, ManaraError
from manara.process import Context
from manara.settings import Settings
from producers import answers
from producers.answering import Answerer
from producers.care import Care
from producers.hours import now_micros as now_micros  # noqa: PLC0414 - it was this module's before
from producers.ledger import Ledger
from producers.listening import Listener
from producers.outbox import Outbox
from producers.sending import Sender
from producers.trust import Trust
from schemas.topics import Names

LOCK = "relay.lock"
LOOK_SECONDS = 5.0
"""How often the relay looks whether cluster and topics are still the same."""
REACH_SECONDS = 10.0
STUCK_SECONDS = 60.0
GAUGE_SECONDS = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
HOPELESS = frozenset({Cause.LOGIN, Cause.TLS, Cause.VERSION})
"""Causes that waiting does not cure; a relay that never got through ends with the sentence."""


@dataclass(slots=True)
class _Line:
    """The clients to one cluster, alive until the first trouble."""

    sender: Sender
    answerer: Answerer
    listener: Listener
    admin: AdminClient
    problem: kafka.Problem
    inlet_id: str = ""
    looked_at: float = field(default=-LOOK_SECONDS)

    def close(self, grace: float) -> None:
        self.sender.close(grace)
        self.answerer.close(grace)
        self.listener.close()


class Relay:
    """Both directions of one outbox. `step` does one round; call it until there is nothing to wait for."""

    def __init__(
        self, settings: Settings, outbox: Outbox, lock: stores.Lock, clock: Callable[[], int] = now_micros
    ) -> None:
        names = Names(prefix=settings.topic_prefix)
        self._settings = settings
        self._outbox = outbox
        self._lock = lock
        self._clock = clock
        self._inlet = names.inlet(settings.agency)
        self._status = names.status(settings.agency)
        self._answers = names.answers(settings.agency)
        self._heartbeat = names.heartbeat
        self._trust = Trust(settings, outbox)
        self._line: _Line | None = None
        self.connected_once = False
        self.log = structlog.get_logger()

    @classmethod
    def open(cls, settings: Settings, outbox: Outbox) -> Self:
        """The relay of an outbox. InUseError where another process is it."""
        return cls(
            settings, outbox, stores.lock(lock_path(settings), purpose=f"the relaying of {settings.agency}'s outbox")
        )

    def step(self, wait: float = 0.05) -> bool:
        """One round of sending and listening; whether anything moved. BrokerError after which the next step starts
        over.
        """
        try:
            line = self._connect()
            self._look(line)
            moved = line.sender.step(line.inlet_id, wait / 2)
            moved = line.answerer.step() or moved
            heard = line.listener.step(0 if moved else wait / 2)
            self._watch(line)
        except BrokerError:
            self.hang_up(0)
            raise
        return moved or heard

    def take_counts(self) -> tuple[int, int]:
        """How many messages were confirmed, and how many status records were taken in, since this was last asked."""
        line = self._line
        if line is None:
            return 0, 0
        counts = line.sender.sent, line.listener.taken
        line.sender.sent = line.listener.taken = 0
        return counts

    def hang_up(self, grace: float) -> None:
        """Drop the clients, after up to `grace` seconds for what is in flight."""
        if self._line is not None:
            self._line.close(grace)
            self._line = None

    def close(self, grace: float = 5.0) -> None:
        """Finish what is in flight, note it, and let the next relay in."""
        line = self._line
        try:
            if line is not None and line.inlet_id:
                line.sender.drain(line.inlet_id, grace)
        except BrokerError:
            pass  # it stays in the outbox
        finally:
            self.hang_up(0)
            self._trust.close()
            self._lock.close()

    def _connect(self) -> _Line:
        if self._line is None:
            settings, problem = self._settings.kafka, kafka.Problem(self._settings.kafka)
            sender = Sender(settings, self._outbox, self._inlet, self._clock)
            answerer = Answerer(settings, self._outbox, self._answers, self._clock)
            ledger = Ledger(self._outbox, self._settings.agency, self._trust.remembered)
            listener = Listener(settings, ledger, (self._status, self._heartbeat), self._trust.directory)
            self._line = _Line(sender, answerer, listener, kafka.admin(settings, problem=problem), problem)
        return self._line

    def _look(self, line: _Line) -> None:
        """Which cluster and which topics these are; another one than before means that all must be sent again."""
        if time.monotonic() - line.looked_at < LOOK_SECONDS and not line.sender.suspicious:
            return
        cluster = line.sender.connect(REACH_SECONDS)
        try:
            ids = kafka.topic_ids(line.admin, [self._inlet, self._status])
        except KafkaException as error:
            raise kafka.words(error.args[0], self._settings.kafka, what=self._inlet) from error
        for topic in (self._inlet, self._status):
            if topic not in ids:
                raise kafka.words(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), self._settings.kafka, what=topic)
        again = self._outbox.settle(cluster, ids[self._inlet], self._clock())
        if again:
            metrics.relay_resent.inc(again)
            self.log.warning(
                "The cluster or the inlet was made anew; everything that has not ended is sent again", messages=again
            )
        if line.inlet_id not in ("", ids[self._inlet]):
            raise BrokerError(
                "The inlet topic was made anew.", "Everything that has not ended is sent again.", cause=Cause.TOPIC
            )
        line.inlet_id = ids[self._inlet]
        line.listener.assign(ids[self._status], timeout=10)
        self._look_at_answers(line, cluster)
        line.looked_at, line.sender.suspicious = time.monotonic(), False
        self.connected_once = True

    def _look_at_answers(self, line: _Line, cluster: str) -> None:
        """The topic of answers to links, once, and again where any were given; that it is not there stops nothing."""
        if line.answerer.looked and not answers.any_given(self._outbox):
            return
        try:
            found = kafka.topic_ids(line.admin, [self._answers])
        except KafkaException:  # without the right to see it, it is as if it were not there
            found = {}
        line.answerer.look(cluster, found.get(self._answers))

    def _watch(self, line: _Line) -> None:
        """The client does not give up by itself: nothing confirmed for a minute while messages are in flight is
        trouble.
        """
        if not line.sender.flying:
            line.sender.progress_at = time.monotonic()
        elif time.monotonic() - line.sender.progress_at > STUCK_SECONDS:
            raise line.sender.problem or kafka.unreachable(
                self._settings.kafka, f"nothing confirmed for {STUCK_SECONDS:.0f} s"
            )


def lock_path(settings: Settings) -> Path:
    """The lock file of an agency's relay."""
    return settings.folder / LOCK


def run(context: Context) -> int:
    """The loop of the process `manara relay`."""
    settings = context.settings
    outbox = Outbox.open(settings.folder, settings.agency)
    relay = Relay.open(settings, outbox)
    stores.examine(outbox.db)
    care = Care(outbox)
    pause, shown = FIRST_PAUSE, -GAUGE_SECONDS
    try:
        while not context.stopping:
            context.health.alive()
            try:
                with stores.sentences(outbox.db):
                    relay.step()
            except BrokerError as error:
                if error.cause in HOPELESS and not relay.connected_once:
                    raise
                _complain(error, pause)
                context.stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            context.health.progress()
            if time.monotonic() - shown > GAUGE_SECONDS:
                show(relay, outbox)
                shown = time.monotonic()
            care.turn()
    finally:
        relay.close()
        outbox.close()
    return 0


def show(relay: Relay, outbox: Outbox) -> None:
    """Metrics of what waits, and one line in the log where something has moved."""
    waiting, damaged = outbox.waiting()
    sent, taken = relay.take_counts()
    if sent or taken:
        structlog.get_logger().info("Outbox carried", sent=sent, taken=taken, waiting=waiting, damaged=damaged)
    metrics.records.labels(stage="relay").inc(taken)
    metrics.last_progress.labels(stage="relay").set_to_current_time()
    oldest = outbox.oldest_waiting()
    metrics.spool_waiting.labels(spool="outbox").set(waiting)
    metrics.spool_oldest.labels(spool="outbox").set(0 if oldest is None else max(0.0, (now_micros() - oldest) / 1e6))


def _complain(error: ManaraError, pause: float) -> None:
    structlog.get_logger().warning(
        "The relay cannot go on", problem=error.message, remedy=error.remedy, next_try_s=pause
    )
