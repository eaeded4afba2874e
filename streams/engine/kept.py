"""A source by group for a stage that keeps a state of its own: positions live in its store, beside the state.

The group gives membership and fencing: a second worker of the same name puts the first one out. Where to read on is
what the store says, for state and progress are committed in one transaction; the store commits when nothing is in
flight, so what it holds was always acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from streams.engine.clients import Clients, topic_ids
from streams.engine.contract import Emit, Record
from streams.engine.effects import Ack, Effects
from streams.engine.group import GroupSource, Ids, Topics
from streams.engine.source import Share
from streams.engine.store import Source as Place
from streams.engine.unreadable import Unreadable

PENDING = 4_000
"""Records whose state is not committed yet, at most: bounds what is worked again after a kill."""
_PATIENCE = 15.0


class Keeper(Protocol):
    """The store of such a stage."""

    def position(self, topic: str, topic_id: str, partition: int) -> int | None:
        """Where to read on; None where nothing is known of this very topic."""
        ...

    def commit(self, places: Collection[Place]) -> None:
        """Make state and places durable, together."""
        ...


class Reading(NamedTuple):
    """What such a stage reads. `anew` is read from its beginning at each start, `tail` from its end."""

    topics: Topics
    ids: Ids = topic_ids
    anew: Collection[str] = ()
    tail: Collection[str] = ()


class KeptSource(GroupSource):
    """Records of some topics for one worker.

    Every record is of lane 0: the stage sees them in the order in which they came, over all topics.
    """

    def __init__(
        self,
        clients: Clients,
        reading: Reading,
        effects: Effects,
        unreadable: Callable[[Unreadable], list[Emit]],
        most: int,
        keeper: Keeper,
    ) -> None:
        self._keeper = keeper
        self._anew, self._tail = frozenset(reading.anew), frozenset(reading.tail)
        self._held: list[Share] = []
        self._uncommitted = 0
        self._targets: dict[tuple[str, int], int] = {}
        super().__init__(clients, reading.topics, effects, unreadable, most, reading.ids)

    def turn(self) -> None:
        """Commit the store where nothing is in flight; then as every group source."""
        if self._held and not self._effects.flying:
            self._settle()
        super().turn()

    def pull(self, timeout: float) -> list[Record]:
        """Nothing while too much is not committed: so that what is in flight comes to its end."""
        if self._uncommitted >= PENDING:
            return []
        records = super().pull(timeout)
        self._uncommitted += len(records)
        return records

    def lane(self, record: Record) -> int:
        """One state, one lane."""
        return 0

    def promise(self, shares: Sequence[Share]) -> None:
        """The batch is judged; the stage has changed its store, uncommitted."""

    def keep(self, shares: Sequence[Share], acks: Sequence[Ack]) -> None:
        """The batch is acknowledged; it counts once the store is committed."""
        self._held += shares

    def close(self) -> None:
        """Commit and leave."""
        if self._held:
            self._settle()
        super().close()

    def caught_up(self) -> bool:
        """Whether everything that was there at the assignment has been read and worked."""
        if not self._joined or not self._ids:
            return False
        assigned = {topic for topic, _part in self._targets}
        reached = all(self._next.get(key, 0) >= end for key, end in self._targets.items())
        return reached and assigned >= set(self._ids) and not self._effects.flying

    def _settle(self) -> None:
        places = {(place.topic, place.partition): place for share in self._held for place in share.places}
        self._keeper.commit(list(places.values()))
        held, self._held = self._held, []
        self._uncommitted = 0
        for share in held:
            super()._note(share.places)

    def _note(self, places: Iterable[Place]) -> None:
        """What was stepped past goes into the store too."""
        self._held.append(Share(0, [], list(places)))

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._effects.drain()
        if self._held:
            self._settle()
        super()._revoke(consumer, partitions)

    def _start(self, consumer: Consumer, committed: TopicPartition) -> TopicPartition:
        """Where the store says; the group's own offset is for those who watch."""
        topic, partition = committed.topic, committed.partition
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_PATIENCE)
        self._targets[topic, partition] = 0 if low >= high else high
        if topic in self._tail:
            self._targets[topic, partition] = 0
            return TopicPartition(topic, partition, max(low, high - 1))
        known = None if topic in self._anew else self._keeper.position(topic, self._ids[topic], partition)
        if known is None or not low <= known <= high:
            return TopicPartition(topic, partition, OFFSET_BEGINNING)
        if known >= high:
            self._targets[topic, partition] = 0
        return TopicPartition(topic, partition, known)
