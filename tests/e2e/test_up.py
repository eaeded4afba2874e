"""`manara up` and `manara down`: a network that keeps what it holds from start to start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manara.deployment.home import Home, settings_file
from tests.support.whole import Run, manara, processes_with

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

DIRECTORY = """\
directory_seq: 1
members:
  - {code: AZ, name: Azerbaijan, standing: GOOD, tlp: RED, handling: [H0], subscriptions: [person, route, transfer]}
  - {code: EG, name: Egypt, standing: GOOD, tlp: RED, handling: [H0], subscriptions: [person, route, transfer]}
agencies:
  - {id: az-customs, member: AZ, name: State Customs Committee, kinds: [route]}
"""
ALERT = """\
kind: route
audience: ALL
national_ref: {ref}
status: EXERCISE
precedence: FLASH
action: CONTROL_CONSIGNMENT
crimes: [DRUGS]
expires_at: +60d
legal_basis:
  instrument: Customs Code
  article: Art. 12
  decision_ref: C-2026/44
  authority: Head of Customs Enforcement
  decided_on: 2026-01-05
  max_penalty_months: 60
handling: {{tlp: GREEN, codes: [H0]}}
evaluation: {{scheme: 4x4, source: B, information: "2"}}
narrative: [{{lang: en, text: Invented route of a test.}}]
commodity: captagon tablets
modes: [SEA]
waypoints:
  - {{name: Alexandria, country: EG, code: EGALY, role: ORIGIN}}
  - {{name: Mersin, country: TR, code: TRMER, role: DESTINATION}}
"""
START = 240.0


def started(run: Run) -> None:
    """Wait until it says that it runs."""
    run.until(lambda: "Ctrl-C ends everything" in run.said, START)


def published(home: Home, folder: Path, ref: str) -> str:
    """Publish a new route as the agency and wait for the hub; its alert id."""
    path = folder / f"{ref}.yaml"
    path.write_text(ALERT.format(ref=ref), "utf-8")
    config = str(settings_file(home.agency("az-customs")))
    done = manara(folder, "--config", config, "publish", str(path), "--send", "--yes", "--again", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    return next(str(each["alert_id"]) for each in stages(home, folder, 1) if each["national_ref"] == ref)


def stages(home: Home, folder: Path, at_least: int) -> list[dict[str, Any]]:
    """What the agency knows of its latest alerts."""
    done = manara(folder, "--config", str(settings_file(home.agency("az-customs"))), "status", "--json")
    assert done.returncode == 0, done.stderr
    latest: list[dict[str, Any]] = json.loads(done.stdout)["latest"]
    assert len(latest) >= at_least
    return latest


def test_a_network_keeps_keys_topics_and_alerts_from_start_to_start(tmp_path: Path) -> None:
    """Up, publish, down, up again: same keys, the alert still there, and a new one goes all the way."""
    home, directory = Home(tmp_path / "home"), tmp_path / "directory.yaml"
    directory.write_text(DIRECTORY, "utf-8")
    words = ("--home", str(home.root), "--directory", str(directory))
    with Run(tmp_path / "first", "up", *words) as run:
        started(run)
        first = published(home, tmp_path, "first")
        second = manara(tmp_path, "up", *words)
        assert second.returncode == 1
        assert "error:" in second.stderr
        assert "Stop it first" in second.stderr
        assert manara(tmp_path, "down", "--home", str(home.root)).stderr == "Stopped.\n"
        assert run.wait(60) in (0, 130)
    assert processes_with(str(home.root)) == []
    key = (home.agency("az-customs") / "key.pem").read_bytes()
    with Run(tmp_path / "again", "up", *words) as run:
        started(run)
        other = published(home, tmp_path, "other")
        assert {first, other} <= {each["alert_id"] for each in stages(home, tmp_path, 2)}
        seen = manara(tmp_path, "--config", str(settings_file(home.operator)), "trace", first, "--json")
        assert "ADMITTED" in seen.stdout, seen.stderr
        run.interrupt()
        assert run.wait(60) in (0, 130)
    assert (home.agency("az-customs") / "key.pem").read_bytes() == key
    assert processes_with(str(home.root)) == []


def test_down_where_nothing_runs_says_so(tmp_path: Path) -> None:
    """Neither an error nor a wait, whether the folder is there or not, or was left by a killed network."""
    stale = Home(tmp_path).running
    assert "Nothing runs" in manara(tmp_path, "down", "--home", str(tmp_path / "never")).stderr
    stale.write_text("1", "ascii")
    done = manara(tmp_path, "down", "--home", str(tmp_path))
    assert done.returncode == 0
    assert "Nothing runs" in done.stderr
