"""The development data beside this file, unpacked: what each set is stands in `data/README.md`."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"

Row = dict[str, Any]
UNSOLVABLE = "alias_unrelated"
"""A stratum of names that are no spelling of each other, such as noms de guerre: shown, but not in the headline."""


def _text(name: str) -> str:
    return gzip.decompress((DATA / name).read_bytes()).decode("utf-8")


def _rows(name: str) -> list[Row]:
    return [json.loads(line) for line in _text(name).splitlines()]


def sampled(rows: list[Row], sample: int) -> list[Row]:
    """Every n-th row, so that about `sample` are left of every stratum's share; all for 0."""
    return rows[:: max(1, len(rows) // sample)] if sample else rows


def person_pairs(sample: int = 0) -> list[Row]:
    """Pairs of persons: id, label, stratum, region, src, a, b."""
    return sampled(_rows("pairs.ndjson.gz"), sample)


def name_part_pairs(sample: int = 0) -> list[Row]:
    """Pairs of single name parts, Arabic and Cyrillic against Latin script."""
    return sampled(_rows("tokens_pairs.ndjson.gz"), sample)


def mentions(sample: int = 0) -> tuple[list[Row], dict[str, str]]:
    """Sightings of persons, and the person of each; a sample takes the first ones, so that persons stay together."""
    rows = _rows("mentions.ndjson.gz")[: sample or None]
    return rows, {row["mention"]: row.pop("person") for row in rows}


def route_pairs(sample: int = 0) -> list[Row]:
    """Pairs of routes: id, label, stratum, a, b."""
    return sampled(_rows("route_pairs.ndjson.gz"), sample)


def identifier_cases() -> list[Row]:
    """Identifiers as written: type, raw, normal, valid and sometimes country."""
    return _rows("identifiers.ndjson.gz")


def transfers(sample: int = 0) -> tuple[list[Row], list[Row]]:
    """Transfers in order of time, amounts as numbers, and the labelled attempts that lie wholly among them.

    A sample takes the first ten times as many, so that attempts stay together.
    """
    rows: list[Row] = list(csv.DictReader(io.StringIO(_text("transfers.csv.gz"))))[: 10 * sample or None]
    for row in rows:
        row["amount"], row["amount_received"] = float(row["amount"]), float(row["amount_received"])
    known = {row["id"] for row in rows}
    return rows, [truth for truth in _rows("truth.ndjson.gz") if known.issuperset(truth["transactions"])]
