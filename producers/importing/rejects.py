"""The reject file: only the rows that failed, each with what is wrong, in the form of the table it came from, so that
it can be
corrected and imported by the same mapping.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from producers.importing.job import Rejected
from producers.importing.tables import Table, raw

COLUMNS = ("rejected_row", "rejected_column", "rejected_value", "rejected_reason")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class RejectFile:
    """Written at the first rejected row, so that a clean import leaves no file behind."""

    def __init__(self, path: Path, table: Table) -> None:
        self.path = path
        self._table = table
        self._lines = table.form == "ndjson"
        self._file: IO[str] | None = None

    def add(self, rejected: Rejected) -> None:
        """One more row. OSError where the file cannot be written."""
        first = self._file is None
        if self._file is None:
            # the row may hold a suspect's name, so nobody else may read it; the mark lets a spreadsheet see UTF-8
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.fchmod(handle, 0o600)
            self._file = os.fdopen(handle, "w", encoding="utf-8" if self._lines else "utf-8-sig", newline="")
        notes = self._notes(rejected)
        if self._lines:
            self._file.write(json.dumps({**raw(rejected.row), **notes}, ensure_ascii=False) + "\n")
            return
        out = csv.writer(self._file, delimiter=self._table.delimiter)
        if first:
            out.writerow([*COLUMNS, *self._table.columns])
        cells = raw(rejected.row)
        out.writerow(
            [
                *(_harmless(str(note)) for note in notes.values()),
                *(cells.get(column) or "" for column in self._table.columns),
            ]
        )

    @staticmethod
    def _notes(rejected: Rejected) -> dict[str, object]:
        faults = rejected.faults
        return dict(
            zip(
                COLUMNS,
                (
                    rejected.row.number,
                    "; ".join(fault.path for fault in faults),
                    "; ".join(fault.value for fault in faults),
                    "; ".join(f"{fault.rule}: {fault.remedy}" for fault in faults),
                ),
                strict=True,
            )
        )

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _harmless(text: str) -> str:
    """A note that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
