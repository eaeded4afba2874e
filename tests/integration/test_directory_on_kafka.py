"""The directory on a real broker: published, read back, believed under pinned roots alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manara import kafka as clients
from manara import keys
from manara.commands.directory import next_record
from manara.directory import DirectoryReader, latest, publish
from manara.directory_file import DirectoryDraft
from manara.errors import BrokerError, Cause, DirectoryError
from schemas.models import DirectoryRecord
from tests.support.directories import DAY, NOW, key_of
from tests.support.kafka import Broker
from tests.support.site import Site, until

pytestmark = pytest.mark.integration


@pytest.fixture
def site(kafka: Broker, tmp_path: Path) -> Iterator[Site]:
    """A site with its topics, and no directory yet."""
    made = Site(kafka, tmp_path)
    made.apply()
    yield made
    client = clients.admin(made.kafka())
    names = [name for name in client.list_topics(timeout=10).topics if name.startswith(made.prefix)]
    for future in client.delete_topics(names).values():
        future.result(15)


def put(site: Site, draft: DirectoryDraft, *, at: int = NOW) -> DirectoryRecord:
    """Publish the next snapshot, as the operator."""
    settings = site.settings("operator")
    with latest(settings) as reader:
        record = next_record(draft, reader.record, at)
    publish(settings, record)
    return record


def test_a_directory_is_published_and_every_principal_reads_it(site: Site) -> None:
    """With all its keys, since their roots are pinned."""
    record = put(site, site.draft())
    for user in (site.agency("QA"), "edge.qb", "hub.gate", "operator"):
        with DirectoryReader(site.settings(user)) as reader:
            directory = reader.wait()
            assert reader.refused == ()
            assert reader.record == record
        assert (directory.seq, set(directory.members)) == (1, {"QA", "QB"})
        assert {key.holder for key in directory.keys.values()} == {
            *(site.agency(code) for code in ("QA", "QB")), "edge.qa", "edge.qb", "hub.gate", "hub.clock",
        }  # fmt: skip


def test_nobody_has_published_yet(site: Site) -> None:
    """Said at once, with what to do."""
    with DirectoryReader(site.settings("hub.gate")) as reader, pytest.raises(DirectoryError) as caught:
        reader.wait(10)
    assert "manara directory publish" in caught.value.remedy


def test_a_key_under_a_foreign_root_is_not_believed(site: Site) -> None:
    """The operator cannot invent a key for a member: neither under another root nor by exchanging the root."""
    forged_root = key_of("forged root")
    forged = keys.certify(
        site.agency("QA"), key_of("forger").public, forged_root, valid_from=NOW - DAY, valid_until=NOW + DAY
    )
    put(site, site.draft().with_keys([forged]))
    put(site, site.draft().with_roots({"QA": forged_root.public}).with_keys([forged]))
    with DirectoryReader(site.settings("edge.qb")) as reader:
        directory = reader.wait()
        assert key_of("forger").kid not in directory.keys
        assert any("QA: the root in the directory is not the pinned one" in said for said in reader.refused)
        first = reader.at_seq(1)
        assert first is not None
        assert key_of("forger").kid not in first.keys
        assert key_of(site.agency("QA")).kid in first.keys


def test_without_pins_no_key_is_believed(site: Site) -> None:
    """Members and agencies are, keys are not."""
    put(site, site.draft())
    with DirectoryReader(site.settings("hub.gate", roots={})) as reader:
        directory = reader.wait()
    assert set(directory.members) == {"QA", "QB"}
    assert directory.keys == {}


def test_a_reader_follows_new_snapshots_and_passes_over_what_is_none(site: Site) -> None:
    """It keeps the last good one, and an older number never wins."""
    record = put(site, site.draft())
    with DirectoryReader(site.settings("hub.gate")) as reader:
        reader.wait()
        operator = clients.producer(site.kafka("operator"))
        for value in (b"", b"\x00\x00", b"hello, world", None):
            operator.produce(site.names.directory, key=b"x", value=value, partition=0)
        operator.flush(10)
        assert reader.poll().seq == 1
        put(site, site.draft(standing="SUSPENDED"))
        directory = until(lambda: (found := reader.poll()).seq == 2 and found, "the second never came")
        assert directory.members["QB"].standing == "SUSPENDED"
        publish(site.settings("operator"), {**record, "at": NOW + 1})
        publish(site.settings("operator"), {**record, "directory_seq": 3})
        assert until(lambda: (found := reader.poll()).seq == 3 and found, "the third never came").seq == 3
        first = reader.at_seq(1)
        assert first is not None
        assert first.at == NOW


def test_who_may_not_publish_is_told(site: Site) -> None:
    """The broker refuses everybody but the operator."""
    record = site.draft().record(1, NOW)
    with pytest.raises(BrokerError) as caught:
        publish(site.settings(site.agency("QA")), record)
    assert caught.value.cause is Cause.RIGHTS
    assert site.names.directory in caught.value.message


def test_a_reader_without_the_right_is_told_within_seconds(site: Site) -> None:
    """Kafka itself says nothing to a reader that assigns."""
    elsewhere = site.settings(site.agency("QA")).model_copy(update={"topic_prefix": "other."})
    with DirectoryReader(elsewhere) as reader, pytest.raises(BrokerError, match="has no right to the topic"):
        reader.wait(15)


def test_a_reader_that_cannot_log_in_is_told_within_seconds(site: Site) -> None:
    """Not "timed out"."""
    wrong = site.settings(kafka=site.kafka("hub.gate", password="wrong", password_file=None))
    with DirectoryReader(wrong) as reader, pytest.raises(BrokerError, match="does not accept the user hub"):
        reader.wait(15)
