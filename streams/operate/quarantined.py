"""Looking into quarantine: what was refused, of whom, why, and the original bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from manara.trace import clock
from schemas import message
from schemas.directory import Directory
from schemas.errors import ContractError
from schemas.models import Quarantined
from schemas.reasons import REMEDY
from streams.gate import quarantine
from streams.gate.quarantine import coordinates
from streams.operate.errors import AmbiguousError, NotFoundError
from streams.operate.log import Log, Progress


@dataclass(frozen=True)
class Filter:
    """Which refusals are wanted; "" and 0 want all. `since` in microseconds."""

    reason: str = ""
    agency: str = ""
    since: int = 0

    def wants(self, kept: Quarantined) -> bool:
        """Whether a record passes."""
        return self.reason in ("", kept["reason"]) and self.agency in ("", kept["agency"])


def place_of(kept: Quarantined) -> str:
    """The coordinates of a kept message: `alerts.v1.az-customs/0/17`."""
    source = kept["source"]
    return coordinates(source["topic"], source["partition"], source["offset"])


def entries(log: Log, wanted: Filter, progress: Progress) -> Iterator[Quarantined]:
    """The kept messages that pass, oldest first."""
    for read in log.scan(log.names.quarantine, since=wanted.since, progress=progress):
        kept = quarantine.read(read.value or b"")
        if wanted.wants(kept):
            yield kept


def find(log: Log, place: str, progress: Progress) -> Quarantined:
    """The kept message of these coordinates: the latest one, if a topic was made anew or a gate repeated itself."""
    parts = place.rsplit("/", 2)
    if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):  # noqa: PLR2004 - topic, partition, offset
        raise AmbiguousError(
            f"{place!r} is no place in the log.", "Write it as `manara quarantine list` does: TOPIC/PARTITION/OFFSET."
        )
    key, found = place.encode(), None
    for read in log.scan(log.names.quarantine, progress=progress):
        if read.key == key:
            found = quarantine.read(read.value or b"")
    if found is None:
        raise NotFoundError(
            f"Nothing was quarantined from {place}.", "See `manara quarantine list`. Records are kept for 90 days."
        )
    return found


def summary(kept: Quarantined) -> dict[str, Any]:
    """One refusal in short, for a list. No content of the message."""
    return {
        "place": place_of(kept),
        "time": clock(kept["time"]),
        "agency": kept["agency"],
        "reason": kept["reason"],
        "detail": kept["detail"],
        "bytes": len(kept["value"] or b""),
    }


def full(kept: Quarantined, directory: Directory) -> dict[str, Any]:
    """Everything about one refusal. The record itself only where its signature holds: nothing else is ever decoded."""
    record, why_not = _decoded(kept, directory)
    return {
        **summary(kept),
        "topic_id": kept["source"]["topic_id"],
        "remedy": REMEDY.get(kept["reason"], ""),
        "errors": [dict(error) for error in kept["errors"]],
        "directory_seq": kept["directory_seq"],
        "key": _text(kept["key"]),
        "headers": [[field["name"], _hex(field["value"])] for field in kept["headers"]],
        "value": _hex(kept["value"]),
        "record": record,
        "record_withheld": why_not,
    }


def hex_lines(value: bytes | None, limit: int = 512) -> str:
    """The beginning of a value for people: 16 bytes a line with their offsets."""
    if value is None:
        return "null"
    shown = [f"{start:06x}  {value[start : start + 16].hex(' ')}" for start in range(0, min(len(value), limit), 16)]
    rest = len(value) - limit
    return "\n".join([*shown, f"... {rest} bytes more; --raw FILE writes all of them"] if rest > 0 else shown)


def _decoded(kept: Quarantined, directory: Directory) -> tuple[dict[str, Any] | None, str]:
    headers = [(field["name"], field["value"]) for field in kept["headers"]]
    try:
        authentic = message.authenticate(
            kept["key"], kept["value"], headers, directory=directory, at=kept["time"], limit=len(kept["value"] or b"")
        )
        return message.interpret(authentic, kept["key"] or b"").record, ""
    except ContractError as error:
        return None, str(error)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _text(key: bytes | None) -> str | None:
    """A key as text, whatever is in it: control characters and what is no Unicode are written as escapes."""
    return None if key is None else key.decode("utf-8", "backslashreplace").encode("unicode_escape").decode()
