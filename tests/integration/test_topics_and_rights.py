"""Topics, rights and users on a real broker: what the catalogue says can be done, and nothing else."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka.admin
import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from manara import kafka as clients
from manara.administration import Administrator
from manara.errors import BrokerError, Cause
from manara.kafka import Problem
from manara.rights import binding
from schemas.directory import HUB_STAGES
from schemas.topics import Acl
from tests.support.kafka import Broker
from tests.support.site import Site, until

pytestmark = pytest.mark.integration
kafka_admin: Any = confluent_kafka.admin


@pytest.fixture(scope="module")
def site(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose catalogue has been applied."""
    made = Site(kafka, tmp_path_factory.mktemp("site"))
    made.apply()
    return made


@pytest.fixture
def root(site: Site) -> AdminClient:
    """The cluster's administrator."""
    return clients.admin(site.kafka())


def written(site: Site, user: str, topic: str) -> int | None:
    """The broker's answer to a message: the code of its refusal, None when it was taken."""
    client = clients.producer(site.kafka(user), delivery_timeout_ms=15_000, request_timeout_ms=5_000)
    answers: list[KafkaError | None] = []
    client.produce(topic, b"x", on_delivery=lambda error, _message: answers.append(error))
    until(lambda: (client.poll(0.1), answers)[1], "no answer")
    return answers[0].code() if answers[0] is not None else None


def read(site: Site, user: str, topic: str) -> int | None:
    """The code of the refusal to read a topic from its beginning; None when a message or its end was reached."""
    client = clients.consumer(site.kafka(user), enable_partition_eof=True)
    try:
        refused = client.list_topics(topic, timeout=10).topics[topic].error
        if refused is not None:  # a reader that assigns what it may not see would hear nothing
            return int(refused.code())
        client.assign([TopicPartition(topic, 0, 0)])
        while True:
            message = until(lambda: client.poll(0.2), f"{user} hears nothing of {topic}")
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                return None
            if not clients.is_noise(error):
                return int(error.code())
    finally:
        client.close()


def test_a_second_run_finds_nothing_to_do(site: Site) -> None:
    """Topics, settings, rights and users are as the catalogue says."""
    plan = site.administrator().plan(site.draft().directory())
    assert plan.empty
    assert (plan.extra_topics, plan.extra_acls, plan.extra_users) == ((), (), ())


