"""The benchmark's program of correlation: small, and right."""

from __future__ import annotations

from pathlib import Path

from manara.bench.correlation import rows
from tests.bench.correlate import main


def test_every_planted_pair_is_linked_and_no_other_number_is(tmp_path: Path) -> None:
    """The figures are there, and the counters are bounded by the budget."""
    found = main({"folder": str(tmp_path), "count": 1_500})
    assert found["planted"] == found["linked"] > 5
    assert found["compared"] < 20 * 1_500
    table = {row.what: row for row in rows(found)}
    assert table["the last tenth of 1,500 alerts"].least == 5_000
    assert all(row.value > 0 for row in table.values())
