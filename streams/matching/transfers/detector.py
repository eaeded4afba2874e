"""The detector: transfers in, suspicious patterns out, one transfer at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import log10
from typing import Any

from streams.matching.transfers.detection import Detection
from streams.matching.transfers.edges import Edge
from streams.matching.transfers.event_time import WINDOW
from streams.matching.transfers.fans import find_fan_in, find_fan_out
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.journeys import find_chain, find_cycle, find_reunion
from streams.matching.transfers.ledger import Ledger
from streams.matching.transfers.money import Money, load_money
from streams.matching.transfers.reports import Reports
from streams.matching.transfers.structuring import find_structuring
from streams.matching.transfers.transfer import read_transfer
from streams.matching.transfers.walks import RESIDENCE, extend
from streams.matching.transfers.weaves import find_weave

BARS = {
    "fan_in": 1.8,
    "smurfing": 1.2,
    "fan_out": 0.8,
    "gather_scatter": 2.6,
    "scatter_gather": 0.5,
    "cycle": -0.7,
    "round_trip": -0.7,
    "layering_chain": -0.6,
    "random": -0.4,
    "structuring": 2.0,
    "bipartite": 2.0,
    "stack": 2.0,
}
"""The least score that is said: how many times rarer than chance, as a power of ten."""


class Detector:
    """Finds patterns in a stream of transfers; `put_aside` counts records that take no part, by reason.

    `thresholds` replaces the package's currencies and reporting thresholds, `bars` some of BARS. Memory is bounded by
    `most_accounts` and `most_edges`: at most that many accounts, pairs and transfers are held, the least used go first.
    """

    def __init__(
        self,
        thresholds: Money | None = None,
        *,
        most_accounts: int = 400_000,
        most_edges: int = 200_000,
        bars: Mapping[str, float] | None = None,
    ) -> None:
        self._money = thresholds or load_money()
        self.ledger = Ledger(most_accounts, most_edges)
        self._reports = Reports({**BARS, **(bars or {})}, most_edges)
        self.put_aside: dict[str, int] = {}

    def forgotten(self) -> dict[str, int]:
        """What the bounds on memory cost so far, and records out of time or repeated, by reason."""
        return self.ledger.forgotten()

    def __len__(self) -> int:
        """Entries held in memory."""
        return len(self.ledger) + len(self._reports)

    def add(self, transfer: Mapping[str, Any]) -> list[Detection]:
        """Take in one transfer (the fields of `read_transfer`) and return the patterns it raises or grows."""
        fit = read_transfer(transfer, self._money)
        if isinstance(fit, str):
            self.put_aside[fit] = self.put_aside.get(fit, 0) + 1
            return []
        edge = self.ledger.record(fit)
        if edge is None:
            return []
        extend(edge, self.ledger)
        found = (self._reports.judge(finding, edge) for finding in self._look(edge) if finding)
        return [detection for detection in found if detection]

    def _look(self, edge: Edge) -> Iterator[Finding | None]:
        """What each rule finds; a score is lessened by how many accounts or walks chance could have picked from."""
        accounts = log10(len(self.ledger.accounts) + 1)
        walks = log10(self.ledger.live_edges() * RESIDENCE / WINDOW + 1)
        yield find_structuring(edge, self.ledger)
        yield find_reunion(edge, self.ledger, walks)
        yield find_weave(edge, self.ledger, walks)
        yield find_fan_in(edge, self.ledger, accounts)
        yield find_fan_out(edge, self.ledger, accounts)
        yield find_cycle(edge, self.ledger, walks) or find_chain(edge, walks)


def detect(transfers: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, object]]:
    """The alerts of a stream of transfers in time order, as plain dicts."""
    detector = Detector()
    for transfer in transfers:
        for detection in detector.add(transfer):
            yield detection.as_alert()
