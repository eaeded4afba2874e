"""Money that walks: what each payment may pass on, and the best walk that ends with it.

A payment is weighed as the continuation of each receipt of its payer: is the value kept, how soon, how seldom does the
payer pay so much, in a currency of its own? The sum along a walk grows like that of a local alignment.
"""

from __future__ import annotations

from math import log10

from streams.matching.transfers.chance import kept_value, soon
from streams.matching.transfers.edges import Edge, Walk
from streams.matching.transfers.ledger import Ledger

RESIDENCE = 3.5
"""Days that money rests between two hops at most."""
JOURNEY = 6.0
"""Days a walk may take."""
LONGEST = 14
"""Transfers of a walk at most."""
MISSED = 0.3
"""Most receipts are not passed on: the cost of each hop."""
IMPLAUSIBLE = -1.0
"""Evidence below which a payment is not even noted as passing a receipt on."""
COMPARABLE = 0.75
"""Payments of so large a part of this one count as the payer's habit of paying so much."""
MOST_RECEIPTS, MOST_ORIGINS, MOST_SOURCES = 24, 12, 16


def extend(edge: Edge, ledger: Ledger) -> None:
    """Find what the edge may continue, and note its best walk, its origins and its sources."""
    payer = ledger.account(edge.payer)
    habit = ledger.pays(payer, edge.value * COMPARABLE)
    edge.origins[edge.payer] = edge.walk = (edge.strange, None, 1, edge.time)
    for receipt in payer.incoming[-MOST_RECEIPTS:]:
        if 0 <= edge.time - receipt.time <= RESIDENCE:
            _join(receipt, edge, link(receipt, edge, habit))
    if len(edge.origins) > MOST_ORIGINS:
        best = sorted(edge.origins.items(), key=lambda item: item[1][0], reverse=True)
        edge.origins = dict(best[:MOST_ORIGINS])


def link(receipt: Edge, edge: Edge, habit: float) -> float:
    """Evidence that `edge` passes `receipt` on, the payer paying so much `habit` times a day otherwise."""
    rest = soon(edge.time - receipt.time)
    return log10(rest / habit) + kept_value(receipt.value, edge.value) + edge.strange - MISSED


def _join(receipt: Edge, edge: Edge, gain: float) -> None:
    if receipt.payer == edge.payee:  # straight back: a walk of two that ends here
        _offer(edge, edge.payee, (receipt.strange + gain, receipt, 2, receipt.time))
        return
    if gain > IMPLAUSIBLE and len(edge.sources) < MOST_SOURCES:
        edge.sources[receipt.payer] = receipt
    walk = _longer(receipt, receipt.walk, edge, gain)
    if gain > 0 and walk and walk[0] > edge.walk[0]:
        edge.walk = walk
    for origin, before in receipt.origins.items():
        further = _longer(receipt, before, edge, gain)
        if further and further[0] > 0 and origin != receipt.payee:
            _offer(edge, origin, further)


def _longer(receipt: Edge, walk: Walk, edge: Edge, gain: float) -> Walk | None:
    score, _, length, began = walk
    if length >= LONGEST or edge.time - began > JOURNEY:
        return None
    return score + gain, receipt, length + 1, began


def _offer(edge: Edge, origin: str, walk: Walk) -> None:
    known = edge.origins.get(origin)
    if known is None or known[0] < walk[0]:
        edge.origins[origin] = walk


def trace(edge: Edge, origin: str | None = None) -> list[Edge]:
    """The walk that ends with the edge, in order: from `origin`, or the best; cut where it would cross itself."""
    path: list[Edge] = []
    seen: set[str] = set()
    step: Edge | None = edge
    while step is not None and step.payee not in seen:
        seen.add(step.payee)
        path.append(step)
        walk = step.walk if origin is None else step.origins.get(origin)
        step = walk[1] if walk else None
    return path[::-1]
