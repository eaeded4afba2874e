"""What the agencies' outboxes say, read beside the relays at work: when each alert was accepted, how far it came.

The tables are documented in `producers/outbox_schema.py`. They are only read here, and only to measure.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import apsw

ACCEPTED: Final = "SELECT alert_id, version, accepted_at FROM messages"
REFS: Final = "SELECT alert_id, max(national_ref) FROM messages GROUP BY 1"
PURGED: Final = """
    SELECT DISTINCT r.member, m.alert_id FROM receipts r JOIN messages m ON m.digest = r.digest
    WHERE r.stage = 'PURGED' AND m.message = 'WITHDRAW'
"""
WHOLE: Final = """
    SELECT m.national_ref, m.feeds, m.precedence = 'FLASH'
    FROM messages m JOIN receipts r ON r.digest = m.digest AND r.stage = 'STORED'
    WHERE m.outcome = 'ADMITTED' AND m.routed_at IS NOT NULL AND m.sent_at IS NOT NULL
    GROUP BY m.number HAVING count(*) = m.feeds
"""
"""Alerts that every reader has said to have stored."""


CONNECTED: Final = "SELECT 1 FROM facts WHERE name = 'inlet'"
"""A relay notes which inlet it sends to when it has reached the broker."""


LINKS: Final = """
    SELECT l.link_id, max(m.national_ref), l.state FROM links l JOIN messages m ON m.alert_id = l.alert_id GROUP BY 1
"""


class Side(NamedTuple):
    """An alert of one author, by the author's own reference."""

    agency: str
    national_ref: str


class Offer(NamedTuple):
    """A match that was offered: to each author that was told of it, how it stands there."""

    link_id: str
    sides: dict[Side, str]


class Example(NamedTuple):
    """An alert worth a trace: the folder of its author, the author's reference, how many members hold it."""

    agency: Path
    national_ref: str
    members: int
    flash: bool


def accepted(folders: Iterable[Path]) -> dict[tuple[str, str, int], int]:
    """(agency, alert id, version) to the time of acceptance in microseconds; taken by the agency just before its
    commit."""
    return {
        (folder.name, str(alert_id), int(str(version))): int(str(at))
        for folder in folders
        for alert_id, version, at in _read(folder, ACCEPTED)
    }


def references(folders: Iterable[Path]) -> dict[tuple[str, str], str]:
    """(agency, alert id) to the agency's own reference."""
    return {(folder.name, str(alert_id)): str(ref) for folder in folders for alert_id, ref in _read(folder, REFS)}


def purged(folder: Path, alert_id: str) -> set[str]:
    """Members who have signed that they purged what this agency has withdrawn."""
    return {str(member) for member, alert in _read(folder, PURGED) if alert == alert_id}


def offers(folders: Iterable[Path]) -> list[Offer]:
    """The matches that these agencies have been told of, each with all who were told."""
    found: dict[str, Offer] = {}
    for folder in folders:
        for link_id, ref, state in _read(folder, LINKS):
            offer = found.setdefault(str(link_id), Offer(str(link_id), {}))
            offer.sides[Side(folder.name, str(ref))] = str(state)
    return list(found.values())


def alert_of(folder: Path, link_id: str) -> str:
    """The alert of this agency that a match is about; "" where it was not told of it."""
    rows = _read(folder, "SELECT link_id, alert_id FROM links")
    return next((str(alert) for link, alert in rows if link == link_id), "")


def used(folder: Path) -> bool:
    """Whether an agency has accepted anything."""
    return bool(_read(folder, "SELECT 1 FROM messages LIMIT 1"))


def connected(folder: Path) -> bool:
    """Whether an agency's relay has reached the broker."""
    return bool(_read(folder, CONNECTED))


def example(folders: Iterable[Path]) -> Example | None:
    """An alert whose whole way is known to its author: most urgent, then most readers; None where there is none."""
    found = [
        Example(folder, str(ref), int(str(feeds)), bool(flash))
        for folder in folders
        for ref, feeds, flash in _read(folder, WHOLE)
    ]
    return max(found, key=lambda each: (each.flash, each.members, each.national_ref), default=None)


def _read(folder: Path, sql: str) -> list[tuple[object, ...]]:
    path = folder / "outbox.db"
    if not path.exists():  # an agency that has published nothing
        return []
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        db.set_busy_timeout(5000)
        db.execute("PRAGMA query_only = on")
        return [tuple(row) for row in db.execute(sql)]
    except apsw.SQLError:  # its tables are not made yet
        return []
    finally:
        db.close()
