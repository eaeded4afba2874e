"""The gate's stage with a register in memory, and inlets that give messages their coordinates: no broker, no store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import message
from schemas.models import Admitted, Block, Position, Quarantined, Verdict
from schemas.topics import Names
from streams.engine.contract import Headers, Output, Record
from streams.gate import blocks, quarantine
from streams.gate.stage import Gate
from streams.gate.tally import Tally
from tests.support.alerts import log_time
from tests.support.directories import Network, network

NAMES = Names()


def topic_id(topic: str) -> str:
    """The id that a topic has in these tests."""
    return (topic.encode().hex() * 2)[:32]


@dataclass
class Inlets:
    """The log: gives each message the next offset of its topic and partition, and a log time of its own."""

    next: dict[tuple[str, int], int] = field(default_factory=dict)
    written: int = 0

    def record(
        self,
        agency: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | Sequence[tuple[str, bytes]],
        *,
        partition: int = 0,
        time: int = 0,
    ) -> Record:
        """Raw bytes as they stand in an agency's inlet."""
        topic = NAMES.inlet(agency)
        offset = self.next.get((topic, partition), 0)
        self.next[topic, partition] = offset + 1
        self.written += 1
        stamp = time or log_time(self.written)
        return Record(topic, topic_id(topic), partition, offset, stamp, key, value, list(headers))

    def put(self, sealed: message.Sealed, *, agency: str = "", partition: int = 0, time: int = 0) -> Record:
        """A sealed message in its author's inlet, or in another `agency`'s."""
        owner = agency or sealed.key.partition(b"/")[0].decode()
        return self.record(owner, sealed.key, sealed.value, sealed.headers, partition=partition, time=time)


@dataclass
class Answer:
    """What the gate said to one batch, read back by whoever it was for."""

    output: Output
    verdicts: dict[str, list[Verdict]]
    notices: dict[str, list[dict[str, Any]]]
    quarantined: list[Quarantined]
    blocks: list[Block]
    tally: Tally

    @property
    def admitted(self) -> list[Admitted]:
        """The items of all blocks."""
        return [item for block in self.blocks for item in block["admitted"]]

    def verdict(self, agency: str) -> Verdict:
        """The only verdict that an agency got."""
        (found,) = self.verdicts[agency]
        return found


class Desk:
    """A gate at work on one lane: each batch changes `state` and `known`, as the runner would have it."""

    def __init__(self, net: Network | None = None, threads: int = 1) -> None:
        self.net = net or network()
        self.tallies: list[Tally] = []
        self.gate = Gate(
            NAMES, lambda: self.net.directory, self.net.key("hub.gate"), observe=self.tallies.append, threads=threads
        )
        self.state: dict[bytes, bytes] = {}
        self.known: dict[tuple[str, int], tuple[str, int]] = {}

    def judge(self, *batch: Record, lane: int = 3) -> Answer:
        """Put a batch through and keep what it changed."""
        output = self.gate.process(lane, batch, self.state, max(record.time for record in batch))
        self.state |= {put.key: put.value for put in output.puts}
        return self._read(output)

    def replay(self, block: bytes, offset: int = 0) -> None:
        """Fold one block into the state, as a restore does."""
        fold = self.gate.fold(block, offset, self.state, self.next_of)
        self.state |= dict(fold.puts)
        for place in fold.positions:
            self.move(place)

    def move(self, place: Position) -> None:
        """Keep a position, the higher one of the same topic id."""
        before = self.next_of(place["topic"], place["topic_id"], place["partition"])
        self.known[place["topic"], place["partition"]] = (place["topic_id"], max(before, place["next_offset"]))

    def next_of(self, topic: str, identity: str, partition: int) -> int:
        """The `known` of the engine's contract."""
        known_id, offset = self.known.get((topic, partition), ("", 0))
        return offset if known_id == identity else 0

    def close(self) -> None:
        """End the gate's threads."""
        self.gate.close()

    def _read(self, output: Output) -> Answer:
        verdicts: dict[str, list[Verdict]] = {}
        notices: dict[str, list[dict[str, Any]]] = {}
        kept = []
        for emit in output.emits:
            if emit.topic == NAMES.quarantine:
                kept.append(quarantine.read(emit.value or b""))
                continue
            schema, record, signer = message.open_record(
                emit.value, emit.headers, directory=self.net.directory, at=log_time(), holders={"hub.gate"}
            )
            assert emit.topic == NAMES.status(record["agency"])
            assert signer.holder == "hub.gate"
            if schema.name == "verdict":
                verdicts.setdefault(record["agency"], []).extend(record["verdicts"])
            else:
                notices.setdefault(record["agency"], []).append(record)
        read = [blocks.read(emit.value or b"") for emit in output.commits]
        return Answer(output, verdicts, notices, kept, read, self.tallies[-1])


def entries(state: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The state without what is empty: a chain at its beginning is the same as none."""
    return {key: value for key, value in state.items() if value}
