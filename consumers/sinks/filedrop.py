"""The file drop: batches as NDJSON files in a folder that a national system empties.

A file appears whole, by an atomic rename after `fsync`, as `<inbox>-<first>-<last>.ndjson`. Before a batch is
written, its name is noted beside the cursor: after a crash the same entries go into the same name again, so a repeat
overwrites itself and is a new file only for a reader who has taken the first away. That reader keeps the key
(agency, alert id, version).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from consumers.entry import START, Cursor, Entry
from consumers.errors import SinkUnavailableError
from consumers.sinks.contract import Delivered
from consumers.view import document, line
from manara.errors import in_words

STATE_FOLDER: Final = ".manara"
BATCH_LIMIT: Final = 500


@dataclass(frozen=True)
class State:
    """What the drop knows of itself: whose cursor, how far, and the batch that may be out already (`name`, `until`)."""

    inbox: str
    number: int = 0
    chain: str = ""
    name: str = ""
    until: int = 0


class FileDrop:
    """Delivers into one folder."""

    name = "filedrop"
    batch_limit = BATCH_LIMIT

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = State("")

    def open(self, inbox: str) -> Cursor:
        """Read the cursor kept in the folder; another inbox's counts for nothing."""
        try:
            (self._folder / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
            found = self._read()
        except OSError as error:
            raise _said(error) from error
        self._state = found if found and found.inbox == inbox else State(inbox)
        return START if not self._state.number else Cursor(self._state.number, bytes.fromhex(self._state.chain))

    def deliver(self, batch: Sequence[Entry], upto: Cursor) -> Delivered:
        """Note the batch, write its file, move the cursor. A batch begun before a crash is finished in its old
        borders."""
        try:
            if not batch:
                self._keep(State(self._state.inbox, upto.number, upto.chain.hex()))
                return Delivered(upto, 0)
            if upto.number <= self._state.number:
                return Delivered(upto, self._drop(self._name(batch), batch))
            return self._advance(batch, upto)
        except OSError as error:
            raise _said(error) from error

    def close(self) -> None:
        """Nothing is held open."""

    def _advance(self, batch: Sequence[Entry], upto: Cursor) -> Delivered:
        begun = [entry for entry in batch if entry.number <= self._state.until]
        if self._state.name and begun:
            if len(begun) < len(batch):
                batch, upto = begun, begun[-1].cursor
        else:
            self._keep(replace(self._state, name=self._name(batch), until=batch[-1].number))
        effects = self._drop(self._state.name, batch)
        self._keep(State(self._state.inbox, upto.number, upto.chain.hex()))
        return Delivered(upto, effects)

    def _name(self, batch: Sequence[Entry]) -> str:
        return f"{self._state.inbox[:8]}-{batch[0].number:012d}-{batch[-1].number:012d}.ndjson"

    def _drop(self, name: str, batch: Sequence[Entry]) -> int:
        """Put the file there; how many entries that made appear."""
        target = self._folder / name
        repeat = target.exists()
        text = "".join(line(document(entry)) + "\n" for entry in batch)
        _write(self._folder / STATE_FOLDER / f"{name}.part", target, text)
        return 0 if repeat else len(batch)

    def _keep(self, state: State) -> None:
        place = self._folder / STATE_FOLDER
        _write(place / "cursor.part", place / "cursor.json", json.dumps(asdict(state)))
        self._state = state

    def _read(self) -> State | None:
        try:
            return State(**json.loads((self._folder / STATE_FOLDER / "cursor.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise SinkUnavailableError(
                f"{self._folder / STATE_FOLDER / 'cursor.json'} is damaged.",
                "Move it away: everything is then delivered again, under the same keys.",
            ) from error


def _write(part: Path, target: Path, text: str) -> None:
    """The whole text under the target's name, or nothing; durable on return."""
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _said(error: OSError) -> SinkUnavailableError:
    said = in_words(error)
    return SinkUnavailableError(f"The file drop cannot be used: {said.message}", said.remedy)
