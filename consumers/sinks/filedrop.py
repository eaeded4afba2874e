"""The file drop: batches as NDJSON files in a folder that a national system empties.

A file appears whole, by an atomic rename after `fsync`, as `<inbox>-<first>-<last>.ndjson`. After a crash the same
entries go into the same name again (`ledger.py`), so a repeat overwrites itself and is a new file only for a reader who
has taken the first away. That reader keeps the key (agency, alert id, version).

WITHDRAW: the order appears as a line, for the reader who has taken files away; then every file that is still here is
replaced by one without the alert's content, a tombstone line standing where each version stood.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from consumers.entry import Cursor, Entry
from consumers.errors import SinkUnavailableError
from consumers.sinks.contract import Delivered
from consumers.sinks.ledger import Ledger, write
from consumers.view import document, line, tombstone
from manara.errors import in_words

STATE_FOLDER: Final = ".manara"
BATCH_LIMIT: Final = 500


class FileDrop:
    """Delivers into one folder."""

    name = "filedrop"
    batch_limit = BATCH_LIMIT

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ledger = Ledger(folder / STATE_FOLDER)

    def open(self, inbox: str) -> Cursor:
        """Read the cursor kept in the folder."""
        try:
            return self._ledger.open(inbox)
        except OSError as error:
            raise _said(error) from error

    def deliver(self, batch: Sequence[Entry], upto: Cursor) -> Delivered:
        """Note the batch, write its file, move the cursor."""
        try:
            if not batch:
                self._ledger.done(upto)
                return Delivered(upto, 0)
            planned = self._ledger.plan(batch, upto)
            effects = self._drop(f"{planned.name}.ndjson", planned.batch)
            for entry in planned.batch:
                if entry.message == "WITHDRAW":
                    self._purge(entry)
            self._ledger.done(planned.upto)
        except OSError as error:
            raise _said(error) from error
        return Delivered(planned.upto, effects)

    def tell_time(self, at: int) -> None:
        """Files keep no time."""

    def close(self) -> None:
        """Nothing is held open."""

    def _drop(self, name: str, batch: Sequence[Entry]) -> int:
        """Put the file there; how many entries that made appear."""
        target = self._folder / name
        repeat = target.exists()
        text = "".join(line(document(entry)) + "\n" for entry in batch)
        write(self._folder / STATE_FOLDER / f"{name}.part", target, text)
        return 0 if repeat else len(batch)

    def _purge(self, order: Entry) -> None:
        """Replace every file that holds content of the alert; leftovers of a crash go altogether."""
        mark = json.dumps(order.alert_id, ensure_ascii=False).encode()
        for file in sorted(self._folder.glob("*.ndjson")):
            found = _read(file)
            if mark in found:
                write(self._folder / STATE_FOLDER / f"{file.name}.part", file, _without(found.decode(), order))
        for part in (self._folder / STATE_FOLDER).glob("*.ndjson.part"):
            part.unlink(missing_ok=True)


def _read(file: Path) -> bytes:
    """What a file holds; nothing where its reader has just taken it away."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _without(text: str, order: Entry) -> str:
    """The same lines, but those of the withdrawn alert as tombstones."""
    rows = [json.loads(row) for row in text.splitlines()]
    gone = [(row["agency"], row["alert_id"], row["type"]) == (order.agency, order.alert_id, "ALERT") for row in rows]
    return "".join(line(tombstone(row) if out else row) + "\n" for row, out in zip(rows, gone, strict=True))


def _said(error: OSError) -> SinkUnavailableError:
    said = in_words(error)
    return SinkUnavailableError(f"The file drop cannot be used: {said.message}", said.remedy)
