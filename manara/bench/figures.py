"""The figures there are, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from manara.bench import correlation, ends, hub, life, rivals, search, whole
from manara.bench.context import Bench
from manara.bench.results import Row

FIGURES: Final[Mapping[str, Callable[[Bench], list[Row]]]] = {
    "S1": ends.s1,
    "S2": hub.s2,
    "S3": hub.s3,
    "S4": rivals.s4,
    "S5": ends.s5,
    "S6": whole.s6,
    "S7": whole.s7,
    "S8": life.s8,
    "S9": hub.s9,
    "S10": hub.s10,
    "SEARCH": search.search,
    "CORRELATE": correlation.correlate,
}
