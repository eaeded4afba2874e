"""A fan: the new parties of one account on one side within days, and how rare so many are by its own habit."""

from __future__ import annotations

from streams.matching.transfers.chance import rarity, silence
from streams.matching.transfers.edges import FLOOR, Edge
from streams.matching.transfers.ledger import PRIOR, Ledger
from streams.matching.transfers.sums import likeness

LEAST = 3
"""Parties from which there is a fan."""
RUN_DAYS, RUN_PAYMENTS = 0.25, 5
"""So many payments of one currency within so many days are an employer's run, or dividends."""
FIRMS = 2.2
"""Minus log10 of the share of accounts that are firms, with new parties every few days."""
FIRM_EVENTS, FIRM_DAYS = 1.5, 4.0


class Fan:
    """The parties and transfers of a fan and its `score` (log10); no parties where there is none.

    `side` are the account's transfers in one direction, `counts` its habit there, `span` the days looked back.
    """

    def __init__(self, side: list[Edge], counts: list[float], ledger: Ledger, now: float, span: float) -> None:
        self.parties, self.score = 0, 0.0
        recent = [edge for edge in side if edge.fresh and 0 <= now - edge.time <= span]
        self.edges = without_runs(recent) if len(recent) >= LEAST else []
        if len(self.edges) >= LEAST:
            self._weigh(side, counts, ledger, span)

    def _weigh(self, side: list[Edge], counts: list[float], ledger: Ledger, span: float) -> None:
        """Take the size of sums at which so many parties are rarest, and the transfers not far below it."""
        largest: dict[tuple[str, str], float] = {}
        for edge in self.edges:
            pair = edge.payer, edge.payee
            largest[pair] = max(edge.value, largest.get(pair, 0.0))
        least = 0.0
        for size in sorted({edge.size for edge in self.edges}):
            floor = FLOOR * 2.0 ** (size - 1)
            count = sum(value >= floor for value in largest.values())
            score = (
                _rare(count, ledger.shape(counts, floor, side), ledger.time.exposure(), span) if count >= LEAST else 0
            )
            if score > self.score:
                self.score, self.parties, least = score, count, floor / 4
        self.edges = [edge for edge in self.edges if edge.value >= least]
        if self.parties:
            self.score += likeness(self.edges)


def _rare(count: int, shape: tuple[float, float], exposure: float, span: float) -> float:
    """How rare so many parties are for a person of this habit and for a firm, whichever explains them better."""
    events, days = shape
    seen = events - PRIOR
    firm = rarity(count, seen + FIRM_EVENTS, exposure + FIRM_DAYS, span)
    return min(rarity(count, events, days, span), firm + FIRMS + silence(seen, FIRM_EVENTS, exposure / FIRM_DAYS))


def without_runs(edges: list[Edge]) -> list[Edge]:
    """The edges, in time order, less the runs of an employer."""
    kept: list[Edge] = []
    run: list[Edge] = []
    for edge in sorted(edges, key=lambda e: (e.currency, e.time)):
        if run and (edge.currency != run[0].currency or edge.time - run[0].time > RUN_DAYS):
            kept += run if len(run) < RUN_PAYMENTS else []
            run = []
        run.append(edge)
    kept += run if len(run) < RUN_PAYMENTS else []
    alone = len(kept) == len(run)  # perhaps the beginning of a run: what follows will tell
    return [] if alone else sorted(kept, key=lambda e: e.time)
