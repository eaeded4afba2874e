"""The supervisor on real processes: starts, restarts, stops, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from manara.errors import ManaraError
from manara.supervisor import Child, Supervisor

WAIT = 10.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for an outcome."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def child(folder: Path, name: str, code: str) -> Child:
    """A Python program as a child."""
    return Child(name, (sys.executable, "-I", "-S", "-c", code), dict(os.environ), folder / "logs" / f"{name}.log")


FOREVER = "import sys, time; print('up', flush=True)\nwhile True: time.sleep(0.05)"


def test_a_killed_child_is_started_again_within_a_second(tmp_path: Path) -> None:
    """kill -9, and a new process is there; the death is counted."""
    with Supervisor([child(tmp_path, "a", FOREVER), child(tmp_path, "b", FOREVER)]) as supervisor:
        first = supervisor.pid("a")
        assert first is not None
        began = time.monotonic()
        os.kill(first, signal.SIGKILL)
        until(lambda: supervisor.pid("a") not in (first, None), "no new process")
        assert time.monotonic() - began < 1.0
        assert supervisor.restarts == {"a": 1, "b": 0}


def test_logs_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask is, and a log that was open to others is closed to them."""
    open_before = tmp_path / "logs" / "b.log"
    children = [child(tmp_path / "new", "a", FOREVER), child(tmp_path, "b", FOREVER)]
    open_before.parent.mkdir()
    open_before.write_text("old\n")
    open_before.chmod(0o644)
    mask = os.umask(0)
    try:
        with Supervisor(children):
            logs = [made.log for made in children]
            until(lambda: all("up" in log.read_text() for log in logs), "not up")
            assert [stat.S_IMODE(log.stat().st_mode) for log in logs] == [0o600, 0o600]
            assert stat.S_IMODE((tmp_path / "new" / "logs").stat().st_mode) == 0o700
    finally:
        os.umask(mask)


def test_stopping_ends_every_child_within_the_bound(tmp_path: Path) -> None:
    """Also one that does not listen to SIGTERM."""
    deaf = f"import signal; signal.signal(15, lambda *_: None)\n{FOREVER}"
    supervisor = Supervisor([child(tmp_path, "deaf", deaf), child(tmp_path, "good", FOREVER)], grace=0.5).start()
    pids = [state.pid for state in supervisor.states()]
    until(lambda: (tmp_path / "logs" / "deaf.log").read_text().startswith("up"), "not up")
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 5
    assert not any(alive(pid) for pid in pids if pid)


def test_a_paused_child_stays_ended_until_it_is_resumed(tmp_path: Path) -> None:
    """The others run on; neither is a restart. To pause or resume twice changes nothing."""
    with Supervisor([child(tmp_path, "a", FOREVER), child(tmp_path, "b", FOREVER)]) as supervisor:
        first, other = supervisor.pid("a"), supervisor.pid("b")
        assert first is not None
        for _ in range(2):
            supervisor.pause("a")
            assert not alive(first)
            supervisor.look()
            assert supervisor.pid("a") is None
        supervisor.resume("a")
        again = supervisor.pid("a")
        supervisor.resume("a")
        assert again not in (None, first)
        assert supervisor.pid("a") == again
        assert supervisor.pid("b") == other
        assert supervisor.restarts == {"a": 0, "b": 0}


def test_a_paused_child_is_not_started_by_the_end(tmp_path: Path) -> None:
    """Stopping with one that is paused, and resuming after the end, start nothing."""
    with Supervisor([child(tmp_path, "a", FOREVER)]) as supervisor:
        supervisor.pause("a")
    supervisor.resume("a")
    assert supervisor.pid("a") is None


def test_a_child_that_dies_at_once_is_tried_again_at_growing_distances(tmp_path: Path) -> None:
    """A broken program does not keep the machine busy, and its exit code and last words can be read."""
    broken = child(tmp_path, "broken", "import sys; print('no such thing'); sys.exit(3)")
    with Supervisor([broken]) as supervisor:
        until(lambda: supervisor.restarts["broken"] >= 3, "not tried again")
        [state] = supervisor.states()
        assert state.code == 3
        assert "no such thing" in supervisor.log_tail("broken")
        assert supervisor.restarts["broken"] < 20


def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    """kill -9 of the supervising process leaves nothing behind."""
    program = (
        "import os, sys, time\nfrom pathlib import Path\nfrom manara.supervisor import Child, Supervisor\n"
        f"argv = (sys.executable, '-I', '-S', '-c', {FOREVER!r})\n"
        f"s = Supervisor([Child('a', argv, dict(os.environ), Path({str(tmp_path / 'a.log')!r}))]).start()\n"
        "print(s.pid('a'), flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert alive(pid)
        starter.kill()
    until(lambda: not alive(pid), "the child lives on")


def test_a_program_that_does_not_exist_is_said_in_the_childs_log(tmp_path: Path) -> None:
    """The supervisor goes on trying: whoever installs the program needs to start nothing else."""
    missing = Child("gone", ("/nonexistent/program",), dict(os.environ), tmp_path / "gone.log")
    with Supervisor([missing]) as supervisor:
        until(lambda: "/nonexistent/program" in supervisor.log_tail("gone"), "nothing was said")


def test_a_log_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    """Nothing is left running when one child cannot be started."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ManaraError, match="file"):
        Supervisor([child(tmp_path, "a", FOREVER), child(tmp_path / "file", "b", FOREVER)]).start()
