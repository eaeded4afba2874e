"""The register: what the gate knows about each alert and about each agency's sequence, as bytes in its state.

Keys of the state are `<agency>/<alert id>` for an alert and `@<agency>/<partition>` for an inlet partition's chain.
Both are a fold of blocks: `absorb` and `chain_of` are used when a message is admitted and when its block is replayed,
so the two cannot differ.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from schemas import codec, registry
from schemas.lifecycle import NEXT
from schemas.message import identity
from schemas.models import Admitted, Block, Position, RegisterEntry
from streams.engine.contract import Fold, Known

_SEQUENCE = struct.Struct(">q")
_FRAMED = b"\x00"
LOCAL = -1
"""`admitted_offset` of an entry in the local store; the snapshot's writer puts the real one."""
_BARE = registry.wire_id("register", 1, 0)


class Chain(NamedTuple):
    """Where an agency's sequence stands in one partition: last sequence number and digest of that message."""

    sequence: int = 0
    previous: str = ""


def source(agency: str, partition: int) -> bytes:
    """The key of a chain in the state. No agency begins with @, so it meets no alert."""
    return f"@{agency}/{partition}".encode()


def read(value: bytes | None) -> RegisterEntry | None:
    """The entry in a value of the state.

    A value of schema 1.0 is a bare body, which begins with the length of the agency's name and so never with 0.
    """
    if value is None:
        return None
    latest = registry.by_name("register")
    if value.startswith(_FRAMED):
        schema_id, body = codec.unframe(value)
        schema = registry.by_id(schema_id)
    else:
        schema, body = registry.by_id(_BARE), value
    entry = codec.decode(schema, body) if schema is latest else codec.resolve(body, schema, latest)
    return cast("RegisterEntry", entry)


def write(entry: RegisterEntry) -> bytes:
    """The value of an entry for the state: framed, so that a later version knows what it reads."""
    schema = registry.by_name("register")
    return codec.frame(schema, codec.encode(schema, entry))


def read_chain(value: bytes | None) -> Chain:
    """The chain in a value of the state; the beginning where there is none."""
    return Chain(_SEQUENCE.unpack_from(value)[0], value[8:].decode()) if value else Chain()


def write_chain(chain: Chain) -> bytes:
    """The value of a chain for the state."""
    return _SEQUENCE.pack(chain.sequence) + chain.previous.encode()


def chain_of(position: Position) -> Chain:
    """The chain that a block's position carries."""
    return Chain(position["sequence"], position["previous"])


def absorb(entry: RegisterEntry | None, item: Admitted, *, stale: bool = False) -> RegisterEntry:
    """The entry after an admitted message. `stale`: the item came from a worker that had lost the lane.

    A stale item of an alert that is known already, or one that the entry covers, only adds to `reached`: it may have
    been delivered, so an end must reach those members too, and who was told to be left out must be told anew.
    """
    reached = sorted({*(entry["reached"] if entry else ()), *item["deliver"]})
    left = (set(entry["left"]) if entry else set[str]()) - set(item["deliver"])
    if entry is not None and (stale or item["digest"] in entry["digests"] or item["version"] < entry["version"]):
        return {**entry, "reached": reached, "left": sorted(left), "admitted_offset": LOCAL}
    before = entry["digests"][: item["version"] - 1] if entry else []
    return {
        "agency": item["agency"],
        "alert_id": item["alert_id"],
        "kind": item["kind"],
        "state": NEXT.get((entry["state"], item["message"]), entry["state"]) if entry else "ACTIVE",
        "version": item["version"],
        "partition": entry["partition"] if entry else item["partition"],
        "expires_at": item["expires_at"],
        "digests": [*before, item["digest"]],
        "reached": reached,
        "admitted_offset": LOCAL,
        "left": sorted(left.union(item["leave"])),
    }


def fold(block: Block, state: Mapping[bytes, bytes], known: Known, inlet: Callable[[str], str]) -> Fold:
    """What a block says: changes of entries and chains, and the positions that it moves on."""
    puts: dict[bytes, bytes] = {}
    ids = {(place["topic"], place["partition"]): place["topic_id"] for place in block["positions"]}
    for item in block["admitted"]:
        key = identity(item["agency"], item["alert_id"])
        topic, partition = inlet(item["agency"]), item["partition"]
        stale = item["offset"] < known(topic, ids.get((topic, partition), ""), partition)
        puts[key] = write(absorb(read(puts.get(key) or state.get(key)), item, stale=stale))
    fresh = [place for place in block["positions"] if _moves_on(place, known)]
    for place in fresh:
        if place["sequence"]:
            agency = place["topic"].rpartition(".")[2]
            puts[source(agency, place["partition"])] = write_chain(chain_of(place))
    return Fold(list(puts.items()), fresh)


def _moves_on(place: Position, known: Known) -> bool:
    return place["next_offset"] > known(place["topic"], place["topic_id"], place["partition"])
