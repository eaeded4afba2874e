"""The inbox under what breaks files: kills, a full disk, flipped bits, clocks that jump, backups while it runs.

`MANARA_LONG=1` kills 500 times instead of 20.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from consumers.drain import Drain
from consumers.entry import START
from consumers.inbox import FILE_NAME, Inbox
from consumers.sinks.filedrop import FileDrop
from manara.errors import StoreError
from tests.support.directories import DAY, NOW
from tests.support.entries import alerts, filled
from tests.support.feeds import until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LONG = os.environ.get("MANARA_LONG") == "1"
KILLS = 500 if LONG else 20

WRITER = """
import os, sys
from pathlib import Path
from consumers.inbox import Inbox, Position
from tests.support.entries import alerts, lives
from tests.support.directories import NOW
made, end = alerts(200), lives("ALERT", "WITHDRAW")
for line in sys.stdin:  # one child after the other: what has been imported is there at once
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        print("killed", flush=True)
        continue
    with Inbox.open(Path(sys.argv[1])) as inbox:
        print("ready", os.getpid(), flush=True)
        while True:
            for start in range(0, 200, 4):
                taken = inbox.take(made[start:start + 4], positions={("feed", 0): Position("a", start + 4)}, now=NOW)
                print("took", start + 4, inbox.tip().number, flush=True)
            inbox.take(end, now=NOW)
"""


def test_killed_at_random_points_nothing_that_was_said_is_lost(tmp_path: Path) -> None:
    """A process takes batches and says so after each commit; kill -9 at any moment, and again, on one file."""
    chance, promised = random.Random(20261124), 0
    argv = [sys.executable, "-c", WRITER, str(tmp_path)]
    place = Path(__file__).parents[2]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=place) as writer:
        try:
            for _ in range(KILLS):
                promised = max(promised, _killed_after(writer, chance.randrange(1, 60)))
                _must_be_whole(tmp_path, promised)
        finally:
            writer.kill()


def _killed_after(writer: subprocess.Popen[str], lines: int) -> int:
    """Let a child say so many lines, then kill it; the highest number that it has promised."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    print("go", file=writer.stdin, flush=True)
    ready, pid = writer.stdout.readline().split()
    assert ready == "ready"
    promised = 0
    for _ in range(lines):
        promised = max(promised, int(writer.stdout.readline().split()[2]))
    os.kill(int(pid), signal.SIGKILL)
    while writer.stdout.readline() != "killed\n":
        continue
    return promised


