"""The listener of a status topic, its client's records given by hand: who is believed, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manara import kafka
from producers import standing
from producers.ledger import Ledger
from producers.listening import Listener
from producers.outbox import LIVE, Ack, Outbox
from schemas import message
from schemas.directory import Directory
from schemas.registry import by_name
from tests.support.agency import settings_for, verdict
from tests.support.directories import NOW, Network, network
from tests.unit.test_outbox import AGENCY, KEY, draft, open_box

TOPICS = ("status", "heartbeat")


class Record:
    """One status record as the client gives it."""

    def __init__(self, offset: int, name: str, record: dict[str, Any], holder: str) -> None:
        self._offset = offset
        self._value, self._headers = message.sign_record(by_name(name), record, network().key(holder))

    def error(self) -> None:
        """It arrived."""

    def topic(self) -> str:
        """Of the agency."""
        return TOPICS[0]

    def partition(self) -> int:
        """The only one."""
        return 0

    def offset(self) -> int:
        """Its place."""
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        """Log time."""
        return 2, NOW // 1000

    def headers(self) -> Any:
        """With the signature."""
        return self._headers

    def value(self) -> bytes:
        """As it was signed."""
        return self._value


class Client:
    """A consumer that gives what it was handed."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def consume(self, _most: int, _wait: float) -> list[Record]:
        """All that is there."""
        given, self.records = self.records, []
        return given


@pytest.fixture
def outbox(tmp_path: Path) -> Any:
    """An outbox with two messages sent."""
    made = open_box(tmp_path)
    made.accept([draft(1), draft(2)], KEY, partition=LIVE, now=NOW)
    made.settle("c", "one", NOW)
    made.acknowledge([Ack(1, 1), Ack(2, 2)], "one", NOW)
    yield made
    made.close()


def listener(
    outbox: Outbox, known: list[Directory], client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Listener:
    """A listener that has just started."""
    monkeypatch.setattr(kafka, "consumer", lambda *_rest, **_options: client)
    settings = settings_for(folder, None, "", network()).kafka
    return Listener(settings, Ledger(outbox, AGENCY), TOPICS, lambda: known[-1])


def verdict_on(digest: str, offset: int, holder: str = "hub.gate") -> Record:
    """ADMITTED, by `holder`."""
    return Record(offset, "verdict", {"agency": AGENCY, "verdicts": [verdict(digest)]}, holder)


def without(holder: str, seq: int) -> Network:
    """A directory that does not know this holder's key."""
    return network(seq, keys={holder: None})


def test_a_verdict_under_a_key_not_known_yet_is_judged_again_by_a_new_directory(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept over a restart and a directory that does not help; those after it are not held up; judged once."""
    first, second = (one.digest for one in standing.by_number(outbox, [1, 2]))
    client, known = Client(), [without("hub.gate", 1).directory]
    client.records = [verdict_on(first, 0), verdict_on(second, 1, "hub.clock"), verdict_on(second, 2)]
    assert listener(outbox, known, client, tmp_path, monkeypatch).step(0)
    assert Ledger(outbox, AGENCY).position("status", 0, "") == 3
    hearing = listener(outbox, known, client, tmp_path, monkeypatch)
    known.append(without("hub.gate", 2).directory)
    assert not hearing.step(0)
    assert [one.stage for one in standing.by_number(outbox, [1, 2])] == ["SENT", "SENT"]
    known.append(network(3).directory)
    assert hearing.step(0)
    assert [one.stage for one in standing.by_number(outbox, [1, 2])] == ["ADMITTED", "ADMITTED"]
    assert (hearing.taken, hearing.step(0), Ledger(outbox, AGENCY).unknown()) == (2, False, [])


def test_what_was_kept_is_believed_no_more_easily(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict of another holder, whose key turns up later, is let go of."""
    (first,) = (one.digest for one in standing.by_number(outbox, [1]))
    client, known = Client(), [without("hub.clock", 1).directory]
    client.records = [verdict_on(first, 0, "hub.clock")]
    hearing = listener(outbox, known, client, tmp_path, monkeypatch)
    assert hearing.step(0)
    assert len(Ledger(outbox, AGENCY).unknown()) == 1
    known.append(network(2).directory)
    assert hearing.step(0)
    assert Ledger(outbox, AGENCY).unknown() == []
    assert standing.by_number(outbox, [1])[0].stage == "SENT"
