"""The file of a sink without transactions: under which name a batch goes out."""

from __future__ import annotations

from pathlib import Path

from consumers.entry import Entry
from consumers.sinks.ledger import Ledger
from tests.support.entries import alerts, entries


def planned(folder: Path, batch: list[Entry]) -> tuple[str, list[int]]:
    """The borders in the name, and the numbers that go out under it, after a start."""
    ledger = Ledger(folder)
    ledger.open("ab" * 16)
    found = ledger.plan(batch, batch[-1].cursor)
    return found.name.partition("-")[2], [entry.number for entry in found.batch]


def test_a_batch_begun_before_a_crash_goes_out_in_its_old_borders(tmp_path: Path) -> None:
    """More has come meanwhile: it waits, for the name stands for what it stood for."""
    held = entries(alerts(6), tmp_path)
    first = planned(tmp_path / "sink", held[:4])
    assert first == ("000000000001-000000000004", [1, 2, 3, 4])
    assert planned(tmp_path / "sink", held) == first


def test_a_part_of_a_refused_batch_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Taken under the whole's name and repeated as the whole after a crash, its second half would pass for known."""
    held = entries(alerts(4), tmp_path)
    planned(tmp_path / "sink", held)
    half = planned(tmp_path / "sink", held[:2])
    assert half == ("000000000001-000000000002", [1, 2])
    assert planned(tmp_path / "sink", held) == half
    assert planned(tmp_path / "sink", held[1:]) == ("000000000002-000000000004", [2, 3, 4])
