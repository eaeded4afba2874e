"""A lane in the hands of its owner: its state, and the end of its log as the owner knows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.engine.contract import CommitStage
from streams.engine.store import Lane, Source
from streams.engine.tail import Tail


class Owned:
    """Keeps a lane's state and its log together. Nothing here waits or talks to Kafka."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.tail = Tail(lane.next)

    def keep(self, puts: Sequence[tuple[bytes, bytes]], places: Iterable[Source]) -> None:
        """Store a batch whose blocks are acknowledged; `tail` has heard of them before."""
        self.lane.keep(puts, places, self.tail.floor)

    def heal(self, stage: CommitStage, end: int, blocks: Iterable[tuple[int, bytes]]) -> int:
        """Fold what others wrote below `end`, given all blocks from `tail.floor` to there; returns how many those were.

        Only while nothing of ours is in flight: then every offset that is not ours is somebody else's.
        """
        foreign = [(offset, value) for offset, value in blocks if offset < end and self.tail.foreign(offset)]
        self.tail.healed(end)
        self.lane.fold(stage, foreign)
        self.lane.keep((), (), self.tail.floor)
        return len(foreign)
