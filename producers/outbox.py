# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""The agency's outbox: where "accepted" becomes true. One SQLite file, many writers, one relay.

Number, place in the chain, signature and insert are one transaction with `synchronous=FULL`: whoever is told "accepted"
finds the message here after any crash, and no number or sequence is skipped or used twice. Every message is kept, sent
or not, so that a cluster that is lost can be told everything again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import apsw

from manara import stores
from manara.errors import StoreError
from manara.stores import open_store, transaction
from producers.composing import Draft, content_digest_input
from producers.errors import ContradictionError, FaultyError, ProducerError, StaleVersionError
from producers.faults import Fault
from producers.outbox_schema import MIGRATIONS, SCHEMA, VERSION
from schemas import codec, lifecycle, message, registry, signature
from schemas.errors import ContractError
from schemas.models import HubHeader
from schemas.signature import SigningKey

LIVE, BULK = 0, 1
SAID = "outcome is not 'REFUSED' and (damaged = 0 or sends > 0 or outcome is not null)"
"""SQL: messages that count. One that was refused, or damaged before anybody had it, was not said."""
_ENDS = "message in ('CANCEL', 'WITHDRAW', 'FULFIL')"
SAME_CONTENT, SAME_REFERENCE = "same content", "same national reference"
FILE = "outbox.db"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The promise: this message is signed and durable here. `again`: it already was, and nothing was added."""

    alert_id: str
    version: int
    number: int
    digest: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as the relay sends it."""

    number: int
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Ack:
    """The broker's confirmation of one message."""

    number: int
    offset: int


@dataclass(frozen=True, slots=True)
class Alike:
    """A message in the outbox that looks like one about to be sent, and why."""

    alert_id: str
    version: int
    number: int
    because: str


