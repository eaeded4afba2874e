"""The agency's commands against a real broker, each in a process of its own, as in an agency's night."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.agency import Party, digest_of, receipt, until, wanted
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration
MANARA = (sys.executable, "-m", "manara.cli")


@pytest.fixture
def party(kafka: Broker, tmp_path: Path) -> Party:
    """An agency with its settings file."""
    made = Party.make(kafka, tmp_path)
    made.write_config()
    return made


def command(party: Party, *words: str) -> subprocess.Popen[str]:
    """A command of the agency."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MANARA_")}
    return subprocess.Popen(
        [*MANARA, "--config", str(party.settings.folder / "manara.toml"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**env, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=party.settings.folder,
    )


@pytest.fixture
def running(party: Party) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that end with the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def alert(party: Party) -> str:
    """An alert file."""
    path = party.settings.folder / "a.yaml"
    path.write_text(yaml.safe_dump({"kind": "person", "audience": ["EG"], "national_ref": "R-1", **wanted()}))
    return str(path)


def test_publish_send_wait_says_what_the_hub_said(party: Party) -> None:
    """Dry run, then the real thing: accepted, carried by the command itself, admitted; status and trace know it."""
    name = alert(party)
    dry = command(party, "publish", name)
    out, err = dry.communicate(timeout=60)
    assert (dry.returncode, "would go to EG" in out) == (0, True), err
    sending = command(party, "publish", name, "--send", "--wait", "--json")
    digest = digest_of(party.arrived(1)[0])
    party.verdicts([digest])
    out, err = sending.communicate(timeout=60)
    assert sending.returncode == 0, err
    (said,) = json.loads(out)["alerts"]
    assert (said["digest"], said["outcome"]) == (digest, "ADMITTED")
    trace, _ = command(party, "trace", said["alert_id"][:13], "--json").communicate(timeout=60)
    assert [step["stage"] for step in json.loads(trace)["steps"]] == ["ACCEPTED", "SENT", "ADMITTED"]


def test_a_refusal_is_said_with_its_remedy_and_exit_code_1(party: Party) -> None:
    """The author learns what to do, in the terminal it sent from."""
    sending = command(party, "publish", alert(party), "--send", "--wait")
    digest = digest_of(party.arrived(1)[0])
    party.verdicts([digest], outcome="REFUSED", reason="EXPIRED", remedy="Publish it with a later expiry.")
    out, _ = sending.communicate(timeout=60)
    assert (sending.returncode, "EXPIRED. Publish it with a later expiry." in out) == (1, True)


def test_the_relay_process_carries_what_others_accept_and_stops_on_sigterm(
    party: Party, running: list[subprocess.Popen[str]]
) -> None:
    """An import beside it goes to the bulk partition; receipts show in the status; SIGTERM ends it with 0."""
    relay = command(party, "relay")
    running.append(relay)
    folder = party.settings.folder
    (folder / "p.csv").write_text("ref,name\n1,A\n2,B\n3,C\n")
    constants = {name: value for name, value in wanted().items() if name != "names"}
    fields = {"national_ref": "ref", "names[0].full": "name"}
    mapping = {"kind": "person", "audience": "ALL", "constants": constants, "fields": fields}
    (folder / "m.yaml").write_text(yaml.safe_dump(mapping))
    importing = command(party, "import", "p.csv", "--map", "m.yaml", "--send", "--json")
    out, err = importing.communicate(timeout=60)
    assert json.loads(out)["accepted"] == 3, err
    digests = [digest_of(item) for item in party.arrived(3, 1)]
    party.verdicts(digests)
    stored = {"issuer": "edge.eg", "member": "EG", "agency": party.settings.agency}
    party.say("receipt", {**stored, "receipts": [receipt(digests[1], "STORED")]}, "edge.eg")

    def known() -> bool:
        found = json.loads(command(party, "status", "2", "--json").communicate(timeout=60)[0])
        return bool(found[0]["stage"] == "STORED" and found[0]["members"][0]["member"] == "EG")

    until(known, "the receipt shows in the status")
    relay.send_signal(signal.SIGTERM)
    _, log = relay.communicate(timeout=30)
    assert (relay.returncode, "Process stopped" in log) == (0, True)


def test_a_relay_with_a_wrong_password_ends_with_the_sentence(party: Party) -> None:
    """It never got through, so waiting cures nothing; the password is in no line of the log."""
    (party.settings.folder / "password").write_text("wrong-password-of-a-test")
    relay = command(party, "relay")
    out, log = relay.communicate(timeout=60)
    assert (relay.returncode, "does not accept the user" in log) == (1, True)
    assert "wrong-password-of-a-test" not in out + log
    assert "Traceback" not in log
