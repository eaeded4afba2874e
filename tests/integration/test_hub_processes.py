"""Route, receipts and clock as processes of their own, behind a real gate, under the rights of the catalogue."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from manara.kafka import producer
from schemas import codec, message, registry
from schemas.directory import lane_of
from schemas.reasons import Refusal
from streams.engine.errors import Exit
from streams.engine.snapshot import FRONTIER
from streams.gate import blocks, quarantine
from tests.support.alerts import Author
from tests.support.bad_inputs import sent
from tests.support.directories import MEMBERS
from tests.support.hub import LANES, ROOT, Hub, now, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration
LANE = lane_of("tr-customs", LANES)


@pytest.fixture(scope="module")
def hub(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A whole hub at work."""
    made = Hub.build(kafka, tmp_path_factory.mktemp("hub"))
    for stage, *options in (("gate",), ("route",), ("receipts",), ("clock", "--every", "0.5")):
        made.start(stage, *options)
    yield made
    made.close()


def feed(hub: Hub, member: str, kind: str = "person") -> list[Any]:
    """What lies in a member's feed, read by its edge."""
    return hub.read(hub.names.feed(member, kind), f"edge.{member.lower()}")


def said(hub: Hub, agency: str, holder: str, name: str) -> list[Any]:
    """The records of one kind that a holder has signed for an agency, read and verified by the agency."""
    found = []
    for read in hub.read(hub.names.status(agency), agency):
        try:
            schema, record, _ = message.open_record(
                read.value, read.headers, directory=hub.net.directory, at=read.time, holders={holder}
            )
        except Refusal:
            continue
        found += [record] if schema.name == name else []
    return found


def receipts_of(hub: Hub, agency: str, holder: str) -> list[Any]:
    """Single receipts."""
    return [receipt for record in said(hub, agency, holder, "receipt") for receipt in record["receipts"]]


def test_an_alert_reaches_every_reader_s_feed_as_it_was_signed_and_nobody_else(hub: Hub) -> None:
    """The signed bytes and the signature untouched, the log's time beside them, and not the audience."""
    ours = sent(Author.of("az-police").write(now=now(), mode="LISTED", members=["EG", "MA"]))
    hub.send([ours])
    until("EG has it", lambda: feed(hub, "EG"))
    until("MA has it", lambda: feed(hub, "MA"))
    (read,) = feed(hub, "EG")
    headers = dict(read.headers)
    assert (read.key, read.value) == (ours.key, ours.value)
    assert headers["sig"] == dict(ours.headers)["sig"]
    assert "hub" not in headers
    at = int.from_bytes(headers["at"] or b"", "big")
    opened = message.authenticate(read.key, read.value, read.headers, directory=hub.net.directory, at=at)
    assert opened.digest == ours.digest
    assert [feed(hub, member) for member in sorted({*MEMBERS} - {"EG", "MA"})] == [[]] * (len(MEMBERS) - 2)
    until("its author hears so", lambda: receipts_of(hub, "az-police", "hub.route"))
    (receipt,) = receipts_of(hub, "az-police", "hub.route")
    assert (receipt["stage"], receipt["count"], receipt["digest"]) == ("ROUTED", 2, ours.digest)


def test_a_receipt_goes_to_its_author_untouched_and_a_false_one_to_quarantine(hub: Hub) -> None:
    """The author verifies the member's own signature; who speaks for another member is not believed."""
    true = _receipt(hub, "EG", "EG", "tr-customs")
    false = _receipt(hub, "EG", "MA", "tr-customs")
    stranger = _receipt(hub, "EG", "EG", "zz-nobody")
    client = producer(hub.settings("edge.eg").kafka)
    for value, headers in (false, stranger, true):
        client.produce(hub.names.receipts("EG"), value, b"x", headers=list(headers))
    assert client.flush(20) == 0
    until("the author has it", lambda: receipts_of(hub, "tr-customs", "edge.eg"))
    assert [r["stage"] for r in receipts_of(hub, "tr-customs", "edge.eg")] == ["STORED"]
    assert true[0] in [read.value for read in hub.read(hub.names.status("tr-customs"))]

    def kept() -> list[Any]:
        found = [quarantine.read(read.value or b"") for read in hub.read(hub.names.quarantine)]
        return [each for each in found if each["source"]["topic"] == hub.names.receipts("EG")]

    until("both others are kept", lambda: len(kept()) == 2)
    assert [each["value"] for each in kept()] == [false[0], stranger[0]]
    assert {each["reason"] for each in kept()} == {"WRONG_AGENCY"}


