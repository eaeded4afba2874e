"""Index: a block in, what its alerts say to correlation out: mentions by token, transfers for the search for patterns.

Stateless. One mention a version of an alert and partition of mentions.v1, under the alert's identity: it says which
version counts, and holds those of its tokens that belong there. The first version goes where its tokens are, every
later one and every end to all partitions, so that the compacted topic never keeps what an older version said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast
from zlib import crc32

import structlog

from manara import metrics
from schemas import codec, message, registry
from schemas.models import Admitted, AlertHeader, Flow, Mention, MentionStanding
from schemas.topics import Names
from streams.blocks import read_block
from streams.correlate import substance
from streams.correlate.substance import Substance
from streams.engine.contract import Emit, Output, Record

COUNTING: Final = frozenset({"ALERT", "UPDATE", "EXTEND", "RESUME"})
"""Messages after which an alert counts; SUSPEND takes it out for a while, the others for good."""


class Said(NamedTuple):
    """What one version of an alert says: the mention without tokens, the tokens, and its transfers."""

    mention: Mention
    tokens: list[str]
    transfers: list[Any]


class Index:
    """The stage. `lanes` is the number of partitions of mentions.v1.

    The content of an alert comes from strangers: one that the matchers cannot make ready counts without anything to be
    found by. A block that cannot be read ends the process, as in route.
    """

    def __init__(self, names: Names, lanes: int) -> None:
        self._names = names
        self._lanes = lanes

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Index some blocks of one lane."""
        output = Output()
        for record in batch:
            for item in read_block(record)["admitted"]:
                output.emits += self._item(item)
        return output

    def _item(self, item: Admitted) -> list[Emit]:
        said = read(item)
        metrics.indexed.labels(item["kind"]).inc()
        emits = self._mentions(item, said)
        if item["kind"] == "transfer" and (said.transfers or item["version"] > 1):
            schema = registry.by_name("flow")
            value = codec.frame(schema, codec.encode(schema, _flow(said)))
            emits.append(Emit(self._names.transfers, _identity(item), value, None, 0))
        return emits

    def _mentions(self, item: Admitted, said: Said) -> list[Emit]:
        shares = defaultdict[int, list[str]](list)
        for token in said.tokens:
            shares[partition_of(token, self._lanes)].append(token)
        parts = sorted(shares) if item["version"] == 1 else range(self._lanes)
        schema, key = registry.by_name("mention"), _identity(item)
        emits = []
        for part in parts:
            share = shares.get(part, [])
            mention = said.mention if share else _bare(said.mention)
            value = codec.frame(schema, codec.encode(schema, {**mention, "tokens": share}))
            emits.append(Emit(self._names.mentions, key, value, None, part))
        return emits


def partition_of(token: str, lanes: int) -> int:
    """The partition of mentions.v1 that a token belongs to."""
    return crc32(token.encode()) % lanes


def standing_of(said: str) -> MentionStanding:
    """What counts of an alert after a message of this type."""
    return "COUNTS" if said in COUNTING else "SUSPENDED" if said == "SUSPEND" else "ENDED"


def read(item: Admitted) -> Said:
    """What an admitted message says to correlation. Never raises over the content of an alert."""
    standing = standing_of(item["message"])
    if standing != "COUNTS":
        return Said(_mention(item, None, standing, None), [], [])
    try:
        record = _decoded(item)
        found = substance.drawn(item["kind"], record)
        tokens = substance.tokens(substance.prepared(found))
    except Exception as error:  # noqa: BLE001 - whatever a stranger's text does to a matcher, the stage goes on
        metrics.unindexed.labels(item["kind"]).inc()
        structlog.get_logger().warning(
            "An alert could not be made ready for correlation; it is delivered, and not linked",
            alert_id=item["alert_id"],
            agency=item["agency"],
            version=item["version"],
            cause=type(error).__name__,
        )
        return Said(_mention(item, None, standing, None), [], [])
    header = cast("AlertHeader", record["header"])
    transfers = record["transfers"] if item["kind"] == "transfer" else []
    return Said(_mention(item, header, standing, found), tokens, transfers)


def _decoded(item: Admitted) -> dict[str, Any]:
    """The alert of the admitted bytes, as its kind's latest minor version; the gate has verified and read them."""
    number, body = codec.unframe(item["value"])
    schema = registry.by_id(number)
    latest = registry.current(schema)
    return codec.decode(schema, body) if latest is schema else codec.resolve(body, schema, latest)


def _mention(item: Admitted, header: AlertHeader | None, standing: MentionStanding, found: Substance | None) -> Mention:
    empty = Substance([], [], [], [])
    return {
        "agency": item["agency"],
        "alert_id": item["alert_id"],
        "member": item["agency"][:2].upper(),
        "kind": item["kind"],
        "version": item["version"],
        "standing": standing,
        "status": header["status"] if header else "",
        "precedence": item["precedence"],
        "reference": header["national_ref"] if header else "",
        "expires_at": item["expires_at"],
        "admitted_at": item["admitted_at"],
        "tokens": [],
        **(found or empty)._asdict(),  # type: ignore[typeddict-item]  # the fields of the same names
    }


def _bare(mention: Mention) -> Mention:
    """The mention for a partition where nothing of it belongs: which version counts, and no content."""
    return {**mention, "reference": "", "persons": [], "identifiers": [], "waypoints": [], "not_these": []}


def _flow(said: Said) -> Flow:
    mention = said.mention
    return {
        "agency": mention["agency"],
        "alert_id": mention["alert_id"],
        "member": mention["member"],
        "version": mention["version"],
        "status": mention["status"],
        "precedence": mention["precedence"],
        "reference": mention["reference"],
        "expires_at": mention["expires_at"],
        "admitted_at": mention["admitted_at"],
        "transfers": said.transfers,
    }


def _identity(item: Admitted) -> bytes:
    return message.identity(item["agency"], item["alert_id"])
