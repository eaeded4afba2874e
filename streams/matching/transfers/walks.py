"""Money that walks: chains, round trips and cycles, and two-layer fans that meet again.

Each payment is weighed as the continuation of each receipt of its payer: is the value kept, how soon, how seldom does the payer pay so
much, in a currency of its own? The sum along the best walk, like a local alignment, is compared with the number of walks that chance offers.
"""

from __future__ import annotations

from math import log, log10

from streams.matching.transfers.chance import kept_value, soon
from streams.matching.transfers.edges import Account, Edge, Walk
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.ledger import Ledger

RESIDENCE = 3.5
"""Days that money rests between two hops at most."""
LONGEST = 14
JOURNEY = 6.0
"""Days a walk may take."""
MOST_RECEIPTS = 24
MOST_ORIGINS = 12
MOST_SOURCES = 16
PLAUSIBLE = 0.7
"""|ln| of the ratio of two sums beyond which one is not the other passed on."""
REFUND, MUCH = 0.00001, 0.5


def link(receipt: Edge, edge: Edge, habit: float) -> float:
    """Evidence that `edge` passes `receipt` on, the payer paying so much `habit` times a day otherwise."""
    return log10(soon(edge.time - receipt.time) / habit) + kept_value(receipt.value, edge.value) + edge.strange - MISSED


MISSED = 0.3
"""Most receipts are not passed on: the cost of each hop."""


def extend(edge: Edge, ledger: Ledger) -> None:
    """Find what the edge may continue, and note its best walk, its origins and its sources."""
    payer = ledger.account(edge.payer)
    habit = ledger.pays(payer, edge.value * 0.75, payer.outgoing)
    edge.origins[edge.payer] = edge.walk = (edge.strange, None, 1, edge.time)
    for receipt in payer.incoming[-MOST_RECEIPTS:]:
        if 0 <= edge.time - receipt.time <= RESIDENCE and receipt is not edge:
            _join(receipt, edge, link(receipt, edge, habit))
    if len(edge.origins) > MOST_ORIGINS:
        best = sorted(edge.origins.items(), key=lambda item: item[1][0], reverse=True)
        edge.origins = dict(best[:MOST_ORIGINS])


def _join(receipt: Edge, edge: Edge, gain: float) -> None:
    if receipt.payer == edge.payee:  # straight back: a walk of two that ends here
        known = edge.origins.get(edge.payee)
        first = (receipt.strange + gain, receipt, 2, receipt.time)
        edge.origins[edge.payee] = max(known, first, key=_score) if known else first
        return
    if gain > -1 and len(edge.sources) < MOST_SOURCES:
        edge.sources[receipt.payer] = receipt
    score, _, length, began = receipt.walk
    if gain > 0 and length < LONGEST and score + gain > edge.walk[0] and edge.time - began <= JOURNEY:
        edge.walk = (score + gain, receipt, length + 1, began)
    for origin, (so_far, _, steps, start) in receipt.origins.items():
        known = edge.origins.get(origin)
        if origin != receipt.payee and steps < LONGEST and edge.time - start <= JOURNEY and so_far + gain > 0:
            walk = (so_far + gain, receipt, steps + 1, start)
            edge.origins[origin] = max(known, walk, key=_score) if known else walk


def _score(walk: Walk) -> float:
    return walk[0]


def trace(edge: Edge, origin: str | None = None) -> list[Edge]:
    """The walk that ends with the edge, in order: the one from `origin`, or the best; cut where it would cross itself."""
    path: list[Edge] = []
    seen: set[str] = set()
    step: Edge | None = edge
    while step is not None and step.payee not in seen:
        seen.add(step.payee)
        path.append(step)
        walk: Walk | None = step.walk if origin is None else step.origins.get(origin)
        step = walk[1] if walk else None
    return path[::-1]


def find_chain(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """The chain of payments that the edge prolongs, if it keeps its value better than chance explains."""
    if edge.walk[1] is None:
        return None
    path = trace(edge)
    cut = path[0].walk[1]
    score = edge.walk[0] - (cut.walk[0] if cut else 0.0)
    if len(path) < 2:
        return None
    shrinking = all(
        b.value <= a.value * 1.001 and a.currency == b.currency for a, b in zip(path, path[1:], strict=False)
    )
    typology = "layering_chain" if shrinking else "random"
    return Finding(typology, path[0].id, path, score - trials, _passed_on(path))


def _passed_on(path: list[Edge]) -> tuple[str, ...]:
    hours = (path[-1].time - path[0].time) * 24
    kept = path[-1].value / path[0].value
    seldom = sum(step.strange > 0.3 for step in path)
    reasons = [
        f"a sum went through {len(path)} transfers in {hours:.0f} hours, each soon after the one before",
        f"{kept:.0%} of its value is left at the end, and the accounts between seldom pay so much",
    ]
    if seldom:
        reasons.append(f"{seldom} of them in a currency the payer does not otherwise use")
    return tuple(reasons)


def find_cycle(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """The walk that the edge brings back to the account it began at."""
    known = edge.origins.get(edge.payee)
    if known is None or known[2] < 2:
        return None
    path = trace(edge, edge.payee)
    if path[0].payer != edge.payee or (len(path) == 2 and _trade(path)):
        return None
    score = known[0] + log10(meeting(ledger, ledger.account(edge.payee))) - trials
    if not any(step.fresh for step in path):
        score -= 1.0
    even = all(step.currency == edge.currency for step in path) and edge.value < path[0].value
    typology = "round_trip" if even and len(path) > 2 else "cycle"
    return Finding(typology, path[0].id, path, score, (*_passed_on(path), "it ends at the account it began at"))


def _trade(path: list[Edge]) -> bool:
    """Straight back: the very same sum is a refund, a much different one is the other half of a trade."""
    apart = abs(log(path[-1].value / path[0].value))
    return apart < REFUND or apart > MUCH


def meeting(ledger: Ledger, account: Account) -> float:
    """How many times seldomer than once a payment reaches just this account by chance."""
    unit = ledger.weight()
    return (sum(ledger.moved[1:]) / unit + 50.0) / (sum(account.got[1:]) / unit + 1.0)


def find_reunion(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """Scatter and gather: payments of one source through several accounts that meet again at the payee."""
    payee = ledger.account(edge.payee)
    best: Finding | None = None
    for source in edge.sources:
        legs = {
            other.payer: other
            for other in payee.incoming
            if source in other.sources and edge.time - other.time <= WHOLE
        }
        if len(legs) < 2 or source == edge.payee:
            continue
        score = (len(legs) - 1) * log10(meeting(ledger, payee)) * 0.5 - trials + _legs(source, legs, ledger)
        if best is None or score > best.score:
            steps = sorted(
                {*legs.values(), *(leg.sources[source] for leg in legs.values())}, key=lambda step: step.time
            )
            reason = f"{len(legs)} accounts were paid by one account and all paid another within {WHOLE:.0f} days"
            best = Finding("scatter_gather", f"{source} {edge.payee}", steps, score, (reason, *_passed_on(steps)[1:]))
    return best


WHOLE = 5.0


def _legs(source: str, legs: dict[str, Edge], ledger: Ledger) -> float:
    return sum(min(1.5, leg.strange + kept_value(leg.sources[source].value, leg.value)) for leg in legs.values())
