"""What a sink without transactions knows of itself, in a file of its own: whose cursor, how far, and the batch that may
be out already.

Before a batch goes out its borders are noted: after a crash the same entries go out in the same borders and so under
the same name, and whoever reads there can tell a repeat.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from consumers.entry import START, Cursor, Entry
from consumers.errors import SinkUnavailableError
from consumers.sinks.contract import Delivered

FILE_NAME: Final = "cursor.json"


@dataclass(frozen=True)
class State:
    """`name` and `until` are the batch that may be out; `disabled` is why nothing may go out until the operator says
    so."""

    inbox: str
    number: int = 0
    chain: str = ""
    name: str = ""
    until: int = 0
    disabled: str = ""


class Planned(NamedTuple):
    """What to send under which name, and the cursor behind it."""

    name: str
    batch: Sequence[Entry]
    upto: Cursor


class Ledger:
    """The state in one folder. Every method raises `OSError` where the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = State("")

    def open(self, inbox: str) -> Cursor:
        """The cursor kept here; another inbox's counts for nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found = self._read()
        if found is not None and found.inbox != inbox:
            found = State(inbox, disabled=found.disabled)
        self.state = found or State(inbox)
        return START if not self.state.number else Cursor(self.state.number, bytes.fromhex(self.state.chain))

    def plan(self, batch: Sequence[Entry], upto: Cursor) -> Planned:
        """Note what goes out. A batch begun before a crash is finished in its old borders; one behind the cursor (an
        entry tried again) is not noted, for its name says all."""
        if upto.number <= self.state.number:
            return Planned(self._name(batch), batch, upto)
        begun = [entry for entry in batch if entry.number <= self.state.until]
        # a batch that was refused comes again in parts: a part under the whole's name would pass for the whole later
        if begun and self._name(begun) == self.state.name:
            if len(begun) < len(batch):
                batch, upto = begun, begun[-1].cursor
        else:
            self.keep(replace(self.state, name=self._name(batch), until=batch[-1].number))
        return Planned(self.state.name, batch, upto)

    def deliver(self, batch: Sequence[Entry], upto: Cursor, send: Callable[[Planned], None]) -> Delivered:
        """One sending, then the cursor; what an earlier life had sent already counts as nothing new."""
        if not batch:
            self.done(upto)
            return Delivered(upto, 0)
        planned = self.plan(batch, upto)
        known = planned.upto.number <= self.state.number
        send(planned)
        self.done(planned.upto)
        return Delivered(planned.upto, 0 if known else len(planned.batch))

    def done(self, upto: Cursor) -> None:
        """What was planned is out: move the cursor, never backwards."""
        if upto.number > self.state.number:
            self.keep(State(self.state.inbox, upto.number, upto.chain.hex()))

    def disable(self, why: str) -> None:
        """Nothing may go out until `enable`."""
        self.keep(replace(self.state, disabled=why))

    def enable(self) -> bool:
        """Whether it was disabled; now it is not."""
        found = self._read() if self.folder.is_dir() else None
        if found is None or not found.disabled:
            return False
        self.keep(replace(found, disabled=""))
        return True

    def keep(self, state: State) -> None:
        """Make a state the one that counts, durably."""
        write(self.folder / "cursor.part", self.folder / FILE_NAME, json.dumps(asdict(state)))
        self.state = state

    def _name(self, batch: Sequence[Entry]) -> str:
        return f"{self.state.inbox[:8]}-{batch[0].number:012d}-{batch[-1].number:012d}"

    def _read(self) -> State | None:
        try:
            return State(**json.loads((self.folder / FILE_NAME).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise SinkUnavailableError(
                f"{self.folder / FILE_NAME} is damaged.",
                "Move it away: everything is then delivered again, under the same keys.",
            ) from error


def write(part: Path, target: Path, text: str) -> None:
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
