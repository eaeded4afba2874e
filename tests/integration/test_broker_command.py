"""`manara broker`: real servers in the foreground, good for the next command, and gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manara import kafka as clients
from manara.errors import BrokerError
from manara.kafka import Problem
from manara.settings import Settings

pytestmark = pytest.mark.integration


@contextmanager
def broker(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The command, from the moment when its servers answer; ended whatever happens."""
    argv = [sys.executable, "-m", "manara.cli", "broker", "--folder", str(folder), *words]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MANARA_")}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("Settings of the administrator"):
                    break
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_its_settings_let_the_administrator_in_and_nothing_answers_afterwards(
    tmp_path: Path, number: int, code: int
) -> None:
    """Ctrl-C and SIGTERM end the servers in order."""
    with broker(tmp_path, "--no-postgres") as process:
        settings = Settings.load(tmp_path / "admin.toml").kafka
        problem = Problem(settings)
        clients.reach(clients.admin(settings, problem=problem), problem, 15)
        process.send_signal(number)
        assert process.wait(60) == code
        with pytest.raises(BrokerError, match="No Kafka broker can be reached"):
            clients.reach(clients.admin(settings, problem=Problem(settings)), problem, 1)


def test_a_taken_port_is_said_in_words(tmp_path: Path) -> None:
    """Exit code 1 and what to do, no traceback."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        argv = [
            sys.executable,
            "-m",
            "manara.cli",
            "broker",
            "--folder",
            str(tmp_path),
            "--port",
            port,
            "--no-postgres",
        ]
        shown = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 1
    assert f"port {port}" in shown.stderr.lower()
    assert "what to do:" in shown.stderr
    assert "Traceback" not in shown.stderr
