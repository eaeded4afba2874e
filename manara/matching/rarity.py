"""How rare a name part is: learned from how many listed persons bear it; a Muhammad says little, a Qaradawi much."""

from __future__ import annotations

import math
from functools import lru_cache

from manara.matching.tables import rows

PERSONS = 4_484
"""How many persons the table was counted over (tests/quality/count_names.py)."""
LEAST = 0.15


@lru_cache(1)
def counts() -> dict[str, int]:
    """Bearers of a name part by its key: a spelling family's name, or ~ and a skeleton."""
    return {key: int(count) for key, count in rows("bearers.tsv")}


def bearers(key: str) -> int:
    """How many of the counted persons bear a name part."""
    return counts().get(key, 1)


def rarity(key: str) -> float:
    """Weight of a name part, from LEAST (everybody bears it) to 1 (nobody counted does)."""
    return max(LEAST, math.log(PERSONS / bearers(key)) / math.log(PERSONS))
