# ruff: noqa: S608 - the texts put into SQL here are constants of ours, never values
"""One alert of ours with all its versions, and the next message about it as a draft: the life cycle from the author's
side.

Every living message is a full snapshot made from the last version that counts; an end carries no content. What was
refused, or damaged before anybody had it, does not count: its version may be said again, corrected.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from producers.composing import Author, Draft, compose
from producers.errors import AuthorError, LifeError
from producers.forms import Form, Place
from producers.nodes import Node
from producers.outbox import SAID, Outbox, intact, stale
from schemas import audience as policy
from schemas import codec, registry
from schemas.directory import Directory
from schemas.lifecycle import ENDS, NEXT
from schemas.models import State
from schemas.recipient import expired

_ENOUGH: Final = 8  # characters of an id, so that the start of one is not a guess
REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    "FULFIL": ("FULFILLED",),
    "CANCEL": ("NO_LONGER_WANTED", "ISSUED_IN_ERROR", "SUPERSEDED"),
    "WITHDRAW": ("WITHDRAWN", "ISSUED_IN_ERROR"),
}
"""The reasons that each end may give; the first is meant where none is given."""


@dataclass(frozen=True, slots=True)
class Version:
    """One message about an alert. `expected` are the members that it went to, None until the hub has admitted it."""

    number: int
    version: int
    message: str
    outcome: str
    record: dict[str, Any]
    audience: dict[str, Any]
    expected: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Current:
    """An alert as the outbox knows it; `versions` upwards, only those that count."""

    alert_id: str
    kind: str
    state: State
    versions: tuple[Version, ...]

    @property
    def last(self) -> Version:
        """The version that holds now."""
        return self.versions[-1]

    @property
    def version(self) -> int:
        """Its number."""
        return self.last.version


def current(outbox: Outbox, alert: str) -> Current:
    """The alert with this id, start of an id, or national reference. AuthorError for none, several, or one whose last
    version cannot be built upon.
    """
    alert_id = id_of(outbox, alert)
    rows = outbox.db.execute(
        "select number, version, message, coalesce(outcome, ''), kind, key, value, sig, hub, checksum, digest, "
        f"expected from messages where alert_id = ? and {SAID} order by version, number",
        (alert_id,),
    ).fetchall()
    if not rows:
        raise LifeError(
            f"The alert {alert_id} was refused, so there is nothing to change.",
            "Correct it and publish it again, with the same `alert_id` or without one.",
        )
    versions = tuple(_version(alert_id, row) for row in cast("list[tuple[Any, ...]]", rows))
    _no_gap(alert_id, versions)
    return Current(alert_id, str(rows[0][4]), state_of(version.message for version in versions), versions)


def id_of(outbox: Outbox, alert: str) -> str:
    """The id of the one alert that is called so. AuthorError for none or several."""
    by_id = "alert_id >= ?1 and alert_id < ?1 || 'g'" if len(alert) >= _ENOUGH else "alert_id = ?1"
    found = outbox.db.execute(
        f"select alert_id from messages where {by_id} union select alert_id from messages "
        "where national_ref = ?1 and national_ref <> ''",
        (alert,),
    ).fetchall()
    if not found:
        raise AuthorError(f"No alert of ours is called {alert!r}.", "`manara status` lists the latest.")
    if len(found) > 1:
        raise AuthorError(
            f"{len(found)} alerts of ours are called {alert!r}.",
            f"Name one by its id: {', '.join(str(row[0]) for row in found[:5])}.",
        )
    return str(found[0][0])


def _version(alert_id: str, row: tuple[Any, ...]) -> Version:
    number, version, message, outcome, kind, key, value, sig, hub, checksum, digest, expected = row
    if not value:
        raise LifeError(
            f"The alert {alert_id} has ended, and its content is no longer kept.", "Publish a new alert instead."
        )
    if not intact((key, value, sig, hub), checksum, digest):
        raise LifeError(
            f"Version {version} of the alert {alert_id} (number {number}) is damaged in the outbox.",
            "Restore the outbox from a backup: nothing can be built on a damaged version.",
        )
    schema, body = registry.by_name("end" if message in ENDS else kind), codec.unframe(value)[1]
    audience = codec.decode(registry.by_name("hub"), hub)
    return Version(number, version, message, outcome, codec.decode(schema, body), audience, members_of(expected))


def members_of(expected: str | None) -> tuple[str, ...] | None:
    """The members in a cell of the column `expected`."""
    return None if expected is None else tuple(code for code in expected.split(",") if code)


def _no_gap(alert_id: str, versions: tuple[Version, ...]) -> None:
    """A refused version under one that has no verdict yet: that one will be refused, too."""
    for place, found in enumerate(versions, 1):
        if found.version != place:
            raise LifeError(
                f"Version {place} of the alert {alert_id} was refused, and version {found.version} still waits for its "
                "verdict, which will be a refusal.",
                f"Wait for it (`manara status {alert_id}`), then say version {place} again.",
            )


def state_of(messages: Iterator[str]) -> State:
    """The state after these messages of one alert, in order of version."""
    state: State = "ACTIVE"
    for message in messages:
        state = NEXT.get((state, message), state)
    return state


def check(now_at: Current, message: str, *, version: int | None = None, log_time: int = 0) -> None:
    """LifeError where the alert's life does not allow this message; StaleVersionError where `version` is not its own.

    `log_time` 0: not known, so that expiry is for the hub to judge.
    """
    if version is not None and version != now_at.version:
        raise stale(now_at.alert_id, now_at.version, version)
    if (now_at.state, message) not in NEXT:
        raise LifeError(
            f"The alert {now_at.alert_id} is {now_at.state}: {message} is not possible.", _remedy(now_at.state)
        )
    if message not in ENDS and log_time and expired(now_at.last.record["header"]["expires_at"], log_time):
        raise LifeError(
            f"The alert {now_at.alert_id} has expired: it can be ended, but not changed.",
            "Publish a new alert that names this one under `references`.",
        )


def _remedy(state: State) -> str:
    if state == "SUSPENDED":
        return "Resume it first (`manara resume`), or end it."
    if state == "ACTIVE":
        return "It is in force: `manara suspend` suspends it."
    return "It has ended for good: publish a new alert."


def follow(now_at: Current, message: str, now: int, **changes: Any) -> Draft:
    """The next living message: the last snapshot with other header fields (EXTEND, SUSPEND, RESUME)."""
    record = copy.deepcopy(now_at.last.record)
    record["header"].update(_succession(now_at, message, now), **changes)
    return Draft(now_at.kind, record, readers_only(now_at.last.audience), Form(now), fixed_id=True)


def end(now_at: Current, message: str, now: int, *, reason: str = "", note: str = "") -> Draft:
    """The end of an alert: no content, to everybody that it has reached. AuthorError for a reason that does not fit."""
    chosen = reason.upper().replace("-", "_") or REASONS[message][0]
    if chosen not in REASONS[message]:
        raise AuthorError(
            f"{reason!r} is no reason to {message.lower()} an alert.", f"Write one of: {', '.join(REASONS[message])}."
        )
    header = copy.deepcopy(now_at.last.record["header"])
    header.update(_succession(now_at, message, now), narrative=[], other_channels=[], annex_digests=[], references=[])
    record = {"header": header, "kind": now_at.kind, "reason": chosen, "note": note}
    return Draft(now_at.kind, record, readers_only(now_at.last.audience), Form(now), fixed_id=True)


def update(now_at: Current, node: Node, author: Author, now: int, *, audience: Node | None = None) -> Draft:
    """The next snapshot as its author has written it anew. What it does not say about times and audience stays."""
    draft = compose(node, author, now, lambda: now_at.alert_id, kind=now_at.kind, audience=audience)
    header, old = draft.header, now_at.last.record["header"]
    silent = {fault.rule for fault in draft.faults} & {"FORM_EXPIRY_MISSING", "FORM_AUDIENCE_MISSING"}
    draft.faults[:] = [fault for fault in draft.faults if fault.rule not in silent]
    if "FORM_EXPIRY_MISSING" in silent:
        header["expires_at"] = old["expires_at"]
    if "FORM_AUDIENCE_MISSING" in silent:
        draft.audience = readers_only(now_at.last.audience)
    if not _says(node, "effective_at"):
        header["effective_at"] = old["effective_at"]
    written = str(header["alert_id"])
    if written != now_at.alert_id:
        draft.form.fault(
            Place(0, "alert_id", written), "FORM_ANOTHER_ALERT", f"this would update {now_at.alert_id}: leave it out"
        )
    header.update(_succession(now_at, "UPDATE", now))
    draft.fixed_id = True
    return draft


def of_record(now_at: Current, record: Mapping[str, Any], audience: Mapping[str, Any] | None, now: int) -> Draft:
    """The same of a complete Avro record."""
    made = copy.deepcopy(dict(record))
    made["header"].update(_succession(now_at, "UPDATE", now))
    to = dict(audience) if audience else readers_only(now_at.last.audience)
    return Draft(now_at.kind, made, to, Form(now), fixed_id=True)


def readers_only(audience: Mapping[str, Any]) -> dict[str, Any]:
    """The choice of readers in a HubHeader, its place in the chain and its salt left for the outbox to fill."""
    return {
        "mode": audience["mode"],
        "members": list(audience["members"]),
        "sequence": 1,
        "previous": "",
        "salt": "0" * 64,
    }


def _succession(now_at: Current, message: str, now: int) -> dict[str, Any]:
    return {
        "alert_id": now_at.alert_id,
        "version": now_at.version + 1,
        "message": message,
        "sent_at": now,
        "hub_digest": "",
    }


def _says(node: Node, name: str) -> bool:
    fields = node.value if isinstance(node.value, dict) else {}
    header = fields.get("header")
    inner = header.value if header is not None and isinstance(header.value, dict) else {}
    return name in fields or name in inner


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom an alert has reached by now: `holding` it, or `left` out by a later version (and told so)."""

    holding: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        """Everybody that any version went to."""
        return self.holding | self.left

    def after(self, deliver: frozenset[str]) -> Reach:
        """After a version to these members."""
        return Reach(deliver, (self.all | deliver) - deliver)


def reach(now_at: Current, directory: Directory | None) -> Reach:
    """Whom the versions so far went to: as noted at admission, else by this directory."""
    found = Reach()
    for version in now_at.versions:
        if version.message in ENDS:
            continue
        deliver = version.expected
        if deliver is None:
            deliver = readers(now_at.kind, version.record["header"], version.audience, directory)
        found = found.after(frozenset(deliver))
    return found


def readers(
    kind: str, header: Mapping[str, Any], audience: Mapping[str, Any], directory: Directory | None
) -> tuple[str, ...]:
    """Whom the policy names; nobody without a directory."""
    if directory is None:
        return ()
    return policy.readers(policy.facts(kind, header), policy.audience(audience), directory).deliver
