"""What a relay looks after once in a while: warnings ahead of expiry and review, overdue receipts and links, retention.

In the log stand ids alone. A warning comes once for each alert and each state that it is in.
"""

from __future__ import annotations

import time

import structlog

from producers import delivery, links, retention, validity
from producers.hours import now_micros
from producers.outbox import Outbox

EVERY_SECONDS = 60.0
_MOST_REMEMBERED = 100_000


class Care:
    """The regular look of one relay at its outbox."""

    def __init__(self, outbox: Outbox, every: float = EVERY_SECONDS) -> None:
        self._outbox = outbox
        self._every = every
        self._next = time.monotonic()
        self._said: set[tuple[str, str]] = set()
        self._overdue = 0
        self._late = 0
        self.log = structlog.get_logger()

    def turn(self) -> bool:
        """Look, if it is time; whether it was."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + self._every
        now = validity.log_time(self._outbox, now_micros()).at
        self._warn(now)
        self._remind(now)
        self._urge(now)
        erased = retention.erase(self._outbox, now)
        if erased:
            self.log.info("Content of alerts that have long ended was erased", messages=erased)
        return True

    def _warn(self, now: int) -> None:
        if len(self._said) > _MOST_REMEMBERED:
            self._said.clear()
        for one in validity.warnings(self._outbox, now):
            state = "review" if one.validity.review_due or one.validity.review_soon else "expiry"
            if (one.alert_id, state) not in self._said:
                self._said.add((one.alert_id, state))
                self.log.warning(
                    "An alert needs its author soon", alert_id=one.alert_id, version=one.version, state=state
                )

    def _remind(self, now: int) -> None:
        overdue = delivery.late(self._outbox, now)
        if overdue and overdue != self._overdue:
            self.log.warning("Members have not confirmed in time", messages=overdue)
        self._overdue = overdue

    def _urge(self, now: int) -> None:
        waiting = links.waiting(self._outbox)
        late = sum(bool(one.overdue(now)) for one in waiting)
        if late and late != self._late:
            self.log.warning("Links wait for an answer of ours past their clocks", links=late, waiting=len(waiting))
        self._late = late
