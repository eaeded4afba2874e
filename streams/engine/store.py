"""The local copy of one lane's state: a fold of the lane's blocks, cached in SQLite, hot entries in memory.

It may be deleted at any time: it is made again from `register.v1` and the tail of `admitted.v1`. So it is written
without waiting for the disk (`synchronous=NORMAL`): what a power cut takes is folded again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from manara.stores import open_store, transaction
from schemas.models import Position
from streams.engine.contract import CommitStage

VERSION = 1
_COUNT_SECONDS = 30.0
SCHEMA = """
create table lane(one integer primary key check (one = 1), log text not null, next integer not null);
create table entries(
    key blob primary key, value blob not null, floor integer not null, dirty integer not null) without rowid;
create index dirty on entries(dirty) where dirty = 1;
create table sources(
    topic text, part integer, id text not null, next integer not null, primary key(topic, part)) without rowid;
"""


class Source(NamedTuple):
    """How far one source partition has been dealt with."""

    topic: str
    topic_id: str
    partition: int
    next_offset: int


class Entry(NamedTuple):
    """One state entry as a snapshot holds it: every block below `floor` is in `value`."""

    key: bytes
    value: bytes
    floor: int


class Lane(Mapping[bytes, bytes]):
    """State and progress of one lane. As a mapping it is the state, puts of batches in flight included.

    `next` is the offset in the log of blocks below which everything is folded in; `log` is that topic's id. A store of
    another topic id is emptied: what a log that is gone had said was perhaps never delivered.
    """

    def __init__(self, path: Path, log: str, hot: int = 100_000) -> None:
        self.db = open_store(path, SCHEMA, version=VERSION, synchronous="NORMAL")
        self._bound = hot
        self._hot: dict[bytes, bytes | None] = {}
        self._flying: dict[bytes, tuple[bytes, int]] = {}  # key -> value of a batch in flight, how many such
        row = next(iter(self.db.execute("select log, next from lane")), None)
        if row is None or row[0] != log:
            with transaction(self.db):
                self.db.execute("delete from entries; delete from sources; delete from lane").fetchall()
                self.db.execute("insert into lane values(1, ?, 0)", (log,))
            row = (log, 0)
        self.log = log
        self.next = int(row[1])
        self._count, self._counted = 0, float("-inf")
        self._sources = {
            (t, p): Source(t, i, p, n) for t, p, i, n in self.db.execute("select topic, part, id, next from sources")
        }

    # ------------------------------------------------------------------ the state, read

    def __getitem__(self, key: bytes) -> bytes:
        value = self._find(key)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[bytes]:
        stored = (row[0] for row in self.db.execute("select key from entries"))
        return iter(dict.fromkeys([*stored, *self._flying]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _find(self, key: bytes) -> bytes | None:
        flying = self._flying.get(key)
        if flying is not None:
            return flying[0]
        if key in self._hot:
            return self._hot[key]
        row = next(iter(self.db.execute("select value from entries where key = ?", (key,))), None)
        return self._remember(key, None if row is None else row[0])

    def _remember(self, key: bytes, value: bytes | None) -> bytes | None:
        if len(self._hot) >= self._bound:
            for old in list(self._hot)[: self._bound // 8]:
                del self._hot[old]
        self._hot[key] = value
        return value

    def known(self, topic: str, topic_id: str, partition: int) -> int:
        """Next offset of a source that is not covered yet; 0 if nothing is, or under another topic id."""
        source = self._sources.get((topic, partition))
        return source.next_offset if source is not None and source.topic_id == topic_id else 0

    def sources(self) -> list[Source]:
        """How far each source has been dealt with."""
        return list(self._sources.values())

    # ------------------------------------------------------------------ a batch of the live worker

    def promise(self, puts: Iterable[tuple[bytes, bytes]]) -> None:
        """Show the puts of a batch to the batches after it, before they are durable."""
        for key, value in puts:
            count = self._flying[key][1] if key in self._flying else 0
            self._flying[key] = (value, count + 1)

    def keep(self, puts: Sequence[tuple[bytes, bytes]], sources: Iterable[Source], next_: int) -> None:
        """Store a batch that was promised: its block is acknowledged, so it is committed."""
        self._save(puts, sources, next_)
        for key, _value in puts:
            value, count = self._flying.pop(key)
            if count > 1:
                self._flying[key] = (value, count - 1)

    # ------------------------------------------------------------------ restore

    def load(self, entries: Iterable[Entry], sources: Iterable[Source], next_: int) -> None:
        """Take over a snapshot, all or nothing, in place of what is there."""
        with transaction(self.db):
            self.db.execute("delete from entries; delete from sources").fetchall()
            self.db.executemany("insert into entries values(?, ?, ?, 0)", entries)
        self._hot.clear()
        self._sources.clear()
        self._save((), sources, next_)

    def fold(self, stage: CommitStage, blocks: Iterable[tuple[int, bytes]]) -> int:
        """Replay blocks (offset, value) in order, in one transaction; returns how many changed something."""
        changed, puts, last = 0, dict[bytes, bytes](), -1
        moved: dict[tuple[str, int], Source] = {}
        view = _Layered(puts, self)

        def known(topic: str, topic_id: str, partition: int) -> int:
            source = moved.get((topic, partition))
            if source is None:
                return self.known(topic, topic_id, partition)
            return source.next_offset if source.topic_id == topic_id else 0

        for offset, value in blocks:
            fold = stage.fold(value, offset, view, known)
            fresh = [(key, value) for key, value in fold.puts if self._floor(key) <= offset]
            puts.update(fresh)
            for position in fold.positions:
                source = _source(position)
                if source.next_offset > known(*source[:3]):
                    moved[source.topic, source.partition] = source
            changed += bool(fresh)
            last = offset
        if last >= 0:
            self._save(list(puts.items()), moved.values(), last + 1)
        return changed

    def _floor(self, key: bytes) -> int:
        row = next(iter(self.db.execute("select floor from entries where key = ?", (key,))), None)
        return 0 if row is None else int(row[0])

    # ------------------------------------------------------------------ the snapshot's side

    def dirty(self) -> list[bytes]:
        """Keys that changed since they were last written to the snapshot."""
        return [row[0] for row in self.db.execute("select key from entries where dirty = 1")]

    def stored(self, key: bytes) -> bytes | None:
        """The durable value of a key: what the snapshot may say, for nothing in flight may leave by it."""
        row = next(iter(self.db.execute("select value from entries where key = ?", (key,))), None)
        return None if row is None else bytes(row[0])

    def clean(self, written: Iterable[tuple[bytes, bytes]]) -> None:
        """Mark keys as written to the snapshot, unless they have changed again meanwhile."""
        with transaction(self.db):
            self.db.executemany("update entries set dirty = 0 where key = ? and value = ?", written)

    def count(self) -> int:
        """How many entries are stored, counted at most every half minute."""
        if time.monotonic() - self._counted > _COUNT_SECONDS:
            self._counted = time.monotonic()
            self._count = int(next(iter(self.db.execute("select count(*) from entries")))[0])
        return self._count

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def _save(self, puts: Sequence[tuple[bytes, bytes]], sources: Iterable[Source], next_: int) -> None:
        rows = [(s.topic, s.partition, s.topic_id, s.next_offset) for s in sources]
        with transaction(self.db):
            self.db.executemany(
                "insert into entries values(?, ?, 0, 1) on conflict do update set value = excluded.value, dirty = 1",
                puts,
            )
            self.db.executemany(
                "insert into sources(topic, part, id, next) values(?, ?, ?, ?)"
                " on conflict do update set id = excluded.id, next = excluded.next",
                rows,
            )
            self.db.execute("update lane set next = max(next, ?)", (next_,))
        self.next = max(self.next, next_)
        for key, value in puts:
            self._remember(key, value)
        for topic, partition, topic_id, next_offset in rows:
            self._sources[topic, partition] = Source(topic, topic_id, partition, next_offset)


class _Layered(Mapping[bytes, bytes]):
    """One mapping before another: the puts of a fold that is not saved yet, then the store."""

    def __init__(self, above: Mapping[bytes, bytes], below: Mapping[bytes, bytes]) -> None:
        self._above = above
        self._below = below

    def __getitem__(self, key: bytes) -> bytes:
        return self._above[key] if key in self._above else self._below[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(dict.fromkeys([*self._above, *self._below]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _source(position: Position) -> Source:
    return Source(position["topic"], position["topic_id"], position["partition"], position["next_offset"])
