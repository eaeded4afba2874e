"""The thread that brings the inbox into one sink: its own cursor, retries with back-off, dead letters with a reason.

Two kinds of failure, kept apart: the system as a whole does not answer (the same batch again, for as long as it
takes), or it refuses one entry (set aside, tried again a few times, then a dead letter; all others go on at once).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import structlog

from consumers import purging
from consumers.deliveries import Deliveries, Parked
from consumers.entry import Cursor, Entry
from consumers.errors import EntryRefusedError, SinkUnavailableError
from consumers.inbox import Inbox
from consumers.sinks.contract import Sink
from manara import metrics

ATTEMPTS: Final = 5
"""So often an entry is tried before it becomes a dead letter."""
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 30.0
IDLE_SECONDS: Final = 1.0


class Committed(Protocol):
    """Told after each commit of the primary sink, and at each start: everything up to the number is stored."""

    def __call__(self, inbox: Inbox, number: int) -> None:
        """Make the receipts."""
        ...


def pause_after(attempts: int, chance: float) -> float:
    """Seconds to wait after so many failures: doubling, bounded, spread by `chance` (0 to 1) so that edges do not
    march."""
    return min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), LONGEST_PAUSE) * (0.5 + chance / 2)


@dataclass
class Drain:
    """One sink of one member. `run` is its thread's body; `wake` is set when the inbox has more."""

    folder: Path
    sink: Sink
    member: str
    stop: threading.Event
    committed: Committed | None = None
    wake: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], int] = lambda: time.time_ns() // 1000
    chance: Callable[[], float] = random.random

    def run(self) -> None:
        """Deliver until `stop`. Raises what is not a sink's business: a full or damaged inbox."""
        failures = 0
        with Inbox.open(self.folder) as inbox:
            work = Deliveries(inbox.db, self.sink.name, primary=self.committed is not None)
            while not self.stop.is_set():
                session = _Session(self, inbox, work)
                try:
                    session.open()
                    session.work()
                except SinkUnavailableError as error:
                    failures = 1 if session.delivered else failures + 1
                    self._wait(work, session.cursor.number, error, failures)
                finally:
                    self.sink.close()

    def _wait(self, work: Deliveries, number: int, error: SinkUnavailableError, failures: int) -> None:
        pause = max(pause_after(failures, self.chance()), error.again_after)
        metrics.sink_failures.labels(self.member, self.sink.name).inc()
        structlog.get_logger().warning(
            "Sink is not available",
            member=self.member,
            sink=self.sink.name,
            problem=error.message,
            remedy=error.remedy,
            failures=failures,
            again_in_seconds=round(pause, 1),
        )
        work.note(number, "WAITING", str(error), self.clock())
        self.stop.wait(pause)


