"""The figures there are, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from manara.bench import hub, rivals
from manara.bench.context import Bench
from manara.bench.results import Row

FIGURES: Final[Mapping[str, Callable[[Bench], list[Row]]]] = {
    "S2": hub.s2,
    "S3": hub.s3,
    "S4": rivals.s4,
    "S9": hub.s9,
    "S10": hub.s10,
}
