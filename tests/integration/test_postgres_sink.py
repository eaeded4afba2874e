"""The PostgreSQL sink against a real server: the contract of sinks, the tables, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from consumers.errors import SinkUnavailableError
from consumers.sinks.contract import Sink
from consumers.sinks.postgres import PostgresSink
from schemas.signature import read, verify
from tests.support.directories import key_of
from tests.support.entries import alerts, entries, mixture, unruly
from tests.support.postgres import Database
from tests.support.sink_contract import Key, SinkContract

pytestmark = pytest.mark.integration


def rows(dsn: str, question: str) -> list[Any]:
    """What a query gives."""
    with psycopg.connect(dsn) as db:
        return db.execute(question.encode()).fetchall()


class PostgresSystem:
    """One member's database on the run's server."""

    def __init__(self, server: Database) -> None:
        self._server = server
        self.dsn = server.fresh()

    def sink(self) -> Sink:
        """A new adapter."""
        return PostgresSink(SecretStr(self.dsn))

    def holds(self) -> list[Key]:
        """The rows of the append-only table, so that a double would show; each must be in `alerts` too."""
        effects: list[Key] = rows(self.dsn, "select agency, alert_id, version from effects order by 1, 2, 3")
        assert rows(self.dsn, "select agency, alert_id, version from alerts order by 1, 2, 3") == effects
        return effects

    forgets = True

    def state(self, agency: str, alert_id: str) -> str:
        """By the view that national systems ask, and by what stands against it."""
        where = f"where agency = '{agency}' and alert_id = '{alert_id}'"
        living = rows(self.dsn, f"select suspended from living {where}")
        if living:
            return "SUSPENDED" if living[0][0] else "ACTIVE"
        if rows(self.dsn, f"select from withdrawals {where}"):
            return "WITHDRAWN"
        ends = rows(self.dsn, f"select message from alerts {where} and message in ('CANCEL', 'FULFIL')")
        if ends:
            return {"CANCEL": "CANCELLED", "FULFIL": "FULFILLED"}[ends[0][0]]
        return "LEFT_OUT" if rows(self.dsn, f"select from notices {where}") else ""

    def finds(self, text: str) -> bool:
        """In any column of any table of ours."""
        named = "select table_name from information_schema.tables where table_schema = 'public'"
        tables = [name for (name,) in rows(self.dsn, f"{named} and table_type = 'BASE TABLE'")]
        hexed = text.encode().hex()
        return any(
            text in row or hexed in row
            for table in tables
            for (row,) in rows(self.dsn, f"select t::text from {table} t")
        )

    def fail(self) -> Callable[[], None]:
        """Forbid the role to write its tables, and end its connections."""
        role = conninfo_to_dict(self.dsn)["user"]
        self._as_superuser(f"revoke connect on database {role} from {role}, public")
        self._as_superuser(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'")
        return lambda: self._as_superuser(f"grant connect on database {role} to {role}")

    def _as_superuser(self, statement: str) -> None:
        with psycopg.connect(self._server.superuser_dsn(), autocommit=True) as db:
            db.execute(statement.encode())


class TestPostgresKeepsTheContract(SinkContract):
    """The PostgreSQL sink passes every law."""

    @pytest.fixture
    def system(self, postgres: Database) -> PostgresSystem:
        """A fresh database."""
        return PostgresSystem(postgres)


@pytest.fixture
def dsn(postgres: Database) -> str:
    """A fresh database."""
    return postgres.fresh()


def deliver(dsn: str, tmp_path: Path, made: Any) -> Any:
    """Put these into the database and give back the entries."""
    batch = entries(made, tmp_path / "inbox")
    sink = PostgresSink(SecretStr(dsn))
    sink.open("inbox")
    sink.deliver(batch, batch[-1].cursor)
    sink.close()
    return batch


def test_what_an_alert_holds_can_be_queried(dsn: str, tmp_path: Path) -> None:
    """Names, numbers, waypoints and transfers are rows beside the alert."""
    deliver(dsn, tmp_path, mixture(3))
    assert rows(dsn, "select name, script, kind from names where lower(name) = 'tural invented'") == [
        ("Tural Invented", "Latn", "BIRTH")
    ]
    assert rows(dsn, "select type, value from identifiers order by value") == [
        ("CONTAINER", "CSQU3054383"),
        ("PASSPORT", "P00000001"),
    ]
    assert rows(dsn, "select ordinal, code, role, round(lat) from waypoints order by ordinal") == [
        (0, "TRMER", "ORIGIN", 37),
        (1, "EGPSD", "DESTINATION", 31),
    ]
    assert [(a, str(b), c) for a, b, c in rows(dsn, "select amount_minor, amount, currency from transfers")] == [
        (1_250_000, "12500.00", "EUR")
    ]
    assert rows(dsn, "select record->'header'->>'agency' from alerts where kind = 'route'") == [("tr-customs",)]


def test_the_signed_bytes_in_the_database_verify(dsn: str, tmp_path: Path) -> None:
    """A national system can prove to a court what the author signed."""
    deliver(dsn, tmp_path, alerts(1))
    ((value, sig),) = rows(dsn, "select value, sig from alerts")
    verify(read(sig), value[5:], key_of("az-police").public)


def test_a_version_left_out_by_the_hub_is_no_longer_living(dsn: str, tmp_path: Path) -> None:
    """The view shows what is still addressed to us."""
    deliver(dsn, tmp_path, mixture(3))
    assert rows(dsn, "select count(*) from living") == [(2,)]
    assert rows(dsn, "select type, version from notices") == [("NO_LONGER_ADDRESSED", 2)]


@pytest.mark.parametrize("odd", ["a\x00b", "x" * 20_000, "\u202eabc", "'; drop table alerts; --", "\U0001f600"])
def test_any_text_that_can_be_signed_can_be_stored(dsn: str, tmp_path: Path, odd: str) -> None:
    """Neither the character that PostgreSQL lacks nor a name too long for an index stops an alert."""
    name = {"full": odd, "parts": [], "script": "Latn", "lang": "", "kind": "BIRTH"}
    number = {"type": "OTHER", "value": odd, "country": ""}
    deliver(dsn, tmp_path, [unruly(record={"names": [name], "identifiers": [number], "description": odd})])
    expected = odd.replace("\x00", "\ufffd")
    assert rows(dsn, "select n.name, i.value, record->>'description' from alerts, names n, identifiers i") == [
        (expected,) * 3
    ]


@pytest.mark.parametrize("odd", [2**63 - 1, -(2**63), 0])
def test_any_time_that_can_be_signed_can_be_stored(dsn: str, tmp_path: Path, odd: int) -> None:
    """A time outside of PostgreSQL's and Python's range is held at its end."""
    deliver(dsn, tmp_path, [unruly(expires_at=odd, effective_at=odd)])
    assert len(rows(dsn, "select expires_at from alerts")) == 1


def test_two_edges_may_migrate_at_once(dsn: str) -> None:
    """The second waits for the first and finds the work done."""
    first, second = PostgresSink(SecretStr(dsn)), PostgresSink(SecretStr(dsn))
    first.open("a")
    second.open("b")
    assert rows(dsn, "select version from schema_version") == [(1,), (2,)]
    first.close()
    second.close()


def test_tables_of_a_newer_release_are_left_alone(dsn: str) -> None:
    """An old edge on a new database says so."""
    sink = PostgresSink(SecretStr(dsn))
    sink.open("a")
    with psycopg.connect(dsn) as db:
        db.execute("insert into schema_version(version) values (99)")
    with pytest.raises(SinkUnavailableError, match="99"):
        sink.open("a")
    sink.close()


def test_a_restored_backup_stands_where_its_rows_are(dsn: str, tmp_path: Path) -> None:
    """The cursor goes back with the rows, so what was lost is delivered again."""
    batch = deliver(dsn, tmp_path, alerts(6))
    with psycopg.connect(dsn) as db:  # as of before the last three
        db.execute("delete from alerts where alert_id = any(%s)", ([entry.alert_id for entry in batch[3:]],))
        db.execute("update cursor set number = 3, chain = %s", (batch[2].chain,))
    sink = PostgresSink(SecretStr(dsn))
    assert sink.open("inbox") == batch[2].cursor
    assert sink.deliver(batch[3:], batch[-1].cursor).effects == 3
    sink.close()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"password": "wrong"}, "user or password"),
        ({"dbname": "absent"}, "does not exist"),
        ({"port": "1"}, "No PostgreSQL answers"),
        ({"host": "nowhere.invalid"}, "No PostgreSQL answers"),
    ],
)
def test_why_a_database_cannot_be_used_is_a_sentence(dsn: str, change: dict[str, Any], sentence: str) -> None:
    """What to do stands beside it; the password stands nowhere."""
    secret = str(conninfo_to_dict(dsn)["password"])
    with pytest.raises(SinkUnavailableError, match=sentence) as caught:
        PostgresSink(SecretStr(make_conninfo(dsn, **change))).open("inbox")
    assert caught.value.remedy
    assert secret not in f"{caught.value}{caught.value.__context__!r}"


def test_a_setting_that_is_no_connection_string_is_not_repeated() -> None:
    """It may hold a password, even wrongly written."""
    with pytest.raises(SinkUnavailableError, match="not a connection string") as caught:
        PostgresSink(SecretStr("postgres secret words")).open("inbox")
    assert "secret" not in str(caught.value)
