"""A process that works on an outbox until it is killed: it accepts, changes, sends and hears back.

It says each promise only once it is durable.

`python -m tests.support.spools FOLDER TIMES SEED` kills TIMES such processes at random moments (-9) and prints every
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

from producers import versions
from producers.composing import Author, Draft, compose
from producers.ledger import Ledger, Said, Spot
from producers.nodes import from_python
from producers.outbox import Ack, Outbox
from producers.validity import DAY
from schemas.identifiers import uuid7
from tests.support.agency import verdict, wanted
from tests.support.directories import NOW, key_of, network

AGENCY = "az-police"
KEY = key_of(AGENCY)


def draft(seed: int) -> Draft:
    """A new alert."""
    written = {"kind": "person", "audience": "ALL", **wanted(national_ref=f"R-{seed}")}
    return compose(from_python(written), Author.of(AGENCY), NOW, lambda: uuid7(NOW, seed.to_bytes(10)))


def work(folder: Path, seed: int, out: int) -> None:
    """Work for ever. A line is `number digest`, written after the promise."""
    chance = random.Random(seed)
    gate = next(key for key in network().directory.keys.values() if key.holder == "hub.gate")
    outbox = Outbox.open(folder, AGENCY)
    ledger = Ledger(outbox, AGENCY, lambda: network().directory)
    outbox.settle("cluster", "topic", NOW)
    for turn in range(10_000):
        drafts = [draft(seed * 100_000 + 10 * turn + place) for place in range(chance.randrange(1, 4))]
        accepted = outbox.accept(drafts, KEY, partition=turn % 2, now=NOW - DAY * (turn % 3))
        if chance.random() < 0.5:
            now_at = versions.current(outbox, accepted[0].alert_id)
            step = versions.follow(now_at, "SUSPEND", NOW) if turn % 2 else versions.end(now_at, "WITHDRAW", NOW)
            accepted += outbox.accept([step], KEY, partition=0, now=NOW)
        os.write(out, b"".join(f"{one.number} {one.digest}\n".encode() for one in accepted))
        for partition in (0, 1):
            ready = outbox.pending(partition, 0, 5)
            outbox.acknowledge([Ack(item.number, item.number) for item in ready], "topic", NOW)
        spot = Spot("status", "id", 0, turn)
        given = [verdict(one.digest, at=NOW) for one in accepted]
        ledger.take([Said("verdict", {"agency": AGENCY, "verdicts": given}, gate, spot, NOW, b"x%d" % seed)], [spot])


def main(folder: Path, times: int, seed: int) -> None:
    """Kill `times` workers, one after another, each at a random moment."""
    chance = random.Random(seed)
    for turn in range(times):
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            work(folder, seed * 1000 + turn, write)
            os._exit(1)
        os.close(write)
        if turn % 4:  # at work; every fourth time wherever it is, perhaps still opening
            select.select([read], [], [], 30)
        time.sleep(chance.random() * 0.08)  # the moment is what is tried, not what is waited for
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(read, "rb") as said:
            sys.stdout.write("".join(line.decode() for line in said if line.endswith(b"\n")))
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
