"""How far each stage of the hub is, read off the brokers: ends of topics, positions in blocks, offsets of groups.

Nothing is asked of the stages themselves, so a dead one shows as lag that grows.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka import admin as administration

from manara.kafka import admin, words
from schemas.directory import Directory
from streams.gate import blocks, quarantine
from streams.operate.log import TIMEOUT, Log, Read

Place = tuple[str, int]
"""Topic and partition."""

BACK = 1_000
"""Blocks of each lane that are looked at when beginning."""
KEPT = 20_000
"""Blocks of each lane that are remembered."""
_LATEST: Any = administration.OffsetSpec.latest()  # type: ignore[attr-defined,no-untyped-call]  # its stubs hide it
_SECOND = 1_000_000
_OLDEST = 35 * 86_400.0
_LONGEST_LOOK = 0.5  # seconds of reading in one look; under load there is always more


class Row(NamedTuple):
    """One stage: messages a second since the last look, messages that wait, age of the oldest of them in seconds."""

    stage: str
    rate: float | None
    lag: int
    lag_seconds: float


class View(NamedTuple):
    """One look at the hub. Counts are since the beginning that was asked for; `heard` is the age of the last block."""

    rows: tuple[Row, ...]
    admitted: int
    refused: Mapping[str, int]
    heard: float | None


class Seen(NamedTuple):
    """A block that was read: where, when, how many messages it admits."""

    offset: int
    time: int
    messages: int


@dataclass
class Lane:
    """What is remembered of one lane's blocks."""

    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=KEPT))
    total: int = 0  # messages of all blocks read

    def waiting(self, committed: int) -> list[Seen]:
        """Blocks at or after an offset that admit something."""
        return [each for each in self.seen if each.offset >= committed and each.messages]


