"""Correlate: mentions and transfers in, links out. The state is the stage's own; the source commits it.

Nothing is said before everything that was in the log at the start has been folded, where the store was empty: so a
worker that lost its disk says only what differs from what links.v1 holds already, and ends what nothing speaks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

import structlog

from manara import metrics
from schemas import codec, registry
from schemas.errors import ContractError
from schemas.models import Flow, Link, Mention
from schemas.topics import Names
from streams.correlate import linking
from streams.correlate.core import Correlation
from streams.correlate.patterns import Patterns
from streams.correlate.store import Store
from streams.engine.contract import Emit, Output, Record
from streams.engine.errors import Exit, Stop

SWEEP: Final = 1_000_000
"""Microseconds of log time between two looks for alerts whose time is over."""
COUNT: Final = 60_000_000
"""And between two counts of the alerts in the index."""


class Correlate:
    """The stage. `caught_up` says whether everything that was there at the start has been worked."""

    def __init__(
        self, names: Names, store: Store, core: Correlation, patterns: Patterns, caught_up: Callable[[], bool]
    ) -> None:
        self._names = names
        self._store = store
        self._core = core
        self._patterns = patterns
        self._caught_up = caught_up
        self._now = self._swept = self._counted = 0

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Fold some records of mentions.v1, transfers.v1 and the hub's clock, in the order in which they came."""
        self._store.begin()
        changed: dict[str, Link] = {}
        for record in batch:
            for link in self._fold(record):
                changed[link["link_id"]] = link
        self._now = max(self._now, now)
        if self._core.behind or self._now - self._swept >= SWEEP:
            self._swept = self._now
            changed.update((link["link_id"], link) for link in self._core.expire(self._now))
            self._count()
        return Output(self._said(changed.values()))

    def settle(self) -> list[Emit] | None:
        """What is to be said once everything is read, None before and after; call it between two batches."""
        if not (self._patterns.waiting or self._store.fresh) or not self._caught_up():
            return None
        self._store.begin()
        links = self._patterns.caught_up() if self._patterns.waiting else []
        if self._store.fresh:
            links = self._first_word()
        return self._said(links)

    def _first_word(self) -> list[Link]:
        """The store is whole for the first time: say what differs from what was said by those before."""
        for link in self._store.orphans():
            if link["class"] == "PATTERN" or link["state"] == "ENDED":
                self._store.put(link)  # its transfers may be in no log any more
            else:
                self._store.put(linking.ended(link, "RULES_CHANGED", link["at"]))
        self._store.said()
        return list(self._store.unsaid())

    def _fold(self, record: Record) -> list[Link]:
        if record.topic == self._names.mentions:
            return self._core.fold(cast("Mention", _read(record, "mention")), record.partition, record.time)
        if record.topic == self._names.transfers:
            return self._patterns.fold(cast("Flow", _read(record, "flow")))
        return []  # the clock: time has passed

    def _said(self, links: Iterable[Link]) -> list[Emit]:
        """Links as records of links.v1. Nothing, as long as the store is not whole."""
        if self._store.fresh:
            return []
        schema, emits = registry.by_name("link"), []
        for link in links:
            self._store.told(link)
            metrics.links_written.labels(link["class"], link["state"]).inc()
            value = codec.frame(schema, codec.encode(schema, link))
            emits.append(Emit(self._names.links, link["link_id"].encode(), value))
        return emits

    def _count(self) -> None:
        tally = self._core.tally
        metrics.compared.inc(tally.compared)
        metrics.uncompared.inc(tally.failed)
        metrics.excluded.inc(tally.excluded)
        if tally.failed:
            structlog.get_logger().error("Alerts could not be compared: a defect of a matcher", failed=tally.failed)
        tally.compared = tally.failed = tally.excluded = 0
        metrics.over_correlating.set(len(self._store.crowded))
        if self._now - self._counted >= COUNT:
            self._counted = self._now
            metrics.correlated.set(self._store.count())


def _read(record: Record, name: str) -> object:
    """A record of ours. One that is none ends the process: only the hub writes these topics."""
    schema = registry.by_name(name)
    try:
        schema_id, body = codec.unframe(record.value or b"")
        found = registry.by_id(schema_id)
        if found.name != name:
            raise Stop(Exit.BROKEN_BLOCK, f"{record.topic}/{record.partition}/{record.offset} holds a {found.name}")
        return codec.decode(schema, body) if found is schema else codec.resolve(body, found, schema)
    except ContractError as error:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        raise Stop(Exit.BROKEN_BLOCK, f"{place} is no {name}: {error}") from error
