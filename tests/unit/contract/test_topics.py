"""The catalogue: who may write and read what, and nothing besides."""

from __future__ import annotations

from schemas import topics
from schemas.directory import HUB_STAGES
from schemas.topics import Acl, Names
from tests.support import samples

DIRECTORY = samples.directory()
CATALOGUE = {topic.name: topic for topic in topics.catalogue(DIRECTORY, 8, 3)}
ACLS = topics.acls(DIRECTORY)


def rights(principal: str) -> set[tuple[str, str]]:
    """What a principal may read and write."""
    return {
        (acl.operation, acl.name) for acl in ACLS if acl.principal == principal and acl.operation in ("READ", "WRITE")
    }


def test_every_topic_of_the_contract_is_there() -> None:
    """By its name."""
    agencies, members = (samples.AGENCY, samples.OTHER_AGENCY), [code.lower() for code in samples.MEMBERS]
    assert set(CATALOGUE) == {
        "admitted.v1",
        "register.v1",
        "quarantine.v1",
        "sys.directory",
        "sys.heartbeat",
        "mentions.v1",
        "transfers.v1",
        "links.v1",
        "releases.v1",
        *(f"answers.v1.{agency}" for agency in agencies),
        *(f"alerts.v1.{agency}" for agency in agencies),
        *(f"status.v1.{agency}" for agency in agencies),
        *(f"receipts.v1.{member}" for member in members),
        *(f"feeds.v1.{member}.{kind}" for member in members for kind in ("person", "route", "transfer")),
    }


def test_an_agency_writes_its_inlet_and_reads_its_status() -> None:
    """And its answers, and the two that all read."""
    assert rights(samples.AGENCY) == {
        ("WRITE", "alerts.v1.az-customs"),
        ("WRITE", "answers.v1.az-customs"),
        ("READ", "status.v1.az-customs"),
        ("READ", "sys.directory"),
        ("READ", "sys.heartbeat"),
    }


def test_an_edge_reads_its_feeds_and_writes_its_receipts() -> None:
    """And has no group."""
    assert rights("edge.tr") == {
        *(("READ", f"feeds.v1.tr.{kind}") for kind in ("person", "route", "transfer")),
        ("WRITE", "receipts.v1.tr"),
        ("READ", "sys.directory"),
        ("READ", "sys.heartbeat"),
    }


def test_only_the_gate_reads_what_no_policy_has_passed() -> None:
    """An inlet has one writer and one reader; admitted blocks stay inside the hub, but for the operator."""
    for name, topic in CATALOGUE.items():
        if name.startswith("alerts."):
            assert (len(topic.writers), topic.readers) == (1, ("hub.gate",))
    assert set(CATALOGUE["admitted.v1"].readers) == {"hub.gate", "hub.route", "hub.index", "operator"}


def test_the_operator_reads_no_feed() -> None:
    """Nor writes anything but the directory."""
    operator = rights("operator")
    assert not {
        name for _, name in operator if name.startswith(("feeds.", "alerts.", "register.", "mentions.", "transfers."))
    }
    assert {name for operation, name in operator if operation == "WRITE"} == {"sys.directory"}


def test_whoever_reads_or_writes_may_describe_and_only_the_operator_may_besides() -> None:
    """To see the topic's id and how far it goes."""
    used = {(acl.principal, acl.name) for acl in ACLS if acl.operation in ("READ", "WRITE")}
    described = {(acl.principal, acl.name) for acl in ACLS if acl.operation == "DESCRIBE"}
    topics_used = {(principal, name) for principal, name in used if name in CATALOGUE}
    assert topics_used <= described
    assert {principal for principal, _ in described - topics_used} == {"operator"}


def test_a_member_out_of_standing_has_no_rights() -> None:
    """Its topics and what is in them stay."""
    directory = samples.directory(
        {code: samples.member(code) for code in samples.MEMBERS} | {"AZ": samples.member("AZ", standing="SUSPENDED")}
    )
    principals = {acl.principal for acl in topics.acls(directory)}
    assert not principals & {"az-customs", "edge.az"}
    assert principals == set(topics.principals(directory))
    assert {topic.name for topic in topics.catalogue(directory)} == set(CATALOGUE)


def test_groups_are_the_hubs_alone() -> None:
    """Members' clients assign."""
    grouped = {acl.principal for acl in ACLS if acl.resource_type == "GROUP" and acl.operation == "READ"}
    assert grouped == {"hub.gate", "hub.route", "hub.receipts", "hub.index", "hub.correlate", "hub.links"}


def test_rights_are_read_write_and_a_look_at_groups() -> None:
    """No Create, no Alter, no transactional id, no prefix."""
    assert {(acl.resource_type, acl.operation) for acl in ACLS} == {
        ("TOPIC", "READ"),
        ("TOPIC", "WRITE"),
        ("TOPIC", "DESCRIBE"),
        ("TOPIC", "DESCRIBE_CONFIGS"),
        ("GROUP", "READ"),
        ("GROUP", "DESCRIBE"),
    }
    assert {acl.name for acl in ACLS if acl.resource_type == "TOPIC"} == set(CATALOGUE)
    assert {acl.principal for acl in ACLS} == set(topics.principals(DIRECTORY))


def test_the_hub_sees_the_settings_of_what_strangers_write() -> None:
    """By them it knows whose time the records carry. Nobody else but the operator sees any."""
    seen = {(acl.principal, acl.name) for acl in ACLS if acl.operation == "DESCRIBE_CONFIGS"}
    assert {("hub.gate", "alerts.v1.az-customs"), ("hub.receipts", "receipts.v1.az")} <= seen
    assert {("operator", "alerts.v1.az-customs"), ("operator", "receipts.v1.az")} <= seen
    assert ("hub.links", "answers.v1.az-customs") in seen
    assert {principal for principal, _ in seen} <= {*(f"hub.{stage}" for stage in HUB_STAGES), "operator"}


def test_settings_are_those_of_the_contract() -> None:
    """Log time everywhere; feeds compacted after 35 days; two replicas in sync where there are three."""
    day = 24 * 3600 * 1000
    assert all(topic.config["message.timestamp.type"] == "LogAppendTime" for topic in CATALOGUE.values())
    assert all(topic.config["min.insync.replicas"] == "2" for topic in CATALOGUE.values())
    assert topics.catalogue(DIRECTORY)[0].config["min.insync.replicas"] == "1"
    inlet, feed = CATALOGUE["alerts.v1.az-customs"], CATALOGUE["feeds.v1.tr.person"]
    assert (inlet.partitions, inlet.config["retention.ms"]) == (2, str(35 * day))
    assert inlet.config["max.message.bytes"] == str(256 * 1024)
    assert (feed.config["cleanup.policy"], feed.config["min.compaction.lag.ms"]) == ("compact", str(35 * day))
    assert (CATALOGUE["admitted.v1"].partitions, CATALOGUE["register.v1"].partitions) == (8, 8)


def test_a_prefix_keeps_tests_apart() -> None:
    """In every topic and group, and in nothing else."""
    names = Names("t1-")
    assert all(topic.name.startswith("t1-") for topic in topics.catalogue(DIRECTORY, names=names))
    plain = {Acl(acl.principal, acl.resource_type, f"t1-{acl.name}", acl.operation) for acl in ACLS}
    assert set(topics.acls(DIRECTORY, names=names)) == plain
    assert names.agency_of(names.inlet("az-customs")) == "az-customs"
    assert names.member_of(names.feed("TR", "person")) == names.member_of(names.receipts("TR")) == "TR"
