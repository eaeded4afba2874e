"""Delivering again by hand: what is asked for is set aside as due at once, and the drain brings it beside what is
new."""

from __future__ import annotations

from typing import Final

from consumers.inbox import Inbox
from consumers.show import find
from manara.errors import InputError
from manara.stores import transaction

REASON: Final = "to be delivered again, by hand"


def ask(inbox: Inbox, sink: str, begin: str) -> int:
    """Ask for everything from a number on, or for all versions of an alert; how many entries that are.

    What the sink has not come to yet is delivered anyway and not asked for. Raises `InputError` where the sink has
    delivered nothing here, `AlertNotFoundError` where no alert is meant.
    """
    row = inbox.db.execute("select number from sinks where name = ?", (sink,)).fetchone()
    if row is None:
        raise InputError(f"The sink {sink} has never delivered from this inbox.", "Name one of the settings' sinks.")
    upto = int(str(row[0]))
    wanted = (
        range(max(1, int(begin)), upto + 1) if begin.isdecimal() and len(begin) < LONGEST else _of(inbox, begin, upto)
    )
    with transaction(inbox.db):
        inbox.db.executemany(
            "insert or replace into parked values (?, ?, 0, 0, ?)", [(sink, number, REASON) for number in wanted]
        )
        inbox.db.executemany("delete from dead_letters where sink = ? and number = ?", [(sink, n) for n in wanted])
    return len(wanted)


LONGEST: Final = 12
"""A word of digits shorter than this is a number of the inbox, else the start of an id."""


def _of(inbox: Inbox, alert: str, upto: int) -> list[int]:
    return [entry.number for entry in find(inbox, alert) if entry.number <= upto]