class _Session:
    """From one opening of the sink to its first failure."""

    def __init__(self, drain: Drain, inbox: Inbox, work: Deliveries) -> None:
        self.drain, self.inbox, self.store = drain, inbox, work
        self.sink = drain.sink
        self.cursor = Cursor()
        self.delivered = False
        self.told = 0
        self._log = structlog.get_logger().bind(member=drain.member, sink=drain.sink.name)

    def open(self) -> None:
        """Connect and find the cursor; one that belongs to another history is not believed."""
        self.cursor = self.sink.open(self.inbox.id)
        if not self.inbox.holds(self.cursor):
            self._log.warning("The sink knows another history of this inbox and starts anew", number=self.cursor.number)
            self.inbox.renew_id()
            self.cursor = self.sink.open(self.inbox.id)
        self._log.info("Sink is open", number=self.cursor.number, waiting=self.inbox.tip().number - self.cursor.number)
        self._done()

    def work(self) -> None:
        """Deliver what is there, then what comes."""
        while not self.drain.stop.is_set():
            self.drain.wake.clear()
            self._tell_time()
            retried = self._retry()
            batch = self.inbox.after(self.cursor.number, self.sink.batch_limit)
            if batch:
                self._deliver(batch)
            elif not retried:
                self._receipts()
                self.drain.wake.wait(self._idle())

    def _tell_time(self) -> None:
        """Hand the network's time on, so that the system can tell what has expired; a beat is told once."""
        at = int(self.inbox.meta("heartbeat_at") or 0)
        if at > self.told:
            self.sink.tell_time(at)
            self.told = at

    def _idle(self) -> float:
        """How long nothing is to be done, unless somebody sets `wake`."""
        due = self.store.next_due()
        if due is None:
            return IDLE_SECONDS
        return min(IDLE_SECONDS, max(0.01, (due - self.drain.clock()) / 1e6))

    def _deliver(self, batch: Sequence[Entry]) -> None:
        began = time.monotonic()
        aside = self.store.set_aside([entry.number for entry in batch])
        for entry in batch:
            if entry.number not in aside and not entry.bare and not entry.intact:
                self._bury(entry, 0, EntryRefusedError("Its bytes in the inbox are damaged.", "Check the disk."))
                aside.add(entry.number)
        self._split([entry for entry in batch if entry.number not in aside], batch[-1].cursor)
        self._done()
        self._log.info(
            "Batch delivered", count=len(batch), number=self.cursor.number, seconds=round(time.monotonic() - began, 4)
        )

    def _split(self, batch: Sequence[Entry], upto: Cursor) -> None:
        """Deliver a batch; where something in it is refused, halve it until that stands alone, and set that aside."""
        try:
            self._hand_over(batch, upto)
        except EntryRefusedError as error:
            if len(batch) == 1:
                self._park(batch[0], 1, error)
                self._hand_over([], upto)
                return
            middle = len(batch) // 2
            self._split(batch[:middle], batch[middle - 1].cursor)
            self._split(batch[middle:], upto)

    def _hand_over(self, batch: Sequence[Entry], upto: Cursor) -> None:
        done = self.sink.deliver(batch, upto)
        now = self.drain.clock()
        self.cursor, self.delivered = done.cursor, True
        metrics.stored.labels(self.drain.member, self.sink.name).inc(done.effects)
        if done.effects:
            for entry in batch:
                seconds = max(0.0, (now - entry.at) / 1e6)
                metrics.delivery_seconds.labels(entry.precedence).observe(seconds)
        if done.cursor.number < upto.number and batch:  # the sink finished an older batch first
            self._split([entry for entry in batch if entry.number > done.cursor.number], upto)

    def _retry(self) -> bool:
        """Try again what was set aside; whether there was anything."""
        due = self.store.due(self.drain.clock())
        for parked in due:
            entry = self.inbox.entry(parked.number)
            if entry is None:
                self.store.settle(parked.number)
                continue
            try:
                self.sink.deliver([entry], self.cursor)
            except EntryRefusedError as error:
                self._park(entry, parked.attempts + 1, error)
            else:
                self.store.settle(entry.number)
        if due:
            self._done()
        return bool(due)

    def _park(self, entry: Entry, attempts: int, error: EntryRefusedError) -> None:
        now = self.drain.clock()
        if attempts < ATTEMPTS or entry.message == "WITHDRAW":  # an order to purge is never given up
            due = now + int(pause_after(attempts, self.drain.chance()) * 1e6)
            self.store.park(Parked(entry.number, attempts, due), error.message)
            return
        self._bury(entry, attempts, error)

    def _bury(self, entry: Entry, attempts: int, error: EntryRefusedError) -> None:
        self.store.bury(entry.number, attempts, error.message, self.drain.clock())
        metrics.dead_letters.labels(self.drain.member, self.sink.name).inc()
        self._log.error(
            "An entry is a dead letter",
            alert_id=entry.alert_id,
            agency=entry.agency,
            version=entry.version,
            problem=error.message,
            remedy=error.remedy,
        )

    def _done(self) -> None:
        """Say how far we are: to people, and to the receipts."""
        self.store.note(self.cursor.number, "OK", "", self.drain.clock())
        purging.passed(self.inbox.db, self.sink.name, self.cursor.number)
        waiting = self.inbox.tip().number - self.cursor.number
        metrics.inbox_waiting.labels(self.drain.member, self.sink.name).set(waiting)
        self._receipts()

    def _receipts(self) -> None:
        if self.drain.committed is not None:
            self.drain.committed(self.inbox, self.cursor.number)
