"""The operator's commands at a hub at work, under the operator's own rights: what they say, and that it is true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas import message, registry
from streams.gate import blocks
from streams.operate.gauges import Gauges, View
from streams.operate.log import Log
from tests.support.bad_inputs import Bench, Sent, good, sent
from tests.support.directories import key_of
from tests.support.hub import Hub, now, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Story:
    """What happened before the operator came: an alert for EG and TR that TR has stored, and two refused messages."""

    hub: Hub
    alert: str
    listed: message.Sealed
    forged: Sent
    ruled_out: Sent

    def json(self, *arguments: str, code: int = 0) -> Any:
        """What a command says to machines."""
        done = self.hub.manara("operator", *arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def story(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The whole hub, after it has done its work."""
    hub = Hub.build(kafka, tmp_path_factory.mktemp("hub"))
    try:
        yield _tell(hub)
    finally:
        hub.close()


def _tell(hub: Hub) -> Story:
    for stage in ("gate", "receipts", "clock"):
        hub.start(stage)
    hub.start("route", "--runner", "loop")
    bench = Bench(hub.net, now())
    author = bench.author()
    listed = author.seal(bench.person(), mode="LISTED", members=["EG", "TR"])
    forged = sent(listed, headers=[("sig", b"\x01" * 200), *listed.headers[1:]], digest="")
    ruled_out = good(bench, narrative=[])
    hub.send([sent(listed), forged, ruled_out])
    until("the alert is admitted", lambda: [r for r in hub.read(hub.names.admitted) if _items(r.value)])
    _store(hub, listed)
    until("it is routed and stored", lambda: len(_statuses(hub)) >= 3)
    until("both are refused", lambda: len(hub.read(hub.names.quarantine)) >= 2)
    return Story(hub, f"az-police/{listed.alert_id}", listed, forged, ruled_out)


def _items(value: bytes | None) -> list[Any]:
    return list(blocks.read(value or b"")["admitted"])


def _statuses(hub: Hub) -> list[bytes | None]:
    """ROUTED and STORED receipts, and verdicts: records of the author's status."""
    return [read.value for read in hub.read(hub.names.status("az-police"))]


def _store(hub: Hub, sealed: message.Sealed) -> None:
    """Turkey's edge says that it has stored the alert."""
    receipt = {
        "digest": sealed.digest,
        "kind": "person",
        "alert_id": sealed.alert_id,
        "version": 1,
        "stage": "STORED",
        "at": now(),
        "reason": "",
        "count": 0,
    }
    record = {"issuer": "edge.tr", "member": "TR", "agency": "az-police", "receipts": [receipt]}
    value, headers = message.sign_record(registry.by_name("receipt"), record, key_of("edge.tr"))
    client = hub.producer("edge.tr")
    client.produce(hub.names.receipts("TR"), value, headers=list(headers))
    assert client.flush(20) == 0


def test_explain_says_why_a_member_received_an_alert(story: Story) -> None:
    """The rule, a sentence, and that the block agrees."""
    answer = story.json("explain", story.alert, "tr")
    assert (answer["allowed"], answer["rule"], answer["recorded"], answer["agrees"]) == (
        True,
        "AUDIENCE_LISTED",
        True,
        True,
    )
    assert answer["judged_by_directory"] == answer["explained_by_directory"] == 1


def test_explain_says_why_a_member_did_not(story: Story) -> None:
    """By the id alone, for people: the rule and a sentence."""
    done = story.hub.manara("operator", "explain", story.listed.alert_id, "MA")
    assert done.returncode == 0, done.stderr
    assert "NOT_LISTED" in done.stdout
    assert "MA does not read it: the author listed EG, TR." in done.stdout
    assert "The block agrees: the alert was not delivered to MA." in done.stdout


