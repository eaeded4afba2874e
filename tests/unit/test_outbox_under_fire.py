"""The outbox proven: killed at random moments, on a full disk, with bits flipped in its file, under clocks that jump,
and copied while it works. Nothing accepted is lost, damage is found and never sent.

The short form runs always; MANARA_LONG=1 runs 500 kills.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import apsw
import pytest

from manara import stores
from manara.errors import StoreError
from producers import standing, versions
from producers.errors import LifeError
from producers.outbox import FILE, LIVE, Accepted, Ack, Outbox
from schemas import codec
from schemas.registry import by_name
from tests.support.agency import verdict, wanted
from tests.support.directories import DAY, NOW
from tests.unit.test_outbox import AGENCY, KEY, ROOT, check_laws, draft, open_box, outbox, take  # noqa: F401 - a fixture

KILLS = 500 if os.environ.get("MANARA_LONG") else 20
HOUR = DAY // 24


def held(box: Outbox) -> dict[int, str]:
    """Every message in an outbox: number and digest."""
    rows = box.db.execute("select number, digest from messages").fetchall()
    return {int(str(number)): str(digest) for number, digest in rows}


def test_kill_9_at_random_points_loses_nothing_and_breaks_no_law(tmp_path: Path) -> None:
    """What was said to be accepted is there; numbers, sequences, chain and signatures hold; the file is sound."""
    command = [sys.executable, "-m", "tests.support.spools", str(tmp_path), str(KILLS), "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    said = {int(number): digest for number, digest in (line.split() for line in done.stdout.splitlines())}
    assert len(said) >= KILLS
    box = open_box(tmp_path)
    stores.examine(box.db)
    found = held(box)
    assert said.items() <= found.items()
    check_laws(box)
    states = box.db.execute("select count(*) from messages where outcome is not null and sent_at is null").fetchone()
    assert states == (0,), "a verdict of what was never sent"
    sys.stdout.write(f"outbox: {KILLS} kills, {len(said)} accepted, {len(found)} found, 0 lost\n")
    box.close()


@pytest.mark.parametrize("column", ["value", "digest", "hub", "sig", "key"])
def test_a_bit_flipped_in_the_file_is_found_and_never_sent(tmp_path: Path, column: str) -> None:
    """In the database file itself, where SQLite does not see it; the messages around it go out."""
    box = open_box(tmp_path)
    accepted = box.accept([draft(number) for number in range(1, 4)], KEY, partition=LIVE, now=NOW)
    box.db.execute("pragma wal_checkpoint(truncate)").fetchall()
    digest, content, cell = box.db.execute(
        f"select digest, content, {column} from messages where number = 2"
    ).fetchall()[0]
    box.close()
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    # of the digest, the one in the row, which stands before the content's: there are more in indexes and in the chain
    needle = f"{digest}{content}".encode() if column == "digest" else bytes(cell)  # type: ignore[arg-type]
    place = data.find(needle)
    assert place > 0
    data[place + 3] ^= 1
    path.write_bytes(data)

    box = open_box(tmp_path)
    assert [item.number for item in box.pending(LIVE, 0, 10)] == [1, 3]
    assert box.waiting() == (2, 1)
    damaged = standing.by_number(box, [2])[0]
    assert damaged.stage == "DAMAGED"
    box.acknowledge([Ack(1, 0), Ack(3, 1)], "t", NOW)
    assert box.settle("c", "one", NOW) == 0
    box.settle("c", "two", NOW)
    assert 2 not in [item.number for item in box.pending(LIVE, 0, 10)], "not to a new cluster either"
    alert_id = str(box.db.execute("select alert_id from messages where number = 2").fetchall()[0][0])
    with pytest.raises(LifeError):
        versions.current(box, alert_id)
    (again,) = box.accept([draft(2)], KEY, partition=LIVE, now=NOW)
    assert (again.number, again.again) == (4, False), "said again, it is a message like any other"
    assert len(accepted) == 3
    box.close()


def test_a_page_torn_in_the_file_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    """The structure of the file, which SQLite checks at opening (a small file) or by the relay's examination."""
    box = open_box(tmp_path)
    box.accept([draft(number) for number in range(1, 30)], KEY, partition=LIVE, now=NOW)
    box.db.execute("pragma wal_checkpoint(truncate)").fetchall()
    box.close()
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    for page in range(4, 12):
        data[page * 4096 : page * 4096 + 64] = bytes(64)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="is damaged"):
        open_box(tmp_path).close()


FILL = """
import sys
from pathlib import Path
from manara.errors import StoreError
from tests.unit.test_outbox import KEY, NOW, draft, open_box
box, number = open_box(Path(sys.argv[1])), 0
try:
    while True:
        number += 20
        for one in box.accept([draft(number + place) for place in range(20)], KEY, partition=0, now=NOW):
            print(one.number, one.digest)
except StoreError as error:
    print("refused:", error.message)
sys.stdout.flush()
waiting = box.pending(0, 0, 10_000)
assert waiting, "what was accepted can still be read and sent"
(Path(sys.argv[1]) / "ballast").unlink()
print(*[(one.number, one.digest) for one in box.accept([draft(0)], KEY, partition=0, now=NOW)][0])
import shutil
box.close()
for file in Path(sys.argv[1]).glob("outbox.db*"):  # with its log, which may not fit into the file on a full disk
    shutil.copy(file, sys.argv[2])
"""


