"""The directory as this agency knows it: read from the cluster under the pinned roots, and remembered in the outbox for
when there is none.

Checking an alert and saying who would receive it work without a network, from the last snapshot that the relay or a
command has seen.
"""

from __future__ import annotations

from typing import cast

import apsw

from manara.directory import DirectoryReader, open_record
from manara.errors import BrokerError, DirectoryError
from manara.settings import Settings
from manara.stores import transaction
from producers.outbox import Outbox
from schemas import codec
from schemas import directory as rules
from schemas.directory import Directory
from schemas.errors import ContractError
from schemas.models import DirectoryRecord, KeyEntry
from schemas.registry import by_name


class Trust:
    """The directory of one party, followed and remembered. For one thread."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self._settings = settings
        self._outbox = outbox
        self._reader: DirectoryReader | None = None
        self._kept: Directory | None = None
        self._kept_seq = -1

    def directory(self) -> Directory | None:
        """The latest directory known, after a quick look at the cluster; None while there has never been one."""
        try:
            return self._keep(self._follow().poll())
        except (DirectoryError, BrokerError):
            return self.remembered()

    def wait(self, timeout: float) -> Directory:
        """The directory as it is on the cluster now. BrokerError, DirectoryError."""
        return self._keep(self._follow().wait(timeout))

    def remembered(self) -> Directory | None:
        """The last snapshot that the outbox remembers, or None; needs no network."""
        seq = self._outbox.fact("directory_seq")
        if seq is None or seq == self._kept_seq:
            return self._kept
        try:
            self._kept, _ = rules.read(open_record(bytes(self._outbox.fact("directory"))), self._settings.roots)
        except ContractError:  # written by a release that is newer than this one
            return None
        self._kept_seq = seq
        return self._kept

    def close(self) -> None:
        """Leave the directory's topic."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _follow(self) -> DirectoryReader:
        if self._reader is None:
            self._reader = DirectoryReader(self._settings)
        return self._reader

    def _keep(self, directory: Directory) -> Directory:
        if directory is self._kept:
            return directory
        record = self._reader.record if self._reader else None
        if record is not None and directory.seq > max(self._kept_seq, self._outbox.fact("directory_seq") or -1):
            schema = by_name("directory")
            value = codec.frame(schema, codec.encode(schema, record))
            with transaction(self._outbox.db) as db:
                db.executemany(
                    "insert or replace into facts values (?, ?)",
                    [("directory", value), ("directory_seq", directory.seq)],
                )
                remember_keys(db, record)
        self._kept, self._kept_seq = directory, directory.seq
        return directory


def remember_keys(db: apsw.Connection, record: DirectoryRecord) -> None:
    """Keep every certified key entry of a directory with its root: evidence is judged by keys that have left since."""
    roots = {member["code"]: member["root"] for member in record["members"]} | {"": record["operator_root"]}
    for item in record["keys"]:
        try:
            entry = cast("KeyEntry", codec.read(by_name("key"), item["entry"], limit=4096))
        except ContractError:
            continue
        root = roots.get(entry["member"], "")
        row = (bytes.fromhex(entry["kid"]), entry["sequence"], entry["holder"], entry["member"])
        db.execute(
            "insert or ignore into key_entries values (?, ?, ?, ?, ?, ?, ?)",
            (*row, item["entry"], item["certificate"], root),
        )
