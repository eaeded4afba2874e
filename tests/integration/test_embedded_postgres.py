"""The embedded PostgreSQL: its life, its members, and what it says when it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from manara.embedded.errors import EmbeddedError, FolderInUseError, PasswordError, PortTakenError
from manara.embedded.postgres import EmbeddedPostgres
from tests.support.postgres import Database

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server beside the run's one, which tests may stop and start; its folder has a name that is no plain word."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("own") / "Ülkä ışığı = 1") as server:
        yield server


def ask(dsn: str, question: str) -> object:
    """The one value that a query gives."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def changed(dsn: str, **parts: str) -> str:
    """A connection string with other parts."""
    return make_conninfo(dsn, **parts)


def test_a_member_owns_its_database(postgres: Database) -> None:
    """The member's role creates what it needs in the member's database."""
    dsn = postgres.create_member("AZ")
    assert ask(dsn, "SELECT current_user || '@' || current_database()") == "manara_az@manara_az"
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE owned (id int)")


def test_making_a_member_again_changes_nothing(postgres: Database) -> None:
    """The same member has the same password and keeps its data."""
    first = postgres.create_member("TR")
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE stays AS SELECT 7 AS value")
    second = postgres.create_member("tr")
    assert first == second
    assert ask(second, "SELECT value FROM stays") == 7


def test_a_member_cannot_connect_to_another_members_database(postgres: Database) -> None:
    """What one state stored, no other state's role can reach; nor the server's own database."""
    mine, other = postgres.create_member("MA"), postgres.create_member("EG")
    for database in (conninfo_to_dict(other)["dbname"], "postgres"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(changed(mine, dbname=str(database)))


def test_a_member_has_no_power_over_the_server(postgres: Database) -> None:
    """A member's role can make neither roles nor databases, nor read the server's files."""
    dsn = postgres.create_member("KZ")
    for forbidden in ("CREATE ROLE other", "CREATE DATABASE other", "COPY pg_class TO '/tmp/out'"):
        with psycopg.connect(dsn, autocommit=True) as connection, pytest.raises(psycopg.Error):
            connection.execute(forbidden)


def test_a_wrong_or_missing_password_is_refused(postgres: Database) -> None:
    """Nobody is trusted for coming from this machine."""
    dsn = postgres.create_member("AE")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(changed(dsn, password="wrong"))
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(changed(dsn, password="", passfile="/dev/null"))


def test_the_server_keeps_scram_verifiers_alone(postgres: Database) -> None:
    """Passwords are stored as SCRAM-SHA-256 verifiers, for every role."""
    postgres.create_member("AZ")
    stored = ask(
        postgres.superuser_dsn(),
        "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid WHERE rolcanlogin",
    )
    assert stored is True


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_what_is_acknowledged_is_on_disk(postgres: Database, setting: str) -> None:
    """Durability is not traded for speed, not even in a demonstration."""
    assert ask(postgres.superuser_dsn(), f"SHOW {setting}") == "on"


def test_the_server_listens_on_loopback_alone(postgres: Database) -> None:
    """One address, no socket file."""
    assert ask(postgres.superuser_dsn(), "SHOW listen_addresses") == "127.0.0.1"
    assert ask(postgres.superuser_dsn(), "SHOW unix_socket_directories") == ""


def test_the_version_is_the_servers_own(postgres: Database) -> None:
    """The version that is reported is the one that runs."""
    assert ask(postgres.superuser_dsn(), "SHOW server_version") == postgres.version


def test_case_and_order_do_not_depend_on_the_machine(postgres: Database) -> None:
    """Cyrillic is folded to lower case whatever locales the machine has."""
    assert ask(postgres.superuser_dsn(), "SELECT lower('ЖАНДАРМ')") == "жандарм"


def test_data_and_address_survive_stop_and_start(own: EmbeddedPostgres) -> None:
    """The same folder holds the same rows and passwords."""
    dsn = own.create_member("AZ")
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    own.stop()
    assert own.pid is None
    own.start()
    assert own.create_member("AZ") == dsn
    assert ask(dsn, "SELECT value FROM kept") == 42


def test_a_server_that_was_killed_is_started_again(own: EmbeddedPostgres) -> None:
    """After kill -9 of the server, the same object starts it again, and what was committed is there."""
    dsn = own.create_member("EG")
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE committed AS SELECT 1 AS value")
    pid = own.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while own.running and time.monotonic() < deadline:
        time.sleep(0.02)
    assert own.pid is None
    own.start()
    assert ask(dsn, "SELECT value FROM committed") == 1


def test_two_servers_run_at_once(postgres: Database, own: EmbeddedPostgres) -> None:
    """Each has its port and its superuser's password."""
    assert conninfo_to_dict(postgres.superuser_dsn())["port"] != str(own.port)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(changed(postgres.superuser_dsn(), port=str(own.port)))


def test_a_folder_serves_one_server(own: EmbeddedPostgres) -> None:
    """A second start in the same folder is refused, and the first is not disturbed."""
    with pytest.raises(FolderInUseError, match="in use by another server"):
        EmbeddedPostgres(own.folder).start()
    assert own.running


def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    """The port that was asked for is named, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} on 127.0.0.1 is taken"):
            EmbeddedPostgres(tmp_path / "postgres", port=port).start()


def test_a_changed_password_file_stops_the_start_in_words(own: EmbeddedPostgres) -> None:
    """Who loses the superuser's password is told at once."""
    own.stop()
    file = own.folder / "superuser.password"
    kept = file.read_text()
    file.write_text("another\n")
    try:
        with pytest.raises(PasswordError, match=r"does not accept the password in .*superuser\.password"):
            own.start()
        assert not own.running
    finally:
        file.write_text(kept)
        own.start()


@pytest.mark.parametrize("code", ["", "A B", "x'; DROP ROLE postgres", "a" * 41])
def test_what_is_no_members_code_is_refused(own: EmbeddedPostgres, code: str) -> None:
    """A name for a role and a database is checked before it is used."""
    with pytest.raises(EmbeddedError, match="is no member's code"):
        own.create_member(code)
