"""A temporary folder that is gone when we are gone, even after kill -9."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from manara.embedded.process import end_guard, guarded, read_pid


class ScratchFolder:
    """`with ScratchFolder() as folder:` a new folder, deleted at the end; a guard deletes it should we be killed.

    Stop the servers in it before it closes: put them inside the `with`.
    """

    def __init__(self, parent: Path | None = None) -> None:
        """`parent` is where it is made; the system's temporary folder when left out."""
        self._parent = parent
        self._folder: Path | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Path:
        self._folder = Path(tempfile.mkdtemp(prefix="manara-", dir=self._parent))
        self._guard = guarded(["sweep", str(os.getpid()), str(self._folder)], log=self._folder / "sweep.log")
        read_pid(self._guard)
        return self._folder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # the folder first: killed in between, the guard still does the rest
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._guard is not None:
            end_guard(self._guard, 5)
        self._folder = self._guard = None
