"""The edge as a process: killed at any moment it loses and doubles nothing; wrongly set up it says a sentence."""

from __future__ import annotations

import random
import signal
import socket
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from consumers.inbox import Inbox
from consumers.sinks.filedrop import STATE_FOLDER
from manara import keys
from tests.support.directories import key_of
from tests.support.feeds import Corner, Pens, until
from tests.support.kafka import Broker
from tests.support.postgres import Database
from tests.support.process import process, said

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def dsn(postgres: Database) -> str:
    """The member's national database."""
    return postgres.fresh()


@pytest.fixture
def corner(kafka: Broker, tmp_path: Path) -> Corner:
    """Azerbaijan's corner of the network."""
    return Corner(kafka, tmp_path)


def effects(dsn: str) -> list[Any]:
    """Every row of the append-only table; none before it is there."""
    with psycopg.connect(dsn) as db:
        try:
            return db.execute("select agency, alert_id, version from effects").fetchall()
        except psycopg.errors.UndefinedTable:
            return []


def test_an_edge_killed_at_random_moments_stores_everything_once(corner: Corner, dsn: str, tmp_path: Path) -> None:
    """Seven kills while alerts come in: none lost or doubled in inbox, database or drop, each one receipted."""
    chance = random.Random(20261124)
    config, log, drop = (
        corner.config(postgres=dsn, filedrop=tmp_path / "drop"),
        tmp_path / "edge.log",
        tmp_path / "drop",
    )
    pens, sent = Pens(corner), 0
    for _ in range(7):
        with process(log, "--config", str(config), "edge") as child:
            before = len(effects(dsn))
            for _ in range(4):
                corner.put(pens.write(chance.randrange(5, 40)))
            sent = pens.written
            until(lambda before=before: len(effects(dsn)) > before, "something is stored")  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.08))
            child.send_signal(signal.SIGKILL)
            assert child.wait(10) == -signal.SIGKILL
    with process(log, "--config", str(config), "edge") as child:
        corner.put(pens.write(5))
        sent = pens.written
        until(lambda: len(effects(dsn)) >= sent, "everything is stored")
        until(lambda: len({receipt["digest"] for receipt in corner.receipts()}) == sent, "everything is receipted")
        until(lambda: lines(drop) >= sent, "everything is in the other sink")
        child.terminate()
        assert child.wait(20) == 0
    found = effects(dsn)
    assert len(found) == len(set(found)) == sent
    assert lines(drop) == sent
    with Inbox.open(corner.place) as inbox:
        assert inbox.tip().number == sent
        assert inbox.db.execute("select count(*) from refused").fetchone() == (0,)
    assert "Traceback" not in log.read_text()


def lines(folder: Path) -> int:
    """Lines in the files that a reader of the drop sees."""
    return sum(len(file.read_text().splitlines()) for file in folder.glob("*.ndjson"))


