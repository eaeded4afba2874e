"""The edge's thread that keeps the index up: a little at a time while alerts come in, all of it when nothing does; and
that takes out what was withdrawn before the receipt PURGED is given.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw
import structlog

from consumers import purging
from consumers.inbox import Inbox
from consumers.search.index import Index
from manara.stores import transaction

SINK: Final = "search"
"""The name under which the index says that it has purged, as a sink does."""
PAUSE_SECONDS: Final = 1.0
BREATH_SECONDS: Final = 0.05
CALM_SECONDS: Final = 1.0
"""Without a new entry for so long the edge has nothing else to do."""
LITTLE: Final = 10
"""Entries a turn while alerts come in: a few milliseconds, which delays none of them."""
MUCH: Final = 1_000
STEPS: Final = 10_000
"""After so many steps of SQLite's machine it is looked whether the edge stops: writing a large file anew takes long."""
REST: Final = 20.0
"""The file is not written anew again before so many times as long as it took have passed."""
DAY: Final = 86_400_000_000


@dataclass
class Keeper:
    """Keeps the index of one inbox. `run` is its thread's body."""

    folder: Path
    member: str
    stop: threading.Event

    def __post_init__(self) -> None:
        self._tip = 0
        self._moved = 0.0
        self._swept = 0
        self._rested = 0.0

    def run(self) -> None:
        """Work until `stop`."""
        with (
            Inbox.open(self.folder, thorough=False) as inbox,
            Index.open(self.folder) as index,
            contextlib.suppress(apsw.InterruptError),
        ):
            index.db.set_progress_handler(self.stop.is_set, STEPS)
            while not self.stop.is_set():
                self.stop.wait(self.turn(inbox, index))

    def turn(self, inbox: Inbox, index: Index) -> float:
        """One round; the seconds until the next."""
        self._purge(inbox, index)
        tip, now = inbox.tip().number, time.monotonic()
        if tip != self._tip:
            self._tip, self._moved = tip, now
        most = MUCH if now - self._moved > CALM_SECONDS else LITTLE
        done = index.catch_up(inbox, most=most)
        if done:
            structlog.get_logger().debug("The search index has taken in entries", member=self.member, count=done)
        return BREATH_SECONDS if done == most else PAUSE_SECONDS

    def _purge(self, inbox: Inbox, index: Index) -> None:
        """Take out what was withdrawn or emptied, write the file anew, and say so: then alone PURGED is true."""
        orders = inbox.db.execute(
            "select number, agency, alert_id from withdrawals w where receipted_at is null "
            "and not exists (select 1 from purged_by p where p.sink = ? and p.number = w.number)",
            (SINK,),
        ).fetchall()
        for _, agency, alert_id in orders:
            versions = inbox.db.execute(
                "select number from inbox where alert_id = ? and agency = ?", (alert_id, agency)
            ).fetchall()
            index.forget(int(str(number)) for (number,) in versions)
        self._sweep(inbox, index)
        if time.monotonic() < self._rested or not self._scrub(index) or not orders:
            return
        with transaction(inbox.db):
            inbox.db.executemany(
                "insert or ignore into purged_by values (?, ?)", [(SINK, number) for number, _, _ in orders]
            )

    def _scrub(self, index: Index) -> bool:
        began = time.monotonic()
        clean = index.scrub()
        self._rested = time.monotonic() + REST * (time.monotonic() - began)
        return clean

    def _sweep(self, inbox: Inbox, index: Index) -> None:
        """Once a day by the network's time: what the inbox has emptied by its retention is taken out here too."""
        log_time = int(inbox.meta("heartbeat_at") or 0)
        if log_time - self._swept < DAY:
            return
        self._swept = log_time
        index.forget(purging.emptied(inbox.db, index.over(log_time)))
