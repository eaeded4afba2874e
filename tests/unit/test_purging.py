"""Withdrawal in the inbox: the bytes leave the files, the proof stays, nothing brings them back; and retention."""

from __future__ import annotations

import secrets
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers import inbox_schema, purging, retention
from consumers.entry import link
from consumers.inbox import FILE_NAME, Inbox
from consumers.judging import Accepted
from manara.stores import open_store
from schemas.recipient import Incoming, replay
from tests.support.alerts import Author
from tests.support.directories import DAY, NOW
from tests.support.entries import accepted, alerts, lives, refused, sent


def marked(mark: str, *messages: str) -> list[Accepted]:
    """An alert whose every version, its withdrawal's note too, holds the mark."""
    pen = Author.of("az-police")
    before = pen.write(record={"description": f"{mark} 1"})
    made = [accepted(sent(before))]
    for name in messages:
        given = {"note": f"{mark} end"} if name == "WITHDRAW" else {"record": {"description": f"{mark} again"}}
        before = pen.follow(before, name, **given)
        made.append(accepted(sent(before)))
    return made


def in_files(folder: Path, mark: str) -> list[str]:
    """The files of the inbox, log included, in which the mark stands."""
    return sorted(file.name for file in folder.glob(f"{FILE_NAME}*") if mark.encode() in file.read_bytes())


def test_a_withdrawal_takes_the_bytes_out_of_the_file_and_its_log(tmp_path: Path) -> None:
    """Among thousands of others, also where the alert was refused once and kept; no other alert is touched."""
    mark, other = secrets.token_hex(16), secrets.token_hex(16)
    made = marked(mark, "UPDATE", "SUSPEND", "WITHDRAW")
    unsigned = made[0].message._replace(offset=99, headers=made[0].message.headers[1:])
    crowd = alerts(60, agency="eg-police", record={"description": other * 20})
    with Inbox.open(tmp_path) as inbox:
        inbox.take([*crowd[:30], *made[:3], *crowd[30:]], [refused(unsigned)], now=NOW)
        assert in_files(tmp_path, mark)
        inbox.take(made[3:], now=NOW + 1)
        assert purging.scrub(inbox.db, NOW + 2)
        assert in_files(tmp_path, mark) == []
        assert in_files(tmp_path, other) == [FILE_NAME]
        entries = inbox.find(made[0].arrival.alert_id, "az-police")
        assert [(entry.bare, entry.digest) for entry in entries] == [(True, one.arrival.digest) for one in made]
        assert inbox.db.execute("select version, digest, at, purged_at, scrubbed_at from withdrawals").fetchall() == [
            (4, made[3].arrival.digest, NOW, NOW + 1, NOW + 2)
        ]


def test_a_reader_that_keeps_the_log_delays_the_scrub_and_not_the_purge(tmp_path: Path) -> None:
    """PURGED is not said as long as the bytes are in the log."""
    mark = secrets.token_hex(16)
    made = marked(mark, "WITHDRAW")
    with Inbox.open(tmp_path) as inbox, Inbox.open(tmp_path) as reader:
        inbox.take(made[:1], now=NOW)
        inbox.db.set_busy_timeout(10)
        reader.db.execute("begin")
        assert len(reader.after(0, 9)) == 1
        inbox.take(made[1:], now=NOW)
        assert not purging.scrub(inbox.db, NOW)
        purging.passed(inbox.db, "postgres", 2)
        assert purging.complete(inbox.db, ["postgres"]) == []
        reader.db.execute("commit")
        assert purging.scrub(inbox.db, NOW)
        assert in_files(tmp_path, mark) == []
        assert purging.complete(inbox.db, ["postgres"]) == [2]


def test_a_version_that_comes_after_the_order_is_never_stored(tmp_path: Path) -> None:
    """Only that it came, and its digest; a repeat and a refused message bring nothing back either."""
    mark = secrets.token_hex(16)
    made = marked(mark, "UPDATE", "WITHDRAW")
    unsigned = made[0].message._replace(offset=99, headers=made[0].message.headers[1:])
    with Inbox.open(tmp_path) as inbox:
        inbox.take([made[0], made[2]], now=NOW)
        inbox.take([made[1], made[0], made[2]], [refused(unsigned)], now=NOW)
        purging.scrub(inbox.db, NOW)
        assert in_files(tmp_path, mark) == []
        assert [(entry.version, entry.bare) for entry in inbox.after(0, 9)] == [(1, True), (3, True), (2, True)]
        assert inbox.unsettled(["BAD_SIGNATURE"])[0][1].value is None


