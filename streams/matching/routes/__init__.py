"""Whether two reported routes are one movement, another run over the same road, or nothing to do with each other.

    score({"waypoints": [...]}, {"waypoints": [...]})       # 0 to 1
    explain(a, b).outcome                                   # "SAME", "SAME_ROAD" or "NONE"

Stops are compared by code, coordinates and name in any script, in order; days tell one run from the next.
"""

from __future__ import annotations

from streams.matching.routes.comparing import RULES, Comparison, compare, explain, score
from streams.matching.routes.stops import Route, Stop, prepare
from streams.matching.routes.tokens import tokens

__all__ = ["RULES", "Comparison", "Route", "Stop", "compare", "explain", "prepare", "score", "tokens"]
