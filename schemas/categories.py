"""The categories of alerts: which kind each is about, what it may ask for, how long it may last.

Modelled on INTERPOL notices and the Schengen Information System; a new category is a minor version of the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from schemas.models import Action

_DAY: Final = 24 * 3600 * 1_000_000

COERCIVE: Final[frozenset[Action]] = frozenset({"LOCATE_AND_DETAIN", "FREEZE_IF_LAW_ALLOWS"})
"""Actions that take somebody's freedom or property: only for offences above the category's penalty threshold."""


@dataclass(frozen=True, slots=True)
class Category:
    """One row of the table. `max_validity` in microseconds; `penalty_threshold` in months, for coercive actions."""

    code: str
    kind: str
    actions: frozenset[Action]
    max_validity: int
    penalty_threshold: int


CATEGORIES: Final[Mapping[str, Category]] = MappingProxyType(
    {
        category.code: category
        for category in (
            # Wanted: five years as in the SIS; two years of penalty as for an INTERPOL Red Notice.
            Category("WNT", "person", frozenset({"LOCATE_AND_DETAIN", "LOCATE", "DISCREET_CHECK"}), 1827 * _DAY, 24),
            # Sanctioned: until delisted; ten years, so that a forgotten entry ends.
            Category("SAN", "person", frozenset({"AS_LISTED"}), 3653 * _DAY, 0),
            # Route: six months, after which it has moved.
            Category("TRF", "route", frozenset({"CONTROL_CONSIGNMENT", "DISCREET_CHECK"}), 184 * _DAY, 0),
            # Suspicious transfer: one year; a year of penalty is FATF's mark of a serious offence.
            Category("STR", "transfer", frozenset({"ANALYSE", "FREEZE_IF_LAW_ALLOWS"}), 366 * _DAY, 12),
        )
    }
)
"""Category code to its row. UNKNOWN has none."""
