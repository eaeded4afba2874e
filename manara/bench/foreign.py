"""A Python environment of its own for a system whose packages do not fit ours; made on demand, kept in the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from manara.bench.errors import CannotRunError
from manara.embedded.jars import digest

SECONDS: Final = 600


def environment_of(lock: Path, name: str) -> Path:
    """The Python of an environment with exactly the packages of a lock file with digests.

    CannotRunError where it cannot be made, which is mostly for want of a network.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "manara"
    folder = base / f"{name}-{sys.version_info.major}.{sys.version_info.minor}-{digest(lock)[:12]}"
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    options = ["--disable-pip-version-check", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    _run([sys.executable, "-m", "venv", str(folder)], name)
    _run([str(python), "-m", "pip", "install", *options, "-r", str(lock)], name)
    (folder / "ready").touch()
    return python


def _run(command: list[str], name: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _cannot(name, type(error).__name__) from error
    if done.returncode:
        raise _cannot(name, done.stderr.strip()[-300:])


def _cannot(name: str, why: str) -> CannotRunError:
    return CannotRunError(
        f"The environment for {name} cannot be made ({why}).", "It needs a package index, once: connect the network."
    )
