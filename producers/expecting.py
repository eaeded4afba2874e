# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""Whom a message of ours is expected to reach: the policy's answer by the directory at its admission, noted down.

The hub never tells an author who got an alert. The author knows whom it addressed, and the policy is public: so it
computes what the hub must have decided. An end goes to everybody that any version went to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import apsw

from producers.outbox import SAID
from producers.versions import members_of
from schemas import audience as policy
from schemas import codec, registry
from schemas.directory import Directory
from schemas.lifecycle import ENDS


class Expectations:
    """Notes, once for each message, whom it is expected to reach; unless `keep`, only tells it."""

    def __init__(self, db: apsw.Connection, directory: Callable[[], Directory | None], *, keep: bool = True) -> None:
        self._keep = keep
        self._db = db
        self._directory = directory
        self._memo: dict[tuple[int, policy.Facts, policy.Audience], tuple[str, ...]] = {}

    def note(self, digest: str) -> tuple[str, ...] | None:
        """The members expected for the message with this digest; None where that is not known (no directory, or a
        message that is not ours).
        """
        row = self._db.execute(
            "select number, alert_id, version, kind, message, value, hub, expected from messages where digest = ?",
            (digest,),
        ).fetchone()
        if row is None or row[7] is not None:
            return members_of(cast("str | None", row[7])) if row else None
        number, alert_id, version, kind, message, value, hub = cast(
            "tuple[int, str, int, str, str, bytes, bytes]", row[:7]
        )
        directory = self._directory()
        if directory is None or not value:
            return None
        members = self._reached(alert_id, version) if message in ENDS else self._readers(kind, value, hub, directory)
        if members is not None and self._keep:
            self._db.execute("update messages set expected = ? where number = ?", (",".join(members), number))
        return members

    def _readers(self, kind: str, value: bytes, hub: bytes, directory: Directory) -> tuple[str, ...]:
        header = codec.decode(registry.by_name(kind), codec.unframe(value)[1])["header"]
        facts = policy.facts(kind, header)
        audience = policy.audience(codec.decode(registry.by_name("hub"), hub))
        asked = (directory.seq, facts, audience)
        if asked not in self._memo:
            if len(self._memo) >= 1000:  # noqa: PLR2004 - bounded; an agency has a handful
                self._memo.clear()
            self._memo[asked] = policy.readers(facts, audience, directory).deliver
        return self._memo[asked]

    def _reached(self, alert_id: str, version: int) -> tuple[str, ...] | None:
        """Everybody that an earlier version went to; None where one of them is not known."""
        earlier = self._db.execute(
            f"select digest from messages where alert_id = ? and version < ? and {SAID}",
            (alert_id, version),
        ).fetchall()
        found: set[str] = set()
        for (digest,) in earlier:
            members = self.note(str(digest))
            if members is None:
                return None
            found |= set(members)
        return tuple(sorted(found))
