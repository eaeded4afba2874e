"""Everything that this member knows about one alert: all versions and fields, the signature checked now and offline,
what the
sinks made of it, which receipts were given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.text import Text

from consumers import standing
from consumers.entry import Entry
from consumers.errors import AlertNotFoundError
from consumers.inbox import Inbox
from consumers.rendering import lines
from consumers.summary import money, title
from consumers.text import clean, safe
from consumers.view import document, iso
from manara.directory import open_record
from schemas import directory as rules
from schemas import message, recipient
from schemas.directory import Directory, Pins
from schemas.reasons import Refusal

TIMES: Final = frozenset({"sent_at", "effective_at", "expires_at", "review_at", "at"})
"""Fields that hold microseconds."""
SHORTEST: Final = 4
ENDS: Final = ("CANCEL", "FULFIL", "WITHDRAW")


def find(inbox: Inbox, named: str) -> list[Entry]:
    """All entries of the one alert that `named` means: its id or the beginning of it, perhaps after `<agency>/`.

    Raises `AlertNotFoundError` where there is none, or more than one.
    """
    agency, _, alert_id = named.strip().rpartition("/")
    if len(alert_id) < SHORTEST:
        raise AlertNotFoundError(
            f"`{clean(named)}` is too short to name an alert.", f"Give at least {SHORTEST} characters of its id."
        )
    found = inbox.find(alert_id.lower(), agency)
    identities = sorted({(entry.agency, entry.alert_id) for entry in found})
    if not identities:
        raise AlertNotFoundError(
            f"The inbox holds no alert `{clean(named)}`.",
            "Look at `manara feed --since 1d --no-follow` for what it holds.",
        )
    if len(identities) > 1:
        several = ", ".join(f"{agency}/{clean(alert_id, 40)}" for agency, alert_id in identities[:5])
        raise AlertNotFoundError(f"`{clean(named)}` means {len(identities)} alerts: {several}.", "Give more of the id.")
    return found


def everything(inbox: Inbox, found: list[Entry], pins: Pins) -> dict[str, Any]:
    """The whole story as one JSON document."""
    directory = kept_directory(inbox, pins)
    first = found[0]
    now = int(inbox.meta("heartbeat_at") or 0)
    held = inbox.held(first.agency, first.alert_id)
    return {
        "agency": first.agency,
        "alert_id": first.alert_id,
        "kind": first.kind,
        "state": held.state if held else "",
        "acting": bool(held and held.acting) and not _expired(found, now),
        "expired": _expired(found, now),
        "review_due": bool(now) and recipient.review_due(standing.review_at(_latest(found)), now),
        "withdrawal": withdrawal(inbox, first),
        "network_time": iso(now) if now else "",
        "directory_seq": directory.seq if directory else 0,
        "entries": [
            {
                **document(entry),
                "signature": signature(entry, directory),
                "sinks": sinks(inbox, entry.number),
                "receipts": receipts(inbox, entry.number),
            }
            for entry in found
        ],
    }


def _latest(found: list[Entry]) -> Entry:
    """The newest living version, or what there is."""
    return max(found, key=lambda entry: (entry.type == "ALERT" and entry.message not in ENDS, entry.version))


def _expired(found: list[Entry], now: int) -> bool:
    return bool(now) and recipient.expired(_latest(found).expires_at, now)


def withdrawal(inbox: Inbox, entry: Entry) -> dict[str, Any] | None:
    """The proof of a purge: order, when the content went, which sinks have purged, when it was receipted."""
    row = inbox.db.execute(
        "select number, version, digest, at, purged_at, scrubbed_at, receipted_at from withdrawals "
        "where alert_id = ? and agency = ? order by number limit 1",
        (entry.alert_id, entry.agency),
    ).fetchone()
    if row is None:
        return None
    number, version, digest, *times = row
    by = [name for (name,) in inbox.db.execute("select sink from purged_by where number = ? order by sink", (number,))]
    names = ("at", "purged_at", "scrubbed_at", "receipted_at")
    said = {name: iso(int(time)) if time else "" for name, time in zip(names, times, strict=True)}
    return {"version": version, "digest": digest, **said, "sinks": by}


def kept_directory(inbox: Inbox, pins: Pins) -> Directory | None:
    """The directory that the edge kept, verified anew under our own pins."""
    kept = inbox.directory()
    return None if kept is None else rules.read(open_record(kept), pins)[0]


def signature(entry: Entry, directory: Directory | None) -> dict[str, str]:
    """What the signature is worth now: GOOD, a reason of the contract's list, or UNCHECKED; with whose key it is."""
    if entry.bare:
        return {
            "state": "PURGED",
            "detail": "the signed bytes are gone, the digest stays",
            "kid": entry.kid,
            "holder": "",
        }
    if directory is None:
        return {"state": "UNCHECKED", "detail": "the inbox has no directory yet", "kid": entry.kid, "holder": ""}
    key = directory.keys.get(bytes.fromhex(entry.kid))
    whose = {"kid": entry.kid, "holder": key.holder if key else ""}
    headers = [(message.SIG, entry.sig)]
    try:
        if entry.type == "NOTICE":
            message.open_record(entry.value, headers, directory=directory, at=entry.at)
        else:
            name = message.identity(entry.agency, entry.alert_id)
            authentic = message.authenticate(name, entry.value, headers, directory=directory, at=entry.at)
            message.interpret(authentic, name)
    except Refusal as refusal:
        return {"state": refusal.reason, "detail": refusal.detail, **whose}
    detail = "the author's key was valid at a time that the hub alone vouches for" if entry.hub_time_only else ""
    return {"state": "GOOD", "detail": detail, **whose}