def test_one_process_hosts_two_members_and_the_failure_of_one_is_its_own(
    kafka: Broker, tmp_path: Path, postgres: Database
) -> None:
    """The second member's inbox is damaged; the first one's alerts arrive all the same, and /ready tells them apart."""
    good, bad = Corner(kafka, tmp_path / "good"), Corner(kafka, tmp_path / "bad", member="TR")
    dsn = postgres.fresh()
    first, second = good.config(postgres=dsn, http_port=free_port()), bad.config(postgres=postgres.fresh())
    (bad.place / "inbox.db").write_bytes(b"this is no database" * 100)
    pens = Pens(good)
    good.put(pens.write(6))
    with process(tmp_path / "edge.log", "edge", "--config", str(first), "--config", str(second)) as child:
        until(lambda: len(effects(dsn)) == 6, "the good edge works")
        until(lambda: "is started again" in (tmp_path / "edge.log").read_text(), "the bad one says so")
        (bad.place / "inbox.db").unlink()
        theirs = Pens(bad)
        bad.put(theirs.write(3))
        until(lambda: len(bad.receipts()) == 3, "the bad one is cured without a restart")
        child.terminate()
        assert child.wait(20) == 0
    assert "Traceback" not in (tmp_path / "edge.log").read_text()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refusals(corner: Corner, dsn: str, **changes: Any) -> str:
    """The settings file with some lines changed."""
    text = corner.config(postgres=dsn).read_text()
    for name, value in changes.items():
        text = "\n".join(f'{name} = "{value}"' if line.startswith(f"{name} =") else line for line in text.splitlines())
    file = corner.place / "wrong.toml"
    file.write_text(text + "\n")
    return str(file)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bootstrap": "127.0.0.1:1"}, "No Kafka broker can be reached"),
        ({"username": "nobody"}, "does not accept the user nobody or its password"),
        ({"member": "KZ"}, "has no right to the topic"),
        ({"key": "/nowhere/edge.pem"}, "The key cannot be read"),
        ({"member": ""}, "needs the setting `member`"),
        ({"member": "Azerbaijan"}, "member"),
        ({"operator": "12"}, "roots"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_a_sentence(corner: Corner, dsn: str, changes: dict[str, str], sentence: str) -> None:
    """With an exit code, without a traceback and without any secret."""
    code, words = said("--config", refusals(corner, dsn, **changes), "edge")
    assert sentence in words
    assert code in (1, 2)
    assert "Traceback" not in words
    assert corner.password() not in words


def test_a_taken_port_is_a_sentence(corner: Corner, dsn: str) -> None:
    """The port of /metrics."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        code, words = said("--config", str(corner.config(postgres=dsn, http_port=port)), "edge")
    assert f"Port {port}" in words
    assert code == 1
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"password": "wrong"}, "user or password"), ({"dbname": "absent"}, "does not exist"), ({"port": "1"}, "answers")],
)
def test_an_edge_without_its_database_says_so_and_goes_on(
    corner: Corner, dsn: str, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    """What comes is kept in the inbox."""
    pens = Pens(corner)
    corner.put(pens.write(3))
    log = tmp_path / "edge.log"
    config = corner.config(postgres=make_conninfo(dsn, **change))
    with process(log, "--config", str(config), "edge"), Inbox.open(corner.place) as inbox:
        until(lambda: inbox.tip().number == 3, "the inbox has them")
        until(lambda: sentence in log.read_text(), "it is said")
    assert "Traceback" not in log.read_text()
    assert "password=" not in log.read_text()


def test_a_full_disk_under_the_file_drop_is_a_sentence(corner: Corner, dsn: str, tmp_path: Path) -> None:
    """/dev/full takes nothing; the other sink is not held up, and the drop catches up when there is room."""
    drop, log = tmp_path / "drop", tmp_path / "edge.log"
    state = drop / STATE_FOLDER
    state.mkdir(parents=True)
    (state / "cursor.part").symlink_to("/dev/full")
    pens = Pens(corner)
    corner.put(pens.write(3))
    with process(log, "--config", str(corner.config(postgres=dsn, filedrop=drop)), "edge"):
        until(lambda: "the disk is full" in log.read_text(), "it is said")
        until(lambda: len(effects(dsn)) == 3, "the database has them")
        (state / "cursor.part").unlink()
        until(lambda: lines(drop) == 3, "the drop has them, too")
    assert "Traceback" not in log.read_text()


def test_the_wrong_key_holds_receipts_back_and_says_why(corner: Corner, dsn: str, tmp_path: Path) -> None:
    """Another member's key file: alerts are stored, and nothing is signed that the hub would refuse."""
    other = tmp_path / "other.pem"
    keys.save(other, key_of("edge.tr"))
    pens, log = Pens(corner), tmp_path / "edge.log"
    corner.put(pens.write(3))
    with process(log, "--config", refusals(corner, dsn, key=other), "edge"):
        until(lambda: len(effects(dsn)) == 3, "the alerts are stored")
        until(lambda: "Receipts wait" in log.read_text(), "it is said")
    assert corner.receipts() == []
