"""A process that is offered links and accepts them until it is killed: it says each one once it is durable.

`python -m tests.support.links_worker FOLDER TIMES` kills TIMES such processes at random moments (-9) and prints every
line that they had said. The parent has no store open, so each child starts as after a crash.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from producers import answers
from producers.ledger import Ledger, Said, Spot
from producers.linking import Says
from producers.outbox import Outbox
from tests.support.agency import AGENCY
from tests.support.directories import NOW, key_of, network
from tests.support.links import match


def work(folder: Path, turn: int, out: int) -> None:
    """Work for ever. A line is a link id, written after the promise."""
    hub = next(key for key in network().directory.keys.values() if key.holder == "hub.links")
    outbox = Outbox.open(folder, AGENCY)
    ledger = Ledger(outbox, AGENCY)
    for number in range(100_000):
        link = f"{turn:016x}{number:016x}"
        spot = Spot("status", f"id{turn}", 0, number)
        ledger.take([Said("notice", match("OFFERED", "a", link_id=link), hub, spot, NOW)], [spot])
        answers.give(outbox, link, Says.ACKNOWLEDGED, key_of(AGENCY), now=NOW)
        answers.give(outbox, link, Says.ACCEPTED, key_of(AGENCY), now=NOW)
        os.write(out, f"{link}\n".encode())


def main(folder: Path, times: int) -> None:
    """Kill `times` workers, one after another, each at a random moment."""
    chance = random.Random(times)
    for turn in range(times):
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            work(folder, turn, write)
            os._exit(1)
        os.close(write)
        select.select([read], [], [], 30)
        time.sleep(chance.random() * 0.05)  # the moment is what is tried, not what is waited for
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(read, "rb") as said:
            sys.stdout.write("".join(line.decode() for line in said if line.endswith(b"\n")))
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
