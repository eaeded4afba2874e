"""The crash marker: deaths are counted where nothing was got past, and nowhere else."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from streams.engine.marker import Marker
from streams.engine.sandbox import span, verdict

A, B = ("inlet.a", 0), ("inlet.b", 1)


def died(path: Path, *at: tuple[int, int]) -> Marker:
    """A process that noted these offsets of A and B in turn and died; its successor's marker."""
    marker = Marker(path)
    for first, second in at:
        marker.note({A: ("id", first), B: ("id", second)})
    return Marker(path)


def test_a_graceful_end_leaves_nothing_behind(tmp_path: Path) -> None:
    """No suspicion, no file."""
    path = tmp_path / "reading.json"
    marker = Marker(path)
    marker.note({A: ("id", 5)})
    assert path.exists()
    marker.clear()
    assert not path.exists()
    assert not Marker(path).careful


def test_one_death_makes_no_suspect(tmp_path: Path) -> None:
    """A machine may be switched off."""
    marker = died(tmp_path / "m", (5, 7))
    assert not marker.careful
    assert not marker.suspects(A, "id", 5)


def test_two_deaths_at_one_place_make_it_suspect_and_what_went_on_is_not(tmp_path: Path) -> None:
    """A stood at 5 both times, B had got on."""
    path = tmp_path / "m"
    died(path, (5, 7))
    marker = died(path, (5, 7), (5, 9))
    assert marker.careful
    assert marker.suspects(A, "id", 5)
    assert marker.suspects(A, "id", 3), "it may be read again from before"
    assert not marker.suspects(A, "id", 6)
    assert not marker.suspects(A, "another topic of that name", 5)


def test_progress_over_a_restart_clears_the_count(tmp_path: Path) -> None:
    """Killed again and again from outside, but working in between: never suspect."""
    path = tmp_path / "m"
    for start in range(0, 50, 10):
        assert not died(path, (start, 0), (start + 9, start)).suspects(A, "id", start + 9)


def test_what_is_acquitted_is_read_and_its_deaths_still_count(tmp_path: Path) -> None:
    """The bad batch may stand a little further on: care goes on until an end is graceful, or it is got past."""
    path = tmp_path / "m"
    died(path, (5, 7))
    marker = died(path, (5, 7))
    marker.acquit(A)
    assert not marker.suspects(A, "id", 5)
    marker.note({A: ("id", 6), B: ("id", 7)})
    after = Marker(path)
    assert after.careful
    assert after.suspects(A, "id", 6), "a careful process that died: what comes first is looked at"
    after.clear()
    assert not Marker(path).careful


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"at": 1, "careful": true}', '{"at": {"a": [1]}, "careful": 1}', "\x00"]
)
def test_a_marker_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    """It is help, not a condition for starting."""
    path = tmp_path / "m"
    path.write_text(text)
    assert not Marker(path).careful


def test_a_marker_is_written_only_where_something_moved(tmp_path: Path) -> None:
    """An idle gate writes nothing."""
    path = tmp_path / "m"
    marker = Marker(path)
    marker.note({A: ("id", 5)})
    path.unlink()
    marker.note({A: ("id", 5)})
    assert not path.exists()
    marker.note({A: ("id", 6)})
    assert path.exists()


@pytest.mark.parametrize(
    ("said", "found"),
    [("", (None, -1)), ("539\n", (539, -1)), ("539\n40\n41\n", (539, 41)), ("41\n40\n41\nTraceback: 7\n", (41, 41))],
)
def test_a_sandbox_says_how_far_it_came(said: str, found: tuple[int | None, int]) -> None:
    """Only a death before the batch's last record speaks against the batch."""
    assert verdict(said) == found


def test_the_header_of_a_batch_says_how_far_it_goes() -> None:
    """Without unpacking anything; other formats and fragments are refused."""
    header = struct.pack(">qiibIhi", 40, 999, 0, 2, 0, 4, 499)
    assert span(header + b"packed") == (40, 539)
    for raw in (b"", header[:-1], struct.pack(">qiibIhi", 40, 999, 0, 1, 0, 4, 499)):
        with pytest.raises(ValueError, match="batch"):
            span(raw)
