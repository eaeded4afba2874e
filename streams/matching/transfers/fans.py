"""One account in the middle: fan-in, fan-out, gathering and scattering, smurfing."""

from __future__ import annotations

from math import log, log10
from statistics import median

from streams.matching.transfers.chance import rarity
from streams.matching.transfers.edges import FLOOR, Edge
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.ledger import PRIOR, TRACEABLE, Ledger

SPAN = 4.5
"""Days within which the parties of a fan pay."""
LEAST = 3
BATCH = 0.25
"""Days within which an employer's run of payments is done."""


class Fan:
    """The new parties of one account on one side, and how rare so many are by its own habit."""

    def __init__(
        self, account: str, side: list[Edge], counts: list[float], ledger: Ledger, now: float, span: float = SPAN
    ) -> None:
        self.account, self.span = account, span
        self.parties, self.score = 0, 0.0
        recent = [edge for edge in side if edge.fresh and 0 <= now - edge.time <= span]
        self.edges = recent if len(recent) < LEAST else without_batches(recent)
        if len(self.edges) >= LEAST:
            self._weigh(side, counts, ledger)

    def _weigh(self, side: list[Edge], counts: list[float], ledger: Ledger) -> None:
        incoming = self.edges[0].payee == self.account
        sizes: dict[str, float] = {}
        for edge in self.edges:
            party = edge.payer if incoming else edge.payee
            sizes[party] = max(edge.value, sizes.get(party, 0.0))
        values = sorted(sizes.values(), reverse=True)
        least = 0.0
        for size in sorted({edge.size for edge in self.edges}):
            floor = FLOOR * 2.0 ** (size - 1)
            count = sum(value >= floor for value in values)
            score = self._rare(count, floor, side, counts, ledger) if count >= LEAST else 0.0
            if score > self.score:
                self.score, self.parties, least = score, count, floor / 4
        self.edges = [edge for edge in self.edges if edge.value >= least]
        if self.parties:
            self.score += likeness(self.edges)

    def _rare(self, count: int, floor: float, side: list[Edge], counts: list[float], ledger: Ledger) -> float:
        events, days = ledger.shape(counts, floor, side)
        person = rarity(count, events, days, self.span)
        seen = events - PRIOR
        firm = rarity(count, seen + FIRM_EVENTS, ledger.exposure() + FIRM_DAYS, self.span)
        silent = rarity_of_silence(seen, ledger.exposure())
        return min(person, firm + FIRMS + silent)


def likeness(edges: list[Edge]) -> float:
    """Evidence of a scheme in the sums: worth hiding, alike in size, not paid by card or cheque."""
    middle = median(edge.value for edge in edges)
    apart = median(abs(log(edge.value / middle)) for edge in edges)
    traceable = sum(edge.channel in TRACEABLE for edge in edges) / len(edges)
    worth = _within(-1.5, 1.5 * log10(middle / WORTH_HIDING), 0.3) + _within(-0.8, 1.5 * log10(REPORTED / middle), 0.0)
    return worth + _within(-0.7, 0.8 - apart, 0.3) - 1.5 * traceable


def _within(low: float, value: float, high: float) -> float:
    return max(low, min(high, value))


WORTH_HIDING = 2_000.0
"""US dollars: the middle sum from which a fan looks like more than daily life."""
REPORTED = 30_000.0
"""US dollars: above, each payment is reported by itself and cutting the sum up hides nothing; it is how firms are paid."""
FIRMS = 2.2
"""Minus log10 of the share of accounts that are firms, with new parties every few days."""
FIRM_EVENTS, FIRM_DAYS = 1.5, 4.0


def rarity_of_silence(seen: float, days: float) -> float:
    """Evidence against a firm that had so few events in so many days."""
    return max(0.0, (FIRM_EVENTS) * log10(1 + days / FIRM_DAYS) - seen)


def without_batches(edges: list[Edge]) -> list[Edge]:
    """The edges less the runs of an employer: many payments of one currency within hours."""
    kept: list[Edge] = []
    run: list[Edge] = []
    for currency in {edge.currency for edge in edges}:
        for edge in (e for e in edges if e.currency == currency):
            if run and (edge.time - run[0].time > BATCH or edge.currency != run[0].currency):
                kept += run if len(run) < MANY else []
                run = []
            run.append(edge)
    kept += run if len(run) < MANY else []
    return sorted(kept, key=lambda e: e.time)


MANY = 5
"""Payments of one run from which it is an employer's."""


def find_fan_in(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """Many new payers of the edge's payee."""
    payee = ledger.account(edge.payee)
    fan = Fan(edge.payee, payee.incoming, payee.got, ledger, edge.time)
    if fan.parties < LEAST:
        return None
    reason = f"{fan.parties} new payers within {SPAN:g} days, against its own habit"
    return Finding(_name_in(fan.edges), edge.payee, fan.edges, fan.score - trials, (reason,))


def _name_in(edges: list[Edge]) -> str:
    below = sum(0.3 < edge.share < 1 for edge in edges)
    cash = sum(edge.channel == "cash" for edge in edges)
    return "smurfing" if below >= 0.7 * len(edges) and cash >= 0.2 * len(edges) else "fan_in"


def find_fan_out(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """Many new payees of the edge's payer; with a gathering before it, the scatter of a gather-scatter."""
    payer = ledger.account(edge.payer)
    fan = Fan(edge.payer, payer.outgoing, payer.paid, ledger, edge.time)
    gathered = Fan(edge.payer, payer.incoming, payer.got, ledger, edge.time, 2 * SPAN)
    reasons = [f"{fan.parties} new payees within {SPAN:g} days, against its own habit"]
    if gathered.parties >= LEAST - 1 and gathered.score - trials > 0:
        reasons.append(f"{gathered.parties} new payers shortly before")
        edges = sorted({*gathered.edges, *fan.edges}, key=lambda e: e.time)
        return Finding("gather_scatter", edge.payer, edges, gathered.score + fan.score - trials, tuple(reasons))
    if fan.parties < LEAST:
        return None
    return Finding("fan_out", edge.payer, fan.edges, fan.score - trials, tuple(reasons))
