"""What must lie in the databases at the end: `expected.csv`, one row a delivery of an imported alert, and
`life/expected.csv`, one row for what each version of the alerts that are updated and withdrawn leaves at a member.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final, NamedTuple

from manara.errors import InputError

CONTENT: Final = "CONTENT"
PROOF: Final = "PROOF"
"""That the version was there, and nothing of what it said."""
NOTICE: Final = "NOTICE"
"""The hub's word that this version is no longer meant for the member."""


class Delivery(NamedTuple):
    """One version of an alert (by its author's own reference) at one member, and what its database holds of it."""

    agency: str
    national_ref: str
    kind: str
    member: str
    version: int = 1
    holds: str = CONTENT


def read_expected(path: Path) -> list[Delivery]:
    """The expected deliveries. `InputError` where the file is not there or has other columns."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [_delivery(row) for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"The demo's expectations cannot be read from {path}.",
            "Run the demo from a clone of the repository, or give its folder with --story.",
        ) from error


def _delivery(row: dict[str, str]) -> Delivery:
    version, holds = int(row.get("version", "1")), row.get("holds", CONTENT)
    return Delivery(row["agency"], row["national_ref"], row["kind"], row["member"], version, holds)
