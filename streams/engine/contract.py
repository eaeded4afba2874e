"""What a stage of the hub is: values in, values out. Runners do the rest.

A stage is one pure method: no input or output, no clock, no life cycle. The runner reads records, hands a batch to the
stage together with a view of the state of that partition, sends what the stage answers, and remembers progress.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from schemas.models import Position

Headers = list[tuple[str, bytes | None]]
"""Kafka headers in their order; a name may repeat, a value may be null."""

Known = Callable[[str, str, int], int]
"""(topic, topic id, partition) -> next offset that is already covered; 0 if nothing is, or under another topic id."""


class Record(NamedTuple):
    """One message as it was read."""

    topic: str
    topic_id: str  # hex; an offset is worth nothing without it
    partition: int
    offset: int
    time: int  # the log's time, microseconds since the epoch, UTC
    key: bytes | None
    value: bytes | None
    headers: Headers


class Emit(NamedTuple):
    """One message to send. Partition -1: by the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None
    partition: int = -1


class Put(NamedTuple):
    """One change of state, and the record that caused it."""

    key: bytes
    value: bytes
    cause: Record


@dataclass(slots=True)
class Output:
    """What a stage answers to a batch.

    `emits` may be sent again after a crash, so their readers must bear repeats. `commits` are the blocks of a stage
    whose block is its commit record: they are sent in order, after every emit of the batch is acknowledged; when they
    are acknowledged too, `puts` and the positions of the batch are stored.
    """

    emits: list[Emit] = field(default_factory=list)
    puts: list[Put] = field(default_factory=list)
    commits: list[Emit] = field(default_factory=list)


class Stage(Protocol):
    """One decision of the hub."""

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Answer a batch of one partition (or lane).

        `batch` is in order per source partition. `state` already contains the puts of batches that are still in flight.
        `now` is the latest log time of the batch; what must not depend on the borders of batches uses `Record.time`.
        It must not raise over the content of a record: what escapes ends the process.
        """
        ...


@dataclass(slots=True)
class Fold:
    """What one block says: changes of state, and the source positions it covers."""

    puts: list[tuple[bytes, bytes]] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)


class CommitStage(Stage, Protocol):
    """A stage whose block is its commit record: its state is a fold of its own blocks."""

    def fold(self, value: bytes, offset: int, state: Mapping[bytes, bytes], known: Known) -> Fold:
        """Replay one block.

        Pure. A message of the block whose source offset is below `known` was committed before (the block of a worker
        that had lost its lane): it changes nothing but `reached`. Positions at or below the known ones may be given;
        the runner keeps the higher one of the same topic id.
        """
        ...
