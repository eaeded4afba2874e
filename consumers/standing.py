"""What stands against acting on an entry, in words: shown wherever an alert is shown. Pure."""

from __future__ import annotations

from consumers.entry import Entry
from schemas import recipient
from schemas.recipient import Held


def marks(entry: Entry, held: Held | None, log_time: int) -> list[str]:
    """The marks of one entry by all that is held of its alert and by the network's time; none if it may be acted on."""
    found = []
    if held is not None and held.state != "ACTIVE":
        found.append(held.state.replace("_", " "))
    if held is not None and not held.ended and entry.type == "ALERT" and entry.version < max(held.versions, default=0):
        found.append(f"REPLACED BY v{max(held.versions)}")
    if entry.expires_at and recipient.expired(entry.expires_at, log_time):
        found.append("EXPIRED")
    if recipient.review_due(review_at(entry), log_time):
        found.append("REVIEW DUE")
    return found


def review_at(entry: Entry) -> int:
    """When its author must look at it again; 0 for never."""
    if entry.type != "ALERT" or entry.bare or not entry.intact:
        return 0
    return int(entry.record()["header"]["review_at"])
