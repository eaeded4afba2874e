"""Durable stores: made, migrated, refused when newer or damaged; transactions whole or not at all; one owner a lock."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import apsw
import pytest

from manara.errors import InUseError, ManaraError, StoreError
from manara.stores import lock, open_store, transaction

SCHEMA = "create table log (at integer primary key, text text); create index by_text on log (text)"


def test_a_new_store_is_private_durable_and_complete(tmp_path: Path) -> None:
    """Every statement of the schema has run, and a power cut takes nothing that was committed."""
    path = tmp_path / "state" / "x.db"
    db = open_store(path, SCHEMA, version=3)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    names = {row[0] for row in db.execute("select name from sqlite_master")}
    assert {"log", "by_text"} <= names
    pragmas = {
        name: next(iter(db.execute(f"pragma {name}")))[0] for name in ("journal_mode", "synchronous", "user_version")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "user_version": 3}


def test_a_store_is_brought_up_version_by_version(tmp_path: Path) -> None:
    """What was in it stays."""
    path = tmp_path / "x.db"
    db = open_store(path, SCHEMA, version=1)
    with transaction(db):
        db.execute("insert into log values (1, 'kept')")
    db.close()
    steps = {2: "alter table log add column two", 3: "alter table log add column three"}
    db = open_store(path, "not used", version=3, migrations=steps)
    assert list(db.execute("select at, text, two, three from log")) == [(1, "kept", None, None)]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The store is as before, and opens as before."""
    path = tmp_path / "x.db"
    open_store(path, SCHEMA, version=1).close()
    steps = {2: "alter table log add column two; select no_such_function()"}
    with pytest.raises(apsw.SQLError):
        open_store(path, "", version=2, migrations=steps)
    db = open_store(path, SCHEMA, version=1)
    assert [row[1] for row in db.execute("pragma table_info(log)")] == ["at", "text"]


def test_a_newer_store_is_refused_in_words(tmp_path: Path) -> None:
    """An old release does not write into it."""
    path = tmp_path / "x.db"
    open_store(path, SCHEMA, version=2).close()
    with pytest.raises(StoreError, match="written by a newer release"):
        open_store(path, SCHEMA, version=1)


def test_a_file_that_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    """Nothing in it is touched."""
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database, whatever it may be called" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="damaged or is not ours"):
        open_store(path, SCHEMA, version=1)
    assert path.read_bytes() == before


def test_a_damaged_store_is_refused_in_words(tmp_path: Path) -> None:
    """A page overwritten by noise is found when it is opened."""
    path = tmp_path / "x.db"
    db = open_store(path, SCHEMA, version=1)
    with transaction(db):
        db.executemany("insert into log values (?, ?)", [(number, f"{number:0500}") for number in range(500)])
    db.execute("pragma wal_checkpoint(truncate)").fetchall()
    db.close()
    with path.open("r+b") as file:
        file.seek(4096 * 10)
        file.write(b"\xa5" * 4096 * 4)
    with pytest.raises(StoreError, match="damaged"):
        open_store(path, SCHEMA, version=1)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """No traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ManaraError, match="file"):
        open_store(tmp_path / "file" / "x.db", SCHEMA, version=1)


def test_a_transaction_is_whole_or_nothing(tmp_path: Path) -> None:
    """Any exception takes all of it back."""
    db = open_store(tmp_path / "x.db", SCHEMA, version=1)
    with pytest.raises(ZeroDivisionError), transaction(db):
        _ = 1 / next(iter(db.execute("insert into log values (1, 'x') returning 0")))[0]
    with transaction(db):
        db.execute("insert into log values (2, 'y')")
    assert list(db.execute("select at from log")) == [(2,)]


def test_a_full_disk_is_said_and_takes_the_transaction_back(tmp_path: Path) -> None:
    """SQLite's own page limit stands for the disk."""
    db = open_store(tmp_path / "x.db", SCHEMA, version=1)
    db.execute("pragma max_page_count = 8").fetchall()
    many = [(number, "x" * 1000) for number in range(1000)]
    with pytest.raises(StoreError, match="disk is full") as caught, transaction(db):
        db.executemany("insert into log values (?, ?)", many)
    assert "nothing is lost" in caught.value.remedy
    assert list(db.execute("select count(*) from log")) == [(0,)]


def test_a_second_writer_waits_and_then_says_so(tmp_path: Path) -> None:
    """The write lock is taken at the beginning, so nobody fails in the middle."""
    first = open_store(tmp_path / "x.db", SCHEMA, version=1)
    second = open_store(tmp_path / "x.db", SCHEMA, version=1)
    second.set_busy_timeout(50)
    with transaction(first), pytest.raises(StoreError, match="busy"), transaction(second):
        pytest.fail("two writers at once")
    with transaction(second):
        second.execute("insert into log values (1, 'x')")


def test_a_lock_has_one_owner_who_is_named(tmp_path: Path) -> None:
    """And it is free again when the owner lets go."""
    path = tmp_path / "relay.lock"
    with (
        lock(path, purpose="the relay's work"),
        pytest.raises(InUseError, match=f"process {os.getpid()}.*the relay's work"),
    ):
        lock(path, purpose="the relay's work")
    with lock(path):
        pass


def _hold(path: Path, ready: object) -> None:
    lock(path)
    ready.set()  # type: ignore[attr-defined]
    os.kill(os.getpid(), 9)


def test_a_killed_owner_keeps_no_lock(tmp_path: Path) -> None:
    """The kernel lets go of it."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    child = context.Process(target=_hold, args=(tmp_path / "l", ready))
    child.start()
    child.join(20)
    assert child.exitcode == -9
    with lock(tmp_path / "l"):
        pass
