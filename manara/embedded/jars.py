"""Kafka's jars: named in `kafka.lock`, fetched once into the user's cache, each checked by SHA-256.

The cache is `$XDG_CACHE_HOME/manara/kafka-<version>/` (else `~/.cache/…`). A file `checked` there says which size and
time each jar had when its digest was last compared; as long as they hold, a start reads no jar. Two processes may come
at once: a lock file lets one fetch, and a jar appears under its name only when it is whole and checked.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path

from manara.embedded.errors import JarError

LOCK_FILE = Path(__file__).with_name("kafka.lock")
Progress = bool | Callable[[int, int], None]
"""True: a bar on a terminal; False: nothing; a function: called with bytes fetched and bytes in all."""


@dataclass(frozen=True)
class Jar:
    """One line of the lock file: Maven coordinates, SHA-256 (hex) and size in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """The jar's name in a Maven repository, and in our cache."""
        return f"{self.artifact}-{self.version}.jar"


@once
def locked_jars(lock: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """The jars that the lock file names, in its order, which is the order of the class path."""
    return tuple(_locked(line) for line in lock.read_text().splitlines() if line and not line.startswith("#"))


def _locked(line: str) -> Jar:
    name, sha256, size = line.split()
    group, artifact, version = name.split(":")
    return Jar(group, artifact, version, sha256.removeprefix("sha256:"), int(size))


def kafka_version() -> str:
    """The version of Kafka that the lock file names."""
    return next(jar.version for jar in locked_jars() if jar.artifact == "kafka-clients")


def jar_folder(cache: Path | None = None) -> Path:
    """Where the jars are kept; `cache` is the user's cache folder."""
    base = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "manara" / f"kafka-{kafka_version()}"


def ensure_jars(cache: Path | None = None, progress: Progress = True) -> list[Path]:
    """All jars of the lock file, on disk and checked; what is missing or damaged is fetched anew.

    Needs no network once the cache is filled. Raises `NoNetworkError` when something must be fetched and cannot be,
    `JarError` when what was fetched is not what the lock file says or the cache cannot be written.
    """
    folder = jar_folder(cache)
    if not unsound_jars(folder):
        return [folder / jar.file_name for jar in locked_jars()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder):
            _repair(folder, progress)
    except OSError as error:
        raise JarError(
            f"Kafka's jars cannot be kept in {folder}: {error}.",
            "Make room or make it writable, or set XDG_CACHE_HOME to another folder.",
        ) from error
    return [folder / jar.file_name for jar in locked_jars()]


def unsound_jars(folder: Path, *, thorough: bool = False) -> list[Jar]:
    """The jars that are missing from a folder or are not those of the lock file.

    A jar whose size and time are those of the last check is believed; `thorough` reads all of them (about 0.1 s).
    """
    known = {} if thorough else _checked(folder)
    return [jar for jar in locked_jars() if not _sound(folder / jar.file_name, jar, known)]


def _sound(path: Path, jar: Jar, known: dict[str, list[int]]) -> bool:
    if not path.exists() or path.stat().st_size != jar.size:
        return False
    return known.get(jar.file_name) == _stamp(path) or digest(path) == jar.sha256


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _repair(folder: Path, progress: Progress) -> None:
    """Fetch what is unsound and note what was checked; the caller holds the folder's lock."""
    # looked at again under the lock: the process that held it before us has probably done the work
    if missing := unsound_jars(folder):
        from manara.embedded.fetch import fetch_jars  # noqa: PLC0415 - a filled cache must not pay for the resolver

        fetch_jars(missing, folder, progress)
    stamps = {jar.file_name: _stamp(folder / jar.file_name) for jar in locked_jars()}
    draft = folder / ".checked"
    draft.write_text(json.dumps(stamps))
    draft.replace(folder / "checked")


def _stamp(path: Path) -> list[int]:
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns]


def _checked(folder: Path) -> dict[str, list[int]]:
    """What the last check noted; nothing when the note is missing or unreadable, so that everything is read again."""
    try:
        noted: dict[str, list[int]] = json.loads((folder / "checked").read_text())
    except (OSError, ValueError):
        return {}
    return noted


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process repairs this folder, then keep the others waiting."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
