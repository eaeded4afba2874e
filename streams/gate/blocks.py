"""Blocks: the gate's commit records, each with the source positions that it covers (contract section 6)."""

from __future__ import annotations

from typing import NamedTuple

from schemas import codec, registry
from schemas.models import Admitted, Block, Position
from streams.engine.contract import Record
from streams.gate.register import Chain

MAX_MESSAGES = 100
"""A block closes here: the price of the engine is paid once a block, and more than 100 gains nothing (measured)."""
MAX_BYTES = 512 * 1024
"""Or here, so that it stays well below what a broker takes."""

_FACTS = 600  # bytes of an item beside value, signature and hub header, at most: names of 57 members and a few rules


class Closed(NamedTuple):
    """A finished block: how many messages it admits, and its Kafka value."""

    messages: int
    value: bytes


class BlockWriter:
    """Cuts one batch of one lane into blocks, in order.

    Call `add` for an admitted message and then `cover` for every record, admitted or not. The blocks are prefixes of
    the batch: whatever a block says, all records at or below its positions were dealt with in it or before it.
    """

    def __init__(self, lane: int) -> None:
        self._lane = lane
        self._items: list[Admitted] = []
        self._moved: dict[tuple[str, int], tuple[Record, Chain]] = {}
        self._size = 0
        self._blocks: list[Closed] = []

    def add(self, item: Admitted) -> None:
        """The record in work was admitted as `item`."""
        size = len(item["value"]) + len(item["signature"]) + len(item["hub"]) + _FACTS
        if self._items and self._size + size > MAX_BYTES:
            self._close()
        self._items.append(item)
        self._size += size

    def cover(self, record: Record, chain: Chain) -> None:
        """The record has been dealt with; `chain` is where its agency's sequence in that partition now stands."""
        self._moved[record.topic, record.partition] = (record, chain)
        if len(self._items) >= MAX_MESSAGES:
            self._close()

    def finish(self) -> list[Closed]:
        """All blocks of the batch; none if it was empty."""
        if self._moved:
            self._close()
        return self._blocks

    def _close(self) -> None:
        block: Block = {
            "lane": self._lane,
            "positions": [_position(record, chain) for record, chain in self._moved.values()],
            "admitted": self._items,
        }
        schema = registry.by_name("block")
        self._blocks.append(Closed(len(self._items), codec.frame(schema, codec.encode(schema, block))))
        self._items, self._moved, self._size = [], {}, 0


def read(value: bytes) -> Block:
    """The block in a value of admitted.v1. Only the gate writes there, so a broken one is an error, not a refusal."""
    schema_id, body = codec.unframe(value)
    block: Block = codec.decode(registry.by_id(schema_id), body)  # type: ignore[assignment]
    return block


def empty(lane: int) -> bytes:
    """A block that says nothing but that time passes; the clock writes it."""
    schema = registry.by_name("block")
    return codec.frame(schema, codec.encode(schema, {"lane": lane, "positions": [], "admitted": []}))


def _position(record: Record, chain: Chain) -> Position:
    return {
        "topic": record.topic,
        "topic_id": record.topic_id,
        "partition": record.partition,
        "next_offset": record.offset + 1,
        "sequence": chain.sequence,
        "previous": chain.previous,
    }
