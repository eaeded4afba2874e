"""The frame of a process: it stops when asked, within a bound, and says in its log why it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

PROGRAM = """
import os, sys, time
from manara import process
from manara.errors import BrokerError, SettingsError
from manara.settings import Settings
process.GRACE_SECONDS = 1.0
def loop(context):
{body}
sys.exit(process.run(loop, name="test", settings=Settings()))
"""


def start(body: str) -> subprocess.Popen[str]:
    """A process whose loop has this body."""
    code = PROGRAM.replace("{body}", "\n".join(f"    {line}" for line in body.splitlines()))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
    """Its exit code and the lines of its log."""
    _, err = process.communicate(timeout=30)
    return process.returncode, [json.loads(line) for line in err.splitlines()]


WAITING = "print('up', flush=True)\ncontext.stop.wait(30)\nreturn 0 if context.stopping else 9"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_stops_when_asked(number: int) -> None:
    """Exit code 0, and a line at the beginning and at the end."""
    with start(WAITING) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        code, lines = end(process)
    assert code == 0
    assert [line["event"] for line in lines] == ["Process started", "Process stopped"]
    assert lines[0]["process"] == "test"


def test_a_loop_that_does_not_listen_is_cut_off() -> None:
    """Within the grace, with an exit code of its own."""
    with start("print('up', flush=True)\nwhile True: time.sleep(0.05)") as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        process.terminate()
        code, _ = end(process)
    assert code == 75
    assert time.monotonic() - began < 10


def test_a_second_signal_cuts_it_off_at_once() -> None:
    """Somebody is impatient."""
    with start("print('up', flush=True)\ncontext.stop.wait(30)\nprint('asked', flush=True)\ntime.sleep(30)") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        process.stdout.readline()
        process.terminate()
        assert end(process)[0] == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("body", "code", "event"),
    [
        ("raise BrokerError('The broker is gone.', 'Start it.')", 1, "Process failed"),
        ("raise SettingsError('It is wrong.', 'Correct it.')", 2, "Process failed"),
        ("raise OSError(28, 'No space left on device', '/x')", 1, "Process failed"),
        ("int('Ivan Ivanov')", 70, "Process failed unexpectedly"),
        ("return 75", 75, "Process stopped"),
    ],
)
def test_how_it_ended_shows_in_the_exit_code_and_in_one_line(body: str, code: int, event: str) -> None:
    """Without a traceback and without data."""
    with start(body) as process:
        found, lines = end(process)
    assert found == code
    assert lines[-1]["event"] == event
    assert "Ivan" not in json.dumps(lines)
    assert os.linesep + "Traceback" not in json.dumps(lines)