def test_explain_of_a_refused_alert_says_where_to_look(story: Story) -> None:
    """It was never admitted: the reason, and the command that shows it."""
    name = (story.ruled_out.key or b"").decode()
    done = story.hub.manara("operator", "explain", name, "TR")
    assert done.returncode == 1
    assert "refused as RULE_NARRATIVE_MISSING" in done.stderr
    assert "manara quarantine show" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("explain", "nonsense", "TR"), 2, "is not an alert"),
        (("explain", "0193589a-6c00-7abc-8def-0123456789ab", "Turkey"), 2, "is not a member"),
        (("trace", "0193589a-6c00-7abc-8def-0123456789ab"), 1, "No admitted or refused alert"),
        (("quarantine", "show", "nowhere"), 2, "is no place in the log"),
        (("quarantine", "show", "alerts.v1.az-police/0/99"), 1, "Nothing was quarantined"),
        (("quarantine", "list", "--since", "yesterday"), 2, "is no span of time"),
    ],
)
def test_wrong_input_is_answered_with_a_sentence(
    story: Story, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Exit code 2 for what was typed wrong, 1 for what is not there; never a traceback."""
    done = story.hub.manara("operator", *arguments)
    assert done.returncode == code
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_quarantine_lists_what_was_refused_and_filters(story: Story) -> None:
    """Reason, agency, coordinates and time; by reason, agency and age."""
    rows = story.json("quarantine", "list")
    assert [row["reason"] for row in rows] == ["BAD_SIGNATURE", "RULE_NARRATIVE_MISSING"]
    assert {row["agency"] for row in rows} == {"az-police"}
    assert rows[0]["place"] == f"{story.hub.names.inlet('az-police')}/0/1"
    assert len(story.json("quarantine", "list", "--reason", "bad_signature", "--since", "1h")) == 1
    assert story.json("quarantine", "list", "--agency", "tr-fiu") == []
    table = story.hub.manara("operator", "quarantine", "list", "--limit", "1").stdout
    assert "RULE_NARRATIVE_MISSING" in table
    assert "BAD_SIGNATURE" not in table


def test_quarantine_shows_the_original_bytes_and_decodes_nothing_unverified(story: Story, tmp_path: Path) -> None:
    """The forged one: bytes in a file of our own, its content withheld."""
    place = f"{story.hub.names.inlet('az-police')}/0/1"
    raw = tmp_path / "refused.bin"
    found = story.json("quarantine", "show", place, "--raw", str(raw))
    assert found["record"] is None
    assert "BAD_SIGNATURE" in found["record_withheld"]
    assert bytes.fromhex(found["value"]) == story.forged.value == raw.read_bytes()
    assert raw.stat().st_mode & 0o077 == 0
    assert found["headers"] == [[name, value.hex()] for name, value in story.forged.headers]
    again = story.hub.manara("operator", "quarantine", "show", place, "--raw", str(raw))
    assert again.returncode == 2, "a file that exists is not overwritten"


def test_quarantine_shows_the_record_where_the_signature_holds(story: Story) -> None:
    """The one that broke a rule: its record and the rule, for people."""
    place = f"{story.hub.names.inlet('az-police')}/0/2"
    found = story.json("quarantine", "show", place)
    assert found["record"]["header"]["narrative"] == []
    assert found["errors"] == [{"path": "header.narrative", "rule": "RULE_NARRATIVE_MISSING"}]
    shown = story.hub.manara("operator", "quarantine", "show", place).stdout
    assert "RULE_NARRATIVE_MISSING at header.narrative" in shown
    assert '"names"' in shown


def test_trace_follows_an_alert_from_admission_into_a_national_system(story: Story) -> None:
    """Admitted, routed to two feeds, stored by Turkey; each by whose word it is, in order of time."""
    steps = story.json("trace", story.alert)["steps"]
    assert [(step["stage"], step["who"]) for step in steps] == [
        ("ADMITTED", "hub.gate"),
        ("ROUTED", "hub.route"),
        ("STORED", "edge.tr"),
    ]
    assert "for EG, TR" in steps[0]["detail"]
    assert "2 feeds" in steps[1]["detail"]
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)


def test_top_shows_every_stage_and_what_was_refused(story: Story) -> None:
    """Once, for machines: nothing waits, and the refusals are counted by reason."""

    def calm() -> Any:
        found = story.json("top", "--once")
        return found if all(stage["lag"] == 0 for stage in found["stages"]) else None

    found = until("nothing waits any more", calm)
    assert [stage["stage"] for stage in found["stages"]] == ["gate", "route", "receipts"]
    assert found["refused"] == {"BAD_SIGNATURE": 1, "RULE_NARRATIVE_MISSING": 1}
    assert found["admitted"] == 1
    assert found["seconds_since_last_block"] < 30
    assert "route" in story.hub.manara("operator", "top", "--once").stdout


def test_top_sees_a_dead_gate_as_lag_that_grows_older(kafka: Broker, tmp_path: Path) -> None:
    """Nobody reads the inlet: messages wait, and the oldest of them grows older; a gate works them off."""
    hub = Hub.build(kafka, tmp_path)
    bench = Bench(hub.net, now())
    try:
        hub.send([good(bench) for _ in range(7)])
        with Log(hub.settings("operator")) as log:
            gauges = Gauges(log, hub.net.directory, since=0)

            def gate(wanted: int, older: float = 0.0) -> View | None:
                view = gauges.look()
                row = view.rows[0]
                return view if row.lag == wanted and row.lag_seconds >= older else None

            until("seven wait", lambda: gate(7))
            until("the oldest has waited for two seconds", lambda: gate(7, 2.0))
            hub.start("gate")
            done = until("nothing waits", lambda: gate(0))
            assert done.rows[0].lag_seconds == 0
            until("the admitted are counted", lambda: gauges.look().admitted == 7)
            assert gauges.look().rows[1].lag == 7, "route is not running: what it has to do waits"
    finally:
        hub.close()
