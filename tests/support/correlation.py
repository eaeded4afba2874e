"""Correlation without a broker: admitted messages through index into partitions, and their records into the fold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from schemas import codec, message, registry
from schemas.models import Admitted, Flow, Link, Mention
from schemas.topics import Names
from streams.correlate.core import Correlation
from streams.correlate.patterns import Patterns
from streams.correlate.scoring import Found
from streams.correlate.store import BUDGET, Store
from streams.correlate.substance import Prepared
from streams.engine.contract import Record
from streams.index import Index
from tests.support.alerts import Author
from tests.support.directories import NOW

NAMES = Names()
LANES = 4


def admitted(sealed: message.Sealed, *, at: int = NOW, offset: int = 0) -> Admitted:
    """A sealed message as the gate's block holds it."""
    number, body = codec.unframe(sealed.value)
    header = codec.decode(registry.by_id(number), body)["header"]
    return {
        "agency": header["agency"],
        "alert_id": header["alert_id"],
        "kind": sealed.kind,
        "version": header["version"],
        "message": header["message"],
        "digest": sealed.digest,
        "admitted_at": at,
        "expires_at": header["expires_at"],
        "precedence": header["precedence"],
        "directory_seq": 1,
        "partition": 0,
        "offset": offset,
        "deliver": [],
        "leave": [],
        "rules": [],
        "trace": "",
        "hub": b"",
        "signature": dict(sealed.headers)["sig"],
        "value": sealed.value,
    }


def block(items: Iterable[Admitted], *, time: int = NOW, offset: int = 0, lane: int = 0) -> Record:
    """A record of admitted.v1."""
    schema = registry.by_name("block")
    value = codec.frame(schema, codec.encode(schema, {"lane": lane, "positions": [], "admitted": list(items)}))
    return Record(NAMES.admitted, "t1", lane, offset, time, b"0", value, [])


def indexed(items: Iterable[Admitted], lanes: int = LANES) -> tuple[dict[int, list[Mention]], list[Flow]]:
    """What index writes: mentions by partition, in order, and flows."""
    parts: dict[int, list[Mention]] = defaultdict(list)
    flows: list[Flow] = []
    for item in items:
        for emit in Index(NAMES, lanes).process(0, [block([item])], {}, 0).emits:
            number, body = codec.unframe(emit.value or b"")
            record: Any = codec.decode(registry.by_id(number), body)
            if emit.topic == NAMES.transfers:
                flows.append(cast("Flow", record))
            else:
                assert emit.key == message.identity(item["agency"], item["alert_id"])
                parts[emit.partition].append(cast("Mention", record))
    return parts, flows


class Bed:
    """A correlation on a store in a folder; `said` is what it said, by link id: the last word counts."""

    def __init__(self, folder: Path, *, lanes: int = LANES, budget: int = BUDGET, **more: Any) -> None:
        self.store = Store(folder / "correlate.db", "test")
        self.store.begin()
        self.core = Correlation(self.store, lanes, budget=budget, **more)
        self.patterns = Patterns(self.store)
        self.patterns.caught_up()
        self.lanes = lanes
        self.said: dict[str, Link] = {}

    def take(self, *items: Admitted) -> None:
        """Index and fold some messages, partition after partition."""
        parts, flows = indexed(items, self.lanes)
        self.fold([(part, mention) for part in sorted(parts) for mention in parts[part]])
        for flow in flows:
            self.hear(self.patterns.fold(flow))

    def fold(self, mentions: Sequence[tuple[int, Mention]]) -> None:
        """Fold mentions in the given order; the log's time is that of each admission."""
        for part, mention in mentions:
            self.hear(self.core.fold(mention, part, mention["admitted_at"]))

    def hear(self, links: Iterable[Link]) -> None:
        """Remember what was said."""
        self.said.update((link["link_id"], link) for link in links)

    def live(self, *classes: str) -> dict[str, Link]:
        """The links that hold, by id; those of values only where asked for."""
        wanted = classes or ("IDENTIFIER", "PERSON", "ROUTE", "PATTERN")
        found = {link["link_id"]: link for link in self.store.live() if link["class"] in wanted}
        said = {id_ for id_, link in self.said.items() if link["state"] != "ENDED" and link["class"] in wanted}
        assert said == set(found)
        return found

    def pairs(self, *classes: str) -> set[tuple[str, ...]]:
        """The links that hold as class and sorted agencies."""
        return {(link["class"], *(side["agency"] for side in link["sides"])) for link in self.live(*classes).values()}

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def wanted(full: str, born: str = "1984-05-02", country: str = "AZ", **more: Any) -> dict[str, Any]:
    """Fields of a WantedPerson of this name, without numbers."""
    name = {"full": full, "parts": [], "script": "Latn", "lang": "", "kind": "BIRTH"}
    return {
        "names": [name],
        "births": [{"date": born, "place": "", "country": country}],
        "nationalities": [country],
        "identifiers": [],
        **more,
    }


def tells(agency: str, **record: Any) -> Admitted:
    """An admitted wanted person of an agency."""
    return admitted(Author.of(agency).write(record=record))


def by_numbers(a: Prepared, b: Prepared) -> list[Found]:
    """A scorer that links whoever shares a number: for tests of the fold."""
    if not a.numbers.keys() & b.numbers.keys():
        return []
    return [Found("IDENTIFIER", 1.0, "STRONG", ("DOCUMENT_NUMBER",), ("shared",), ("test/1",))]
