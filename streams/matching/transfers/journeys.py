"""Walks worth telling: chains that keep their value, cycles, and payments that scatter and meet again."""

from __future__ import annotations

from itertools import pairwise
from math import log, log10

from streams.matching.transfers.chance import kept_value
from streams.matching.transfers.edges import Edge
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.ledger import Ledger
from streams.matching.transfers.sums import worth
from streams.matching.transfers.walks import trace

HOPS = 2
"""Transfers (or accounts between) from which there is a pattern."""
REFUND, TRADE = 0.00001, 0.5
"""|ln| of sum sent back over sum got: below the first it is a refund, above the second the other half of a trade."""
PARTNERS = 1.0
"""Evidence against a cycle all of whose parties had business before."""
REUNION = 5.0
"""Days within which scattered payments meet again."""
MOST_A_LEG = 1.5
CHANCE_OF_SHARED = 0.5
"""Weight of the rarity of a meeting: the payers of one payee often know each other."""
TELLING = 0.3


def find_chain(edge: Edge, trials: float) -> Finding | None:
    """The chain of payments that the edge prolongs, if it keeps its value better than chance explains."""
    if edge.walk[1] is None:
        return None
    path = trace(edge)
    cut = path[0].walk[1]
    score = edge.walk[0] - (cut.walk[0] if cut else 0.0)
    if len(path) < HOPS:
        return None
    typology = "layering_chain" if _only_fees(path) else "random"
    return Finding(typology, path[0].id, path, score + worth(path) - trials, _passed_on(path))


def _only_fees(path: list[Edge]) -> bool:
    """Whether one currency's sum only shrinks on its way."""
    return all(b.value <= a.value * 1.001 and a.currency == b.currency for a, b in pairwise(path))


def _passed_on(path: list[Edge]) -> tuple[str, ...]:
    hours = (path[-1].time - path[0].time) * 24
    kept = path[-1].value / path[0].value
    reasons = (
        f"a sum went through {len(path)} transfers in {hours:.0f} hours, each soon after the one before",
        f"{kept:.0%} of its value is left at the end, and the accounts between seldom pay so much",
    )
    return reasons + _strange(path)


def _strange(path: list[Edge]) -> tuple[str, ...]:
    count = sum(step.strange > TELLING for step in path)
    return (f"{count} of them in a currency that the payer or anybody here seldom uses",) if count else ()


def find_cycle(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """The walk that the edge brings back to the account it began at."""
    known = edge.origins.get(edge.payee)
    if known is None:
        return None
    path = trace(edge, edge.payee)
    if path[0].payer != edge.payee or _lawful_return(path):
        return None
    score = known[0] + log10(ledger.seldom_paid(ledger.account(edge.payee))) + worth(path) - trials
    if not any(step.fresh for step in path):
        score -= PARTNERS
    typology = "round_trip" if len(path) > HOPS and _only_fees(path) else "cycle"
    return Finding(typology, path[0].id, path, score, (*_passed_on(path), "it ends at the account it began at"))


def _lawful_return(path: list[Edge]) -> bool:
    """Straight back: the very same sum is a refund, a much different one is the other half of a trade.

    And what came back once does not come back again.
    """
    apart = abs(log(path[-1].value / path[0].value))
    return len(path) == HOPS and (path[0].returned or not REFUND < apart < TRADE)


def find_reunion(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """Scatter and gather: payments of one source through several accounts that meet again at the payee."""
    payee = ledger.account(edge.payee)
    meeting = log10(ledger.seldom_paid(payee)) * CHANCE_OF_SHARED
    best: Finding | None = None
    recent = [leg for leg in payee.incoming if leg.sources and edge.time - leg.time <= REUNION]
    for source in edge.sources:
        legs = {leg.payer: leg for leg in recent if source in leg.sources}
        if len(legs) < HOPS:
            continue
        score = (len(legs) - 1) * meeting - trials + sum(_leg(leg, source) for leg in legs.values())
        if best is None or score > best.score:
            best = _reunion(source, edge.payee, legs, score)
    return best


def _leg(leg: Edge, source: str) -> float:
    return min(MOST_A_LEG, leg.strange + kept_value(leg.sources[source].value, leg.value))


def _reunion(source: str, payee: str, legs: dict[str, Edge], score: float) -> Finding:
    steps = [step for leg in legs.values() for step in (leg.sources[source], leg)]
    reason = f"{len(legs)} accounts were paid by one account and all paid another within {REUNION:.0f} days"
    kept = sum(leg.value for leg in legs.values()) / sum(leg.sources[source].value for leg in legs.values())
    reasons = (reason, f"{kept:.0%} of the value came together again", *_strange(steps))
    return Finding("scatter_gather", f"{source} {payee}", steps, score, reasons)
