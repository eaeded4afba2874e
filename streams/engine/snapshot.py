"""`register.v1`: a compacted snapshot of the register, for a machine that has nothing, and for what the log forgot.

Written off the critical path, a bounded amount a second, in sweeps. A sweep notes how far the lane has got (`next`,
the positions of its sources), writes every entry that changed, and when all are acknowledged, closes with a
*frontier*: everything that the log said below that offset is in the snapshot. Each entry says in the header `covers`
up to which offset of the log it holds everything, and in the header `log` of which topic id.

A machine that has nothing takes the entries and the last frontier, then folds the log from the frontier on. An entry
written after it is ahead: blocks below its `covers` are in it already and change it no more.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from schemas import codec, registry
from schemas.models import Block, Position
from streams.engine.contract import Headers
from streams.engine.effects import Delivered, Sender
from streams.engine.limits import Limits
from streams.engine.store import Entry, Lane, Source

FRONTIER = b"@frontier"
"""Key of the frontier: no agency begins with @."""
COVERS, LOG = "covers", "log"
_OFFSET = struct.Struct(">q")

DELIVERY_MS = 5_000
"""Shorter than the group's session: what a worker that stood still had queued is dropped, not sent late."""


class Snapshot(NamedTuple):
    """What a snapshot says about one lane: every block below `next` is in it."""

    entries: list[Entry]
    sources: list[Source]
    next: int


def headers(covers: int, log: str) -> Headers:
    """The headers of an entry."""
    return [(COVERS, _OFFSET.pack(covers)), (LOG, log.encode())]


def frontier(lane: int, sources: Iterable[Source]) -> bytes:
    """The value of a frontier: a block that admits nothing."""
    positions: list[Position] = [
        {
            "topic": s.topic,
            "topic_id": s.topic_id,
            "partition": s.partition,
            "next_offset": s.next_offset,
            "sequence": 0,
            "previous": "",
        }
        for s in sources
    ]
    block: Block = {"lane": lane, "positions": positions, "admitted": []}
    schema = registry.by_name("block")
    return codec.frame(schema, codec.encode(schema, block))


class Found(NamedTuple):
    """One record of the snapshot's topic."""

    key: bytes
    value: bytes | None
    headers: Mapping[str, bytes | None]


def assemble(records: Iterable[Found], log: str) -> Snapshot | None:
    """Read a lane's records, oldest first. None if no sweep of this log was ever finished."""
    entries: dict[bytes, Entry] = {}
    edge: tuple[int, bytes] | None = None
    for found in records:
        covers, of = found.headers.get(COVERS), found.headers.get(LOG)
        if covers is None or of != log.encode():
            continue
        (offset,) = _OFFSET.unpack(covers)
        if found.key == FRONTIER and found.value is not None:
            edge = max(edge or (-1, b""), (offset, found.value))
        elif found.value is None:
            entries.pop(found.key, None)
        elif found.key not in entries or entries[found.key].floor <= offset:
            entries[found.key] = Entry(found.key, found.value, offset)
    if edge is None:
        return None
    return Snapshot(list(entries.values()), _sources(edge[1]), edge[0])


def _sources(value: bytes) -> list[Source]:
    schema_id, body = codec.unframe(value)
    positions = codec.decode(registry.by_id(schema_id), body)["positions"]
    return [Source(p["topic"], p["topic_id"], p["partition"], p["next_offset"]) for p in positions]


@dataclass(slots=True)
class _Sweep:
    """One pass over the changed entries of one lane."""

    next: int
    sources: list[Source]
    keys: deque[bytes]
    flying: int = 0
    failed: bool = False
    closing: bool = False
    written: list[tuple[bytes, bytes]] = field(default_factory=list)


class SnapshotWriter:
    """Writes the snapshot of the lanes that a worker owns. `turn` is cheap and never waits."""

    def __init__(
        self, producer: Sender, topic: str, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._limits = limits
        self._clock = clock
        self._sweeps: dict[int, _Sweep] = {}
        self._swept: dict[int, tuple[float, int]] = {}  # lane -> when its last sweep ended, frontier
        self._credit = 0.0
        self._at = clock()

    def turn(self, lanes: Mapping[int, Lane]) -> None:
        """Write some entries, if any have changed."""
        now = self._clock()
        rate = self._limits.snapshot_rate
        self._credit = min(rate, self._credit + (now - self._at) * rate)
        self._at = now
        self._producer.poll(0)
        for gone in self._sweeps.keys() - lanes.keys():
            del self._sweeps[gone]
        for number, lane in lanes.items():
            sweep = self._sweeps.get(number) or self._begin(number, lane, now)
            if sweep is not None:
                self._sweeps[number] = sweep
                self._step(number, lane, sweep)

    def _begin(self, number: int, lane: Lane, now: float) -> _Sweep | None:
        at, edge = self._swept.get(number, (float("-inf"), -1))
        if now - at < self._limits.snapshot_pause or lane.next == edge:
            return None
        return _Sweep(lane.next, lane.sources(), deque(lane.dirty()))

    def _step(self, number: int, lane: Lane, sweep: _Sweep) -> None:
        if sweep.written:
            written, sweep.written = sweep.written, []
            lane.clean(written)
        while sweep.keys and self._credit >= 1:
            key = sweep.keys.popleft()
            value = lane.stored(key)
            if value is not None:
                self._credit -= 1
                self._send(number, sweep, key, value, headers(lane.next, lane.log))
        if sweep.keys or sweep.flying:
            return
        if not sweep.failed and not sweep.closing:
            sweep.closing = True
            self._send(number, sweep, FRONTIER, frontier(number, sweep.sources), headers(sweep.next, lane.log))
            return
        edge = -1 if sweep.failed else sweep.next
        self._swept[number] = (self._clock(), edge)
        del self._sweeps[number]

    def _send(self, number: int, sweep: _Sweep, key: bytes, value: bytes, head: Headers) -> None:
        def delivered(error: object, _message: Delivered) -> None:
            sweep.flying -= 1
            if error is not None:
                sweep.failed = True
                structlog.get_logger().warning("The register's snapshot was not taken; trying again", lane=number)
            elif not sweep.closing:
                sweep.written.append((key, value))

        try:
            self._producer.produce(self._topic, value, key, number, on_delivery=delivered, headers=head)
            sweep.flying += 1
        except BufferError:
            sweep.failed = True