class Outbox:
    """One agency's outbox. Not for several threads at once; several processes may each open it."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db

    @classmethod
    def open(cls, folder: Path, agency: str) -> Self:
        """The outbox in an agency's folder, made if it is not there. ProducerError if another agency's; StoreError."""
        outbox = cls(open_store(folder / FILE, SCHEMA, version=VERSION, migrations=MIGRATIONS, thorough=False))
        owner = outbox.fact("agency")
        if owner is None:
            with transaction(outbox.db):
                outbox.db.execute("insert or ignore into facts values ('agency', ?)", (agency,))
            owner = outbox.fact("agency")
        if owner != agency:
            outbox.close()
            raise ProducerError(
                f"The outbox in {folder} is that of {owner}, not of {agency}.", "Give each agency a folder of its own."
            )
        outbox._complete()
        return outbox

    def _complete(self) -> None:
        """Fill what an outbox of an earlier release did not note of each message; once."""
        if self.fact("complete"):
            return
        with transaction(self.db):
            rows = self.db.execute("select number, kind, message, value from messages where category = ''").fetchall()
            for number, kind, said, value in cast("list[tuple[int, str, str, bytes]]", rows):
                schema = registry.by_name("end" if said in lifecycle.ENDS else kind)
                try:
                    header = codec.decode(schema, codec.unframe(value)[1])["header"]
                except ContractError:  # damaged: the relay will find it
                    continue
                self.db.execute(
                    "update messages set category = ?, review_at = ? where number = ?",
                    (header["category"], header["review_at"], number),
                )
            self.db.execute("insert or replace into facts values ('complete', 1)")

    def copy_to(self, path: Path) -> None:
        """A copy of the outbox as it is at this moment, while others write: a backup. StoreError where `path` exists
        or cannot be written.
        """
        with stores.sentences(self.db):
            try:
                self.db.execute("vacuum into ?", (str(path),)).fetchall()
            except apsw.SQLError as error:
                raise StoreError(f"{path} cannot be written: {error}.", "Name a file that is not there yet.") from error
        path.chmod(0o600)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def fact(self, name: str) -> Any:
        """A remembered fact, or None."""
        return self._one("select value from facts where name = ?", name)

    def accept(
        self,
        drafts: Sequence[Draft],
        key: SigningKey,
        *,
        partition: int,
        now: int,
        salt: Callable[[], str] = lambda: secrets.token_hex(32),
    ) -> list[Accepted]:
        """Number, sign and keep these alerts: all of them or, on any exception, none. When it returns they are durable.

        `partition` is for alerts that open; what is said again about an alert goes where its first message went. An
        alert that is
        here already with the same content is not added a second time. ContradictionError, FaultyError (too large),
        StoreError.
        """
        with transaction(self.db):
            return [self._known(draft) or self._add(draft, key, partition, now, salt()) for draft in drafts]

    def _known(self, draft: Draft) -> Accepted | None:
        """The message that this draft repeats. What was refused does not count: it may be said again, corrected."""
        if draft.import_key:
            row = self._row(
                f"select alert_id, version, number, digest from messages where import_key = ? and {SAID}",
                draft.import_key,
            )
            return _repeated(row) if row else None
        if not draft.fixed_id:
            return None
        version = draft.header["version"]
        row = self._row(
            "select alert_id, version, number, digest, kind, value, hub from messages "
            f"where alert_id = ? and version = ? and {SAID}",
            draft.alert_id,
            version,
        )
        if row is None:
            return None
        if row[5] == b"" or not _same(draft, *row[4:]):
            if draft.header["message"] != "ALERT":
                raise stale(draft.alert_id, version, version - 1)
            raise ContradictionError(
                f"The alert {draft.alert_id} version {version} is in the outbox already (number {row[2]}), "
                "with other content.",
                "Leave `alert_id` out to publish a new alert.",
            )
        return _repeated(row)

    def _add(self, draft: Draft, key: SigningKey, partition: int, now: int, salt: str) -> Accepted:
        self._follows(draft)
        first = self._one(
            f"select partition from messages where alert_id = ? and {SAID} order by number limit 1",
            draft.alert_id,
        )
        partition = partition if first is None else first
        sequence, previous = self._row("select sequence, previous from chains where partition = ?", partition) or (
            0,
            "",
        )
        audience = cast("HubHeader", {**draft.audience, "sequence": sequence + 1, "previous": previous, "salt": salt})
        sealed = message.seal(registry.by_name(draft.schema), draft.record, audience, key)
        if len(sealed.value) > message.MAX_VALUE:
            raise FaultyError([too_large(len(sealed.value))])
        number = (self._one("select max(number) from messages") or 0) + 1
        self._insert(draft, sealed, (number, partition, sequence + 1), now)
        self.db.execute("insert or replace into chains values (?, ?, ?)", (partition, sequence + 1, sealed.digest))
        return Accepted(sealed.alert_id, sealed.version, number, sealed.digest)

    def _follows(self, draft: Draft) -> None:
        """The lock of the life cycle, under the store's own: what is said about an alert follows its last version."""
        if draft.header["message"] == "ALERT":
            return
        known = self._one(f"select max(version) from messages where alert_id = ? and {SAID}", draft.alert_id)
        if known is None or known + 1 != draft.header["version"]:
            raise stale(draft.alert_id, known or 0, draft.header["version"] - 1)

    def _insert(self, draft: Draft, sealed: message.Sealed, place: tuple[int, int, int], now: int) -> None:
        header, headers = draft.header, dict(sealed.headers)
        sig, hub = headers[message.SIG], headers[message.HUB]
        row = {
            "number": place[0],
            "partition": place[1],
            "sequence": place[2],
            "alert_id": sealed.alert_id,
            "version": sealed.version,
            "kind": sealed.kind,
            "message": header["message"],
            "national_ref": header["national_ref"],
            "precedence": header["precedence"],
            "expires_at": header["expires_at"],
            "category": header["category"],
            "review_at": header["review_at"],
            "digest": sealed.digest,
            "content": content_of(draft),
            "import_key": draft.import_key or None,
            "key": sealed.key,
            "value": sealed.value,
            "sig": sig,
            "hub": hub,
            "trace": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
            "checksum": _checksum(sealed.key, sealed.value, sig, hub),
            "accepted_at": now,
        }
        names = ", ".join(row)
        self.db.execute(f"insert into messages ({names}) values ({', '.join('?' * len(row))})", tuple(row.values()))

    def alike(self, draft: Draft) -> list[Alike]:
        """Messages that say the same, or that carry the same national reference: look before sending."""
        same = self.db.execute(
            "select alert_id, version, number, ?3 from messages "
            f"where content = ?1 and {SAID} "
            "union all select alert_id, version, number, ?4 from messages "
            f"where national_ref = ?2 and national_ref <> '' and content <> ?1 and {SAID} limit 20",
            (content_of(draft), draft.header["national_ref"], SAME_CONTENT, SAME_REFERENCE),
        )
        return [Alike(*cast("tuple[str, int, int, str]", row)) for row in same]

    def holds_import(self, import_key: str) -> bool:
        """Whether a row with this import key was accepted before, and not refused since."""
        return self._one(f"select 1 from messages where import_key = ? and {SAID} limit 1", import_key) is not None

    def pending(self, partition: int, after: int, most: int) -> list[Outgoing]:
        """The next messages to send, in order of number, none of them damaged (those are marked and left)."""
        rows = self.db.execute(
            "select number, key, value, sig, hub, trace, checksum, digest from messages "
            "where partition = ? and sent_at is null and damaged = 0 and number > ? order by number limit ?",
            (partition, after, most),
        ).fetchall()
        out = []
        for number, key, value, sig, hub, trace, checksum, digest in cast(
            "list[tuple[int, bytes, bytes, bytes, bytes, str, bytes, str]]", rows
        ):
            if not intact((key, value, sig, hub), checksum, digest):
                self.quarantine(number)
                continue
            headers: list[tuple[str, str | bytes | None]] = [
                (message.SIG, sig),
                (message.HUB, hub),
                (message.TRACE, trace.encode()),
            ]
            out.append(Outgoing(number, key, value, headers))
        return out

    def quarantine(self, number: int) -> None:
        """Mark a damaged message: it stays for who looks into it, and is never sent."""
        with transaction(self.db):
            self.db.execute("update messages set damaged = 1 where number = ?", (number,))

    def acknowledge(self, acks: Sequence[Ack], topic_id: str, now: int) -> None:
        """The broker has these: they are sent."""
        with transaction(self.db):
            self.db.executemany(
                'update messages set sent_at = ?, topic_id = ?, "offset" = ?, sends = sends + 1 where number = ?',
                [(now, topic_id, ack.offset, ack.number) for ack in acks],
            )

    def settle(self, cluster_id: str, topic_id: str, now: int) -> int:
        """Remember which cluster and inlet we send to; how many messages must be sent again because it is another one.

        Sent again is every version of each alert whose latest one has not expired: a successor alone would be unknown
        there. So is an alert that was ended, with its end, while its content is kept: somebody may hold what it takes
        back. Not what was refused. What the new hub then does not take is told by `producers.anew`.
        """
        with transaction(self.db):
            known = self.fact("inlet")
            here = f"{cluster_id}/{topic_id}"
            self.db.execute("insert or replace into facts values ('inlet', ?)", (here,))
            if known in (None, here):
                return 0
            self.db.execute(
                'update messages set sent_at = null, topic_id = null, "offset" = null, outcome = null, again = null, '
                "judged_at = null, routed_at = null, feeds = null, "
                "admitted_once = max(admitted_once, outcome is 'ADMITTED') "
                "where sent_at is not null and erased_at is null and outcome is not 'REFUSED' and alert_id in ("
                # with max() alone beside them, SQLite takes the other columns from the row of the latest version
                "select alert_id from (select alert_id, expires_at, max(version), "
                f"count(*) filter (where {_ENDS}) as ends from messages where {SAID} group by alert_id) "
                "where ends > 0 or expires_at > ?)",
                (now,),
            )
            return self.db.changes()

    def waiting(self) -> tuple[int, int]:
        """How many messages wait for the relay, and how many are damaged."""
        return (
            self._one("select count(*) from messages where sent_at is null and damaged = 0") or 0,
            self._one("select count(*) from messages where damaged = 1") or 0,
        )

    def oldest_waiting(self) -> int | None:
        """When the oldest message that waits was accepted."""
        found: int | None = self._one("select min(accepted_at) from messages where sent_at is null and damaged = 0")
        return found

    def _row(self, sql: str, *values: apsw.SQLiteValue) -> Any:
        return self.db.execute(sql, values).fetchone()

    def _one(self, sql: str, *values: apsw.SQLiteValue) -> Any:
        row = self.db.execute(sql, values).fetchone()
        return None if row is None else row[0]