def _must_be_whole(folder: Path, promised: int) -> None:
    with Inbox.open(folder) as inbox:  # its own check of the file is part of opening
        entries = inbox.after(0, 1000)
        assert inbox.tip().number == len(entries) >= promised
        assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
        assert all(entry.intact or entry.bare for entry in entries)
        assert len({(entry.alert_id, entry.version) for entry in entries}) == len(entries)
        assert inbox.positions()[("feed", 0)].next_offset <= 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if (
        not mounted
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("mounting a small tmpfs needs root and the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill_up(inbox: Inbox) -> int:
    """Take alerts until the disk is full; how many were taken."""
    total = 0
    for number in range(400):
        made = alerts(12, agency="eg-police", record={"description": secrets.token_hex(2000)}, precedence="ROUTINE")
        made = [
            one._replace(arrival=replace(one.arrival, alert_id=f"{number}-{place}")) for place, one in enumerate(made)
        ]
        inbox.take(made, now=NOW)
        total += 12
    return total


def test_a_full_disk_is_said_and_what_was_taken_stays(small_disk: Path) -> None:
    """The failed batch leaves nothing; with room again the same batch goes in."""
    with Inbox.open(small_disk / "az") as inbox:
        with pytest.raises(StoreError, match=r"full|cannot be written"):
            _fill_up(inbox)
        kept = inbox.after(0, 1000)
        assert kept
    (small_disk / "az").rename(small_disk / "az2")
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    with Inbox.open(small_disk / "az2") as inbox:
        assert inbox.after(0, 1000) == kept
        assert all(entry.intact for entry in kept)
        assert inbox.take(alerts(3), now=NOW).new == 3


@pytest.mark.parametrize("column", ["value", "sig"])
def test_a_flipped_bit_is_found_and_never_delivered(tmp_path: Path, column: str) -> None:
    """In the file itself: the entry is a dead letter with a reason, its neighbours arrive."""
    made = alerts(5)
    folder = tmp_path / "az"
    filled(folder, made).close()
    whole = getattr(made[2].arrival, column)
    file = folder / FILE_NAME
    content = bytearray(file.read_bytes())
    place = content.find(whole)
    assert place > 0
    content[place + len(whole) - 7] ^= 0x10
    file.write_bytes(content)
    drop = FileDrop(tmp_path / "drop")
    with Inbox.open(folder) as inbox:
        assert [entry.intact for entry in inbox.after(0, 9)] == [True, True, False, True, True]
        _drained(folder, drop, inbox, 5)
        dead = inbox.db.execute("select number, reason from dead_letters").fetchall()
    assert dead == [(3, "Its bytes in the inbox are damaged.")]
    delivered = "".join(path.read_text() for path in (tmp_path / "drop").glob("*.ndjson"))
    assert [one.arrival.alert_id in delivered for one in made] == [True, True, False, True, True]


def _drained(folder: Path, drop: FileDrop, inbox: Inbox, number: int) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=Drain(folder, drop, "AZ", stop).run)
    thread.start()
    try:
        until(lambda: inbox.db.execute("select number from sinks").fetchone() == (number,), "all is delivered")
    finally:
        stop.set()
        thread.join(10)


def test_a_page_of_nonsense_is_found_at_the_next_opening(tmp_path: Path) -> None:
    """The file is never believed halfway."""
    filled(tmp_path, alerts(50)).close()
    file = tmp_path / FILE_NAME
    content = bytearray(file.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = secrets.token_bytes(64)
    file.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        Inbox.open(tmp_path)


@pytest.mark.parametrize("jump", [-400 * DAY, -1, 400 * DAY])
def test_a_clock_that_jumps_loses_and_doubles_nothing(tmp_path: Path, jump: int) -> None:
    """Numbers and chain do not come from the clock; what waited for a time is tried all the same."""
    made = alerts(9)
    clock = [NOW]
    folder = tmp_path / "az"
    with Inbox.open(folder) as inbox:
        for start in range(0, 9, 3):
            inbox.take(made[start : start + 3], now=clock[0])
            clock[0] += jump
        assert inbox.take(made, now=clock[0]).again == 9
        assert [entry.number for entry in inbox.after(0, 99)] == list(range(1, 10))
        stop = threading.Event()
        drain = Drain(folder, FileDrop(tmp_path / "drop"), "AZ", stop, clock=lambda: clock[0])
        thread = threading.Thread(target=drain.run)
        thread.start()
        until(lambda: inbox.db.execute("select number from sinks").fetchone() == (9,), "all is delivered")
        stop.set()
        thread.join(10)
    rows = [row for file in (tmp_path / "drop").glob("*.ndjson") for row in file.read_text().splitlines()]
    assert len(rows) == 9


# Over 40 lines because it is one story, told in order.
def test_a_backup_taken_while_it_runs_is_whole_and_catches_up(tmp_path: Path) -> None:
    """SQLite's own backup beside a writer; restored, its sinks do not believe the old cursor, and nothing is lost."""
    made, folder, drop = alerts(300), tmp_path / "az", tmp_path / "drop"
    copy, done = tmp_path / "backup.db", threading.Event()

    def write() -> None:
        with Inbox.open(folder) as inbox:
            for start in range(0, 300, 3):
                inbox.take(made[start : start + 3], now=NOW)
        done.set()

    Inbox.open(folder).close()
    thread = threading.Thread(target=write)
    thread.start()
    source = apsw.Connection(str(folder / FILE_NAME))
    until(lambda: source.execute("select count(*) from inbox").fetchone()[0] > 30, "some are there")  # type: ignore[index]
    target = apsw.Connection(str(copy))
    with target.backup("main", source, "main") as backup:
        while not backup.done:
            backup.step(50)
    target.close()
    source.close()
    thread.join(30)
    assert done.is_set()
    with Inbox.open(folder) as inbox:
        _drained(folder, FileDrop(drop), inbox, 300)
    for file in folder.glob(f"{FILE_NAME}*"):
        file.unlink()
    shutil.copy(copy, folder / FILE_NAME)
    with Inbox.open(folder) as inbox:
        held = inbox.tip().number
        assert held > 30
        entries = inbox.after(0, 999)
        assert [entry.number for entry in entries] == list(range(1, held + 1))
        assert all(entry.intact for entry in entries)
        inbox.take(made[::-1], now=NOW)  # the feed is read again from the backup's positions, in another order
        assert inbox.tip().number == 300
        _drained(folder, FileDrop(drop), inbox, 300)
        assert FileDrop(drop).open(inbox.id) == inbox.tip()
        assert FileDrop(drop).open("another") == START
    rows = [row for file in drop.glob("*.ndjson") for row in file.read_text().splitlines()]
    assert len(rows) in (300, 600)  # where the histories differ all is delivered again, under the same keys
    assert all(any(one.arrival.alert_id in row for row in rows) for one in made)


def test_the_inbox_can_be_read_by_any_sqlite(tmp_path: Path) -> None:
    """For whoever must look into it without us."""
    filled(tmp_path, alerts(3)).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        assert db.execute("select count(*) from inbox").fetchone() == (3,)
    db.close()
