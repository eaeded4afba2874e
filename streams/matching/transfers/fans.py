"""One account in the middle: fan-in, fan-out, gathering and scattering, smurfing."""

from __future__ import annotations

from streams.matching.transfers.edges import Edge
from streams.matching.transfers.fan import LEAST, Fan
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.ledger import Ledger

SPAN = 4.5
"""Days within which the parties of a fan pay."""
CUT_FROM = 0.3
"""Share of the reporting threshold from which a sum may have been cut to stay below it."""
MOSTLY, SOME = 0.7, 0.2
BULK = 0.25
"""Part of what was gathered that a payment takes on if it empties the account."""


def find_fan_in(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """Many new payers of the edge's payee."""
    payee = ledger.account(edge.payee)
    fan = Fan(payee.incoming, payee.got, ledger, edge.time, SPAN)
    if not fan.parties:
        return None
    reason = f"{fan.parties} new payers within {SPAN:g} days, more than its habit explains"
    return Finding(_name_in(fan.edges), edge.payee, fan.edges, fan.score - trials, (reason, *_below(fan.edges)))


def _cut(edges: list[Edge]) -> int:
    return sum(CUT_FROM < edge.share < 1 for edge in edges)


def _name_in(edges: list[Edge]) -> str:
    cash = sum(edge.channel == "cash" for edge in edges)
    return "smurfing" if _cut(edges) >= MOSTLY * len(edges) and cash >= SOME * len(edges) else "fan_in"


def _below(edges: list[Edge]) -> tuple[str, ...]:
    count = _cut(edges)
    together = sum(edge.share for edge in edges)
    if count < MOSTLY * len(edges) or together < 1:
        return ()
    return (f"{count} of {len(edges)} below the reported amount, together {together:.1f} times that amount",)


def find_fan_out(edge: Edge, ledger: Ledger, trials: float) -> Finding | None:
    """Many new payees of the edge's payer; with a gathering before, the scatter or the emptying of it."""
    payer = ledger.account(edge.payer)
    fan = Fan(payer.outgoing, payer.paid, ledger, edge.time, SPAN)
    gathered = Fan(payer.incoming, payer.got, ledger, edge.time, 2 * SPAN)
    if gathered.parties and gathered.score > trials:
        return _after_gathering(edge, fan, gathered, payer.outgoing, trials)
    if not fan.parties:
        return None
    reason = f"{fan.parties} new payees within {SPAN:g} days, more than its habit explains"
    return Finding("fan_out", edge.payer, fan.edges, fan.score - trials, (reason,))


def _after_gathering(edge: Edge, fan: Fan, gathered: Fan, outgoing: list[Edge], trials: float) -> Finding | None:
    reasons = [f"{gathered.parties} new payers within {2 * SPAN:g} days, more than its habit explains"]
    if fan.parties >= LEAST:
        reasons.append(f"and {fan.parties} new payees")
        steps = [*gathered.edges, *fan.edges]
        return Finding("gather_scatter", edge.payer, steps, gathered.score + fan.score - trials, tuple(reasons))
    total = sum(step.value for step in gathered.edges)
    bulk = [e for e in outgoing if e.value >= BULK * total and e.time >= gathered.edges[0].time]
    if not bulk:
        return None
    reasons.append(f"then {sum(e.value for e in bulk) / total:.0%} of it was paid on in {len(bulk)} payments")
    steps = [*gathered.edges, *bulk]
    return Finding(_name_in(gathered.edges), edge.payer, steps, gathered.score - trials, tuple(reasons))
