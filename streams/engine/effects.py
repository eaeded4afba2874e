"""The order of effects: what is sent, in which order, and when it counts as done.

One `Effects` serves both runners. It has no thread and never flushes: whoever owns it pumps it.

    submit(emits, commits, done)   emits leave at once; commits (blocks) when all emits of their own batch are
                                   acknowledged and the commits of all batches before are out; done when everything
                                   is acknowledged, in order of batches
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaException

from streams.engine.contract import Emit
from streams.engine.errors import Exit, Stop
from streams.engine.limits import Limits


class Ack(NamedTuple):
    """Where an acknowledged commit lies."""

    topic: str
    partition: int
    offset: int


Done = Callable[[Sequence[Ack]], None]
"""Called once everything of a batch is acknowledged, with the places of its commits in the order they were given."""


class Delivered(Protocol):
    """What a delivery report tells about a message (confluent_kafka.Message)."""

    def topic(self) -> str | None:
        """Its topic."""
        ...

    def partition(self) -> int | None:
        """Its partition."""
        ...

    def offset(self) -> int | None:
        """Its offset."""
        ...


class Sender(Protocol):
    """The part of confluent_kafka.Producer that is used; tests bring a log in memory."""

    def produce(
        self, topic: str, value: Any, key: Any, partition: int, *, on_delivery: Callable[[Any, Any], None], headers: Any
    ) -> None:
        """Queue one message; BufferError if the queue is full."""
        ...

    def poll(self, timeout: float, /) -> int:
        """Serve delivery reports."""
        ...


class _Flight:
    """One batch on its way."""

    __slots__ = ("acks", "commits", "done", "left", "owner", "sent")

    def __init__(self, owner: Effects, commits: Sequence[Emit], done: Done) -> None:
        self.owner = owner
        self.commits = commits
        self.done = done
        self.left = 0
        self.sent = False
        self.acks: list[Ack] = []

    def emitted(self, error: object, message: Delivered) -> None:
        """Delivery report of an emit."""
        if error is not None:
            raise Stop(Exit.DELIVERY, f"{message.topic()}: {error}")
        self.left -= 1
        self.owner.unacknowledged -= 1

    def committed(self, error: object, message: Delivered) -> None:
        """Delivery report of a commit."""
        self.emitted(error, message)
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is None or partition is None or offset is None or offset < 0:
            raise Stop(Exit.DELIVERY, f"{topic}: acknowledged without an offset")
        self.acks.append(Ack(topic, partition, offset))


class Effects:
    """Sends what stages answer and knows what has been acknowledged. Not safe for threads."""

    def __init__(self, producer: Sender, limits: Limits) -> None:
        self.producer = producer
        self.limits = limits
        self.flying: deque[_Flight] = deque()
        self.unacknowledged = 0

    def submit(self, emits: Sequence[Emit], commits: Sequence[Emit], done: Done) -> None:
        """Send a batch's emits now, its commits when they may follow; `done` when all is acknowledged."""
        flight = _Flight(self, commits, done)
        self.flying.append(flight)
        self._send(flight, emits, flight.emitted)
        self._advance()

    def pump(self, timeout: float = 0.0) -> None:
        """Serve delivery reports, waiting at most `timeout` seconds for the first; move batches on, in order."""
        self.producer.poll(timeout)
        self._advance()

    def full(self) -> bool:
        """Whether more is in flight than a worker may have."""
        return self.unacknowledged > self.limits.flying or len(self.flying) > self.limits.flights

    def drain(self, slice_: float = 0.05) -> None:
        """Wait until nothing is in flight; a delivery that fails ends the worker, so the wait is bounded."""
        while self.flying:
            self.pump(slice_)

    def _send(self, flight: _Flight, emits: Sequence[Emit], report: Callable[[object, Delivered], None]) -> None:
        flight.left += len(emits)
        self.unacknowledged += len(emits)
        produce = self.producer.produce
        for topic, key, value, headers, partition in emits:
            while True:
                try:
                    produce(topic, value, key, partition, on_delivery=report, headers=headers)
                    break
                except BufferError:  # the client's own queue is full: let it empty
                    self.producer.poll(0.05)
                except KafkaException as error:  # refused before it was queued: the client knows that it may not write
                    raise Stop(Exit.DELIVERY, f"{topic}: {error.args[0].name()}") from error

    def _advance(self) -> None:
        for flight in self.flying:
            if not flight.sent:
                if flight.left:
                    break  # blocks are the commit record: never before what they commit to, never out of order
                flight.sent = True
                self._send(flight, flight.commits, flight.committed)
        while self.flying and self.flying[0].sent and not self.flying[0].left:
            flight = self.flying.popleft()
            flight.done(flight.acks)