def test_passwords_are_for_their_owner_alone_and_differ(site: Site) -> None:
    """One file a principal, mode 0600."""
    files = sorted(site.secrets.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len({file.read_text() for file in files}) == len(files) == 2 + 2 + len(HUB_STAGES) + 1


def test_an_agency_writes_to_its_own_inlet_and_to_no_other(site: Site) -> None:
    """The broker itself refuses."""
    ours, theirs = site.agency("QA"), site.agency("QB")
    assert written(site, ours, site.names.inlet(ours)) is None
    for topic in (
        site.names.inlet(theirs),
        site.names.status(ours),
        site.names.admitted,
        site.names.feed("QA", "person"),
    ):
        assert written(site, ours, topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_an_agency_reads_its_status_and_no_other_topic(site: Site) -> None:
    """Not even its own inlet back."""
    ours, theirs = site.agency("QA"), site.agency("QB")
    assert read(site, ours, site.names.status(ours)) is None
    assert read(site, ours, site.names.directory) is None
    for topic in (
        site.names.inlet(ours),
        site.names.status(theirs),
        site.names.admitted,
        site.names.feed("QA", "person"),
    ):
        assert read(site, ours, topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_member_reads_its_own_feeds_and_no_others(site: Site) -> None:
    """Nor anything that no policy has passed."""
    for kind in ("person", "route", "transfer"):
        assert read(site, "edge.qa", site.names.feed("QA", kind)) is None
        assert read(site, "edge.qa", site.names.feed("QB", kind)) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    for topic in (
        site.names.inlet(site.agency("QA")),
        site.names.admitted,
        site.names.quarantine,
        site.names.receipts("QA"),
    ):
        assert read(site, "edge.qa", topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert written(site, "edge.qa", site.names.receipts("QA")) is None
    assert written(site, "edge.qa", site.names.receipts("QB")) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_nobody_but_the_administrator_makes_topics_or_rights(site: Site) -> None:
    """Not even the operator; said in words, not in Kafka's dump of a request."""
    for user in (site.agency("QA"), "edge.qa", "hub.gate", "operator"):
        client = clients.admin(site.kafka(user))
        made = client.create_topics([kafka_admin.NewTopic(f"{site.prefix}new.{user}", 1, 1)])
        with pytest.raises(KafkaException) as caught:
            next(iter(made.values())).result(15)
        assert caught.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    right = Acl("edge.qa", "TOPIC", site.names.admitted, "READ")
    client = clients.admin(site.kafka("operator"))
    with pytest.raises(KafkaException) as caught:
        next(iter(client.create_acls([binding(right)]).values())).result(15)
    said = clients.words(caught.value.args[0], site.kafka("operator"))
    assert said.cause is Cause.RIGHTS
    assert "operator has no right to administer the cluster" in said.message


def test_a_plan_by_somebody_else_says_who_is_needed(site: Site) -> None:
    """In words."""
    with pytest.raises(BrokerError, match="may not administer"):
        Administrator(site.settings(site.agency("QA")), site.secrets).plan(site.draft().directory())


def test_a_member_of_a_group_is_the_hub_alone(site: Site) -> None:
    """The gate joins its group; an edge may join none."""
    gate = clients.consumer(site.kafka("hub.gate"), site.names.group("gate"))
    gate.subscribe([site.names.admitted])
    until(lambda: gate.poll(0.1) or gate.assignment(), "the gate got no partition")
    gate.close()
    edge = clients.consumer(site.kafka("edge.qa"), "anything")
    edge.subscribe([site.names.feed("QA", "person")])
    message = until(lambda: edge.poll(0.2), "no answer")
    assert message.error().code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    edge.close()


def test_what_was_changed_by_hand_is_mended_and_what_is_extra_is_listed(site: Site, root: AdminClient) -> None:
    """Pruning takes rights away, and leaves topics."""
    extra_topic = f"{site.prefix}extra.v1"
    extra_right = Acl("edge.qa", "TOPIC", site.names.admitted, "READ")
    inlet = site.names.inlet(site.agency("QA"))
    changed = kafka_admin.ConfigEntry("retention.ms", "60000", incremental_operation=kafka_admin.AlterConfigOpType.SET)
    resource = kafka_admin.ConfigResource(kafka_admin.ConfigResource.Type.TOPIC, inlet, incremental_configs=[changed])
    made: list[dict[Any, Any]] = [
        root.create_topics([kafka_admin.NewTopic(extra_topic, 1, 1)]),
        root.create_acls([binding(extra_right)]),
        root.incremental_alter_configs([resource]),
    ]
    for futures in made:
        next(iter(futures.values())).result(15)
    administrator = site.administrator()
    plan = until(
        lambda: (plan := administrator.plan(site.draft().directory())).change and plan.extra_acls and plan, "not seen"
    )
    assert [(change.topic, change.name, change.was) for change in plan.change] == [(inlet, "retention.ms", "60000")]
    assert plan.extra_topics == (extra_topic,)
    assert plan.extra_acls == (extra_right,)
    administrator.apply(plan)
    after = until(lambda: (again := administrator.plan(site.draft().directory())).empty and again, "not mended")
    assert after.extra_acls == (extra_right,)
    administrator.prune(after)
    until(lambda: not administrator.plan(site.draft().directory()).extra_acls, "not taken away")
    assert extra_topic in administrator.look().topics
    next(iter(root.delete_topics([extra_topic]).values())).result(15)


def test_rights_of_a_suspended_member_end_at_once(site: Site) -> None:
    """After pruning; its topics stay."""
    edge, topic = "edge.qb", site.names.feed("QB", "person")
    assert read(site, edge, topic) is None
    administrator = site.administrator()
    suspended = site.draft(standing="SUSPENDED").directory()
    administrator.prune(administrator.plan(suspended))
    until(lambda: not administrator.plan(suspended).extra_acls, "not taken away")
    assert read(site, edge, topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert topic in administrator.look().topics
    site.apply()
    assert read(site, edge, topic) is None


@pytest.fixture
def stranger_ca(tmp_path: Path) -> Path:
    """The certificate of an authority that signed nothing here."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stranger")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "stranger.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("changes", "cause", "said", "within"),
    [
        ({"password": "wrong", "password_file": None}, Cause.LOGIN, "does not accept the user", 3.0),
        ({"username": "nobody"}, Cause.LOGIN, "does not accept the user nobody", 3.0),
        ({"ca": "stranger"}, Cause.TLS, "a certificate that we do not trust", 3.0),
        ({"bootstrap": "127.0.0.1:1"}, Cause.UNREACHABLE, "the connection is refused", 6.0),
        ({"bootstrap": "no-such-host.invalid:9092"}, Cause.UNREACHABLE, "the name is not known", 8.0),
        ({"security": "PLAINTEXT"}, Cause.UNREACHABLE, "the port speaks PLAINTEXT", 6.0),
        ({"security": "SSL"}, Cause.UNREACHABLE, "the port speaks SSL", 6.0),
    ],
    ids=["wrong password", "unknown user", "unknown CA", "no broker", "unknown host", "plaintext to TLS", "no login"],
)
@pytest.mark.parametrize("kind", ["producer", "consumer", "admin"])
def test_whatever_keeps_us_out_is_said_within_seconds(
    site: Site, stranger_ca: Path, kind: str, changes: dict[str, Any], cause: Cause, said: str, within: float
) -> None:
    """By every kind of client, with what to do, and without the password."""
    import time

    if changes.get("ca"):
        changes = {**changes, "ca": stranger_ca}
    settings = site.kafka("operator", **changes)
    problem = Problem(settings)
    client = getattr(clients, kind)(settings, problem=problem)
    began = time.monotonic()
    with pytest.raises(BrokerError) as caught:
        clients.reach(client, problem, timeout=2.0)
    assert time.monotonic() - began < within
    assert caught.value.cause is cause
    assert said in str(caught.value)
    assert caught.value.remedy
    assert "wrong" not in str(caught.value)


def test_the_same_settings_let_aiokafka_in(site: Site) -> None:
    """Faust's client: TLS and SCRAM of the same one place."""

    async def send() -> int:
        agency = site.agency("QA")
        client = AIOKafkaProducer(**site.kafka(agency).aiokafka())
        await client.start()
        try:
            return int((await client.send_and_wait(site.names.inlet(agency), b"x")).partition)
        finally:
            await client.stop()

    assert asyncio.run(send()) in (0, 1)


def test_a_topic_made_anew_has_another_id(site: Site, root: AdminClient) -> None:
    """An offset is worth nothing without it; a topic that is not there has none."""
    name = f"{site.prefix}anew"

    def make() -> str:
        next(iter(root.create_topics([kafka_admin.NewTopic(name, 1, 1)]).values())).result(15)
        return str(until(lambda: clients.topic_ids(root, [name]).get(name), "no id"))

    assert clients.topic_ids(root, [name]) == {}
    first = make()
    next(iter(root.delete_topics([name]).values())).result(15)
    until(lambda: not clients.topic_ids(root, [name]), "still there")
    second = make()
    assert len(first) == len(second) == 32
    assert first != second
    next(iter(root.delete_topics([name]).values())).result(15)


@pytest.fixture(scope="module", autouse=True)
def _nothing_left(site: Site) -> Iterator[None]:
    """Take this module's topics away: the next ones get a broker without them."""
    yield
    client = clients.admin(site.kafka())
    names = [name for name in client.list_topics(timeout=10).topics if name.startswith(site.prefix)]
    for future in client.delete_topics(names).values():
        future.result(15)
