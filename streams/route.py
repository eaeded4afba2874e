"""Route: a block in, every admitted message out to the feeds of the members that may read it.

Stateless: the gate has decided everything and stamped it into the block. The hub header is left behind, because it
names the other recipients. Members that a new version leaves out are told so, and each author how many feeds its
message went to.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from manara import metrics
from schemas import message, registry
from schemas.directory import Directory
from schemas.models import Admitted, Block, Notice, Receipt, Receipts
from schemas.notices import notice
from schemas.signature import SigningKey
from schemas.topics import Names
from streams.blocks import read_block
from streams.engine.contract import Emit, Headers, Output, Record
from streams.engine.errors import Exit, Stop

ISSUER: Final = "hub.route"


class Route:
    """The stage. `directory` gives the latest snapshot, `signer` is the key of `hub.route`.

    An end is fanned out as any other message, to the feeds of the alert's own kind.
    A block that cannot be decoded, or that names a member, kind or agency that does not exist, ends the process: only
    the gate writes blocks, so the hub itself is broken, and passing over it would lose alerts in silence.
    """

    def __init__(self, names: Names, directory: Callable[[], Directory], signer: SigningKey) -> None:
        self._names = names
        self._directory = directory
        self._signer = signer

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Fan out some blocks of one lane."""
        directory, output = self._directory(), Output()
        counted: Counter[tuple[str, str]] = Counter()
        for record in batch:
            block = read_block(record)
            block["admitted"] = [_within(item, record, directory) for item in block["admitted"]]
            for item in block["admitted"]:
                output.emits += self._feeds(item)
                counted.update((member, item["kind"]) for member in (*item["deliver"], *item["leave"]))
            output.emits += self._receipts(block, record.time, directory)
            _count(block)
        for (member, kind), number in counted.items():
            metrics.routed.labels(member, kind).inc(number)
        return output

    def _feeds(self, item: Admitted) -> list[Emit]:
        key, kind = message.identity(item["agency"], item["alert_id"]), item["kind"]
        headers = _headers(item)
        emits = [Emit(self._names.feed(member, kind), key, item["value"], headers) for member in item["deliver"]]
        if item["leave"]:
            value, signed = message.sign_record(registry.by_name("notice"), _leaving(item), self._signer)
            told = [*signed, *headers[1:]]
            emits += [Emit(self._names.feed(member, kind), key, value, told) for member in item["leave"]]
        return emits

    def _receipts(self, block: Block, at: int, directory: Directory) -> list[Emit]:
        """ROUTED, one signed record an agency. Its time is the block's, so that a repeat says the same.

        An agency that has left the directory since is told nothing: its alert goes on without it.
        """
        found = defaultdict[str, list[Receipt]](list)
        for item in block["admitted"]:
            if item["agency"] in directory.agencies or item["directory_seq"] > directory.seq:
                found[item["agency"]].append(_routed(item, at))
        return [self._receipt(agency, receipts) for agency, receipts in found.items()]

    def _receipt(self, agency: str, receipts: list[Receipt]) -> Emit:
        record: Receipts = {"issuer": ISSUER, "member": "", "agency": agency, "receipts": receipts}
        value, headers = message.sign_record(registry.by_name("receipt"), record, self._signer)
        return Emit(self._names.status(agency), agency.encode(), value, cast("Headers", headers))


def _within(item: Admitted, record: Record, directory: Directory) -> Admitted:
    """The item for the members that have a feed. Fail closed: what the directory does not know has none.

    What was decided by a newer directory than ours is let through: the broker refuses a topic that does not exist.
    Members that an older one still had have left since: they have no right any more, and the others are served. An
    agency that has left stops nobody either.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}"
    if item["kind"] not in registry.ALERT_KINDS:
        raise Stop(Exit.BROKEN_BLOCK, f"{place} names the kind {item['kind']!r}, which has no feeds")
    if item["directory_seq"] > directory.seq:
        return item
    strangers = {*item["deliver"], *item["leave"]} - directory.members.keys()
    if item["directory_seq"] < directory.seq:
        if not strangers:
            return item
        deliver, leave = ([m for m in item[part] if m not in strangers] for part in ("deliver", "leave"))
        return {**item, "deliver": deliver, "leave": leave}
    if strangers:
        raise Stop(Exit.BROKEN_BLOCK, f"{place} names members without feeds: {', '.join(sorted(strangers))}")
    if item["agency"] not in directory.agencies:
        raise Stop(Exit.BROKEN_BLOCK, f"{place} names the agency {item['agency']}, which the directory does not know")
    return item


def _count(block: Block) -> None:
    for item in block["admitted"]:
        if not item["deliver"]:
            metrics.nobody.labels(item["kind"]).inc()


def _headers(item: Admitted) -> Headers:
    """What an edge needs beside the signed bytes: the signature first, the log's time, the trace."""
    headers: Headers = [(message.SIG, item["signature"]), (message.AT, item["admitted_at"].to_bytes(8, "big"))]
    if item["trace"]:
        headers.append((message.TRACE, item["trace"].encode()))
    return headers


def _leaving(item: Admitted) -> Notice:
    return notice(
        "NO_LONGER_ADDRESSED",
        item["agency"],
        item["admitted_at"],
        "A new version of this alert is not addressed to you: do not act on the one you hold.",
        alert_id=item["alert_id"],
        version=item["version"],
        kind=item["kind"],
    )


def _routed(item: Admitted, at: int) -> Receipt:
    return {
        "digest": item["digest"],
        "kind": item["kind"],
        "alert_id": item["alert_id"],
        "version": item["version"],
        "stage": "ROUTED",
        "at": at,
        "reason": "",
        "count": len(item["deliver"]),
    }
