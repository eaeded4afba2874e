"""How often chance alone would do it: rates with little history, tails, and what speaks for a forwarded sum.

All scores are decimal logarithms. A negative binomial is a Poisson count whose rate is itself uncertain (a gamma with
`shape` events seen in `exposure` days), which is what a short history of an account gives.
"""

from __future__ import annotations

from math import exp, lgamma, log, log10

LN10 = log(10)

FORWARDED = ((0.04, 0.55), (0.12, 0.40), (0.25, 0.10), (0.50, -0.40), (1.00, -1.2))
"""Upper bound of |ln(paid on / received)| and its evidence: sums passed on keep their value but for fees."""
FORWARDED_FAR = -2.0


def rarity(count: int, shape: float, exposure: float, window: float) -> float:
    """Minus log10 of the chance of `count` or more events in `window` days."""
    if count <= 0:
        return 0.0
    q = window / (window + exposure)
    log_first = lgamma(count + shape) - lgamma(count + 1) - lgamma(shape) + shape * log(1 - q) + count * log(q)
    ratio = q * (count + shape) / (count + 1)
    if ratio >= 1:  # more is expected than was seen: nothing rare here
        return 0.0
    return max(0.0, -(log_first - log(1 - ratio)) / LN10)


def kept_value(received: float, paid: float) -> float:
    """Evidence that a payment passes on a receipt, by how well the value is kept."""
    apart = abs(log(paid / received))
    return next((gain for bound, gain in FORWARDED if apart < bound), FORWARDED_FAR)


def soon(gap: float) -> float:
    """Density (a day) of the time money rests between two hops of a scheme, `gap` in days."""
    return 0.6 * exp(-gap / 0.7) / 0.7 + 0.4 / 3.5


def silence(seen: float, shape: float, waits: float) -> float:
    """Evidence in a silence: `seen` events in a time of `waits` mean waits, where `shape` was expected."""
    return max(0.0, shape * log10(1 + waits) - seen)
