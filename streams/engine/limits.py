"""How much a worker takes on at a time. The figures were measured on a real broker; each says what it bounds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one worker; times in seconds."""

    flying: int = 3_000  # messages sent and not acknowledged yet: the unit of back-pressure
    flights: int = 256  # batches in flight
    batch: int = 1_000  # records a batch, over all partitions
    blocks: int = 32  # records a batch where each record is a block of up to 100 messages
    bulk: int = 200  # bulk records a batch: a live alert waits for the batch that is in work
    session: float = 10.0  # of the group; a longer gap between two polls ends the worker
    look: float = 1.0  # how often the directory is looked at
    recheck: float = 5.0  # how often the ids of all topics that are read are looked at
    heal: float = 60.0  # how often the tail of an idle lane is read
    commit: float = 1.0  # how often group offsets are committed: bounds the repeats after a crash
    idle: float = 0.05  # how long a read waits when nothing is in flight
    snapshot_rate: int = 500  # register entries written to the snapshot a second
    snapshot_pause: float = 5.0  # between two sweeps of the snapshot
    hot: int = 100_000  # register entries kept in memory a lane
