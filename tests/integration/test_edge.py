"""The edge on a real broker and a real PostgreSQL: everything once, whatever is killed; nothing false, whoever lies."""

# Over 400 lines because all of it is said of one edge between the same broker and database.
from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from consumers.edge import Edge
from consumers.inbox import Inbox
from manara import metrics
from manara.embedded.postgres import EmbeddedPostgres
from manara.errors import InUseError
from tests.support.alerts import Author
from tests.support.directories import DAY, network
from tests.support.entries import sent
from tests.support.feeds import Corner, Pens, now_us, until
from tests.support.kafka import Broker
from tests.support.postgres import Database
from tests.support.running import running

pytestmark = pytest.mark.integration


@pytest.fixture
def dsn(postgres: Database) -> str:
    """The member's national database."""
    return postgres.fresh()


@pytest.fixture
def corner(kafka: Broker, tmp_path: Path) -> Corner:
    """Azerbaijan's corner of the network."""
    return Corner(kafka, tmp_path)


@pytest.fixture
def pens(corner: Corner) -> Pens:
    """Who writes."""
    return Pens(corner)


def stored(dsn: str) -> int:
    """Rows of the append-only table: a double would count."""
    return int(ask(dsn, "select count(*) from effects where true")[0][0])


def ask(dsn: str, question: str) -> list[Any]:
    """What a query gives; nothing before the tables are there."""
    with psycopg.connect(dsn) as db:
        try:
            return db.execute(question.encode()).fetchall()
        except psycopg.errors.UndefinedTable:
            return [(0,)]


def test_alerts_reach_the_national_database_and_receipts_go_back(corner: Corner, pens: Pens, dsn: str) -> None:
    """The whole way: feed, verification, inbox, PostgreSQL, signed receipt at the hub."""
    messages = pens.write(9)
    with running(corner.settings(postgres=dsn)):
        corner.put(messages)
        until(lambda: stored(dsn) == 9, "nine alerts are stored")
        until(lambda: len(corner.receipts()) == 9, "nine receipts are sent")
    receipts = corner.receipts()
    assert {receipt["stage"] for receipt in receipts} == {"STORED"}
    digests = {digest for (digest,) in ask(dsn, "select digest from alerts")}
    assert {receipt["digest"] for receipt in receipts} == digests
    assert {receipt["agency"] for receipt in receipts} == {"kz-border", "tr-customs", "ae-fiu"}


def test_a_restarted_edge_reads_on_where_it_stood(corner: Corner, pens: Pens, dsn: str) -> None:
    """Positions are in the inbox: what was read before is not read again."""
    settings = corner.settings(postgres=dsn)
    corner.put(pens.write(6))
    with running(settings):
        until(lambda: stored(dsn) == 6, "six alerts are stored")
    again_before = metrics.repeated.labels("AZ")._value.get()
    corner.put(pens.write(3))
    with running(settings):
        until(lambda: stored(dsn) == 9, "three more are stored")
    assert metrics.repeated.labels("AZ")._value.get() == again_before
    until(lambda: len(corner.receipts()) == 9, "one receipt each", 1)


def test_what_a_lying_hub_sends_is_kept_and_delays_nobody(corner: Corner, pens: Pens, dsn: str) -> None:
    """Tampered, forged and misplaced messages between good ones, in one feed."""
    good, bad = pens.write(6), pens.write(3)
    tampered = bad[0]._replace(value=(bad[0].value or b"")[:-1] + b"X")
    unsigned = bad[1]._replace(headers=tuple(h for h in bad[1].headers if h[0] != "sig"))
    misplaced = bad[2]._replace(topic=corner.feeds["person"])
    absent = good[0]._replace(value=None)
    with running(corner.settings(postgres=dsn)):
        corner.put([good[0], tampered, good[1], unsigned, good[2], misplaced, absent, *good[3:]])
        until(lambda: stored(dsn) == 6, "the good ones are stored")
    with Inbox.open(corner.place) as inbox:
        kept = inbox.db.execute("select reason, value from refused").fetchall()
    assert sorted(kept, key=str) == sorted(
        [
            ("BAD_SIGNATURE", tampered.value),
            ("BAD_SIGNATURE", unsigned.value),
            ("MALFORMED", None),
            ("SCHEMA_MISMATCH", misplaced.value),
        ],
        key=str,
    )