class Gauges:
    """Looks at the hub again and again; keeps what it has read. For one thread."""

    def __init__(self, log: Log, directory: Directory, since: int, clock: Callable[[], float] = time.time) -> None:
        self._log = log
        self._clock = clock
        self._admin = admin(log.kafka, problem=log.problem)
        names = log.names
        self._inlets = {
            (names.inlet(agency), partition): agency for agency in directory.agencies for partition in (0, 1)
        }
        self._receipts = [(names.receipts(member), 0) for member in directory.members]
        self._lanes = {lane: Lane() for lane in log.partitions(names.admitted)}
        self._positions: dict[Place, int] = {}
        self._refused: Counter[str] = Counter()
        self._since = since
        self._done: dict[str, tuple[float, int]] = {}
        self._last_block = 0
        self._begin()

    def look(self) -> View:
        """Read what is new and say how the hub does now."""
        self._read()
        now = self._clock()
        admitted = [(self._log.names.admitted, lane) for lane in self._lanes]
        ends = self._ends([*self._inlets, *admitted, *self._receipts])
        rows = (self._gate(ends, now), self._route(now), self._forwarding(ends, now))
        total = sum(each.messages for lane in self._lanes.values() for each in lane.seen if each.time >= self._since)
        heard = max(0.0, now - self._last_block / _SECOND) if self._last_block else None
        return View(rows, total, dict(sorted(self._refused.items())), heard)

    def _begin(self) -> None:
        """Follow blocks from some way back, quarantine from `since`; learn where silent inlets stand."""
        names = self._log.names
        starts: dict[Place, int] = {}
        for lane in self._lanes:
            low, high = self._log.span(names.admitted, lane)
            starts[names.admitted, lane] = max(low, high - BACK)
        for partition in self._log.partitions(names.quarantine):
            place = (names.quarantine, partition)
            first = self._log.first_at([place], self._since)[place]
            starts[place] = first if first >= 0 else self._log.span(*place)[1]
        self._log.follow(starts)
        self._catch_up({place: self._log.span(*place)[1] for place in starts}, starts)
        oldest = min((lane.seen[0].time for lane in self._lanes.values() if lane.seen), default=0)
        self._settle(oldest)

    def _settle(self, oldest: int) -> None:
        """Inlets that no recent block speaks of: dealt with up to what came before the oldest block that was read."""
        silent = [place for place in self._inlets if place not in self._positions]
        ends = self._ends(silent)
        firsts = self._log.first_at(list(ends), oldest)
        for place, end in ends.items():
            first = firsts.get(place, -1)
            self._positions[place] = first if first >= 0 else end

    def _catch_up(self, ends: Mapping[Place, int], starts: Mapping[Place, int]) -> None:
        """Read up to the ends that there were at the beginning, so that the first look is a true one."""
        behind = {place for place, end in ends.items() if starts[place] < end}
        quiet = time.monotonic()
        while behind:
            news = self._log.news(0.1)
            for read in news:
                quiet = time.monotonic()
                self._take(read)
                if read.offset + 1 >= ends[read.topic, read.partition]:
                    behind.discard((read.topic, read.partition))
            if time.monotonic() - quiet > TIMEOUT:
                raise self._log.problem.after(TIMEOUT)

    def _read(self) -> None:
        until = time.monotonic() + _LONGEST_LOOK
        while time.monotonic() < until:
            news = self._log.news(0.05)
            for read in news:
                self._take(read)
            if not news:
                return

    def _take(self, read: Read) -> None:
        if read.topic == self._log.names.quarantine:
            self._refused[quarantine.read(read.value or b"")["reason"]] += 1
            return
        block = blocks.read(read.value or b"")
        lane = self._lanes[read.partition]
        lane.seen.append(Seen(read.offset, read.time, len(block["admitted"])))
        lane.total += len(block["admitted"])
        self._last_block = max(self._last_block, read.time)
        for position in block["positions"]:
            self._positions[position["topic"], position["partition"]] = position["next_offset"]

    def _gate(self, ends: Mapping[Place, int], now: float) -> Row:
        late = {place: self._positions.get(place, 0) for place in self._inlets if place in ends}
        waiting = {place: next_ for place, next_ in late.items() if ends[place] > next_}
        lag = sum(ends[place] - next_ for place, next_ in waiting.items())
        done = sum(self._positions.values())
        return Row("gate", self._rate("gate", done, now), lag, self._age(waiting, now))

    def _route(self, now: float) -> Row:
        names = self._log.names
        places = [(names.admitted, lane) for lane in self._lanes]
        committed = self._committed(names.group("route"), places)
        waiting = [
            each for number, lane in self._lanes.items() for each in lane.waiting(committed[names.admitted, number])
        ]
        lag = sum(each.messages for each in waiting)
        done = sum(lane.total for lane in self._lanes.values()) - lag
        oldest = min((each.time for each in waiting), default=0)
        age = max(0.0, now - oldest / _SECOND) if oldest else 0.0
        return Row("route", self._rate("route", done, now), lag, age)

    def _forwarding(self, ends: Mapping[Place, int], now: float) -> Row:
        committed = self._committed(self._log.names.group("receipts"), self._receipts)
        waiting = {place: committed[place] for place in self._receipts if ends.get(place, 0) > committed[place]}
        lag = sum(ends[place] - next_ for place, next_ in waiting.items())
        done = sum(committed.values())
        return Row("receipts", self._rate("receipts", done, now), lag, self._age(waiting, now))

    def _rate(self, stage: str, done: int, now: float) -> float | None:
        """Messages a second since the last look; None at the first."""
        before = self._done.get(stage)
        self._done[stage] = (now, done)
        if before is None or now <= before[0]:
            return None
        return max(0.0, (done - before[1]) / (now - before[0]))

    def _ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """The end of each partition that exists."""
        asked = {TopicPartition(topic, partition): _LATEST for topic, partition in places}
        ends: dict[Place, int] = {}
        if not asked:
            return ends
        for place, future in self._admin.list_offsets(asked, request_timeout=TIMEOUT).items():
            try:
                ends[place.topic, place.partition] = future.result().offset
            except KafkaException as error:
                if error.args[0].name() not in ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"):
                    raise words(error.args[0], self._log.kafka, what=place.topic) from error
        return ends

    def _committed(self, group: str, places: Collection[Place]) -> dict[Place, int]:
        """How far a group is; 0 where it has committed nothing."""
        if not places:
            return {}
        asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, part) for topic, part in places])
        try:
            (future,) = self._admin.list_consumer_group_offsets([asked], request_timeout=TIMEOUT).values()
            found = future.result().topic_partitions
        except KafkaException as error:
            raise words(error.args[0], self._log.kafka, what=f"group {group}") from error
        known = {(each.topic, each.partition): max(0, each.offset) for each in found}
        return {place: known.get(place, 0) for place in places}

    def _age(self, waiting: Mapping[Place, int], now: float) -> float:
        """Age in seconds of the oldest of these messages, to about a tenth: found by asking which came after a time.

        An operator may not read the inlets, but may see their offsets.
        """
        if not waiting:
            return 0.0

        def older(age: float) -> bool:
            firsts = self._log.first_at(list(waiting), int((now - age) * _SECOND))
            return any(first < 0 or first > waiting[place] for place, first in firsts.items())

        high = 1.0
        while high < _OLDEST and older(high):
            high *= 2
        low = high / 2 if high > 1 else 0.0
        while high - low > max(0.1, high / 10):
            middle = (low + high) / 2
            low, high = (middle, high) if older(middle) else (low, middle)
        return high
