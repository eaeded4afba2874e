"""Finding one alert in the log: by its id, or by agency and id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from schemas import message
from schemas.directory import lane_of
from schemas.models import Admitted
from streams.gate import blocks, quarantine
from streams.gate.quarantine import coordinates
from streams.operate.errors import AmbiguousError, NotFoundError
from streams.operate.log import Log, Progress

DAY = 86_400_000_000
_ALERT = re.compile(
    r"(?:(?P<agency>[a-z]{2}-[a-z0-9]{2,16})/)?(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f-]{17})"
)
_TIME_HEX = 12  # a UUIDv7 begins with 48 bits of milliseconds


class Asked(NamedTuple):
    """Which alert is meant; agency "" where only the id was given."""

    agency: str
    alert_id: str


class Found(NamedTuple):
    """An admitted message, and the block that it stands in."""

    item: Admitted
    lane: int
    offset: int
    block_time: int


class Refused(NamedTuple):
    """A refused message of that alert."""

    agency: str
    reason: str
    detail: str
    time: int
    place: str


def parse(text: str) -> Asked:
    """What was typed: `az-police/0193…` or the id alone. AmbiguousError where it is neither."""
    match = _ALERT.fullmatch(text.strip().lower())
    if match is None:
        raise AmbiguousError(
            f"{text!r} is not an alert.", "Write <agency>/<alert id> or the alert id, as verdicts and feeds show it."
        )
    return Asked(match["agency"] or "", match["id"])


def admitted(log: Log, asked: Asked, progress: Progress) -> list[Found]:
    """Every admitted message of the alert, in order of the log.

    An alert's id tells when it was made, so reading begins a day before that; only if nothing is there, at the
    beginning. NotFoundError if there is none at all, AmbiguousError if two agencies use the id.
    """
    lanes = [lane_of(asked.agency, log.lanes)] if asked.agency else None
    found = list(_items(log, asked, lanes, made_at(asked.alert_id) - DAY, progress))
    found = found or list(_items(log, asked, lanes, 0, progress))
    agencies = sorted({each.item["agency"] for each in found})
    if len(agencies) > 1:
        raise AmbiguousError(
            f"{len(agencies)} agencies have an alert {asked.alert_id}.",
            "Say which: " + " or ".join(f"{agency}/{asked.alert_id}" for agency in agencies),
        )
    return found


def refused(log: Log, asked: Asked, progress: Progress) -> list[Refused]:
    """Every refused message that came under the alert's key."""
    found = []
    for read in log.scan(log.names.quarantine, since=made_at(asked.alert_id) - DAY, progress=progress):
        kept = quarantine.read(read.value or b"")
        agency, _, alert_id = (kept["key"] or b"").decode("utf-8", "replace").partition("/")
        if alert_id == asked.alert_id and asked.agency in ("", agency, kept["agency"]):
            source = kept["source"]
            place = coordinates(source["topic"], source["partition"], source["offset"])
            found.append(Refused(kept["agency"], kept["reason"], kept["detail"], kept["time"], place))
    return found


def missing(asked: Asked, refusals: list[Refused]) -> NotFoundError:
    """What to say of an alert that was not admitted."""
    name = "/".join(filter(None, asked))
    if refusals:
        last = refusals[-1]
        return NotFoundError(
            f"{name} was not admitted: it was refused as {last.reason} ({last.detail}).",
            f"See it with: manara quarantine show {last.place}",
        )
    return NotFoundError(
        f"No admitted or refused alert {name} is in the log.",
        "Check the id. Blocks are kept for 35 days; an agency sees what it has not sent yet with `manara status`.",
    )


def made_at(alert_id: str) -> int:
    """When an alert's id was made, in microseconds: a UUIDv7 begins with its time."""
    return int(alert_id.replace("-", "")[:_TIME_HEX], 16) * 1000


def _items(log: Log, asked: Asked, lanes: list[int] | None, since: int, progress: Progress) -> Iterator[Found]:
    wanted = asked.alert_id.encode()
    for read in log.scan(log.names.admitted, lanes, since=since, progress=progress):
        if read.value is None or wanted not in read.value:
            continue
        for item in blocks.read(read.value)["admitted"]:
            if item["alert_id"] == asked.alert_id and asked.agency in ("", item["agency"]):
                yield Found(item, read.partition, read.offset, read.time)


def key_of(item: Admitted) -> bytes:
    """The alert's key."""
    return message.identity(item["agency"], item["alert_id"])
