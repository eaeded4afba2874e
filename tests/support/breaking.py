"""The command line with stages whose body raises once at chosen messages: `python -m tests.support.breaking ...`.

Each file in the folder RAISE_AT is named by a digest. The first batch that holds it makes the body raise, once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manara.cli import main
from streams.engine.contract import Output, Record
from streams.receipts import Forward
from streams.route import Route

FOLDER = "RAISE_AT"


def break_body(kind: type[Route | Forward], folder: Path) -> None:
    """Let this stage raise where the folder says so."""
    real = kind.process

    def process(stage: Any, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        output = real(stage, partition, batch, state, now)
        for at in folder.iterdir():
            if any(at.name.encode() in (record.value or b"") for record in batch):
                at.unlink()
                raise RuntimeError("the body raises, as a test wants it")
        return output

    setattr(kind, "process", process)  # noqa: B010 - a method of either class


if __name__ == "__main__":
    if FOLDER in os.environ:
        for each in (Route, Forward):
            break_body(each, Path(os.environ[FOLDER]))
    main()