def test_a_database_that_stops_and_starts_loses_and_doubles_nothing(corner: Corner, pens: Pens, tmp_path: Path) -> None:
    """The inbox takes everything in meanwhile; the file drop is not delayed by it."""
    drop = tmp_path / "drop"
    server = EmbeddedPostgres(tmp_path / "postgres").start()
    port = server.port
    try:
        dsn = server.create_member("AZ")
        with running(corner.settings(postgres=dsn, filedrop=drop)):
            corner.put(pens.write(5))
            until(lambda: stored(dsn) == 5, "five alerts are stored")
            server.stop()
            corner.put(pens.write(5))
            until(lambda: dropped(drop) == 10, "the other sink has all ten")
            server = EmbeddedPostgres(tmp_path / "postgres", port=port).start()
            until(lambda: stored(dsn) == 10, "the database has all ten")
            until(lambda: len(corner.receipts()) == 10, "and the receipts follow")
    finally:
        server.stop()


def dropped(folder: Path) -> int:
    """Lines in the file drop."""
    return sum(len(file.read_text().splitlines()) for file in folder.glob("*.ndjson"))


def test_a_feed_made_anew_is_read_from_the_beginning(corner: Corner, pens: Pens, dsn: str) -> None:
    """Offsets of the old topic mean nothing in the new one; what comes again is silent, and is receipted again."""
    settings = corner.settings(postgres=dsn)
    old = [one for one in pens.write(9) if one.topic == corner.feeds["person"]]
    corner.put(old)
    with running(settings):
        until(lambda: stored(dsn) == 3, "three alerts are stored")
        until(lambda: len(corner.receipts()) == 3, "three receipts")
    corner.delete(corner.feeds["person"])
    corner.create([topic for topic in corner.topics if topic.name == corner.feeds["person"]])
    new = [one for one in pens.write(3) if one.topic == corner.feeds["person"]]
    corner.put([*old[:2], *new])
    with running(settings):
        until(lambda: stored(dsn) == 4, "the new one is stored, which a bare offset would have skipped")
        until(lambda: len(corner.receipts()) == 6, "two come again, one is new")
    assert stored(dsn) == 4


