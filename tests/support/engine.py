"""A small stage whose block is its commit record, for tests of the engine.

An alert here is a value `key:version`. The stage admits version n + 1 of a key; what it has admitted it passes over
in silence; the rest it refuses by an emit. A block is JSON; its positions are those of the contract. The state of a
key is its version and the readers that any version went to, those of a dead worker's late block included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.models import Position
from streams.engine.contract import Emit, Fold, Known, Output, Put, Record


@dataclass
class Counting:
    """The stage. `size` messages a block."""

    log: str
    refusals: str
    size: int = 3
    verdicts: str = ""  # a topic that hears of everything admitted; "" for none
    reader: str = "r"  # who gets what is admitted now

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Admit what is next, refuse what is not."""
        judging = _Judging(self, partition, state)
        for record in batch:
            judging.take(record)
        judging.close()
        return judging.output

    def fold(self, value: bytes, offset: int, state: Mapping[bytes, bytes], known: Known) -> Fold:
        """Replay a block: what its source has not covered yet."""
        block = json.loads(value)
        puts: dict[bytes, bytes] = {}
        for topic, topic_id, source, at, key, version, reader in block["admitted"]:
            name = key.encode()
            held, readers = parse(puts.get(name, state.get(name)))
            late = at < known(topic, topic_id, source) or version != held + 1
            puts[name] = write(held if late else version, {*readers, reader})
        return Fold(list(puts.items()), block["positions"])


def parse(value: bytes | None) -> tuple[int, set[str]]:
    """Version and readers of a state entry."""
    version, _, readers = (value or b"0|").decode().partition("|")
    return int(version), set(filter(None, readers.split(",")))


def write(version: int, readers: set[str]) -> bytes:
    """A state entry."""
    return f"{version}|{','.join(sorted(readers))}".encode()


@dataclass
class _Judging:
    """One batch in work."""

    stage: Counting
    lane: int
    state: Mapping[bytes, bytes]
    output: Output = field(default_factory=Output)
    seen: dict[bytes, bytes] = field(default_factory=dict)
    admitted: list[tuple[str, str, int, int, str, int, str]] = field(default_factory=list)
    moved: dict[tuple[str, int], Position] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        """Judge one record."""
        key, _, text = (record.value or b"").decode().partition(":")
        name, version = key.encode(), int(text)
        known, readers = parse(self.seen.get(name, self.state.get(name)))
        if version == known + 1:
            self.seen[name] = write(version, {*readers, self.stage.reader})
            self.output.emits += self._verdict(record)
            self.output.puts.append(Put(name, self.seen[name], record))
            place = (record.topic, record.topic_id, record.partition, record.offset)
            self.admitted.append((*place, key, version, self.stage.reader))
        elif version > known:
            self.output.emits.append(Emit(self.stage.refusals, name, record.value))
        self.moved[record.topic, record.partition] = {
            "topic": record.topic,
            "topic_id": record.topic_id,
            "partition": record.partition,
            "next_offset": record.offset + 1,
            "sequence": 0,
            "previous": "",
        }
        if len(self.admitted) >= self.stage.size:
            self.close()

    def close(self) -> None:
        """Cut a block."""
        if self.moved:
            body = {"admitted": self.admitted, "positions": list(self.moved.values())}
            self.output.commits.append(
                Emit(self.stage.log, b"%d" % self.lane, json.dumps(body).encode(), None, self.lane)
            )
        self.admitted, self.moved = [], {}

    def _verdict(self, record: Record) -> list[Emit]:
        return [Emit(self.stage.verdicts, record.key, record.value)] if self.stage.verdicts else []


def admitted(value: bytes) -> list[str]:
    """What a block admits, as `key:version`."""
    return [f"{key}:{version}" for *_, key, version, _reader in json.loads(value)["admitted"]]


@dataclass
class Copying:
    """A stateless stage: every message of every block to one topic."""

    target: str

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Fan out; a value that is no block stands for itself."""
        output = Output()
        for record in batch:
            value = record.value or b""
            for text in admitted(value) if value.startswith(b"{") else [value.decode()]:
                output.emits.append(Emit(self.target, text.partition(":")[0].encode(), text.encode()))
        return output
