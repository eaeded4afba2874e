"""Reads the agency's status topic into the outbox: by `assign`, from the position that the outbox holds, every
signature checked. What was signed with a key that the directory does not know yet, as after a change of the hub's keys,
is kept in the outbox and judged again by each new directory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import structlog
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from manara import kafka
from manara.settings import KafkaSettings
from producers.ledger import Ledger, Said, Spot, UnfitError, Unknown
from schemas import message
from schemas.directory import Directory
from schemas.reasons import Reason, Refusal

MOST = 500
_BEAT, _CLOCK = "heartbeat", "hub.clock"


class Listener:
    """The receiving half of a relay: `topics` are the status topic and the heartbeat's. Make a new one after any
    BrokerError.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        ledger: Ledger,
        topics: tuple[str, str],
        directory: Callable[[], Directory | None],
    ) -> None:
        self._problem = kafka.Problem(settings)
        self._kafka = settings
        self._client: Consumer = kafka.consumer(settings, problem=self._problem)
        self._ledger = ledger
        self._topic, self._beats = topics
        self._topic_id = ""
        self._directory = directory
        self._held: list[Message] = []
        self._judged_by = -1
        self.taken = 0
        self.log = structlog.get_logger()

    def assign(self, topic_id: str, timeout: float) -> None:
        """Take all partitions of the topic from where the outbox stands. BrokerError where it is not there."""
        if topic_id == self._topic_id:
            return
        self._topic_id = topic_id
        try:
            found = self._client.list_topics(self._topic, timeout=timeout).topics[self._topic]
            if found.error is not None:
                raise kafka.words(found.error, self._kafka, what=self._topic)
            positions = {number: self._ledger.position(self._topic, number, topic_id) for number in found.partitions}
            self._client.assign(
                [TopicPartition(self._topic, n, OFFSET_BEGINNING if at is None else at) for n, at in positions.items()]
                + self._clock(timeout)
            )
        except KafkaException as error:
            raise kafka.words(error.args[0], self._kafka, what=self._topic) from error
        self._held = []

    def _clock(self, timeout: float) -> list[TopicPartition]:
        """The hub's heartbeat from its end on, where there is one: it tells log time while nothing else does."""
        found = self._client.list_topics(self._beats, timeout=timeout).topics[self._beats]
        return [] if found.error is not None else [TopicPartition(self._beats, n, OFFSET_END) for n in found.partitions]

    def step(self, wait: float) -> bool:
        """Take in what has arrived, waiting up to `wait` seconds for it; whether there was anything."""
        try:
            fresh = self._client.consume(MOST, wait) if len(self._held) < MOST else []
        except KafkaException as error:
            raise kafka.words(error.args[0], self._kafka, what=self._topic) from error
        self._problem.raise_if_fatal()
        self._held += [item for item in fresh if self._usable(item)]
        directory = self._directory()
        if directory is None:
            return False
        learned = self._judge_again(directory)
        return self._take(directory) or learned if self._held else learned

    def _usable(self, item: Message) -> bool:
        error = item.error()
        if error is None:
            return True
        if kafka.is_noise(error):
            return False
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the position is older than what the topic keeps
            if item.topic() == self._beats:
                self._topic_id = ""  # the next look takes it from its end again
                return False
            self.log.warning(
                "Status records were deleted before we read them", topic=self._topic, partition=item.partition()
            )
            status = TopicPartition(self._topic, item.partition() or 0, OFFSET_BEGINNING)
            self._client.assign([status, *self._clock(timeout=10)])
            return False
        raise kafka.words(error, self._kafka, what=self._topic)

    def _take(self, directory: Directory) -> bool:
        said: list[Said] = []
        spots: list[Spot] = []
        unknown: list[Unknown] = []
        log_time = 0
        for item in self._held:
            headers = cast("message.Headers", item.headers() or [])
            read = self._read(item, headers)
            try:
                one = self._open(read, headers, directory)
            except Refusal as refusal:
                self._disbelieve(read.spot, refusal.reason)
                if refusal.reason == Reason.UNKNOWN_KEY and item.topic() == self._topic:
                    unknown.append(read)
            except UnfitError as error:
                self._disbelieve(read.spot, str(error))
            else:
                log_time = max(log_time, one.at)
                if one.name != _BEAT:
                    said.append(one)
            if item.topic() == self._topic:
                spots.append(read.spot)
        self._held = []
        if spots or log_time:
            self._ledger.take(said, spots, log_time, unknown=unknown)
            self.taken += len(said)
        return bool(spots)

    def _judge_again(self, directory: Directory) -> bool:
        """What is kept for its unknown key, by a directory that is newer than the last look; whether any was judged."""
        if directory.seq == self._judged_by:
            return False
        said: list[Said] = []
        judged: list[Unknown] = []
        for kept in self._ledger.unknown():
            try:
                said.append(self._open(kept, [(message.SIG, kept.sig)], directory))
            except Refusal as refusal:
                if refusal.reason == Reason.UNKNOWN_KEY:
                    continue
                self._disbelieve(kept.spot, refusal.reason)
            except UnfitError as error:
                self._disbelieve(kept.spot, str(error))
            judged.append(kept)
        if judged:
            self._ledger.take(said, [], judged=judged)
            self.taken += len(said)
        self._judged_by = directory.seq
        return bool(judged)

    def _read(self, item: Message, headers: message.Headers) -> Unknown:
        """A record as it came, its signature not looked at yet."""
        sig = next((value for name, value in headers if name == message.SIG), None) or b""
        spot = Spot(item.topic() or "", self._topic_id, item.partition() or 0, item.offset() or 0)
        return Unknown(spot, item.timestamp()[1] * 1000, item.value() or b"", sig)

    def _open(self, read: Unknown, headers: message.Headers, directory: Directory) -> Said:
        schema, record, signer = message.open_record(read.value, headers, directory=directory, at=read.at)
        said = Said(schema.name, record, signer, read.spot, read.at, read.value, read.sig)
        if read.spot.topic == self._beats:
            if said.name != _BEAT or signer.holder != _CLOCK:
                raise UnfitError("only the hub's clock gives heartbeats")
            return said
        self._ledger.judge(said)
        return said

    def _disbelieve(self, spot: Spot, why: str) -> None:
        """Say so in the log; one under an unknown key is kept nevertheless."""
        self.log.warning(
            "A status record is not believed",
            topic=spot.topic,
            partition=spot.partition,
            offset=spot.offset,
            reason=why,
        )

    def close(self) -> None:
        """Leave the topic."""
        self._client.close()