def test_a_feed_made_anew_under_a_running_edge_is_noticed(
    corner: Corner, pens: Pens, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Topics are looked at every few seconds."""
    monkeypatch.setattr("consumers.source.LOOK_SECONDS", 0.5)
    with running(corner.settings(postgres=dsn)):
        corner.put(pens.write(9))
        until(lambda: stored(dsn) == 9, "nine alerts are stored")
        corner.delete(corner.feeds["person"])
        corner.create([topic for topic in corner.topics if topic.name == corner.feeds["person"]])
        corner.put([one for one in pens.write(3) if one.topic == corner.feeds["person"]])
        until(lambda: stored(dsn) == 10, "the alert in the new topic is stored")


def test_an_alert_that_overtakes_the_directory_is_taken_when_its_key_is_known(
    kafka: Broker, tmp_path: Path, dsn: str
) -> None:
    """The hub knew the new agency's key first; the edge refuses, follows the directory, and stores it after all."""
    now = now_us()
    whole = network(2, now=now)
    corner = Corner(kafka, tmp_path, net=network(1, now=now, keys={"kz-border": None}))
    author = Author.of("kz-border")
    with running(corner.settings(postgres=dsn)):
        corner.put([sent(author.write(now=now), at=now, topic=corner.feeds["person"])])
        with Inbox.open(corner.place) as inbox:
            count = "select count(*) from refused where reason = 'UNKNOWN_KEY'"
            until(lambda: inbox.db.execute(count).fetchone() == (1,), "it is refused")
            corner.publish(whole)
            until(lambda: stored(dsn) == 1, "it is stored")
            assert inbox.db.execute("select settled_at is not null from refused").fetchall() == [(1,)]


def test_a_change_of_our_own_agencys_key_raises_an_alarm(corner: Corner, dsn: str) -> None:
    """The operator cannot forge one, but our root could have been misused: our people must know."""
    now = corner.net.directory.at
    with running(corner.settings(postgres=dsn)), Inbox.open(corner.place) as inbox:
        until(lambda: inbox.directory() is not None, "the directory is in use")
        changed = {"az-police": {"compromised_since": now, "sequence": 2}, "eg-police": None}
        corner.publish(network(2, now=now, keys=changed))
        alarms = "select event, holder, detail from alarms"
        until(lambda: inbox.db.execute(alarms).fetchall() != [], "the alarm is there")
        assert inbox.db.execute(alarms).fetchall() == [("CHANGED", "az-police", "compromised_since")]


def test_receipts_wait_for_the_directory_to_know_our_key(kafka: Broker, tmp_path: Path, dsn: str) -> None:
    """Alerts are stored all the same; the receipts follow when they will be believed."""
    now = now_us()
    corner = Corner(kafka, tmp_path, net=network(1, now=now, keys={"edge.az": None}))
    pens = Pens(corner)
    with running(corner.settings(postgres=dsn)):
        corner.put(pens.write(3))
        until(lambda: stored(dsn) == 3, "the alerts are stored")
        assert corner.receipts() == []
        corner.publish(network(2, now=now))
        until(lambda: len(corner.receipts()) == 3, "the receipts are sent")


def test_the_heartbeat_is_kept_for_the_desk(corner: Corner, dsn: str) -> None:
    """The latest one at the start, and those that come."""
    corner.beat(1)
    corner.beat(2)
    with running(corner.settings(postgres=dsn)), Inbox.open(corner.place) as inbox:
        until(lambda: inbox.meta("heartbeat_sequence") == 2, "the last heartbeat is kept")
        corner.beat(3)
        until(lambda: inbox.meta("heartbeat_sequence") == 3, "the next one is, too")
        assert abs(int(inbox.meta("heartbeat_seen") or 0) - now_us()) < 30_000_000
        assert inbox.meta("edge_seen")


def test_two_edges_cannot_work_on_one_inbox(corner: Corner, dsn: str) -> None:
    """The second one says who is there."""
    settings = corner.settings(postgres=dsn)
    with running(settings), Inbox.open(corner.place) as inbox:
        until(lambda: inbox.meta("edge_seen") is not None, "the edge works")
        with pytest.raises(InUseError):
            Edge(settings).run(threading.Event())


def test_a_withdrawal_purges_everywhere_and_is_receipted(corner: Corner, pens: Pens, dsn: str, tmp_path: Path) -> None:
    """The whole way: stored, withdrawn by its author, gone from inbox, log, database and drop, proof kept, PURGED."""
    drop, mark = tmp_path / "drop", secrets.token_hex(16)
    now, author = now_us(), Author.of("kz-border")
    first = author.write(now=now, record={"description": mark})
    order = author.follow(first, "WITHDRAW", now=now)
    late = author.follow(first, "UPDATE", version=3, now=now, record={"description": mark})
    feed = corner.feeds["person"]
    with running(corner.settings(postgres=dsn, filedrop=drop)):
        corner.put([sent(first, at=now, topic=feed), *pens.write(3)])
        until(lambda: stored(dsn) == 4 and dropped(drop) == 4, "all is stored")
        assert ask(dsn, f"select count(*) from alerts where record->>'description' = '{mark}'") == [(1,)]
        assert in_files(corner.place, mark)
        assert in_files(drop, mark)
        corner.put([sent(order, at=now, topic=feed)])
        until(lambda: "PURGED" in {receipt["stage"] for receipt in corner.receipts()}, "the purge is receipted")
        assert in_files(corner.place, mark) == []
        assert in_files(drop, mark) == []
        corner.put([sent(late, at=now, topic=feed)])
        until(lambda: stored(dsn) == 6, "the late version is known")
    purged = [receipt["digest"] for receipt in corner.receipts() if receipt["stage"] == "PURGED"]
    assert purged[:1] == [order.digest]
    assert in_files(corner.place, mark) == []
    gone = "select version, digest, length(value), record::text, purged_at is not null from alerts "
    assert ask(dsn, f"{gone} where alert_id = '{first.alert_id}' order by 1") == [
        (1, first.digest, 0, "{}", True),
        (2, order.digest, 0, "{}", True),
        (3, late.digest, 0, "{}", True),
    ]
    assert ask(dsn, f"select count(*) from names where alert_id = '{first.alert_id}'") == [(0,)]
    assert ask(dsn, "select count(*) from living") == [(3,)]
    assert ask(dsn, "select digest from withdrawals") == [(order.digest,)]


def in_files(folder: Path, mark: str) -> list[str]:
    """The files below a folder in which the mark stands."""
    found = [file for file in folder.rglob("*") if file.is_file()]
    return sorted(file.name for file in found if mark.encode() in file.read_bytes())


def test_purged_is_not_said_while_one_sink_still_holds_it(corner: Corner, dsn: str, tmp_path: Path) -> None:
    """The second sink is away: the order waits there, over a restart of the edge, and then the receipt comes."""
    drop = tmp_path / "drop"
    now, author = now_us(), Author.of("kz-border")
    first = author.write(now=now)
    order = author.follow(first, "WITHDRAW", now=now)
    settings = corner.settings(postgres=dsn, filedrop=drop)
    with running(settings):
        corner.put([sent(first, at=now, topic=corner.feeds["person"])])
        until(lambda: stored(dsn) == 1 and dropped(drop) == 1, "it is in both")
    away = drop.rename(tmp_path / "away")
    drop.touch()
    with running(settings):
        corner.put([sent(order, at=now, topic=corner.feeds["person"])])
        until(lambda: len(corner.receipts()) == 2, "the order is stored in the first")
    drop.unlink()
    away.rename(drop)
    assert {receipt["stage"] for receipt in corner.receipts()} == {"STORED"}
    with running(settings):
        until(lambda: len(corner.receipts()) == 3, "the second has purged")
    assert corner.receipts()[-1]["stage"] == "PURGED"


def test_the_life_of_an_alert_shows_in_the_national_database(corner: Corner, dsn: str) -> None:
    """Suspended, extended, review due, expired by the network's time, cancelled: as the view has it."""
    now, author = now_us(), Author.of("kz-border")
    feed = corner.feeds["person"]
    one = author.write(now=now, expires_at=now + DAY, review_at=now + 3_600_000_000)
    two = author.follow(one, "SUSPEND", now=now, expires_at=now + DAY, review_at=now + 3_600_000_000)
    other = author.write(now=now, expires_at=now + 40 * DAY)
    living = "select suspended, review_due from living order by expires_at"
    with running(corner.settings(postgres=dsn)):
        corner.beat(1, now)
        corner.put([sent(one, at=now, topic=feed), sent(other, at=now, topic=feed)])
        until(lambda: ask(dsn, living) == [(False, False), (False, False)], "both live")
        corner.put([sent(two, at=now, topic=feed)])
        until(lambda: ask(dsn, living) == [(True, False), (False, False)], "one is suspended")
        corner.beat(2, now + 7_200_000_000)
        until(lambda: ask(dsn, living) == [(True, True), (False, False)], "its review is due")
        corner.beat(3, now + 2 * DAY)
        until(lambda: ask(dsn, living) == [(False, False)], "it has expired")
        corner.put([sent(author.follow(other, "CANCEL", now=now), at=now, topic=feed)])
        until(lambda: ask(dsn, living) == [], "the other is cancelled")


def test_an_empty_edge_is_filled_from_its_feeds_in_bulk(corner: Corner, pens: Pens, dsn: str) -> None:
    """Judged in several processes, stored by COPY: everything once, what is false refused, progress to the end."""
    for _ in range(20):
        corner.put(pens.write(60))
    bad = pens.write(1)[0]
    corner.put([bad._replace(value=(bad.value or b"")[:-1] + b"X")])
    edge, stop, told = Edge(corner.settings(postgres=dsn), resync=True), threading.Event(), []
    edge.advanced = lambda taken, waiting: told.append((taken, waiting))
    thread = threading.Thread(target=edge.run, args=(stop,))
    thread.start()
    try:
        until(lambda: stored(dsn) == 1200, "all are stored")
        until(lambda: len(corner.receipts()) == 1200, "all are receipted")
    finally:
        stop.set()
        thread.join(30)
    assert told[-1] == (1201, 0)
    assert ask(dsn, "select count(*), count(distinct (agency, alert_id, version)) from alerts") == [(1200, 1200)]
    with Inbox.open(corner.place) as inbox:
        assert inbox.db.execute("select reason from refused").fetchall() == [("BAD_SIGNATURE",)]
    with running(corner.settings(postgres=dsn)):  # and from a database lost altogether, without the broker
        with psycopg.connect(dsn) as db:
            db.execute("truncate alerts, names, identifiers, waypoints, transfers, effects, cursor")
            db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where pid <> pg_backend_pid() and usename = current_user"
            )
        corner.put(pens.write(1))
        until(lambda: stored(dsn) == 1201, "the inbox fills it again")


