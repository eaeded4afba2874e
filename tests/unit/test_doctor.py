"""The doctor: whatever is broken becomes a finding with a fix, and hides nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manara import cli, keys
from manara.doctor import machine
from manara.doctor.cluster import Cluster, skew
from manara.doctor.findings import Finding, State, examine, ok
from manara.errors import BrokerError
from manara.settings import KafkaSettings, Settings
from schemas.signature import SigningKey
from tests.support.directories import DAY, NOW, key_of, network


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside."""
    for name in os.environ:
        if name.startswith("MANARA_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def states(findings: Iterator[Finding]) -> list[tuple[str, State]]:
    """Name and state of each."""
    return [(finding.name, finding.state) for finding in findings]


def test_whatever_a_check_raises_becomes_a_finding() -> None:
    """What it found before stays."""

    def ours() -> Iterator[Finding]:
        yield ok("a", "fine")
        raise BrokerError("No broker.", "Start one.")

    def defect() -> Iterator[Finding]:
        yield from ()
        raise ZeroDivisionError("Ivan")

    first, second = examine("x", ours)
    assert (first.state, second) == (State.OK, Finding("x", State.FAIL, "No broker.", "Start one."))
    [third] = examine("y", defect)
    assert third.state is State.FAIL
    assert "Ivan" not in third.text
    assert third.fix


def test_a_folder_that_cannot_be_written_or_is_full_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a gigabyte it warns, below a hundred megabytes it fails."""
    settings = Settings(folder=tmp_path / "new" / "folder")
    usage = shutil.disk_usage(tmp_path)
    for free, state in ((5_000_000_000, State.OK), (500_000_000, State.WARN), (5_000_000, State.FAIL)):
        monkeypatch.setattr(
            "manara.doctor.machine.shutil.disk_usage", lambda _path, free=free: usage._replace(free=free)
        )
        assert states(machine.folder(settings)) == [("folder", state)]
    monkeypatch.setattr("manara.doctor.machine.os.access", lambda *_: False)
    assert states(machine.folder(settings)) == [("folder", State.FAIL)]
    assert not (tmp_path / "new").exists()


def test_a_lane_that_stands_still_is_named_with_what_is_lost(tmp_path: Path) -> None:
    """As the gate has noted it; one line a lane."""
    settings = Settings(folder=tmp_path)
    assert states(machine.lanes(settings)) == [("lanes", State.SKIP)]
    (tmp_path / "gate-1").mkdir()
    (tmp_path / "gate-1" / "lane3.hole").write_text('{"lane": 3, "first": 17, "last": 41}')
    [finding] = machine.lanes(settings)
    assert (finding.state, "Lane 3" in finding.text, "17 to 41" in finding.text) == (State.FAIL, True, True)
    assert "--accept-hole" in finding.fix


def test_a_key_file_that_others_can_read_fails(tmp_path: Path) -> None:
    """With the command that mends it."""
    file = tmp_path / "key.pem"
    keys.save(file, SigningKey.generate())
    settings = Settings(key=file)
    assert states(examine("key file", lambda: machine.key_file(settings))) == [("key file", State.OK)]
    file.chmod(0o644)
    [finding] = examine("key file", lambda: machine.key_file(settings))
    assert finding.fix == f"Run: chmod 600 {file}"


@pytest.mark.parametrize(
    ("ahead", "state"),
    [
        (0.02, State.OK),
        (-0.5, State.OK),
        (3.0, State.WARN),
        (-3.0, State.WARN),
        (90.0, State.FAIL),
        (-90.0, State.FAIL),
    ],
)
def test_a_wrong_clock_is_found_in_both_directions(ahead: float, state: State) -> None:
    """Against the log time of a beat that has just come."""
    found = skew((1_000.0, 1_000.0 + ahead))
    assert found.state is state
    assert ("ahead of" if ahead > 0 else "behind") in found.text


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        ({}, State.OK, "holds for"),
        ({"valid_until": NOW + 5 * DAY}, State.WARN, "holds for"),
        ({"valid_until": NOW - DAY}, State.FAIL, "has expired"),
        ({"valid_from": NOW + DAY}, State.FAIL, "not valid yet"),
        ({"compromised_since": NOW - DAY}, State.FAIL, "compromised"),
        (None, State.FAIL, "not in the directory"),
    ],
)
def test_our_own_key_is_judged_before_others_refuse_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int] | None, state: State, said: str
) -> None:
    """Expired, not yet valid, compromised, unknown, or soon at its end."""
    file = tmp_path / "key.pem"
    keys.save(file, key_of("az-customs"))
    net = network(keys={"az-customs": changes} if changes != {} else {})
    cluster = Cluster(Settings(key=file), reached=True, directory=net.directory)
    monkeypatch.setattr("manara.doctor.cluster.time.time", lambda: NOW / 1_000_000)
    [finding] = cluster.our_key()
    assert finding.state is state
    assert said in finding.text


def test_what_was_not_reached_is_skipped_and_not_failed_again() -> None:
    """One cause, one failure."""
    cluster = Cluster(Settings(kafka=KafkaSettings(bootstrap="h:1", username="u", password="p")))
    found = [*cluster.known(), *cluster.rights(), *cluster.our_key(), *cluster.heartbeat()]
    assert {finding.state for finding in found} == {State.SKIP}


def test_a_machine_with_wrong_settings_is_still_examined(tmp_path: Path) -> None:
    """Exit code 1, the wrong line among the findings, as one JSON document."""
    config = tmp_path / "manara.toml"
    config.write_text("lanes = 0\n")
    shown = CliRunner().invoke(cli.build(), ["--config", str(config), "doctor", "--json"])
    report = json.loads(shown.stdout)
    by_name = {finding["name"]: finding for finding in report["findings"]}
    assert shown.exit_code == 1
    assert report["ok"] is False
    assert by_name["settings"]["state"] == "fail"
    assert by_name["folder"]["state"] == "ok"
    assert all(finding["fix"] for finding in report["findings"] if finding["state"] in ("warn", "fail"))


def test_every_schema_of_the_contract_is_counted() -> None:
    """Those that this release knows."""
    [finding] = machine.contract()
    assert "person 1.0" in finding.text
    assert finding.state is State.OK