def _receipt(hub: Hub, signer: str, member: str, agency: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    receipt = {
        "digest": "0" * 64, "kind": "route", "alert_id": "", "version": 1, "stage": "STORED", "at": now(),
        "reason": "", "count": 0,
    }  # fmt: skip
    record = {"issuer": f"edge.{member.lower()}", "member": member, "agency": agency, "receipts": [receipt]}
    return message.sign_record(registry.by_name("receipt"), record, hub.net.key(f"edge.{signer.lower()}"))


def test_time_passes_on_every_lane_and_the_heartbeat_counts_on_over_a_restart(hub: Hub) -> None:
    """Empty blocks to all lanes; everybody may read the heartbeat and check it; its numbers grow by one."""

    def beats() -> list[int]:
        found = []
        for read in hub.read(hub.names.heartbeat, "edge.eg"):
            _, record, _ = message.open_record(
                read.value, read.headers, directory=hub.net.directory, at=read.time, holders={"hub.clock"}
            )
            found.append(record["sequence"])
        return found

    until("the clock strikes", lambda: len(beats()) >= 2)
    hub.kill("clock")
    before = len(beats())
    hub.start("clock", "--every", "0.5")
    until("it strikes again", lambda: len(beats()) >= before + 2)
    assert beats() == list(range(1, len(beats()) + 1))
    empty = [read.partition for read in hub.read(hub.names.admitted) if not blocks.read(read.value or b"")["admitted"]]
    assert set(empty) == {0, 1}


@pytest.mark.parametrize("runner", ["faust", "loop"])
def test_kills_of_route_and_gate_lose_nothing_and_keep_each_alert_s_order(
    runner: str, kafka: Broker, tmp_path: Path
) -> None:
    """Kill -9 of both, in the middle: every feed holds what the blocks say; repeats are possible, gaps are not."""
    hub = Hub.build(kafka, tmp_path)
    try:
        author, time = Author.of("tr-customs"), now()
        messages = [sent(author.write(now=time)) for _ in range(400)]
        hub.start("gate")
        hub.start("route", "--runner", runner)
        for start in range(0, 400, 100):
            hub.send(messages[start : start + 100])
            until("some more arrive", partial(_arrived, hub, start + 1))
            if start in (100, 200):
                for stage, *options in (("route", "--runner", runner), ("gate",)):
                    hub.kill(stage)
                    hub.start(stage, *options)
        until("all arrive", partial(_arrived, hub, 400))
        wanted = Counter(item["digest"] for read in hub.read(hub.names.admitted) for item in _items(read))
        assert wanted == Counter(each.digest for each in messages)
        for member in sorted({*MEMBERS} - {"TR"}):
            first = list(dict.fromkeys(read.value for read in feed(hub, member)))
            assert first == [each.value for each in messages]
        assert feed(hub, "TR") == []
    finally:
        hub.close()


def _items(read: Any) -> list[Any]:
    return list(blocks.read(read.value or b"")["admitted"])


def _arrived(hub: Hub, number: int) -> bool:
    return len({read.value for read in feed(hub, "EG")}) >= number


def test_a_gate_that_lost_its_disk_knows_every_alert_again(kafka: Broker, tmp_path: Path) -> None:
    """Its store is a copy: made anew from snapshot and blocks, so re-sends are admitted again, and none twice."""
    hub = Hub.build(kafka, tmp_path)
    try:
        author, time = Author.of("tr-customs"), now()
        messages = [sent(author.write(now=time)) for _ in range(60)]
        hub.start("gate")
        hub.send(messages[:40])
        until(
            "they are in the snapshot, behind a frontier", lambda: _swept(hub) >= {each.key for each in messages[:40]}
        )
        hub.send(messages[40:50])
        until("all are admitted", lambda: sum(len(_items(r)) for r in hub.read(hub.names.admitted)) >= 50)
        hub.kill("gate")
        shutil.rmtree(tmp_path / "hub.gate" / "gate-1")
        hub.start("gate")
        hub.send(messages)
        until("all have verdicts", lambda: len(_verdicts(hub, "tr-customs")) >= 110)
        found = Counter(item["digest"] for read in hub.read(hub.names.admitted) for item in _items(read))
        assert found == Counter(each.digest for each in messages)
        assert sum(verdict["again"] for verdict in _verdicts(hub, "tr-customs")) == 50
    finally:
        hub.close()


def _swept(hub: Hub) -> set[bytes | None]:
    """Keys in the register's snapshot that a frontier stands behind."""
    keys = [read.key for read in hub.read(hub.names.register, "hub.gate") if read.partition == LANE]
    return set(keys[: len(keys) - keys[::-1].index(FRONTIER)]) if FRONTIER in keys else set()


def _verdicts(hub: Hub, agency: str) -> list[Any]:
    return [verdict for record in said(hub, agency, "hub.gate", "verdict") for verdict in record["verdicts"]]


def test_a_gate_whose_lanes_are_not_the_topic_s_does_not_start(kafka: Broker, tmp_path: Path) -> None:
    """Agencies of a lane without a partition would be read by nobody, in silence."""
    hub = Hub.build(kafka, tmp_path)
    try:
        file = hub.config("hub.gate")
        other = file.with_name("other.toml")
        other.write_text(file.read_text().replace("lanes = 2", "lanes = 5"))
        command = [sys.executable, "-m", "manara.cli", "--config", str(other), "hub", "gate", "--slot", "2"]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert said.returncode == 2
        assert "5 lanes" in said.stderr
        assert "MANARA_LANES=2" in said.stderr
    finally:
        hub.close()


@pytest.mark.parametrize("runner", ["faust", "loop"])
def test_a_block_that_names_a_member_without_feeds_ends_the_process_and_is_not_passed_over(
    runner: str, kafka: Broker, tmp_path: Path
) -> None:
    """It exits with a reason, and meets the same block again after a restart: nothing behind it overtakes."""
    hub = Hub.build(kafka, tmp_path)
    try:
        client = producer(hub.settings("admin").kafka)
        client.produce(hub.names.admitted, _strange_block(), b"0", 0)
        assert client.flush(20) == 0
        for _ in range(2):
            assert hub.start("route", "--runner", runner).wait(30) == Exit.BROKEN_BLOCK
        assert "names members without feeds: XX" in (tmp_path / "hub.route.log").read_text()
    finally:
        hub.close()


def _strange_block() -> bytes:
    item: dict[str, Any] = {
        "agency": "az-police", "alert_id": "x", "kind": "person", "version": 1, "message": "ALERT", "digest": "",
        "admitted_at": 0, "expires_at": 0, "precedence": "ROUTINE", "directory_seq": 1, "partition": 0, "offset": 0,
        "deliver": ["EG", "XX"], "leave": [], "rules": [], "trace": "", "hub": b"", "signature": b"", "value": b"",
    }  # fmt: skip
    schema = registry.by_name("block")
    return codec.frame(schema, codec.encode(schema, {"lane": 0, "positions": [], "admitted": [item]}))
