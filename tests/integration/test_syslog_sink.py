"""The syslog sink against a real TCP collector: the contract of sinks, frames, escapes, TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.entry import Entry
from consumers.errors import SinkUnavailableError
from consumers.sinks.cef import event, frame
from consumers.sinks.contract import Sink
from consumers.sinks.syslog import Syslog
from manara.settings import SyslogSettings
from schemas.recipient import Incoming, replay
from tests.support.certificates import self_signed
from tests.support.entries import alerts, entries, mixture, unruly
from tests.support.receivers import Collector, cef, frames
from tests.support.sink_contract import Key, SinkContract, keys

pytestmark = pytest.mark.integration


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Somebody else's server."""
    server = Collector()
    yield server
    server.close()


class SyslogSystem:
    """A collector that keeps all it gets, and dedupes by the inbox's number and the key."""

    forgets = False

    def __init__(self, collector: Collector, folder: Path) -> None:
        self.collector, self.folder = collector, folder

    def sink(self, **changes: Any) -> Sink:
        """A new adapter."""
        given = {"address": f"127.0.0.1:{self.collector.port}", "timeout": 2}
        return Syslog(SyslogSettings(**{**given, **changes}), self.folder)

    def events(self) -> list[dict[str, str]]:
        """The fields of each event, repeats left out."""
        return list({text: fields for text in self.collector.texts for fields in [cef(text)[1]]}.values())

    def holds(self) -> list[Key]:
        """The alerts among the events."""
        found = [fields for fields in self.events() if fields["act"] != "NO_LONGER_ADDRESSED"]
        return sorted((*_identity(fields), int(fields["cn1"])) for fields in found)

    def state(self, agency: str, alert_id: str) -> str:
        """By the events."""
        mine = [fields for fields in self.events() if _identity(fields) == (agency, alert_id)]
        held = replay(Incoming(int(one["cn1"]), one["act"], one["cs3"], one["cat"]) for one in mine)
        return held.state if held else ""

    def finds(self, text: str) -> bool:
        """In any event."""
        return any(text in one for one in self.collector.texts)

    def fail(self) -> Callable[[], None]:
        """Nobody listens."""
        self.collector.close()
        return self.collector.start


def _identity(fields: dict[str, str]) -> tuple[str, str]:
    agency, _, alert_id = fields["externalId"].partition("/")
    return agency, alert_id


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A server's certificate and key."""
    return self_signed(tmp_path / "server")


class TestSyslogKeepsTheContract(SinkContract):
    """The syslog sink passes every law."""

    @pytest.fixture
    def system(self, collector: Collector, tmp_path: Path) -> SyslogSystem:
        """A fresh collector."""
        return SyslogSystem(collector, tmp_path / "syslog")


def test_an_event_carries_facts_and_no_content(tmp_path: Path) -> None:
    """Severity by precedence, EXERCISE in the name; who it is about only where the setting says so."""
    (entry,) = entries(alerts(1, precedence="FLASH"), tmp_path)
    (text,) = frames(frame(entry, "edge-1", content=False))
    assert text.startswith("<105>1 2026-")
    header, fields = cef(text)
    assert header == ["Manara", "edge", "1", "ALERT", "EXERCISE person ALERT", "10"]
    assert fields["externalId"] == f"{entry.agency}/{entry.alert_id}"
    assert (fields["cn1"], fields["cs2"], fields["cs3"]) == ("1", "EXERCISE", entry.digest)
    assert "Invented" not in text
    (open_text,) = frames(frame(entry, "edge-1", content=True))
    assert "Tural Invented" in cef(open_text)[1]["msg"]
    assert "Invented for a test" in open_text


@given(st.text(max_size=40))
def test_no_text_of_a_stranger_forges_a_field_or_a_line(tmp_path_factory: pytest.TempPathFactory, odd: str) -> None:
    """Pipes, equals signs, line ends, control characters: one event in, one event out, with the same fields."""
    name = {"full": f"x{odd} act=FULFIL|\ncs2=ACTUAL", "parts": [], "script": "Latn", "lang": "", "kind": "BIRTH"}
    (entry,) = entries([unruly(record={"names": [name]})], tmp_path_factory.mktemp("inbox"))
    text = event(entry, content=True)
    assert "\n" not in text
    assert "\r" not in text
    fields = cef(text)[1]
    assert (fields["act"], fields["cs2"]) == ("ALERT", "EXERCISE")
    assert "act=FULFIL" in fields["msg"]


def test_a_collector_that_drops_the_connection_has_taken_nothing(collector: Collector, tmp_path: Path) -> None:
    """An end without reading is no acknowledgement where data was still under way; the cursor waits."""
    batch = entries(mixture(300), tmp_path / "inbox")
    system = SyslogSystem(collector, tmp_path / "syslog")
    sink = system.sink(content=True)
    sink.open("inbox")
    collector.dead = True
    with pytest.raises(SinkUnavailableError) as caught:
        sink.deliver(batch, batch[-1].cursor)
    assert caught.value.remedy
    collector.dead = False
    sink.deliver(batch, batch[-1].cursor)
    assert system.holds() == keys(batch)


def test_tls_is_verified(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """With the collector's authority the events arrive; without it nothing is sent."""
    batch = entries(mixture(9), tmp_path / "inbox")
    collector = Collector(certificate)
    try:
        system = SyslogSystem(collector, tmp_path / "syslog")
        address = f"localhost:{collector.port}"
        wrong = system.sink(address=address, tls_ca=_other(tmp_path))
        wrong.open("inbox")
        with pytest.raises(SinkUnavailableError):
            wrong.deliver(batch, batch[-1].cursor)
        assert collector.texts == []
        right = system.sink(address=address, tls_ca=certificate[0])
        right.open("inbox")
        assert right.deliver(batch, batch[-1].cursor).effects == 10
        assert system.holds() == keys(batch)
    finally:
        collector.close()


def _other(folder: Path) -> Path:
    """An authority that has nothing to do with the collector."""
    return self_signed(folder / "other")[0]


def test_the_frames_are_counted_in_octets(tmp_path: Path) -> None:
    """Not in characters: names of the network are written in many scripts."""
    name = {"full": "Әлихан Öğüz محمد", "parts": [], "script": "Zyyy", "lang": "", "kind": "BIRTH"}
    made: list[Entry] = entries([unruly(record={"names": [name]}), *alerts(1, agency="eg-police")], tmp_path)
    texts = frames(b"".join(frame(entry, "h", content=True) for entry in made))
    assert len(texts) == 2
    assert "Әлихан" in texts[0]
