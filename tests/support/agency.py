"""One agency with all that stands around it: keys, a directory, an outbox, topics on the run's broker, and a voice of
the hub.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from pydantic import SecretStr

from manara import directory as kernel_directory
from manara import keys
from manara.settings import KafkaSettings, Security, Settings
from producers.publisher import Publisher
from producers.relay import Relay, now_micros
from schemas import codec, message, registry, signature
from schemas.topics import Names
from tests.support.directories import Network, network
from tests.support.kafka import Broker

AGENCY = "az-police"
DEADLINE = 60.0

WANTED: Mapping[str, Any] = {
    "category": "WNT",
    "status": "EXERCISE",
    "action": "LOCATE",
    "crimes": ["DRUGS"],
    "expires_at": "+90d",
    "legal_basis": {
        "instrument": "Criminal Procedure Code",
        "decision_ref": "2026/118",
        "authority": "District Court",
        "decided_on": "2026-10-01",
        "max_penalty_months": 60,
    },
    "handling": {"tlp": "AMBER", "codes": ["H0"]},
    "evaluation": {"scheme": "4x4", "source": "A", "information": "1"},
    "narrative": {"lang": "en", "text": "Invented for a test."},
    "names": ["Tural Invented"],
    "births": ["1984-05"],
    "nationalities": ["AZ"],
}
"""A wanted person in friendly form, which breaks no rule."""


def wanted(**changes: Any) -> dict[str, Any]:
    """`WANTED` with other fields."""
    return {**WANTED, **changes}


def until(done: Callable[[], bool], what: str, turn: Callable[[], object] = lambda: time.sleep(0.02)) -> None:
    """Turn until something is true; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < deadline, f"not within {DEADLINE:.0f} s: {what}"
        turn()


def settings_for(folder: Path, broker: Broker | None, prefix: str, net: Network, agency: str = AGENCY) -> Settings:
    """The settings of an agency whose key lies in `folder`."""
    key = folder / "key.pem"
    if not key.exists():
        keys.save(key, net.key(agency))
    kafka = KafkaSettings(bootstrap="127.0.0.1:9", security=Security.PLAINTEXT)
    if broker is not None:
        kafka = KafkaSettings(
            bootstrap=broker.bootstrap,
            security=Security.SASL_SSL,
            ca=broker.ca,
            username=broker.admin_username,
            password=SecretStr(broker.admin_password),
        )
    return Settings(kafka=kafka, folder=folder, agency=agency, key=key, roots=dict(net.pins), topic_prefix=prefix)


@dataclass
class Party:
    """The agency on the real broker. Its topics have a prefix of their own."""

    broker: Broker
    settings: Settings
    net: Network
    names: Names

    @classmethod
    def make(cls, broker: Broker, folder: Path) -> Party:
        """Topics, directory and settings of a new agency."""
        prefix = f"{broker.unique('agency')}."
        net = network(now=now_micros())
        party = cls(broker, settings_for(folder, broker, prefix, net), net, Names(prefix))
        party.create_topics()
        kernel_directory.publish(party.settings, party.net.record)
        return party

    def write_config(self) -> Path:
        """The settings as a file, the password in another one beside it."""
        kafka, folder = self.settings.kafka, self.settings.folder
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text(kafka.secret())
        pins = "\n".join(f'{name} = "{pin}"' for name, pin in self.settings.roots.items())
        config = folder / "manara.toml"
        config.write_text(
            f'folder = "{folder}"\nagency = "{self.settings.agency}"\nkey = "{self.settings.key}"\n'
            f'topic_prefix = "{self.settings.topic_prefix}"\n'
            f'[kafka]\nbootstrap = "{kafka.bootstrap}"\nca = "{kafka.ca}"\nusername = "{kafka.username}"\n'
            f'password_file = "{password}"\n[roots]\n{pins}\n'
        )
        return config

    def admin(self) -> AdminClient:
        """A client of the super user."""
        return AdminClient(cast("dict[str, str | int | float | bool]", self.broker.client()))

    def create_topics(self, only: Sequence[str] = ()) -> None:
        """Inlet (live and bulk), status and directory."""
        wanted_topics = {self.inlet: 2, self.status: 1, self.names.directory: 1}
        admin = self.admin()
        topics = [NewTopic(name, parts, 1) for name, parts in wanted_topics.items() if not only or name in only]
        for future in admin.create_topics(topics).values():
            future.result()

    def remake_inlet(self) -> None:
        """Delete the inlet and make it anew, as after the loss of a cluster."""
        admin = self.admin()
        admin.delete_topics([self.inlet])[self.inlet].result()
        until(lambda: self.inlet not in admin.list_topics(timeout=10).topics, "the inlet is gone")
        self.create_topics(only=[self.inlet])

    @property
    def inlet(self) -> str:
        """Where the agency writes."""
        return self.names.inlet(self.settings.agency)

    @property
    def status(self) -> str:
        """Where it reads what became of its alerts."""
        return self.names.status(self.settings.agency)

    def publisher(self) -> Publisher:
        """A publisher of this agency."""
        return Publisher.open(self.settings)

    def relay(self, publisher: Publisher) -> Relay:
        """A relay in this process."""
        return Relay.open(self.settings, publisher.outbox)

    def arrived(self, count: int, partition: int = 0) -> list[Message]:
        """The first `count` records of an inlet partition; fails when they do not come."""
        consumer = Consumer({**self.broker.client(), "group.id": "unused", "auto.offset.reset": "earliest"})
        consumer.assign([TopicPartition(self.inlet, partition, 0)])
        found: list[Message] = []
        deadline = time.monotonic() + DEADLINE
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} records came"
            found += [item for item in consumer.consume(500, 0.2) if item.error() is None]
        consumer.close()
        return found

    def say(self, name: str, record: Mapping[str, Any], holder: str) -> None:
        """Write a signed record of `holder` to the status topic."""
        value, headers = message.sign_record(registry.by_name(name), record, self.net.key(holder))
        producer = Producer(self.broker.client())
        producer.produce(self.status, value, headers=list(headers))
        assert producer.flush(30) == 0

    def verdicts(self, digests: Iterable[str], holder: str = "hub.gate", **changes: Any) -> None:
        """Verdicts on these digests, ADMITTED unless changed."""
        self.say(
            "verdict", {"agency": self.settings.agency, "verdicts": [verdict(d, **changes) for d in digests]}, holder
        )


def verdict(digest: str, **changes: Any) -> dict[str, Any]:
    """One verdict of the hub."""
    source = {"topic": "alerts", "topic_id": "0" * 32, "partition": 0, "offset": 0}
    return {
        "digest": digest,
        "kind": "person",
        "alert_id": "",
        "version": 1,
        "outcome": "ADMITTED",
        "again": False,
        "reason": "",
        "remedy": "",
        "errors": [],
        "source": source,
        "at": now_micros(),
        "directory_seq": 1,
        **changes,
    }


def receipt(digest: str, stage: str, **changes: Any) -> dict[str, Any]:
    """One receipt."""
    return {
        "digest": digest,
        "kind": "person",
        "alert_id": "",
        "version": 1,
        "stage": stage,
        "at": now_micros(),
        "reason": "",
        "count": 0,
        **changes,
    }


def digest_of(item: Message) -> str:
    """The digest of a record as read from the inlet."""
    headers = dict(cast("list[tuple[str, bytes]]", item.headers()))
    _, body = codec.unframe(item.value() or b"")
    return signature.digest(signature.read(headers[message.SIG]).protected, body)
