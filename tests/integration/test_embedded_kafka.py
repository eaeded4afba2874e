"""The embedded broker: its life, its doors, and what it says when it cannot start."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._scram import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from confluent_kafka.cimpl import NewTopic

from manara.embedded import ports
from manara.embedded.errors import FolderInUseError, PasswordError, PortTakenError
from manara.embedded.kafka import EmbeddedKafka
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration

SECONDS = 20.0
SILENT = logging.getLogger("tests.silent")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A broker beside the run's one, which tests may stop and start; its folder has a name that is no plain word."""
    with EmbeddedKafka(tmp_path_factory.mktemp("own") / "Ülkä ışığı = 1") as server:
        yield server


def test_free_ports_never_give_one_port_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where chance names the same one again: a broker whose listeners share a port does not start."""
    one, other = ports.free_ports(2)
    drawn = iter([one, one, one, other])
    monkeypatch.setattr("manara.embedded.ports.secrets.choice", lambda _: next(drawn))
    assert ports.free_ports(2) == (one, other)


def until(true: Callable[[], bool], seconds: float = SECONDS) -> bool:
    """Wait for an outcome; whether it came in time."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def silenced(settings: dict[str, object]) -> dict[str, Any]:
    """The same settings, for a client whose complaints are expected."""
    return {**settings, "log_level": 0, "logger": SILENT}


def errors_of(settings: dict[str, object], *, enough: Callable[[list[KafkaError]], bool]) -> list[KafkaError]:
    """What a client with these settings is told by its broker, until it is enough."""
    told: list[KafkaError] = []
    admin = AdminClient(silenced({**settings, "error_cb": told.append}))

    def told_enough() -> bool:
        admin.poll(0.1)
        return enough(told)

    until(told_enough)
    return told


def logs_in(settings: dict[str, Any]) -> bool:
    """Whether a client with these settings is let in; a new user is known a moment after it was made."""
    try:
        AdminClient(settings).list_topics(timeout=1)
    except KafkaException:
        return False
    return True


def create(settings: dict[str, Any], topic: str) -> None:
    """Make a topic of one partition."""
    admin = AdminClient(settings)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(SECONDS)


def write(settings: dict[str, Any], topic: str, value: bytes) -> None:
    """Produce one message and wait until the broker has it."""
    told: list[KafkaError | None] = []
    producer = Producer({**settings, "acks": "all"})
    producer.produce(topic, value, on_delivery=lambda error, _message: told.append(error))
    assert producer.flush(SECONDS) == 0
    assert told == [None]


def read(settings: dict[str, Any], topic: str) -> bytes | None:
    """The first message of a topic."""
    consumer = Consumer({**settings, "group.id": Broker.unique("readers"), "auto.offset.reset": "earliest"})
    try:
        consumer.subscribe([topic])
        message = consumer.poll(SECONDS)
        assert message is not None
        assert message.error() is None
        return message.value()
    finally:
        consumer.close()


def test_the_super_user_writes_and_reads(kafka: Broker) -> None:
    """The run's broker carries a message."""
    topic = kafka.unique("embedded")
    create(kafka.client(), topic)
    write(kafka.client(), topic, b"first light")
    assert read(kafka.client(), topic) == b"first light"


def test_the_broker_is_the_locked_version(kafka: Broker) -> None:
    """The jars are those of Apache Kafka 4.3.1."""
    assert kafka.version == "4.3.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("socket.request.max.bytes", "4194304"),
        ("message.max.bytes", "1048588"),
        ("auto.create.topics.enable", "false"),
        ("ssl.enabled.protocols", "TLSv1.3"),
        ("group.initial.rebalance.delay.ms", "0"),
    ],
)
def test_the_broker_runs_with_our_settings(kafka: Broker, name: str, value: str) -> None:
    """What protects the broker is what the broker itself says it uses."""
    settings: Any = kafka.client()
    admin = AdminClient(settings)
    (described,) = admin.describe_configs([ConfigResource(ConfigResource.Type.BROKER, "1")]).values()
    assert described.result(SECONDS)[name].value == value


def test_who_has_no_acl_has_no_right(kafka: Broker) -> None:
    """A user that nobody gave a right sees no topic and may write to none."""
    topic, user = kafka.unique("closed"), kafka.unique("user")
    create(kafka.client(), topic)
    settings: Any = kafka.client()
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    admin = AdminClient(settings)
    admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, scram, b"pass")])[user].result(SECONDS)
    theirs = silenced({**kafka.client(), "sasl.username": user, "sasl.password": "pass"})
    assert until(lambda: logs_in(theirs))
    assert topic not in AdminClient(theirs).list_topics(timeout=SECONDS).topics
    told: list[KafkaError | None] = []
    producer = Producer(theirs)
    producer.produce(topic, b"x", on_delivery=lambda error, _message: told.append(error))
    producer.flush(SECONDS)
    assert [each.code() for each in told if each is not None] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


def test_a_wrong_password_is_refused_in_words(kafka: Broker) -> None:
    """The client hears that its login failed, and can tell it from a broker that is down."""
    wrong = {**kafka.client(), "sasl.password": "not the password"}
    told = errors_of(wrong, enough=lambda told: any(each.code() == KafkaError._AUTHENTICATION for each in told))
    refused = [each.str() for each in told if each.code() == KafkaError._AUTHENTICATION]
    assert refused
    assert "invalid credentials" in refused[0]


