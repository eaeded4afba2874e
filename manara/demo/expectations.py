"""What must lie in the databases at the end: `expected.csv`, one row a delivery."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from manara.errors import InputError


class Delivery(NamedTuple):
    """One alert (by its author's own reference) in one member's database."""

    agency: str
    national_ref: str
    kind: str
    member: str


def read_expected(path: Path) -> list[Delivery]:
    """The expected deliveries. `InputError` where the file is not there or has other columns."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [Delivery(row["agency"], row["national_ref"], row["kind"], row["member"]) for row in rows]
    except (OSError, KeyError) as error:
        raise InputError(
            f"The demo's expectations cannot be read from {path}.",
            "Run the demo from a clone of the repository, or give its folder with --story.",
        ) from error
