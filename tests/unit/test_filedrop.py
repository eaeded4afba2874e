"""The file drop keeps the contract of sinks, and its own promises about names."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.entry import Entry
from consumers.errors import SinkUnavailableError
from consumers.sinks.contract import Sink
from consumers.sinks.filedrop import STATE_FOLDER, FileDrop
from consumers.sinks.ledger import Ledger, State
from tests.support.entries import entries, mixture
from tests.support.sink_contract import Key, SinkContract, keys, told

INBOX = "0123456789abcdef" * 2


class DropSystem:
    """A folder that nobody empties."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sink(self) -> Sink:
        """A new adapter."""
        return FileDrop(self.folder)

    def holds(self) -> list[Key]:
        """The alerts in all files."""
        lines = [json.loads(line) for file in files(self.folder) for line in file.read_text().splitlines()]
        return sorted((row["agency"], row["alert_id"], row["version"]) for row in lines if row["type"] == "ALERT")

    forgets = True

    def state(self, agency: str, alert_id: str) -> str:
        """By the lines that lie here."""
        lines = [json.loads(line) for file in files(self.folder) for line in file.read_text().splitlines()]
        return told(lines, agency, alert_id)

    def finds(self, text: str) -> bool:
        """In any file, ours and hidden ones included; signed bytes lie there in base64."""
        found = [file.read_text() for file in self.folder.rglob("*") if file.is_file()]
        rows = [json.loads(row) for file in files(self.folder) for row in file.read_text().splitlines()]
        signed = b"".join(base64.b64decode(row["value"]) for row in rows)
        return any(text in one for one in found) or text.encode() in signed

    def fail(self) -> Callable[[], None]:
        """A file stands where the folder was."""
        away = self.folder.with_name("away")
        self.folder.rename(away)
        self.folder.touch()

        def cure() -> None:
            self.folder.unlink()
            away.rename(self.folder)

        return cure


def files(folder: Path) -> list[Path]:
    """What a reader of the folder sees."""
    return sorted(folder.glob("*.ndjson"))


class TestFileDropKeepsTheContract(SinkContract):
    """The file drop passes every law."""

    @pytest.fixture
    def system(self, tmp_path: Path) -> DropSystem:
        """A fresh folder."""
        return DropSystem(tmp_path / "drop")


@pytest.fixture
def batch(tmp_path: Path) -> list[Entry]:
    """Nine alerts and a notice."""
    return entries(mixture(9), tmp_path / "inbox")


def opened(folder: Path) -> FileDrop:
    """A drop that is open."""
    sink = FileDrop(folder)
    sink.open(INBOX)
    return sink


def test_a_file_is_named_by_the_numbers_in_it(tmp_path: Path, batch: list[Entry]) -> None:
    """The reader sees order and gaps."""
    opened(tmp_path / "drop").deliver(batch[:4], batch[3].cursor)
    assert [file.name for file in files(tmp_path / "drop")] == ["01234567-000000000001-000000000004.ndjson"]


@pytest.mark.parametrize("moment", ["after the note", "after the file"])
def test_after_a_crash_the_batch_is_finished_under_its_old_name(
    tmp_path: Path, batch: list[Entry], moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before or after the file was there, with more waiting when it comes back: no entry is in two files."""
    sink = opened(tmp_path / "drop")
    keep = Ledger.keep
    kept: list[State] = []

    def killed(self: Ledger, state: State) -> None:
        if kept:
            raise KeyboardInterrupt
        keep(self, state)
        kept.append(state)
        if moment == "after the note":
            raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "keep", killed)
    with pytest.raises(KeyboardInterrupt):
        sink.deliver(batch[:4], batch[3].cursor)
    assert len(files(tmp_path / "drop")) == (moment == "after the file")
    monkeypatch.undo()

    again = FileDrop(tmp_path / "drop")
    assert again.open(INBOX).number == 0
    done = again.deliver(batch, batch[-1].cursor)
    assert done.cursor == batch[3].cursor
    again.deliver(batch[4:], batch[-1].cursor)
    assert DropSystem(tmp_path / "drop").holds() == keys(batch)
    assert [file.name[9:-7] for file in files(tmp_path / "drop")] == [
        "000000000001-000000000004",
        "000000000005-000000000010",
    ]


def test_a_reader_never_sees_half_a_file(tmp_path: Path, batch: list[Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being written stands in the state folder, under another name."""
    sink = opened(tmp_path / "drop")
    seen = []
    rename = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append((self.parent.name, files(tmp_path / "drop")))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    sink.deliver(batch, batch[-1].cursor)
    assert [place for place, _ in seen] == [STATE_FOLDER] * 3
    assert [len(there) for _, there in seen] == [0, 0, 1]


def test_every_line_is_one_document_with_the_signed_bytes(tmp_path: Path, batch: list[Entry]) -> None:
    """The national system can verify for itself."""
    opened(tmp_path / "drop").deliver(batch, batch[-1].cursor)
    (file,) = files(tmp_path / "drop")
    rows = [json.loads(text) for text in file.read_text().splitlines()]
    assert [row["number"] for row in rows] == list(range(1, 11))
    assert rows[0]["record"]["names"][0]["full"] == "Tural Invented"
    assert set(rows[0]) >= {"value", "sig", "digest", "at"}


def test_a_damaged_cursor_is_said(tmp_path: Path) -> None:
    """It is never guessed."""
    sink = opened(tmp_path / "drop")
    (tmp_path / "drop" / STATE_FOLDER / "cursor.json").write_text("{")
    with pytest.raises(SinkUnavailableError, match="damaged"):
        sink.open(INBOX)
