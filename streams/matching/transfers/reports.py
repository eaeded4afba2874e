"""Decides which findings are said: rare enough, not said before, or grown enough to say again."""

from __future__ import annotations

from collections.abc import Mapping

from streams.matching.transfers.detection import RULES, Detection
from streams.matching.transfers.edges import Edge
from streams.matching.transfers.finding import Finding
from streams.matching.transfers.generations import Generations

GROWN = 1.2
KNOWN_DAYS = 9.0
RETURNS = frozenset({"cycle", "round_trip"})


class Reports:
    """What was said already, by typology and hub, under a bound; `bars` is the least score that is said."""

    def __init__(self, bars: Mapping[str, float], most: int) -> None:
        self._bars = bars
        self._said: Generations[tuple[str, int, float]] = Generations(most)

    def __len__(self) -> int:
        return len(self._said)

    def judge(self, finding: Finding, edge: Edge) -> Detection | None:
        """The detection to hand out, or None."""
        if finding.score < self._bars[finding.typology]:
            return None
        key = (finding.typology, finding.hub)
        said = self._said.get(key)
        if said and edge.time - said[2] > KNOWN_DAYS:
            said = None
        if said and len(finding.edges) < said[1] * GROWN:
            return None
        name = said[0] if said else f"{finding.typology}:{finding.hub}:{finding.edges[0].id}"
        self._said.put(key, (name, len(finding.edges), edge.time))
        if finding.typology in RETURNS:
            for step in finding.edges:
                step.returned = True
        return _say(finding, edge, name)


def _say(finding: Finding, edge: Edge, name: str) -> Detection:
    steps = sorted(finding.edges, key=lambda step: (step.time, step.id))
    accounts = tuple(sorted({step.payer for step in steps} | {step.payee for step in steps}))
    rule = f"{RULES}/{finding.typology}"
    ids = tuple(step.id for step in steps)
    return Detection(finding.typology, ids, edge.id, rule, accounts, finding.evidence, name, finding.score)