def test_another_agencys_order_with_the_same_id_purges_nothing(tmp_path: Path) -> None:
    """Identity is (agency, alert id)."""
    mine = marked("mine")
    pen = Author.of("eg-police")
    theirs = pen.write(alert_id=mine[0].arrival.alert_id)
    order = pen.follow(theirs, "WITHDRAW")
    with Inbox.open(tmp_path) as inbox:
        inbox.take([*mine, accepted(sent(theirs)), accepted(sent(order))], now=NOW)
        assert [entry.bare for entry in inbox.after(0, 9)] == [False, True, True]


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=6), st.sampled_from(["WITHDRAW", "CANCEL"]))
def test_whatever_the_order_and_the_repeats_the_end_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], again: list[int], end: str
) -> None:
    """What the inbox holds is what `schemas/recipient.py` says, and content is gone exactly where it must be."""
    made = lives("ALERT", "UPDATE", "NO_LONGER_ADDRESSED", "RESUME", end)
    with Inbox.open(tmp_path_factory.mktemp("inbox")) as inbox:
        for index in [*order, *again]:
            inbox.take([made[index]], now=NOW)
        first = made[0].arrival
        expected = replay(
            Incoming(one.arrival.version, one.arrival.message, one.arrival.digest, "person") for one in made
        )
        assert expected is not None
        assert inbox.held(first.agency, first.alert_id) == expected
        bare = {entry.bare for entry in inbox.after(0, 9) if entry.type == "ALERT"}
        assert bare == {expected.purge}


def test_what_has_ended_long_ago_is_emptied_and_remembered(tmp_path: Path) -> None:
    """By its end or by its expiry, 90 days later, once every sink has it; a replay of it is no news."""
    ended = lives("ALERT", "CANCEL")
    living = alerts(1, agency="eg-police")
    expired = alerts(1, agency="kz-border", expires_at=NOW + DAY)
    with Inbox.open(tmp_path) as inbox:
        inbox.take([*ended, *living, *expired], [refused(ended[0].message._replace(value=b"?"))], now=NOW)
        assert retention.empty_old(inbox.db, 90, NOW + 100 * DAY) == 0  # no sink has come so far
        inbox.db.execute("insert into sinks values ('postgres', 4, 1, 0, 'OK', '')")
        assert retention.empty_old(inbox.db, 90, NOW + 89 * DAY) == 0
        assert retention.empty_old(inbox.db, 90, NOW + 95 * DAY) == 2
        assert retention.empty_old(inbox.db, 90, NOW + 95 * DAY) == 0
        assert [entry.bare for entry in inbox.after(0, 9)] == [True, True, False, True]
        assert inbox.db.execute("select count(*) from refused").fetchone() == (0,)
        assert inbox.take(ended, now=NOW + 96 * DAY).again == 2


def test_the_room_of_what_was_emptied_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a start, if it is much; numbers, digests and chain stay."""
    monkeypatch.setattr(retention, "WORTH", 10)
    made = alerts(40, record={"description": "x" * 2000}, expires_at=NOW + DAY)
    with Inbox.open(tmp_path) as inbox:
        inbox.take(made, now=NOW)
        inbox.db.execute("insert into sinks values ('postgres', 40, 1, 0, 'OK', '')")
        before = [(entry.number, entry.digest, entry.chain) for entry in inbox.after(0, 50)]
        retention.empty_old(inbox.db, 1, NOW + 9 * DAY)
        inbox.db.execute("pragma wal_checkpoint(truncate)").fetchall()
        large = (tmp_path / FILE_NAME).stat().st_size
        assert retention.compact(inbox.db)
        inbox.db.execute("pragma wal_checkpoint(truncate)").fetchall()
        assert (tmp_path / FILE_NAME).stat().st_size < large / 2
        assert [(entry.number, entry.digest, entry.chain) for entry in inbox.after(0, 50)] == before
        assert not retention.compact(inbox.db)


def test_an_inbox_of_the_first_release_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its entries stay whole and deliverable, and can be withdrawn."""
    made = marked("old mark", "WITHDRAW")
    old = open_store(tmp_path / FILE_NAME, inbox_schema._TABLES, version=1)
    names = ", ".join(["number", "chain", *made[0].arrival.__dataclass_fields__])
    values = (1, link(b"", made[0].arrival.digest), *astuple(made[0].arrival))
    old.execute(f"insert into inbox({names}) values ({', '.join('?' * len(values))})", values)
    old.close()
    with Inbox.open(tmp_path) as inbox:
        (entry,) = inbox.after(0, 9)
        assert entry.intact
        inbox.take(made[1:], now=NOW)
        purging.scrub(inbox.db, NOW)
        assert [entry.bare for entry in inbox.after(0, 9)] == [True, True]
    assert in_files(tmp_path, "old mark") == []
