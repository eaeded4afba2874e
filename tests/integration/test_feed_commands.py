"""`manara feed` and `manara show` as a desk meets them: on a terminal, in a pipe, before the edge has run."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.inbox import Inbox
from schemas import codec
from schemas.registry import by_name
from tests.support.alerts import Author
from tests.support.directories import NOW, Network, network
from tests.support.entries import accepted, alerts, filled, sent
from tests.support.process import ENVIRONMENT, command, said

pytestmark = pytest.mark.integration
NET = network()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The settings file of a member whose inbox holds three exercises, one of them FLASH."""
    folder = tmp_path / "az"
    author = Author.of("kz-border")
    made = [accepted(sent(author.write(precedence=one))) for one in ("ROUTINE", "FLASH", "PRIORITY")]
    keep_directory(filled(folder, made), NET)
    file = folder / "manara.toml"
    pins = "".join(f'{name} = "{pin}"\n' for name, pin in NET.pins.items())
    file.write_text(f'folder = "{folder}"\nmember = "AZ"\n[roots]\n{pins}')
    return file


def keep_directory(inbox: Inbox, net: Network) -> None:
    """As the edge keeps it."""
    frame = codec.frame(by_name("directory"), codec.encode(by_name("directory"), net.record))
    inbox.keep_directory(1, frame, [], NOW)
    inbox.close()


def test_a_pipe_gets_one_document_a_line(config: Path) -> None:
    """FLASH first, then the connection that is not there; exit code 0."""
    code, words = said("--config", str(config), "feed", "--no-follow")
    told = [json.loads(row) for row in words.splitlines()]
    assert code == 0
    assert [row.get("precedence", row["type"]) for row in told] == ["FLASH", "PRIORITY", "ROUTINE", "DISCONNECTED"]
    assert told[0]["record"]["names"][0]["full"] == "Tural Invented"


def test_show_tells_people_and_machines(config: Path) -> None:
    """The beginning of an id is enough where it is clear."""
    with Inbox.open(config.parent) as inbox:
        named = inbox.after(0, 1)[0].alert_id
    code, words = said("--config", str(config), "show", named)
    assert code == 0
    assert "signature: GOOD" in words
    assert all(row.startswith(" EXERCISE ") for row in words.splitlines()[2:] if row)
    code, words = said("--config", str(config), "show", f"kz-border/{named}", "--json")
    assert json.loads(words)["entries"][0]["signature"]["state"] == "GOOD"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "ffffffff"), "holds no alert"),
        (("feed", "--since", "yesterday"), "is no time"),
        (("feed", "--kind", "boat"), "is no kind of alert"),
    ],
)
def test_what_is_wrongly_asked_is_a_sentence(config: Path, arguments: tuple[str, ...], sentence: str) -> None:
    """Exit code 2 and no traceback."""
    code, words = said("--config", str(config), *arguments)
    assert code == 2
    assert sentence in words
    assert "what to do" in words
    assert "Traceback" not in words


def test_a_member_without_an_inbox_is_told_what_to_do(tmp_path: Path) -> None:
    """Before the edge has run."""
    file = tmp_path / "manara.toml"
    file.write_text('folder = "nothing"\nmember = "AZ"\n')
    code, words = said("--config", str(file), "feed")
    assert code == 1
    assert "manara edge" in words


class Terminal:
    """A command on a terminal of 100 columns."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        environment = {**ENVIRONMENT, "COLUMNS": "100", "TERM": "xterm-256color"}
        self.child = subprocess.Popen(
            command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self.screen = ""

    def wait(self, words: str, seconds: float = 20) -> None:
        """Read until these words are on the screen."""
        deadline = time.monotonic() + seconds
        while words not in self.screen:
            assert time.monotonic() < deadline, f"{words!r} is not on the screen:\n{self.screen}"
            if select.select([self._ours], [], [], 0.1)[0]:
                self.screen += os.read(self._ours, 65536).decode(errors="replace")

    def close(self) -> None:
        """End the command, whatever it does."""
        self.child.kill()
        self.child.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(config: Path) -> Iterator[Terminal]:
    """The feed of the last years on a terminal."""
    found = Terminal("--config", str(config), "feed", "--since", "2020-01-01")
    yield found
    found.close()


def test_a_terminal_shows_alerts_as_they_come_and_when_it_is_cut_off(config: Path, terminal: Terminal) -> None:
    """EXERCISE stands on every line of each; Ctrl-C ends it quietly."""
    terminal.wait("ROUTINE")
    terminal.wait("DISCONNECTED")
    rows = [row for row in terminal.screen.splitlines() if "Tural" in row or "LOCATE" in row]
    assert rows
    assert all("EXERCISE" in row for row in rows)
    with Inbox.open(config.parent) as inbox:
        inbox.take(alerts(1, agency="eg-police", status="ACTUAL"), now=time.time_ns() // 1000)
        terminal.wait("eg-police")
        now = time.time_ns() // 1000
        inbox.put_meta({"edge_seen": now, "heartbeat_seen": now})
        terminal.wait("connected again")
    terminal.child.send_signal(signal.SIGINT)
    assert terminal.child.wait(10) == 130
    assert "Traceback" not in terminal.screen
