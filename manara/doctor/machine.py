"""Checks of this machine: Python, folder, key file, contract, and what an embedded broker needs."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from manara import keys, stores
from manara.doctor.findings import Finding, State, fail, of_error, ok, skip, warn
from manara.embedded.errors import EmbeddedError
from manara.embedded.jars import jar_folder, kafka_version, locked_jars, unsound_jars
from manara.embedded.java import find_java
from manara.embedded.ports import is_free
from manara.errors import StoreError
from manara.settings import Settings
from schemas.registry import released

ENOUGH: Final = 1_000_000_000
SCARCE: Final = 100_000_000
"""Bytes free where spools and stores lie: below the first there is a warning, below the second a failure."""


def python() -> Iterator[Finding]:
    """Which Python runs this."""
    yield ok("python", f"Python {platform.python_version()} at {sys.executable}.")


def contract() -> Iterator[Finding]:
    """Whether every released schema can be read."""
    names = sorted(f"{schema.name} {schema.major}.{schema.minor}" for schema in released())
    yield ok("schemas", f"{len(names)} schemas of the contract are known: {', '.join(names)}.")


def folder(settings: Settings) -> Iterator[Finding]:
    """Whether the folder of this party can be written and has room."""
    place = settings.folder.absolute()
    existing = place
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK):
        yield fail("folder", f"{existing} cannot be written.", "Give this user the right to it, or set MANARA_FOLDER.")
        return
    free = shutil.disk_usage(existing).free
    said = f"{place} can be written; {free / 1e9:.1f} GB are free."
    if free < SCARCE:
        yield fail("folder", said, "Free some space: nothing can be accepted or delivered when the disk is full.")
    elif free < ENOUGH:
        yield warn("folder", said, "Free some space before it runs out.")
    else:
        yield ok("folder", said)


def spools(settings: Settings) -> Iterator[Finding]:
    """Whether outbox and inbox, where there are any, are sound: every page is looked at."""
    found = [settings.folder / name for name in ("outbox.db", "inbox.db")]
    for path in (path for path in found if path.exists()):
        yield _spool(path)
    if not any(path.exists() for path in found):
        yield skip("spools", "There is no outbox or inbox here yet.")


def lanes(settings: Settings) -> Iterator[Finding]:
    """Whether a gate here lets lanes stand still because blocks are lost between snapshot and log."""
    found = sorted(settings.folder.glob("gate-*/lane*.hole"))
    for note in found:
        said = json.loads(note.read_text())
        text = f"Lane {said['lane']} stands still: blocks {said['first']} to {said['last']} are in no log and snapshot."
        fix = (
            "Restore the gate's folder or register.v1 from a backup; else start once `manara hub gate --accept-hole`, "
            "and have the authors of these days withdraw and send anew."
        )
        yield fail("lanes", text, fix)
    if not found:
        yield skip("lanes", "No lane of a gate stands still here.")


def _spool(path: Path) -> Finding:
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        db.set_busy_timeout(stores.BUSY_MS)
        try:
            stores.examine(db)
        finally:
            db.close()
    except apsw.Error as error:
        return fail("spools", f"{path} cannot be read: {error}.", "Check the folder's rights and the disk.")
    except StoreError as error:
        return of_error("spools", error)
    return ok("spools", f"{path} is sound ({path.stat().st_size / 1e6:.1f} MB).")


def key_file(settings: Settings) -> Iterator[Finding]:
    """Whether the signing key can be used."""
    if settings.key is None:
        yield skip("key file", "No signing key is set: this party only reads.")
        return
    yield ok("key file", f"{settings.key} holds the key {keys.load(settings.key).kid.hex()}.")


def http_port(settings: Settings) -> Iterator[Finding]:
    """Whether the port for /metrics can be had, or a process of ours has it already."""
    port = settings.http_port
    if not port:
        yield skip("port", "No port for /metrics is set.")
    elif is_free(port):
        yield ok("port", f"Port {port} on 127.0.0.1 is free for /metrics.")
    else:
        yield warn(
            "port",
            f"Port {port} on 127.0.0.1 is taken.",
            "Good if this party's process runs; else set MANARA_HTTP_PORT.",
        )


def java(settings: Settings) -> Iterator[Finding]:
    """Whether a broker of our own could run. Without a cluster in the settings it is what `manara demo` needs."""
    missing = State.WARN if settings.kafka.bootstrap else State.FAIL
    if settings.kafka.bootstrap and importlib.util.find_spec("jgo") is None:
        yield skip("java", "No broker of our own is installed here, and the settings name a cluster.")
        return
    try:
        found = find_java()
    except EmbeddedError as error:
        yield of_error("java", error, missing)
    else:
        yield ok("java", f"Java {found.version} at {found.path}.")


def jars(settings: Settings) -> Iterator[Finding]:
    """Whether Kafka's jars are in the cache, each the one that the lock file names."""
    place = jar_folder()
    if settings.kafka.bootstrap and not place.exists():
        yield skip("kafka jars", "Not needed: the settings name a cluster.")
        return
    unsound = unsound_jars(place, thorough=True)
    if not unsound:
        yield ok("kafka jars", f"Apache Kafka {kafka_version()}: {len(locked_jars())} jars in {place}, each checked.")
        return
    size = sum(jar.size for jar in unsound) / 1e6
    text = f"{len(unsound)} of {len(locked_jars())} jars are not in {place} yet."
    yield warn(
        "kafka jars", text, f"`manara broker` and `manara demo` fetch them ({size:.0f} MB) on their first start."
    )


def settings_file(settings: Settings, config: Path | None) -> Iterator[Finding]:
    """What the settings say about who this is."""
    who = settings.agency or settings.member or settings.kafka.username or "nobody in particular"
    yield ok("settings", f"{config or 'the environment'}: this is {who}.")