def test_a_broker_whose_data_is_gone_is_followed_with_new_topic_ids(corner: Corner, pens: Pens, dsn: str) -> None:
    """All topics are made anew under the running edge, agencies send again, some of it is new: every one once."""
    messages = pens.write(9)
    corner.put(messages)
    with running(corner.settings(postgres=dsn)):
        until(lambda: stored(dsn) == 9 and len(corner.receipts()) == 9, "nine alerts are stored and receipted")
    corner.delete(*(topic.name for topic in corner.topics))
    corner.create(corner.topics)
    corner.publish(corner.net)
    corner.put([*messages[::-1], *pens.write(3)])
    with running(corner.settings(postgres=dsn)):
        until(lambda: stored(dsn) == 12, "the new ones are stored")
        until(lambda: len(corner.receipts()) == 12, "receipts for all go to the new topic")
    assert ask(dsn, "select count(*), count(distinct digest) from alerts") == [(12, 12)]


def test_a_database_restored_from_an_older_backup_catches_up(corner: Corner, pens: Pens, dsn: str) -> None:
    """With what was withdrawn since: the backup's content goes again, by the order that comes again."""
    now, author = now_us(), Author.of("kz-border")
    first = author.write(now=now)
    order = author.follow(first, "WITHDRAW", now=now)
    tables = ("alerts", "names", "identifiers", "waypoints", "transfers", "notices", "withdrawals", "cursor", "effects")
    with running(corner.settings(postgres=dsn)):
        corner.put([sent(first, at=now, topic=corner.feeds["person"]), *pens.write(6)])
        until(lambda: stored(dsn) == 7, "seven are stored")
    with psycopg.connect(dsn) as db:
        for table in tables:
            db.execute(f"create table backup_{table} as select * from {table}".encode())
    with running(corner.settings(postgres=dsn)):
        corner.put([sent(order, at=now, topic=corner.feeds["person"]), *pens.write(6)])
        until(lambda: stored(dsn) == 14, "fourteen are stored")
    with psycopg.connect(dsn) as db:
        for table in tables:
            db.execute(f"delete from {table}; insert into {table} select * from backup_{table}".encode())
    assert ask(dsn, "select count(*) from living") == [(7,)]
    with running(corner.settings(postgres=dsn)):
        until(lambda: stored(dsn) == 14, "what came after the backup is there again")
    assert ask(dsn, f"select length(value) from alerts where alert_id = '{first.alert_id}'") == [(0,), (0,)]
    assert ask(dsn, "select count(*), count(distinct digest) from alerts") == [(14, 14)]
    assert ask(dsn, "select count(*) from living") == [(12,)]
