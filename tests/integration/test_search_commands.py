"""`manara search` as a desk meets it: the command over an inbox, on record each time; and beside a real edge that
purges."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import apsw
import pytest

from consumers.inbox import Inbox
from consumers.search.audit import FILE_NAME as AUDIT
from consumers.search.audit import Audit, user
from consumers.search.index import Index
from tests.support.alerts import Author
from tests.support.entries import accepted, alerts, filled, sent, unruly
from tests.support.feeds import Corner, now_us, until
from tests.support.kafka import Broker
from tests.support.process import ENVIRONMENT, command, said
from tests.support.running import running

pytestmark = pytest.mark.integration
CASE = ("--case", "AZ-2026/118")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The settings file of a member whose inbox holds three persons, one of them an exercise and one FLASH."""
    folder = tmp_path / "az"
    author = Author.of("kz-border")
    made = [
        accepted(sent(author.write(precedence=precedence, status=status)))
        for precedence, status in (("ROUTINE", "ACTUAL"), ("FLASH", "EXERCISE"), ("PRIORITY", "ACTUAL"))
    ]
    filled(folder, made).close()
    file = folder / "manara.toml"
    file.write_text(f'folder = "{folder}"\nmember = "AZ"\n')
    return file


def asked(config: Path, *words: str, typed: str = "") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a search."""
    done = subprocess.run(
        command("--config", str(config), "search", *words),
        capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False, input=typed,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_search_finds_says_why_and_is_on_record(config: Path) -> None:
    """FLASH first, EXERCISE on each of its lines, score and evidence; the audit holds the question, the logs do not."""
    code, found, more = asked(config, "Tural Invented", "--born", "1984", *CASE)
    assert code == 0
    blocks = found.rstrip().split("\n\n")
    assert [block.split()[0] for block in blocks] == ["EXERCISE", "PRIORITY", "ROUTINE"]
    assert all(line.startswith(" EXERCISE ") for line in blocks[0].splitlines() if line)
    assert all("EXERCISE" not in block for block in blocks[1:])
    assert "birth dates agree" in found
    assert "DISCONNECTED" in more
    assert "Tural" not in more
    code, found, _ = asked(config, "audit", "--json")
    told = json.loads(found)
    assert code == 0
    assert told["whole"]
    (one,) = told["searches"]
    assert (one["case"], one["user"], one["what"], len(one["found"])) == ("AZ-2026/118", user(), "any+name", 3)
    assert one["query"]["name"] == "Tural Invented"
    assert stat.S_IMODE((config.parent / AUDIT).stat().st_mode) == 0o600


def test_machines_get_one_document_and_nothing_found_is_exit_code_3(config: Path) -> None:
    """A number in other digits, from standard input; then one that nobody has, which is on record all the same."""
    code, found, _ = asked(config, "-", "--json", *CASE, typed="p ٠٠٠٠٠٠٠١\n")
    assert code == 0
    told = json.loads(found)
    assert [one["precedence"] for one in told["found"]] == ["FLASH", "PRIORITY", "ROUTINE"]
    assert [one["exercise"] for one in told["found"]] == [True, False, False]
    assert {one["band"] for one in told["found"]} == {"STRONG"}
    assert told["alerts_searched"] == 3
    code, found, more = asked(config, "--document", "Q7654321", *CASE)
    assert (code, found) == (3, "")
    assert "Nothing found" in more
    code, found, _ = asked(config, "audit")
    assert found.count("\n") == 3
    assert "Q7654321" in found


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("Tural Invented",), "No case is named"),
        (("x", *CASE), "too little"),
        (("--", "audit"), "No case is named"),
    ],
)
def test_what_is_wrongly_asked_is_a_sentence(config: Path, words: tuple[str, ...], sentence: str) -> None:
    """Exit code 2, no traceback, and nothing on record."""
    code, found, more = asked(config, *words)
    assert (code, found) == (2, "")
    assert sentence in more
    assert "what to do" in more
    assert "Traceback" not in more
    assert not (config.parent / AUDIT).exists()


def test_help_says_how_to_ask_and_what_exit_codes_mean() -> None:
    """And where the record is read."""
    code, words = said("search", "--help")
    assert code == 0
    for what in ("--case", "3: nothing found", "search audit", "--offline-dir", "Example"):
        assert what in words


def test_hostile_text_reaches_no_terminal_and_no_sql(config: Path) -> None:
    """Neither what is asked nor what an alert says can steer the screen."""
    name = "Evil \u202eNamed\x1b[31m [bold]Person[/bold]"
    folder = config.parent
    record = {"names": [{"full": name, "parts": [], "script": "", "lang": "", "kind": "BIRTH"}]}
    with Inbox.open(folder) as inbox:
        inbox.take([unruly(agency="eg-police", record=record)], now=now_us())
    code, found, more = asked(config, "Evil Named Person' or 1=1 --", *CASE)
    assert code == 0
    _, recorded, _ = asked(config, "audit")
    for text in (found, more, recorded):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "[bold]Person[/bold]" in found


def test_the_record_cannot_be_changed_unseen(config: Path) -> None:
    """Not through SQLite; and where it was done past it, the command says so."""
    folder = config.parent
    with Audit.open(folder) as record:
        for number in range(3):
            record.record(f"case {number}", "name", {"name": "x"}, [], now_us())
        for change in ("delete from searches", "update searches set user = 'nobody'"):
            with pytest.raises(apsw.ConstraintError):
                record.db.execute(change)
        assert record.broken() == 0
        record.db.execute("drop trigger searches_hold")
        record.db.execute("update searches set user = 'nobody' where number = 2")
        assert record.broken() == 2
    code, _, more = asked(config, "audit")
    assert code == 1
    assert "does not hold from row 2" in more


def test_a_copy_is_searched_without_settings(config: Path) -> None:
    """`--offline-dir`: a folder carried to where there is no network."""
    done = subprocess.run(
        command("search", "P00000001", *CASE, "--offline-dir", str(config.parent)),
        capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "DISCONNECTED" not in done.stderr
    empty = config.parent / "nothing"
    code, words = said("search", "P00000001", *CASE, "--offline-dir", str(empty))
    assert code == 1
    assert "no inbox" in words


def test_a_real_edge_keeps_the_index_and_purges_it_before_it_says_so(kafka: Broker, tmp_path: Path) -> None:
    """Taken in without a search; after a withdrawal nothing is listed, and the receipt PURGED comes after that."""
    corner = Corner(kafka, tmp_path)
    now = now_us()
    pen = Author.of("kz-border")
    kept, gone = pen.write(now=now), pen.write(now=now)
    topic = corner.feeds["person"]
    with running(corner.settings(filedrop=tmp_path / "drop")), Index.open(corner.place) as index:
        corner.put([sent(kept, at=now, topic=topic), sent(gone, at=now, topic=topic)])
        until(lambda: index.count() == 2, "the edge lists both")
        corner.put([sent(pen.follow(gone, "WITHDRAW", now=now), at=now, topic=topic)])
        until(lambda: index.count() == 1, "the withdrawn one is taken out")
        until(lambda: any(one["stage"] == "PURGED" for one in corner.receipts()), "its purge is receipted")
        with Inbox.open(corner.place) as inbox:
            by = inbox.db.execute("select sink from purged_by order by sink").fetchall()
        assert by == [("filedrop",), ("search",)]
    document: Any = json.loads(
        subprocess.run(
            command("search", "P00000001", *CASE, "--ended", "--json", "--offline-dir", str(corner.place)),
            capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=True,
        ).stdout
    )  # fmt: skip
    assert [one["alert_id"] for one in document["found"]] == [kept.alert_id]


def test_two_searches_at_once_make_one_index(config: Path) -> None:
    """Each takes in what the other has not."""
    with Inbox.open(config.parent) as inbox:
        inbox.take(alerts(60, agency="eg-police"), now=now_us())
    words = command("--config", str(config), "search", "P00000001", *CASE, "--json", "--limit", "1000")
    all_ = [subprocess.Popen(words, stdout=subprocess.PIPE, env=ENVIRONMENT) for _ in range(3)]
    for one in all_:
        found, _ = one.communicate(timeout=90)
        assert len(json.loads(found)["found"]) == 63
    with Index.open(config.parent) as index:
        assert index.count() == 63
