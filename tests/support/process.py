"""The command line as a process of its own, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MANARA_")}
"""Nothing of the developer's own settings."""


def command(*arguments: str) -> list[str]:
    """The command line, as a user types it."""
    return [sys.executable, "-m", "manara.cli", *arguments]


def said(*arguments: str, seconds: float = 40) -> tuple[int, str]:
    """Exit code and everything that a command says."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=seconds, env=ENVIRONMENT, check=False
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def process(log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command at work, its output in a file; ended and waited for in the end."""
    with log.open("ab") as out, subprocess.Popen(command(*arguments), stdout=out, stderr=out, env=ENVIRONMENT) as child:
        try:
            yield child
        finally:
            child.kill()
