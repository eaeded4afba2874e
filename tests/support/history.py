"""What happened in one scenario: who submitted what, what the hub said, who got what, who confirmed what.

Scenarios only record; `checker.py` alone judges. Every alert carries a mark of its own, 128 random bits, so that a
leak shows wherever its bytes turn up. Times are microseconds since the epoch, UTC.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from schemas.directory import Directory

MARK = re.compile(rb"mark-[0-9a-f]{32}")
PUBLIC = "everybody"
"""A holder that no alert is for: logs, metrics and whatever else anybody may read."""


class Place(StrEnum):
    """Where a delivery was found. A log may hold repeats; an inbox and a database may not."""

    LOG = "log"
    INBOX = "inbox"
    DATABASE = "database"
    EFFECT = "effect"


def mark() -> str:
    """A mark that no other alert has."""
    return f"mark-{secrets.token_hex(16)}"


def now() -> int:
    """This moment."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Submission:
    """A message handed in. `accepted` once its author was told so; `readers` are the members entitled to it."""

    digest: str
    agency: str
    alert_id: str
    version: int
    mark: str
    readers: frozenset[str]
    at: int
    accepted: bool = True
    message: str = "ALERT"


@dataclass(frozen=True)
class Verdict:
    """What the hub said about a digest."""

    digest: str
    outcome: str
    reason: str
    at: int
    again: bool = False


@dataclass(frozen=True)
class Sealed:
    """The signed bytes of a delivery, as its receiver holds them, with the hub's time."""

    key: bytes
    value: bytes
    sig: bytes
    at: int


@dataclass(frozen=True)
class Delivery:
    """One thing that a member has. `order` counts within the place; for an inbox, `sealed` is the evidence."""

    member: str
    place: Place
    agency: str
    alert_id: str
    version: int
    order: int
    digest: str = ""
    at: int = 0
    sealed: Sealed | None = None


@dataclass(frozen=True)
class Receipt:
    """What a member has signed for, as its author holds it."""

    digest: str
    member: str
    stage: str
    at: int


@dataclass(frozen=True)
class Counter:
    """What a metric says at the end. `since` False: its process died on the way, so it may have counted less."""

    name: str
    label: str
    value: int
    since: bool = True


@dataclass
class History:
    """One scenario's record. `places` are those in which every reader must have a message; `observed` are the marks in
    everything that somebody received, by holder.
    """

    scenario: str
    places: tuple[Place, ...]
    submissions: list[Submission] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    observed: dict[str, set[str]] = field(default_factory=dict)
    directory: Directory | None = None

    def observe(self, holder: str, received: bytes | Sequence[bytes]) -> None:
        """Note the marks in bytes that somebody has received."""
        blobs = [received] if isinstance(received, bytes) else received
        marks = self.observed.setdefault(holder, set())
        for blob in blobs:
            marks.update(found.decode() for found in MARK.findall(blob))

    def write(self, path: Path) -> None:
        """Keep it as JSON lines, for whoever looks for the cause of a failure."""
        with path.open("w", encoding="utf-8") as file:
            for name in ("submissions", "verdicts", "deliveries", "receipts", "counters"):
                for event in getattr(self, name):
                    file.write(json.dumps({"event": name, **asdict(event)}, default=_plain) + "\n")


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else sorted(value) if isinstance(value, frozenset) else str(value)
