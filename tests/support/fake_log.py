"""A log in memory and a producer over it that can die at any moment: what the engine's laws are tried on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Stored(NamedTuple):
    """One message in the log."""

    key: Any
    value: Any
    headers: Any


@dataclass
class Log:
    """Partitions by (topic, partition); -1 is a partition of its own here."""

    partitions: dict[tuple[str, int], list[Stored]] = field(default_factory=dict)

    def append(self, topic: str, partition: int, stored: Stored) -> int:
        """Append; gives back the offset."""
        found = self.partitions.setdefault((topic, partition), [])
        found.append(stored)
        return len(found) - 1

    def read(self, topic: str, partition: int) -> list[Stored]:
        """Everything in a partition."""
        return self.partitions.get((topic, partition), [])


class Report(NamedTuple):
    """A delivery report."""

    at: tuple[str, int, int]

    def topic(self) -> str:
        """Its topic."""
        return self.at[0]

    def partition(self) -> int:
        """Its partition."""
        return self.at[1]

    def offset(self) -> int:
        """Its offset."""
        return self.at[2]


class Queued(NamedTuple):
    """A message that the client holds."""

    topic: str
    partition: int
    stored: Stored
    report: Callable[[Any, Any], None]


@dataclass
class FakeProducer:
    """Queues; `land` brings messages into the log in order, `poll` reports what has landed; `eager` does both."""

    log: Log
    eager: bool = False
    queue: list[Queued] = field(default_factory=list)
    landed: list[tuple[Queued, int]] = field(default_factory=list)
    room: int = 1_000_000
    refuse: str = ""  # a topic whose messages fail

    def produce(
        self, topic: str, value: Any, key: Any, partition: int, *, on_delivery: Callable[[Any, Any], None], headers: Any
    ) -> None:
        """Queue one message."""
        if len(self.queue) >= self.room:
            raise BufferError("full")
        self.queue.append(Queued(topic, partition, Stored(key, value, headers), on_delivery))

    def land(self, number: int) -> None:
        """Let the next messages arrive at the broker, without a report yet."""
        for _ in range(min(number, len(self.queue))):
            queued = self.queue.pop(0)
            offset = (
                -1 if queued.topic == self.refuse else self.log.append(queued.topic, queued.partition, queued.stored)
            )
            self.landed.append((queued, offset))

    def poll(self, timeout: float, /) -> int:
        """Report what has landed."""
        if self.eager:
            self.land(len(self.queue))
        reported, self.landed = self.landed, []
        for queued, offset in reported:
            error = "refused" if offset < 0 else None
            queued.report(error, Report((queued.topic, queued.partition, offset)))
        return len(reported)
