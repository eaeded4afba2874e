# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""Evidence out of the outbox: what we signed, what hub and members have signed about it, and the keys to check it by.

The format, and what it proves to whom, stand in `schemas/evidence.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from manara.directory import open_record
from manara.stores import transaction
from producers.errors import AuthorError, ProducerError
from producers.outbox import SAID, Outbox
from producers.trust import remember_keys
from producers.versions import id_of, members_of
from schemas import signature
from schemas.evidence import EVIDENCE, PURGE, Contents, SignedMessage, SignedRecord
from schemas.models import CertifiedKey
from schemas.signature import SigningKey

_ROWS: Final = (
    "select number, version, message, key, value, sig, hub, coalesce(judged_at, accepted_at), expected, digest, "
    f"verdict, routed from messages where alert_id = ? and {SAID} and damaged = 0 order by version, number"
)


def purge_proof(outbox: Outbox, alert: str, maker: SigningKey, now: int) -> Contents:
    """The withdrawal of an alert and every signed PURGED about it. AuthorError where it was not withdrawn."""
    alert_id = id_of(outbox, alert)
    orders = [row for row in _rows(outbox, alert_id) if row[2] == "WITHDRAW"]
    if not orders:
        raise AuthorError(
            f"The alert {alert_id} was not withdrawn, so nobody was asked to delete it.",
            f"`manara withdraw {alert_id} --send` withdraws it.",
        )
    records = _receipts(outbox, orders, "and stage = 'PURGED'") | _verdicts(orders)
    return _contents(outbox, PURGE, (alert_id, now), orders, records, maker)


def evidence(outbox: Outbox, alert: str, maker: SigningKey, now: int) -> Contents:
    """All that was signed about an alert: every version, verdict and receipt. AuthorError where nothing is kept."""
    alert_id = id_of(outbox, alert)
    rows = [row for row in _rows(outbox, alert_id) if row[4]]
    if not rows:
        raise AuthorError(
            f"Of the alert {alert_id} no signed message is kept: it was refused, or ended more than 30 days ago.",
            "`manara status` says what became of it.",
        )
    return _contents(outbox, EVIDENCE, (alert_id, now), rows, _receipts(outbox, rows, "") | _verdicts(rows), maker)


def _rows(outbox: Outbox, alert_id: str) -> list[tuple[Any, ...]]:
    return cast("list[tuple[Any, ...]]", outbox.db.execute(_ROWS, (alert_id,)).fetchall())


def _verdicts(rows: Iterable[tuple[Any, ...]]) -> set[int]:
    return {record for row in rows for record in row[10:12] if record is not None}


def _receipts(outbox: Outbox, rows: Iterable[tuple[Any, ...]], which: str) -> set[int]:
    found: set[int] = set()
    for row in rows:
        sql = f"select record from receipts where digest = ? and record is not null {which}"
        found |= {int(str(record)) for (record,) in outbox.db.execute(sql, (row[9],)).fetchall()}
    return found


def _contents(
    outbox: Outbox,
    about: str,
    which: tuple[str, int],
    rows: list[tuple[Any, ...]],
    records: set[int],
    maker: SigningKey,
) -> Contents:
    messages = [SignedMessage(*row[3:8]) for row in rows]
    signed = [_record(outbox, number) for number in sorted(records)]
    sigs = [*(item.sig for item in messages), *(item.sig for item in signed)]
    kids = {signature.read(sig).kid for sig in sigs} | {maker.kid}
    keys, roots = _keys(outbox, kids)
    expected = {str(row[1]): members_of(row[8]) or () for row in rows}
    agency = str(outbox.fact("agency"))
    return Contents(about, agency, which[0], which[1], messages, signed, keys, roots, expected)


def _record(outbox: Outbox, number: int) -> SignedRecord:
    row = outbox.db.execute("select value, sig, at from signed where id = ?", (number,)).fetchone()
    if row is None:
        raise ProducerError("The outbox has lost a signed record.", "Restore the outbox from a backup.")
    return SignedRecord(*cast("tuple[bytes, bytes, int]", row))


def _keys(outbox: Outbox, kids: set[bytes]) -> tuple[list[CertifiedKey], dict[str, str]]:
    """The newest certified entry of each key, and the roots that certified them."""
    directory = outbox.fact("directory")
    if directory is not None:
        with transaction(outbox.db) as db:
            remember_keys(db, open_record(bytes(directory)))
    keys: list[CertifiedKey] = []
    roots: dict[str, str] = {}
    for kid in sorted(kids):
        row = outbox.db.execute(
            "select entry, certificate, member, root from key_entries where kid = ? order by sequence desc limit 1",
            (kid,),
        ).fetchone()
        if row is None:
            raise ProducerError(
                f"The entry of the key {kid.hex()} is not known here.",
                "Run `manara relay` for a moment, so that the directory is read, then try again.",
            )
        entry, certificate, member, root = cast("tuple[bytes, bytes, str, str]", row)
        keys.append({"entry": entry, "certificate": certificate})
        roots[member] = root
    return keys, roots
