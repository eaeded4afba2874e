"""`manara bench --quick` as a user runs it, on servers of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, from a folder that is not the clone's."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MANARA_")}
    return subprocess.run(
        [sys.executable, "-m", "manara.cli", "bench", *arguments],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.full
@pytest.mark.timeout(200)
def test_a_quick_benchmark_measures_gate_and_route_and_compares_their_outputs(tmp_path: Path) -> None:
    """Both figures run, their outputs equal the reference (else the command fails), and no target is claimed."""
    path = tmp_path / "report.json"
    done = bench("--quick", "--only", "S2,S3", "--alerts", "600", "--report", str(path))
    assert done.returncode == 0, done.stderr
    document = json.loads(path.read_text())
    assert [row["figure"] for row in document["figures"]] == ["S2", "S3", "S3"]
    assert all(row["more"]["each"][0]["alerts"] > 0 for row in document["figures"])
    assert document["left_out"] == {}
    assert document["circumstances"]["alerts"] == 600
    assert "QUICK" in done.stderr
    text = path.with_suffix(".md").read_text()
    assert "QUICK" in text
    assert "yes" not in text.split("|---|")[1]


def test_a_figure_that_there_is_not_is_refused_before_anything_starts() -> None:
    """Exit code 2, the known ones named."""
    done = bench("--only", "S42")
    assert done.returncode == 2
    assert "There is no figure S42" in done.stderr
    assert "S10" in done.stderr
