"""Durable files: SQLite through apsw, opened the one way that survives a kill and a power cut, and locks between
processes.

apsw brings its own SQLite: the copy in Python's standard library may carry a fault that resets the write-ahead log.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import apsw

from manara.errors import InUseError, StoreError, in_words

BUSY_MS = 5_000
SMALL = 16 * 1024 * 1024
"""Bytes of a store that is checked whole at every opening: it costs 50 ms at most."""
Synchronous = Literal["FULL", "NORMAL"]


def open_store(
    path: Path,
    schema_sql: str,
    *,
    version: int,
    migrations: Mapping[int, str] | None = None,
    synchronous: Synchronous = "FULL",
    thorough: bool = True,
) -> apsw.Connection:
    """Open a store, making it or bringing it up to `version` first.

    `schema_sql` makes an empty store of `version`; `migrations[n]` turns a store of version n - 1 into one of n. The
    file is readable by its owner alone. A store of any size is checked for damage first; unless `thorough`, one over
    16 MiB is not, and whoever runs for long checks it by `examine`. Raises `StoreError` where it is damaged, newer than
    us, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise in_words(error) from error
    with _said(path):
        db = apsw.Connection(str(path))
        db.set_busy_timeout(BUSY_MS)
        _configure(db, synchronous)
        if thorough or path.stat().st_size <= SMALL:
            _check(db, path)
        _migrate(db, path, schema_sql, version, migrations or {})
    return db


def examine(db: apsw.Connection) -> None:
    """Look at every page of a store, which takes about a second for each 300 MB. StoreError where it is damaged."""
    path = Path(db.filename)
    with _said(path):
        _check(db, path)


def sentences(db: apsw.Connection) -> contextlib.AbstractContextManager[None]:
    """Around reads of a store: SQLite's refusals become StoreError, as in a `transaction`."""
    return _said(Path(db.filename))


@contextlib.contextmanager
def transaction(db: apsw.Connection) -> Iterator[apsw.Connection]:
    """All or nothing: committed at the end, rolled back on any exception. It takes the write lock at once, not at the
    first write.

    Raises `StoreError` where the disk is full or another writer keeps the store for longer than five seconds.
    """
    with _said(Path(db.filename)):
        db.execute("begin immediate")
        try:
            yield db
        except BaseException:
            if db.in_transaction:  # a full disk has rolled back by itself
                db.execute("rollback")
            raise
        db.execute("commit")


class Lock:
    """A file that one process at a time may hold; the kernel lets go of it when that process ends, however it ends."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle

    def close(self) -> None:
        """Let go; a second call does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def lock(path: Path, *, purpose: str = "this work") -> Lock:
    """Claim a lock file at once. Raises `InUseError` where another process holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise in_words(error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(handle, 32).decode(errors="replace").strip()
        os.close(handle)
        who = f" (process {holder})" if holder.isdigit() else ""
        raise InUseError(
            f"Another process{who} already does {purpose} here: {path} is locked.", "Stop it first, or use its result."
        ) from error
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return Lock(path, handle)


def _configure(db: apsw.Connection, synchronous: Synchronous) -> None:
    """Set the connection up. When two make a new store at once, the change to WAL fails without waiting: try again."""
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            # fetchall: statements after one that returns rows run only when its rows are read
            db.execute(
                f"pragma journal_mode = wal; pragma synchronous = {synchronous}; pragma foreign_keys = on"
            ).fetchall()
            return
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _check(db: apsw.Connection, path: Path) -> None:
    problems = [str(row[0]) for row in db.execute("pragma quick_check(1)") if row[0] != "ok"]
    if problems:
        raise StoreError(
            f"{path} is damaged: {problems[0]}.", "Restore it from a backup, or move it away and start anew."
        )


def _migrate(db: apsw.Connection, path: Path, schema_sql: str, version: int, migrations: Mapping[int, str]) -> None:
    if _version(db) == version:
        return
    with transaction(db):  # two processes may open an empty store at once: look again under the lock
        found = _version(db)
        if found > version:
            raise StoreError(
                f"{path} was written by a newer release (its version is {found}, ours is {version}).",
                "Install the newer release again, or restore the backup made before it.",
            )
        steps = [schema_sql] if found == 0 else [migrations[number] for number in range(found + 1, version + 1)]
        for step in steps:
            db.execute(step).fetchall()
        db.execute(f"pragma user_version = {version}").fetchall()


def _version(db: apsw.Connection) -> int:
    return int(next(iter(db.execute("pragma user_version")))[0])


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """SQLite's refusals in words."""
    try:
        yield
    except apsw.FullError as error:
        raise StoreError(
            f"{path}: the disk is full.", "Free some space there, then start again: nothing is lost."
        ) from error
    except apsw.BusyError as error:
        raise StoreError(
            f"{path} has been kept busy by another process for 5 s.", "Look which process uses it; try again."
        ) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreError(f"{path} is damaged or is not ours.", "Restore it from a backup, or move it away.") from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.IOError) as error:
        raise StoreError(f"{path} cannot be written: {error}.", "Check the folder's rights and the disk.") from error
