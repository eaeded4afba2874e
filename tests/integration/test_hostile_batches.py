"""Batches that inflate without end, in an inlet of a real broker: the gate lives on, what stands behind arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from manara import kafka as clients
from schemas import message
from streams.gate import blocks, quarantine
from tests.support.alerts import Author
from tests.support.bad_inputs import Sent, sent
from tests.support.directories import AGENCIES, network
from tests.support.hub import Hub, now, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration


class Bomb(NamedTuple):
    """How it is packed, how many bytes come out, in how many records, and whether the client itself refuses it."""

    codec: str
    size: int
    records: int
    refused: bool


BOMBS = {
    agency: Bomb(codec, size, records, refused=codec == "zstd")
    for agency, (codec, size, records) in zip(
        AGENCIES,
        [
            (codec, size, records)
            for codec, size in (
                ("zstd", 60_000_000),
                ("gzip", 60_000_000),
                ("lz4", 30_000_000),
                ("snappy", 4_800_000),
            )
            for records in (1, 500)
        ],
        strict=False,
    )
}
"""As far as 256 KiB on the wire reach: gzip makes 1000 of one, lz4 255, snappy 20; zstd makes what it likes."""


@pytest.fixture
def hub(kafka: Broker, tmp_path: Path) -> Iterator[Hub]:
    """A network of this moment, its gate not started yet."""
    made = Hub.build(kafka, tmp_path, network(now=now()))
    yield made
    made.close()


def bomb(hub: Hub, agency: str, what: Bomb) -> None:
    """One real batch of zeros, sent by the agency's own client with its own rights."""
    large: dict[str, Any] = {
        "compression_type": what.codec,
        "message_max_bytes": 1_000_000_000,
        "batch_size": 1_000_000_000,
        "linger_ms": 5_000,
        "queue_buffering_max_kbytes": 1_000_000,
        "enable_idempotence": False,
    }
    errors: list[object] = []
    producer = clients.producer(hub.settings(agency).kafka, **large)
    for _ in range(what.records):
        producer.produce(
            hub.names.inlet(agency), bytes(what.size // what.records), b"bomb", 0,
            on_delivery=lambda error, _: errors.append(error) if error else None,
        )  # fmt: skip
    assert producer.flush(30) == 0
    assert errors == []


def good(author: Author) -> Sent:
    """The author's next alert."""
    return sent(author.write(now=now()))


def admitted(hub: Hub) -> list[str]:
    """Digests, in the order of blocks."""
    found = hub.read(hub.names.admitted)
    return [item["digest"] for read in found for item in blocks.read(read.value or b"")["admitted"]]


def told(hub: Hub, agency: str) -> list[dict[str, Any]]:
    """What the gate has signed for an agency: refusals, and notices."""
    found: list[dict[str, Any]] = []
    for read in hub.read(hub.names.status(agency), agency):
        schema, record, _ = message.open_record(
            read.value, read.headers, directory=hub.net.directory, at=read.time, holders={"hub.gate"}
        )
        found += [v for v in record["verdicts"] if v["reason"]] if schema.name == "verdict" else [record]
    return found


def kept(hub: Hub) -> list[Any]:
    """What quarantine holds."""
    return [quarantine.read(read.value or b"") for read in hub.read(hub.names.quarantine)]


def test_bombs_of_every_codec_stop_nothing_and_good_alerts_behind_them_arrive(hub: Hub) -> None:
    """Eight inlets, a bomb in each between good alerts: all good ones are admitted by one gate that never dies."""
    expected = {}
    for agency, what in BOMBS.items():
        author = Author.of(agency)
        before, *behind = (good(author) for _ in range(4))
        hub.send([before])
        bomb(hub, agency, what)
        hub.send(behind)
        expected[agency] = [each.digest for each in (before, *behind)]
    gate = hub.start("gate")
    wanted = {digest for digests in expected.values() for digest in digests}
    until("all good alerts are admitted", lambda: wanted <= set(admitted(hub)), 60)
    assert gate.poll() is None
    for agency, what in BOMBS.items():
        number = 1 if what.refused else what.records
        until(f"{agency} is told of its {what.codec} bomb", lambda a=agency, n=number: len(told(hub, a)) >= n)  # type: ignore[misc]
        order = [digest for digest in admitted(hub) if digest in expected[agency]]
        assert order == expected[agency]
        if what.refused:
            (notice,) = told(hub, agency)
            assert (notice["type"], notice["first"], notice["last"]) == ("BATCH_UNREADABLE", 1, what.records)
    places = [(found["agency"], found["source"]["offset"]) for found in kept(hub)]
    assert sorted(places) == sorted(
        (agency, offset)
        for agency, what in BOMBS.items()
        for offset in range(1, 2 if what.refused else what.records + 1)
    )
    assert len(admitted(hub)) == len(wanted), "nothing is admitted twice"


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("records", [1, 500])
def test_a_batch_that_kills_the_gate_is_proven_skipped_and_told(hub: Hub, records: int) -> None:
    """Under a tight memory limit gzip ends the process: after two deaths at one place it is stepped past, alone."""
    author, other = Author.of("az-customs"), Author.of("eg-police")
    before, *behind = (good(author) for _ in range(4))
    quiet = good(other)
    hub.send([before])
    bomb(hub, "az-customs", Bomb("gzip", 240_000_000, records, refused=True))
    hub.send([*behind, quiet])
    deaths = 0
    gate = hub.start("gate", memory_limit=LIMIT)

    def through() -> bool:
        """As the supervisor would: started again after each death."""
        nonlocal gate, deaths
        if gate.poll() is not None:
            assert gate.returncode != 0
            deaths += 1
            gate = hub.start("gate", memory_limit=LIMIT)
        return {each.digest for each in (before, *behind, quiet)} <= set(admitted(hub))

    until("all good alerts are admitted", through, 150)
    assert 2 <= deaths <= 5
    assert len(admitted(hub)) == 5, "nothing is admitted twice"
    found = until("its coordinates are kept", lambda: kept(hub))
    assert [(each["agency"], each["source"]["offset"], each["reason"], each["value"]) for each in found] == [
        ("az-customs", 1, "UNREADABLE", None)
    ]
    (notice,) = told(hub, "az-customs")
    assert (notice["type"], notice["partition"], notice["first"], notice["last"]) == ("BATCH_UNREADABLE", 0, 1, records)
    assert told(hub, "eg-police") == []


LIMIT = "420"
"""MiB: enough for a gate at work, too little for one bomb of 240 MB and its copy."""


def test_a_gate_that_is_killed_again_and_again_before_it_gets_anywhere_skips_nothing(hub: Hub) -> None:
    """Four kills from outside at the same place, with a backlog: suspected, proven harmless, all of it admitted."""
    author = Author.of("az-customs")
    waiting = [good(author) for _ in range(50)]
    hub.send(waiting)
    marker = hub.folder / "hub.gate" / "gate-1" / "reading.json"
    inlet = hub.names.inlet("az-customs")
    topic_id = clients.topic_ids(clients.admin(hub.settings("admin").kafka), [inlet])[inlet]
    marker.parent.mkdir(parents=True)
    marker.write_text(f'{{"careful": false, "at": {{"{inlet}/0": ["{topic_id}", 0, 4]}}}}')
    hub.start("gate")
    until("all are admitted", lambda: len(admitted(hub)) >= len(waiting))
    assert admitted(hub) == [each.digest for each in waiting]
    assert kept(hub) == []
    log = (hub.folder / "hub.gate.log").read_text()
    assert "proven first" in log