def test_on_a_full_disk_it_refuses_and_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    """A file system of 2 MB of its own: nothing that was accepted is lost, and nothing else was accepted."""
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    copy.mkdir()
    small = f'mount -t tmpfs -o size=2m none "{disk}" && head -c 300000 /dev/zero > "{disk}/ballast" && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", small, "sh", sys.executable, "-c", FILL, str(disk), str(copy)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine does not let us mount a small file system")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    refusal = next(line for line in lines if line.startswith("refused:"))
    assert "the disk is full" in refusal
    said = {int(line.split()[0]): line.split()[1] for line in lines if line != refusal}
    box = open_box(copy)
    assert held(box) == said
    check_laws(box)
    box.close()


@pytest.mark.parametrize("steps", [(0, -HOUR, 1, -3 * DAY, 5 * HOUR), (0, 0, 0, 0, 0)])
def test_a_clock_that_jumps_harms_neither_numbers_nor_chain(outbox: Outbox, steps: tuple[int, ...]) -> None:  # noqa: F811
    """Order is that of acceptance; the time of signing is what the clock said, and decides nothing here."""
    said: list[Accepted] = []
    for number, step in enumerate(steps):
        said += outbox.accept([draft(number)], KEY, partition=LIVE, now=NOW + step)
    now_at = versions.current(outbox, said[0].alert_id)
    said += outbox.accept([versions.follow(now_at, "SUSPEND", NOW - HOUR)], KEY, partition=LIVE, now=NOW - HOUR)
    assert [one.number for one in said] == list(range(1, len(steps) + 2))
    assert [item.number for item in outbox.pending(LIVE, 0, 100)] == [one.number for one in said]
    check_laws(outbox)
    now_at = versions.current(outbox, said[0].alert_id)
    assert (now_at.version, now_at.state) == (2, "SUSPENDED")


# Over 40 lines because it is one story, told in order.
def test_a_copy_taken_while_others_write_is_whole_and_can_be_put_back(tmp_path: Path) -> None:
    """The copy holds all that was accepted before it; put back, it goes on, and what it hears again does no harm."""
    home, put_back = tmp_path / "home", tmp_path / "put back"
    said: list[Accepted] = []
    enough, stop = threading.Event(), threading.Event()

    def write() -> None:
        box = open_box(home)
        for number in range(10_000):
            said.extend(box.accept([draft(number)], KEY, partition=number % 2, now=NOW))
            if number >= 30:
                enough.set()
            if stop.is_set():
                break
        box.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(60)
    box = open_box(home)
    before = list(said)
    put_back.mkdir()
    box.copy_to(put_back / FILE)
    with pytest.raises(StoreError, match="cannot be written"):
        box.copy_to(put_back / FILE)
    stop.set()
    writer.join(60)
    box.close()

    box = open_box(put_back)
    stores.examine(box.db)
    assert {one.number: one.digest for one in before}.items() <= held(box).items()
    assert (put_back / FILE).stat().st_mode & 0o077 == 0
    missing = [one for one in said if one.number not in held(box)]
    take(box, [verdict(one.digest) for one in [*before, *missing]])
    check_laws(box)
    totals = standing.totals(box)
    assert (totals["ADMITTED"], totals["STRANGERS"]) == (len(before), len(missing) and 1)
    (fresh,) = box.accept([draft(20_000)], KEY, partition=LIVE, now=NOW)
    assert fresh.number == len(held(box))
    check_laws(box)
    box.close()


def test_a_large_outbox_is_opened_without_reading_all_of_it(
    outbox: Outbox,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The relay and the doctor look at every page; a command does not."""
    looked: list[Any] = []
    monkeypatch.setattr(stores, "_check", lambda *_: looked.append(1))
    open_box(tmp_path).close()
    assert looked == [1]
    monkeypatch.setattr(stores, "SMALL", 0)
    open_box(tmp_path).close()
    assert looked == [1]
    stores.examine(outbox.db)
    assert looked == [1, 1]


def test_another_process_reads_while_a_writer_holds_the_lock(outbox: Outbox, tmp_path: Path) -> None:  # noqa: F811
    """`manara status` answers while an import runs."""
    outbox.accept([draft(1)], KEY, partition=LIVE, now=NOW)
    with stores.transaction(outbox.db):
        reader = apsw.Connection(str(tmp_path / FILE), flags=apsw.SQLITE_OPEN_READONLY)
        assert reader.execute("select count(*) from messages").fetchall() == [(1,)]
        reader.close()
    body = codec.unframe(bytes(outbox.db.execute("select value from messages").fetchall()[0][0]))[1]  # type: ignore[arg-type]
    assert codec.decode(by_name("person"), body)["names"][0]["full"] == wanted()["names"][0]
    assert outbox.fact("agency") == AGENCY