def sinks(inbox: Inbox, number: int) -> list[dict[str, Any]]:
    """What each sink made of an entry: STORED, WAITING, PARKED (tried again) or DEAD, and why."""
    rows = inbox.db.execute(
        "select name, s.number >= ?1, s.detail, p.reason, p.attempts, d.reason, d.attempts from sinks s "
        "left join parked p on p.sink = name and p.number = ?1 "
        "left join dead_letters d on d.sink = name and d.number = ?1 order by name",
        (number,),
    )
    found = []
    for name, passed, detail, parked, tries, dead, attempts in rows:
        state, reason = ("STORED", "") if passed else ("WAITING", detail)
        if parked is not None:
            state, reason = "PARKED", f"{parked} (tried {tries} times)"
        if dead is not None:
            state, reason = "DEAD", f"{dead} (tried {attempts} times)"
        found.append({"sink": name, "state": state, "reason": reason})
    return found


def receipts(inbox: Inbox, number: int) -> list[dict[str, Any]]:
    """The receipts that were made for an entry, and when the broker had them."""
    rows = inbox.db.execute(
        "select stage, reason, made_at, sent_at from receipt_items join receipt_batches on id = batch "
        "where number = ? order by batch",
        (number,),
    )
    return [
        {"stage": stage, "reason": reason, "made_at": iso(int(made)), "sent_at": iso(int(sent)) if sent else ""}
        for stage, reason, made, sent in rows
    ]


def page(story: Mapping[str, Any], found: list[Entry], width: int) -> Iterator[Text]:
    """The story for people, line by line; EXERCISE stands on each line of one."""
    yield Text(f"{story['agency']}/{clean(story['alert_id'], 40)}  {story['kind']}", "bold")
    if story["state"] not in ("ACTIVE", ""):
        yield Text(story["state"].replace("_", " "), "bold red")
    if story["withdrawal"]:
        yield from _proof(story["withdrawal"])
    if story["review_due"]:
        yield Text("REVIEW DUE: its author must look at it again", "bold yellow")
    if story["expired"]:
        yield Text(f"EXPIRED by the network's time {story['network_time']}", "bold red")
    for told, entry in zip(story["entries"], found, strict=True):
        yield Text()
        yield from lines(entry.status, list(_entry(told, entry)), width, whole=True)


def _proof(proof: Mapping[str, Any]) -> Iterator[Text]:
    done = ", ".join(proof["sinks"]) or "no sink yet"
    yield Text(f"withdrawn by version {proof['version']} at {proof['at']}, digest {proof['digest']}")
    yield Text(f"content purged {proof['purged_at']}, from the file {proof['scrubbed_at'] or 'not yet'}, in {done}")


def _entry(told: Mapping[str, Any], entry: Entry) -> Iterator[Text]:
    yield Text(f"version {entry.version}  {entry.message}  {entry.status}  {title(entry)}", "bold")
    state = told["signature"]
    good = state["state"] in ("GOOD", "PURGED")
    yield Text(
        f"signature: {state['state']}  {state['holder']} key {state['kid'][:16]}  {state['detail']}".rstrip(),
        "green" if good else "bold white on red",
    )
    yield Text(f"admitted by the hub {told['at']}, received {told['received_at']}, digest {told['digest']}", "dim")
    for sink in told["sinks"]:
        yield Text(f"sink {sink['sink']}: {sink['state']}  {sink['reason']}".rstrip())
    for receipt in told["receipts"]:
        sent = f"sent {receipt['sent_at']}" if receipt["sent_at"] else "waits to be sent"
        yield Text(f"receipt {receipt['stage']}: made {receipt['made_at']}, {sent}  {receipt['reason']}".rstrip())
    for path, value in fields(entry.record() if not entry.bare and entry.intact else {}):
        yield Text.assemble((f"  {path}: ", "cyan"), value)


def fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a record with its path, as text that is safe to print; empty ones are left out."""
    name = path.rpartition(".")[2]
    match value:
        case Mapping():
            if {"amount", "currency"} <= value.keys():
                yield f"{path}.amount".lstrip("."), money(value["amount"], value["currency"])
                value = {key: inner for key, inner in value.items() if key not in ("amount", "currency")}
            for key, inner in value.items():
                yield from fields(inner, f"{path}.{key}".lstrip("."))
        case list():
            if all(isinstance(inner, str) for inner in value):
                yield from ((path, ", ".join(safe(inner) for inner in value)) for _ in value[:1])
                return
            for index, inner in enumerate(value):
                yield from fields(inner, f"{path}[{index}]")
        case str():
            yield from ((path, safe(value, 2000)) for _ in value[:1])
        case int() if name in TIMES:
            yield from ((path, iso(value)) for _ in range(bool(value)))
        case None:
            return
        case _:
            yield path, str(value)
