"""What the hub has said to all agencies, counted by the operator from the status topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from manara.kafka import Problem, consumer
from manara.settings import Settings
from schemas import codec
from schemas.errors import ContractError
from schemas.models import Verdict
from schemas.registry import by_id


@dataclass
class Tally:
    """Verdicts by outcome. `admitted` counts alerts, not repeated verdicts on one."""

    admitted: set[tuple[str, str, int]] = field(default_factory=set)
    again: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    routed: int = 0
    stored: int = 0
    _seen: set[tuple[str, str, int, int]] = field(default_factory=set)

    def take(self, value: bytes) -> None:
        """Count one record of a status topic; a verdict sent twice for one source record counts once."""
        schema_id, body = codec.unframe(value)
        schema = by_id(schema_id)
        record = codec.decode(schema, body)
        if schema.name == "verdict":
            for verdict in record["verdicts"]:
                self._verdict(verdict)
        elif schema.name == "receipt":
            stages = Counter(receipt["stage"] for receipt in record["receipts"])
            self.routed += stages["ROUTED"]
            self.stored += stages["STORED"]

    def _verdict(self, verdict: Verdict) -> None:
        source = verdict["source"]
        place = (source["topic"], source["topic_id"], source["partition"], source["offset"])
        if place in self._seen:
            return
        self._seen.add(place)
        if verdict["outcome"] == "REFUSED":
            self.refused[verdict["reason"]] += 1
        elif verdict["again"]:
            self.again += 1
        else:
            self.admitted.add((verdict["digest"], verdict["alert_id"], verdict["version"]))


class StatusReader:
    """Reads the status topics of all agencies from their beginning; `poll` takes what has come since."""

    def __init__(self, settings: Settings, topics: Collection[str]) -> None:
        """Connect as the party of `settings`, which must be the operator."""
        self.problem = Problem(settings.kafka)
        self.tally = Tally()
        self._consumer = consumer(settings.kafka, problem=self.problem)
        self._consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in topics])

    def poll(self) -> Tally:
        """Count what is there, without waiting."""
        for message in self._consumer.consume(2000, 0):
            value = message.value()
            if message.error() is None and isinstance(value, bytes):
                try:
                    self.tally.take(value)
                except ContractError:
                    continue  # not ours to judge here: the agencies' relays verify each record
        self.problem.raise_if_fatal()
        return self.tally

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