def _repeated(row: tuple[Any, ...]) -> Accepted:
    return Accepted(row[0], row[1], row[2], row[3], again=True)


def too_large(size: int) -> Fault:
    """The fault of a message over the network's limit."""
    return Fault(
        "",
        "TOO_LARGE",
        f"{size} bytes",
        f"keep an alert within {message.MAX_VALUE >> 10} KiB: shorten the narrative, name attachments by digest",
    )


def content_of(draft: Draft) -> str:
    """SHA-256 of what a draft says and to whom; made once, so a draft is not to be changed after."""
    if not draft.content:
        body = codec.encode(registry.by_name(draft.schema), content_digest_input(draft.record))
        audience = f"{draft.audience['mode']}:{','.join(draft.audience['members'])}"
        draft.content = hashlib.sha256(body + audience.encode()).hexdigest()
    return draft.content


def _same(draft: Draft, kind: str, value: bytes, hub: bytes) -> bool:
    """Whether a stored message says what the draft says; the times of writing may differ."""
    _, body = codec.unframe(value)
    stored = codec.decode(registry.by_name(kind), body)
    audience = codec.decode(registry.by_name("hub"), hub)
    same_audience = audience["mode"] == draft.audience["mode"] and audience["members"] == draft.audience["members"]
    return kind == draft.kind and same_audience and _timeless(stored) == _timeless(draft.record)


def _timeless(record: dict[str, Any]) -> dict[str, Any]:
    header = dict(record["header"])
    if header["effective_at"] == header["sent_at"]:
        header["effective_at"] = 0
    return {**record, "header": {**header, "sent_at": 0, "hub_digest": ""}}


def stale(alert_id: str, current: int, based_on: int) -> StaleVersionError:
    """The error of a message that does not follow the current version."""
    if not current:
        return StaleVersionError(f"The alert {alert_id} is not in this outbox.", "`manara status` lists the latest.")
    return StaleVersionError(
        f"The alert {alert_id} is at version {current} by now, not at {based_on}: somebody has changed it meanwhile.",
        f"Look at it (`manara status {alert_id}`), then say it again on top of that.",
    )


def intact(parts: tuple[bytes, bytes, bytes, bytes], checksum: bytes, digest: str) -> bool:
    """Whether a stored message (key, value, sig, hub) is as it was signed and stored, and its digest with it."""
    if _checksum(*parts) != checksum:
        return False
    _, value, sig, _ = parts
    return signature.digest(signature.read(sig).protected, value[codec.PREFIX_LENGTH :]) == digest


def _checksum(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
