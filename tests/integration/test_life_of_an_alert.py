"""An alert from its publication to the proof of its deletion: commands of the agency, the real hub, members' answers,
each with the rights of the catalogue alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import codec, message, signature
from schemas.registry import by_name
from tests.integration.test_agency_and_hub import AGENCY, agency
from tests.support.agency import receipt, wanted
from tests.support.hub import Hub, now, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration


@pytest.fixture
def hub(kafka: Broker, tmp_path: Path) -> Iterator[Hub]:
    """The whole hub."""
    made = Hub.build(kafka, tmp_path)
    for stage in ("gate", "route", "receipts"):
        made.start(stage)
    made.start("clock", "--every", "0.5")
    yield made
    made.close()


def sent(hub: Hub, *words: str) -> dict[str, Any]:
    """A step taken by a command, and admitted."""
    done = agency(hub, *words, "--send", "--wait", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (said,) = json.loads(done.stdout)["alerts"]
    assert said["outcome"] == "ADMITTED"
    return dict(said)


def answer(hub: Hub, member: str, said: dict[str, Any], stage: str) -> None:
    """A member's edge signs a stage."""
    holder = f"edge.{member.lower()}"
    given = receipt(said["digest"], stage, alert_id=said["alert_id"], version=said["version"], at=now())
    record = {"issuer": holder, "member": member, "agency": AGENCY, "receipts": [given]}
    value, headers = message.sign_record(by_name("receipt"), record, hub.net.key(holder))
    hub.producer(holder).produce(hub.names.receipts(member), value, AGENCY.encode(), headers=list(headers))
    assert hub.producer(holder).flush(20) == 0


def feed(hub: Hub, member: str, alert_id: str) -> list[Any]:
    """What a member reads about an alert."""
    read = hub.read(hub.names.feed(member, "person"), f"edge.{member.lower()}")
    return [item for item in read if (item.key or b"").endswith(alert_id.encode())]


@pytest.mark.timeout(300)  # some twenty commands, each a process of its own
def test_an_alert_is_published_updated_withdrawn_and_proven_deleted(hub: Hub) -> None:
    """What each dry run promises is what the members get, and the proof holds offline."""
    file = hub.folder / "alert.yaml"
    content = {"kind": "person", "national_ref": "R-1", **wanted()}
    file.write_text(yaml.safe_dump({**content, "audience": ["EG", "MA"]}))
    first = sent(hub, "publish", str(file))
    file.write_text(yaml.safe_dump({**content, "sex": "MALE", "audience": ["EG", "KZ"]}))
    dry = json.loads(agency(hub, "update", str(file), "--json").stdout)["alert"]
    assert (dry["receives"], dry["joins"], dry["no_longer_addressed"]) == (["EG", "KZ"], ["KZ"], ["MA"])
    second = sent(hub, "update", str(file), "--version", "1")
    stale = agency(hub, "suspend", "R-1", "--version", "1", "--send")
    assert (stale.returncode, "at version 2 by now" in stale.stderr) == (2, True)
    until("MA has the alert and the notice", lambda: len(feed(hub, "MA", first["alert_id"])) == 2)
    sent(hub, "suspend", "R-1")
    sent(hub, "resume", "R-1")
    sent(hub, "extend", "R-1", "--until", "+200d")
    for member, said in (("MA", first), ("EG", second)):
        answer(hub, member, said, "STORED")
    answer(hub, "TR", first, "STORED")  # it was never addressed

    order = sent(hub, "withdraw", "R-1", "--reason", "ISSUED_IN_ERROR", "--note", "Another person.")
    for member in ("EG", "KZ", "MA"):
        until(f"{member} has the order", lambda member=member: _last(hub, member, order["alert_id"]) == order["digest"])  # type: ignore[misc]
    assert feed(hub, "TR", order["alert_id"]) == []
    for member in ("EG", "MA"):
        answer(hub, member, order, "PURGED")
    relay = _relay(hub)
    try:
        until("two of three have confirmed", lambda: _owed(hub) == ["KZ"], 40)
        proof = str(hub.folder / "proof.json")
        half = agency(hub, "purge-proof", "R-1", "--json")
        assert (half.returncode, json.loads(half.stdout)["missing"]) == (1, ["KZ"])
        answer(hub, "KZ", order, "PURGED")
        until("all have confirmed", lambda: _owed(hub) == [], 40)
    finally:
        relay.terminate()
        relay.communicate(timeout=30)
    assert agency(hub, "purge-proof", "R-1", "--out", proof).returncode == 0
    checked = agency(hub, "purge-proof", "--verify", proof, "--json")
    assert json.loads(checked.stdout)["purged"] == ["EG", "KZ", "MA"], checked.stderr
    pack = str(hub.folder / "evidence.json")
    assert agency(hub, "evidence", "R-1", "--out", pack).returncode == 0
    said = json.loads(agency(hub, "verify", pack, "--json").stdout)
    admitted = [one for one in said["proven"] if one["what"] == "ADMITTED"]
    assert sorted(one["version"] for one in admitted) == [1, 2, 3, 4, 5, 6]
    status = json.loads(agency(hub, "status", "--json").stdout)
    assert status["receipts"]["disbelieved"] == {"NOT_ADDRESSED": 1}
    assert status["log_time_by_hub"]
    assert abs(status["log_time"] - now()) < 60_000_000


def _last(hub: Hub, member: str, alert_id: str) -> str:
    """The digest of the last message about an alert in a member's feed."""
    items = feed(hub, member, alert_id)
    if not items or items[-1].value is None:
        return ""
    sig = dict(items[-1].headers).get(message.SIG)
    return _digest(sig, items[-1].value) if sig else ""


def _digest(sig: bytes, value: bytes) -> str:
    """The digest of a signed message."""
    return signature.digest(signature.read(sig).protected, codec.unframe(value)[1])


def _owed(hub: Hub) -> list[str]:
    report = json.loads(agency(hub, "status", "--outstanding", "--json").stdout)
    return sorted({due["member"] for due in report["outstanding"]})


def _relay(hub: Hub) -> Any:
    config = str(hub.folder / AGENCY / "manara.toml")
    return subprocess.Popen([sys.executable, "-m", "manara.cli", "--config", config, "relay"], stderr=subprocess.PIPE)
