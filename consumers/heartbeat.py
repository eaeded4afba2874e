"""The hub's heartbeat: the network's time for expiry, and the sign that the way to the hub is open. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from consumers.judging import Message
from schemas import message
from schemas.directory import Directory
from schemas.reasons import Refusal

CLOCK: Final = "hub.clock"
"""The one stage of the hub that gives the time."""
SILENCE: Final = 15_000_000
"""Microseconds without a sign of life after which the desk is told: three heartbeats of five seconds."""


class Beat(NamedTuple):
    """A heartbeat that the hub has signed: its number, the hub's clock, and our clock when it came."""

    sequence: int
    at: int
    seen: int

    def meta(self) -> dict[str, int]:
        """As the inbox keeps it."""
        return {"heartbeat_sequence": self.sequence, "heartbeat_at": self.at, "heartbeat_seen": self.seen}


def newest(sent: Sequence[Message], last: Beat | None, directory: Directory, now: int) -> Beat | None:
    """The newest heartbeat that holds and goes forward; None where all are old or false. A replayed one is no sign
    of life."""
    best = last
    for one in sent:
        try:
            schema, record, _key = message.open_record(
                one.value, one.headers, directory=directory, at=one.time, holders=(CLOCK,)
            )
        except Refusal:
            continue
        if schema.name == "heartbeat" and (best is None or record["at"] > best.at):
            best = Beat(record["sequence"], record["at"], now)
    return best if best is not last else None


def disconnected_since(edge_seen: int, heartbeat_seen: int, now: int) -> int | None:
    """Since when (our clock) alerts may be missing: the edge does not run, or hears nothing of the hub. None when
    all is well.

    0 means: it has never been connected.
    """
    since = min(edge_seen, heartbeat_seen) if edge_seen and heartbeat_seen else 0
    return since if now - since > SILENCE else None
