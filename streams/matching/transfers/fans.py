"""One account in the middle: fan-in, fan-out, gathering and scattering, smurfing."""

from __future__ import annotations

from collections import Counter
from statistics import median

from streams.matching.transfers.chance import rarity
from streams.matching.transfers.edges import FLOOR, Edge
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.ledger import Ledger

SPAN = 4.5
"""Days within which the parties of a fan pay."""
LEAST = 3
BATCH = 0.3
"""Days within which an employer's run of payments is done."""


class Fan:
    """The new parties of one account on one side, and how rare so many are by its own habit."""

    def __init__(self, account: str, side: list[Edge], counts: list[float], ledger: Ledger, now: float) -> None:
        self.account = account
        self.edges = [edge for edge in side if edge.fresh and now - edge.time <= SPAN]
        self.parties = 0
        self.score = 0.0
        self._weigh(side, counts, ledger)

    def _weigh(self, side: list[Edge], counts: list[float], ledger: Ledger) -> None:
        incoming = bool(self.edges) and self.edges[0].payee == self.account
        sizes: dict[str, float] = {}
        for edge in self.edges:
            party = edge.payer if incoming else edge.payee
            sizes[party] = max(edge.value, sizes.get(party, 0.0))
        values = sorted(sizes.values(), reverse=True)
        for size in sorted({edge.size for edge in self.edges}):
            floor = FLOOR * 2.0 ** (size - 1)
            count = sum(value >= floor for value in values)
            score = rarity(count, *ledger.shape(counts, floor, side), SPAN)
            if count >= LEAST and score > self.score:
                self.score, self.parties = score, count

    def batch(self) -> bool:
        """Payments of one currency that nearly all fall within hours: an employer's run, dividends."""
        if len(self.edges) < LEAST:
            return False
        middle = median(edge.time for edge in self.edges)
        close = sum(abs(edge.time - middle) < BATCH / 2 for edge in self.edges)
        common = Counter(edge.currency for edge in self.edges).most_common(1)[0][1]
        return close >= 0.7 * len(self.edges) and common >= 0.9 * len(self.edges)


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
    if fan.batch():
        return None
    first = fan.edges[0].time if fan.edges else edge.time
    gathered = Fan(edge.payer, [e for e in payer.incoming if e.time > first - SPAN], payer.got, ledger, first + SPAN)
    reasons = [f"{fan.parties} new payees within {SPAN:g} days, against its own habit"]
    if gathered.parties >= LEAST - 1 and gathered.score - trials > 0:
        reasons.append(f"{gathered.parties} new payers shortly before")
        edges = sorted({*gathered.edges, *fan.edges}, key=lambda e: e.time)
        return Finding("gather_scatter", edge.payer, edges, gathered.score + fan.score - trials, tuple(reasons))
    if fan.parties < LEAST:
        return None
    return Finding("fan_out", edge.payer, fan.edges, fan.score - trials, tuple(reasons))
