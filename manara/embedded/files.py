"""Files of a server's folder: private ones, the folder's lock, and the tail of a log."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from manara.embedded.errors import FolderInUseError

TAIL_BYTES = 4000
"""Enough of a log to see a Java stack trace's head."""
LOG_BYTES = 10_000_000
"""A log longer than this is set aside at the next start; one old log is kept."""


def write_private(path: Path, data: bytes) -> None:
    """Write a whole file that only its owner can read; readers see the old or the new one, never half."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def keep_password(path: Path, password: str | None = None) -> str:
    """The password kept in `path` (mode 0600); the first time the one given, or a random one, is put there."""
    if path.exists():
        return path.read_text().strip()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    chosen = password or secrets.token_urlsafe(24)
    write_private(path, chosen.encode() + b"\n")
    return chosen


def lock_folder(folder: Path) -> int:
    """Claim a folder for one server; give back the open file that holds the claim. Raises `FolderInUseError`."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise FolderInUseError(folder) from error
    return handle


def tail(log: Path, since: int = 0) -> str:
    """The last lines of a log, but none before the byte `since`; empty when there is no log."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(since, end - TAIL_BYTES, 0))
        return file.read().decode(errors="replace").strip()


def set_aside(log: Path) -> None:
    """Rename a log that has grown too long, so that no log grows for ever over many starts."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.old"))