def test_plaintext_is_refused(kafka: Broker) -> None:
    """Nobody is served without TLS."""
    plain: dict[str, object] = {"bootstrap.servers": kafka.bootstrap, "security.protocol": "PLAINTEXT"}
    with pytest.raises(KafkaException):
        AdminClient(silenced(plain)).list_topics(timeout=2)


def test_tls_without_a_login_is_refused(kafka: Broker) -> None:
    """A certificate check alone opens no door."""
    nobody: dict[str, object] = {"security.protocol": "SSL", "ssl.ca.location": str(kafka.ca)}
    nobody["bootstrap.servers"] = kafka.bootstrap
    with pytest.raises(KafkaException):
        AdminClient(silenced(nobody)).list_topics(timeout=2)


def test_a_client_with_another_authority_refuses_the_broker(kafka: Broker, own: EmbeddedKafka) -> None:
    """Two brokers have two authorities; who trusts one does not talk to the other."""
    foreign = {**kafka.client(), "ssl.ca.location": str(own.ca)}
    told = errors_of(foreign, enough=lambda told: any(each.code() == KafkaError._SSL for each in told))
    assert any(each.code() == KafkaError._SSL for each in told)


def test_two_brokers_run_at_once(kafka: Broker, own: EmbeddedKafka) -> None:
    """Ports and folders of two brokers never meet."""
    assert kafka.bootstrap != own.bootstrap
    topic = kafka.unique("here")
    create(kafka.client(), topic)
    settings: Any = own.client()
    assert topic not in AdminClient(settings).list_topics(timeout=SECONDS).topics


def test_a_folder_is_the_broker(own: EmbeddedKafka) -> None:
    """Another start there, on other ports, finds the messages, users and certificates; the first object its address."""
    create(own.client(), "kept")
    write(own.client(), "kept", b"still here")
    address, authority, password = own.bootstrap, own.ca.read_bytes(), own.admin_password
    own.stop()
    assert own.pid is None
    with EmbeddedKafka(own.folder) as again:
        assert again.bootstrap != address
        assert (again.ca.read_bytes(), again.admin_password) == (authority, password)
        assert read(again.client(), "kept") == b"still here"
    own.start()
    assert own.bootstrap == address
    assert read(own.client(), "kept") == b"still here"


def test_a_broker_that_was_killed_is_started_again(own: EmbeddedKafka) -> None:
    """After kill -9 of the broker, the same object starts it again at the same address, and nothing is lost."""
    create(own.client(), "survivor")
    write(own.client(), "survivor", b"acknowledged")
    address = own.bootstrap
    pid = own.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not own.running)
    assert own.pid is None
    own.start()
    assert own.bootstrap == address
    assert read(own.client(), "survivor") == b"acknowledged"


def test_a_folder_serves_one_broker(own: EmbeddedKafka) -> None:
    """A second start in the same folder is refused, and the first is not disturbed."""
    with pytest.raises(FolderInUseError, match="in use by another server"):
        EmbeddedKafka(own.folder).start()
    assert own.running


def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    """The port that was asked for is named, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} on 127.0.0.1 is taken") as caught:
            EmbeddedKafka(tmp_path / "kafka", port=port).start()
    assert "choose another port" in caught.value.remedy


def test_a_changed_password_file_stops_the_start_in_words(own: EmbeddedKafka) -> None:
    """Who loses the password is told at once, not after a minute of silence; nothing is left running."""
    own.stop()
    file = own.folder / "admin.password"
    kept = file.read_text()
    file.write_text("another\n")
    began = time.monotonic()
    try:
        with pytest.raises(PasswordError, match=r"does not accept the password in .*admin\.password"):
            own.start()
        assert time.monotonic() - began < SECONDS
        assert not own.running
    finally:
        file.write_text(kept)
        own.start()


def test_secrets_are_private_and_in_no_command_line(own: EmbeddedKafka) -> None:
    """Files with secrets are their owner's alone; the list of processes shows none."""
    private = [own.folder / "admin.password", own.folder / "tls" / "ca.key", own.folder / "tls" / "server.pem"]
    assert [path.stat().st_mode & 0o777 for path in private] == [0o600] * 3
    assert own.folder.stat().st_mode & 0o077 == 0
    assert own.pid is not None
    assert own.admin_password.encode() not in Path(f"/proc/{own.pid}/cmdline").read_bytes()


def test_the_broker_listens_on_loopback_alone(own: EmbeddedKafka) -> None:
    """No socket of the broker can be reached from another machine."""
    assert own.pid is not None
    inodes = {str(each.readlink()) for each in Path(f"/proc/{own.pid}/fd").iterdir()}
    addresses = set()
    for table in ("tcp", "tcp6"):
        rows = [line.split() for line in Path(f"/proc/{own.pid}/net/{table}").read_text().splitlines()[1:]]
        addresses |= {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    assert addresses
    assert addresses <= loopback


def test_the_log_names_who_was_refused(own: EmbeddedKafka) -> None:
    """A failed login leaves a line in the broker's log."""
    wrong = {**own.client(), "sasl.password": "not the password"}
    errors_of(wrong, enough=bool)
    assert until(lambda: "Failed authentication" in own.log.read_text())
