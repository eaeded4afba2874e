"""Which offsets of a lane's log are ours, and which are the clock's, or a worker's that had lost the lane."""

from __future__ import annotations


class Tail:
    """The end of one lane's log as its owner knows it. Pure bookkeeping.

    Everything below `floor` is folded in. Own blocks are known when they are acknowledged; an offset that is skipped
    between two of them belongs to somebody else and has to be read and folded before `floor` may pass it.
    """

    def __init__(self, next_: int) -> None:
        self.high = next_
        self.gaps: list[tuple[int, int]] = []

    @property
    def floor(self) -> int:
        """The offset below which nothing is missing."""
        return self.gaps[0][0] if self.gaps else self.high

    def own(self, offset: int) -> None:
        """A block of ours is acknowledged at `offset`."""
        if offset > self.high:
            self.gaps.append((self.high, offset))
        self.high = max(self.high, offset + 1)

    def foreign(self, offset: int) -> bool:
        """Whether the record at `offset` is somebody else's. Ask only while nothing of ours is in flight."""
        return offset >= self.high or any(first <= offset < end for first, end in self.gaps)

    def healed(self, end: int) -> None:
        """Everything below `end` that was not ours has been folded."""
        self.gaps = [(max(first, end), last) for first, last in self.gaps if last > end]
        self.high = max(self.high, end)
