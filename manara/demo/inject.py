"""Sends the misbehaving agency's messages, and tries to write where it must not; both past the outbox."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from manara import keys
from manara.demo.misbehaviour import AGENCY, VICTIM, Keys, Message, Misbehaviour
from manara.deployment.home import Home, settings_file
from manara.deployment.network import Network
from manara.deployment.parties import Issuer
from manara.directory_file import DirectoryDraft
from manara.errors import ManaraError
from manara.kafka import Problem, producer
from manara.settings import Settings
from schemas.models import CertifiedKey
from schemas.signature import SigningKey
from schemas.topics import LIVE, Names

EXPIRED: Final = "expired.pem"
SECONDS: Final = 30.0


@dataclass
class Result:
    """How many messages the broker took, and how many it refused for want of a right."""

    acknowledged: int = 0
    refused_by_broker: int = 0
    errors: list[str] = field(default_factory=list)


def expired_key(issuer: Issuer, draft: DirectoryDraft, roots: dict[str, SigningKey]) -> list[CertifiedKey]:
    """A second key of the agency, certified but no longer valid; kept beside its good one."""
    if AGENCY not in draft.agencies:
        return []
    key = SigningKey.generate()
    keys.save(issuer.home.agency(AGENCY) / EXPIRED, key)
    return [issuer.certify(AGENCY, key, roots, since_days=400, days=-35)]


def expected_refusals() -> Counter[str]:
    """Reason to how often it must appear: what the messages themselves say, made with throw-away keys."""
    throwaway = SigningKey.generate()
    made = Misbehaviour(Keys(throwaway, throwaway, throwaway), 0, new_id)
    return Counter(str(message.reason) for message in made.messages() if message.reason)


def run(network: Network) -> Result:
    """Send everything and wait for the broker's answers. `ManaraError` where it took fewer than it should."""
    home, result = network.home, Result()
    settings = Settings.load(settings_file(home.agency(AGENCY)))
    client = producer(settings.kafka, problem=Problem(settings.kafka), enable_idempotence=False)
    messages = list(Misbehaviour(_keys(home), time.time_ns() // 1000, new_id).messages())
    for message in messages:
        _send(client, Names().inlet(AGENCY), message, result)
    _send(client, Names().inlet(VICTIM), messages[0], result)
    client.flush(SECONDS)
    if result.acknowledged != len(messages):
        raise ManaraError(
            f"The broker took {result.acknowledged} of {len(messages)} messages.", "; ".join(result.errors)
        )
    return result


def new_id(now: int) -> str:
    """A UUIDv7 (RFC 9562) of a time in microseconds, lower case."""
    bits = ((now // 1000) << 80) | (uuid.uuid4().int & ((1 << 80) - 1))
    bits = (bits & ~(0xF << 76)) | (0x7 << 76)
    bits = (bits & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=bits))


def _keys(home: Home) -> Keys:
    folder = home.agency(AGENCY)
    return Keys(keys.load(folder / "key.pem"), keys.load(folder / EXPIRED), SigningKey.generate())


def _send(client: Producer, topic: str, message: Message, result: Result) -> None:
    def said(error: KafkaError | None, _message: KafkaMessage) -> None:
        if error is None:
            result.acknowledged += 1
        elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            result.refused_by_broker += 1
        else:
            result.errors.append(f"{message.name}: {error.name()}")

    try:
        client.produce(
            topic, key=message.key, value=message.value, headers=[*message.headers], partition=LIVE, on_delivery=said
        )
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise
        result.refused_by_broker += 1
