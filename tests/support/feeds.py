"""A member's corner of the network on the real broker: its topics, the directory, and a hub's pen that writes into
feeds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr

from consumers.judging import Message
from manara import keys
from manara.administration import Administrator, password_path
from manara.directory import publish
from manara.settings import KafkaSettings, Settings
from manara.topics import Plan
from schemas import message, registry
from schemas.topics import Names, Topic, acls, catalogue
from tests.support.alerts import Author
from tests.support.directories import Network, key_of, network
from tests.support.entries import sent
from tests.support.kafka import Broker

KINDS = ("person", "route", "transfer")


def now_us() -> int:
    """The clock of the machine."""
    return time.time_ns() // 1000


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait for an outcome, with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


@dataclass
class Corner:
    """One member's topics on the run's broker, under a prefix of their own."""

    broker: Broker
    folder: Path
    member: str = "AZ"
    net: Network = field(default_factory=lambda: network(now=now_us()))

    def __post_init__(self) -> None:
        self.prefix = self.broker.unique("edge") + "."
        self.names = Names(self.prefix)
        self.feeds = {kind: self.names.feed(self.member, kind) for kind in KINDS}
        self.user = self.broker.unique("edge")
        self.place = self.folder / self.member.lower()
        self.key = self.place / "edge.pem"
        keys.save(self.key, key_of(f"edge.{self.member.lower()}"))
        self.producer = Producer({**self._client(), "linger.ms": 1})
        self.topics = self._catalogue()
        self.create(self.topics, grant=True)
        self.publish(self.net)

    def publish(self, net: Network) -> None:
        """Publish another snapshot of the directory."""
        self.net = net
        publish(self._admin(), net.record)

    def settings(self, **changes: Any) -> Settings:
        """The member's settings, with a user that has the rights of an edge and no more."""
        kafka = KafkaSettings(
            bootstrap=self.broker.bootstrap, ca=self.broker.ca, username=self.user, password_file=self._password()
        )
        given = {"kafka": kafka, "folder": self.place, "roots": self.net.pins, "member": self.member, "key": self.key}
        return Settings(**{**given, "topic_prefix": self.prefix, **changes})

    def config(self, **changes: Any) -> Path:
        """The same as a settings file, for a process."""
        lines = {
            "folder": str(self.place), "member": self.member, "key": str(self.key),
            "topic_prefix": self.prefix, "log_format": "json", **changes,
        }  # fmt: skip
        kafka = {
            "bootstrap": self.broker.bootstrap, "ca": str(self.broker.ca),
            "username": self.user, "password_file": str(self._password()),
        }  # fmt: skip
        text = [
            f"{name} = {json.dumps(value if isinstance(value, int) else str(value))}" for name, value in lines.items()
        ]
        text += ["[kafka]", *(f'{name} = "{value}"' for name, value in kafka.items())]
        text += ["[roots]", *(f'{name} = "{value}"' for name, value in self.net.pins.items())]
        file = self.place / "manara.toml"
        file.write_text("\n".join(text) + "\n")
        file.chmod(0o600)
        return file

    def create(self, topics: Sequence[Topic], *, grant: bool = False) -> None:
        """Make topics as the catalogue has them, and the user with an edge's rights."""
        edge = f"edge.{self.member.lower()}"
        named = {topic.name for topic in self.topics}
        rights = [replace(acl, principal=self.user) for acl in acls(self.net.directory, 1, names=self.names)
                  if acl.principal == edge and acl.name in named]  # fmt: skip
        plan = Plan(create=tuple(topics), grant=tuple(rights) if grant else (), users=(self.user,) if grant else ())
        Administrator(self._admin(), self.folder / "secrets").apply(plan)

    def _catalogue(self) -> list[Topic]:
        mine = {*self.feeds.values(), self.names.receipts(self.member), self.names.directory, self.names.heartbeat}
        return [topic for topic in catalogue(self.net.directory, 1, names=self.names) if topic.name in mine]

    def _admin(self) -> Settings:
        kafka = KafkaSettings(
            bootstrap=self.broker.bootstrap,
            ca=self.broker.ca,
            username=self.broker.admin_username,
            password=SecretStr(self.broker.admin_password),
        )
        return Settings(kafka=kafka, topic_prefix=self.prefix, lanes=1)

    def password(self) -> str:
        """The user's password."""
        return self._password().read_text().strip()

    def _password(self) -> Path:
        return password_path(self.folder / "secrets", self.user)

    def delete(self, *topics: str) -> None:
        """Delete topics and wait until they are gone."""
        client: Any = AdminClient(self._client())
        for future in client.delete_topics(list(topics)).values():
            future.result()
        until(lambda: not set(topics) & set(client.list_topics(timeout=5).topics), "the topics are gone")

    def put(self, messages: Sequence[Message]) -> None:
        """Write messages into their feeds as the hub would, and wait for the broker."""
        for one in messages:
            headers: list[Any] = [*one.headers]
            self.producer.produce(one.topic, one.value, one.key, headers=headers, on_delivery=_must_succeed)
            self.producer.poll(0)
        assert self.producer.flush(30) == 0

    def beat(self, sequence: int, at: int | None = None) -> None:
        """A heartbeat of the hub's clock."""
        record = {"at": now_us() if at is None else at, "sequence": sequence}
        value, headers = message.sign_record(registry.by_name("heartbeat"), record, key_of("hub.clock"))
        given: list[Any] = [*headers]
        self.producer.produce(self.names.heartbeat, value, headers=given, on_delivery=_must_succeed)
        assert self.producer.flush(30) == 0

    def receipts(self) -> list[dict[str, Any]]:
        """Every receipt on the member's topic, verified, each with its author."""
        found = []
        for value, headers, key in self._all(self.names.receipts(self.member)):
            _schema, record, signer = message.open_record(
                value, headers, directory=self.net.directory, at=now_us(), holders=[f"edge.{self.member.lower()}"]
            )
            assert signer.member == self.member
            assert key == record["agency"].encode()
            found += [{**receipt, "agency": record["agency"]} for receipt in record["receipts"]]
        return found

    def _client(self) -> dict[str, Any]:
        return self.broker.client()

    def _all(self, topic: str) -> list[tuple[bytes, Any, bytes]]:
        consumer = Consumer({**self._client(), "group.id": "unused"})
        place = TopicPartition(topic, 0, 0)
        low, high = consumer.get_watermark_offsets(place, timeout=10)
        consumer.assign([place])
        found: list[tuple[bytes, Any, bytes]] = []
        while low + len(found) < high:
            message = consumer.poll(5)
            assert message is not None
            if message.error() is None:
                found.append((bytes(message.value() or b""), message.headers(), bytes(message.key() or b"")))
        consumer.close()
        return found


class Pens:
    """Authors of three states, and the hub that puts what they write into one member's feeds."""

    def __init__(self, corner: Corner) -> None:
        self._corner = corner
        self._authors = {"person": "kz-border", "route": "tr-customs", "transfer": "ae-fiu"}
        self._pens = {kind: Author.of(agency) for kind, agency in self._authors.items()}
        self.written = 0

    def write(self, count: int, **changes: Any) -> list[Message]:
        """So many new alerts, of all kinds in turn."""
        now = now_us()
        made = []
        for _ in range(count):
            kind = KINDS[self.written % 3]
            self.written += 1
            sealed = self._pens[kind].write(kind, now=now, **changes)
            made.append(sent(sealed, at=now, topic=self._corner.feeds[kind]))
        return made


def _must_succeed(error: Any, _message: Any) -> None:
    assert error is None, error
