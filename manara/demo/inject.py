"""Sends the misbehaving agency's messages, and tries to write where it must not; both past the outbox."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as KafkaMessage

from manara import keys
from manara.demo.misbehaviour import AGENCY, VICTIM, Keys, Message, Misbehaviour
from manara.deployment.home import Home, settings_file
from manara.deployment.parties import Issuer
from manara.directory_file import DirectoryDraft
from manara.errors import ManaraError
from manara.kafka import Problem, producer
from manara.settings import Settings
from schemas.identifiers import RANDOM_BYTES, uuid7
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


class Injector:
    """The misbehaving agency's client. `begin` first, then `misbehave`; each waits for the broker's answers."""

    def __init__(self, home: Home) -> None:
        """Nothing is sent yet."""
        settings = Settings.load(settings_file(home.agency(AGENCY)))
        self._client = producer(settings.kafka, problem=Problem(settings.kafka), enable_idempotence=False)
        self._messages = list(Misbehaviour(_keys(home), time.time_ns() // 1000, new_id).messages())
        self.result = Result()

    def begin(self) -> None:
        """The good alert, which shows that the whole way is open. `ManaraError` where the broker does not take it."""
        self._send(AGENCY, self._messages[0])
        self._flush(1)

    def misbehave(self) -> None:
        """All others, and one to another agency's topic. `ManaraError` where the broker took fewer than it should."""
        for message in self._messages[1:]:
            self._send(AGENCY, message)
        self._send(VICTIM, self._messages[0])
        self._flush(len(self._messages))

    def _flush(self, expected: int) -> None:
        self._client.flush(SECONDS)
        if self.result.acknowledged != expected:
            raise ManaraError(
                f"The broker took {self.result.acknowledged} of {expected} messages.", "; ".join(self.result.errors)
            )

    def _send(self, agency: str, message: Message) -> None:
        topic, result = Names().inlet(agency), self.result

        def said(error: KafkaError | None, _message: KafkaMessage) -> None:
            if error is None:
                result.acknowledged += 1
            elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                result.refused_by_broker += 1
            else:
                result.errors.append(f"{message.name}: {error.name()}")

        headers: list[tuple[str, str | bytes | None]] = [*message.headers]
        try:
            self._client.produce(
                topic, key=message.key, value=message.value, headers=headers, partition=LIVE, on_delivery=said
            )
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise
            result.refused_by_broker += 1


def new_id(now: int) -> str:
    """A new alert id."""
    return uuid7(now, secrets.token_bytes(RANDOM_BYTES))


def _keys(home: Home) -> Keys:
    folder = home.agency(AGENCY)
    return Keys(keys.load(folder / "key.pem"), keys.load(folder / EXPIRED), SigningKey.generate())
