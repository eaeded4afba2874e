"""The Python door of an agency: publish alerts, and wait for what the hub says.

from producers import Publisher

with Publisher.open("manara.toml") as publisher:
    accepted = publisher.publish("person", alert, audience=["EG", "MA"])   # signed and durable when this returns
    for standing in publisher.wait(timeout=30):                            # admitted, or refused with reason and
    remedy
        print(standing.alert_id, standing.stage, standing.reason, standing.remedy)
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from manara import keys, metrics
from manara.errors import BrokerError, InUseError
from manara.settings import Settings
from producers import answers, checking, links, scalars, shapes, sharing, standing, validity, versions
from producers.answers import Answered, Why
from producers.composing import Author, Draft, compose, readers
from producers.errors import AuthorError, FaultyError, KeyNotUsableError
from producers.faults import Fault
from producers.forms import Form
from producers.hours import now_micros
from producers.linking import LIVING, Says, State
from producers.links import Held
from producers.nodes import from_python
from producers.outbox import BULK, LIVE, Accepted, Outbox
from producers.planning import plan
from producers.relay import Relay
from producers.standing import Standing
from producers.trust import Trust
from producers.versions import Current
from schemas.directory import Directory, judge_key
from schemas.identifiers import RANDOM_BYTES, uuid7
from schemas.recipient import review_due
from schemas.registry import ALERT_KINDS
from schemas.signature import SigningKey

Alert = Mapping[str, Any]
Audience = str | Sequence[str] | Mapping[str, Any]


class Publisher:
    """One agency's way to publish. Open it once, use it from one thread, close it (or use `with`)."""

    def __init__(self, settings: Settings, outbox: Outbox, key: SigningKey) -> None:
        self.settings = settings
        self.outbox = outbox
        self._key = key
        self._author = Author.of(settings.agency)
        self._trust = Trust(settings, outbox)
        self._mine: set[int] = set()

    @classmethod
    def open(cls, settings: Settings | Path | str | None = None) -> Self:
        """The publisher of the agency in these settings (or the file they are in, or MANARA_CONFIG). Needs no network.

        SettingsError, KeyFileError, StoreError: each says what to do.
        """
        chosen = (
            settings
            if isinstance(settings, Settings)
            else Settings.load(Path(settings) if settings is not None else None)
        )
        require_agency(chosen)
        if chosen.key is None:
            raise KeyNotUsableError(
                "No signing key is set.",
                "Make one with `manara keys new`, and name its file as `key` in the settings (MANARA_KEY).",
            )
        key = keys.load(chosen.key)
        return cls(chosen, Outbox.open(chosen.folder, chosen.agency), key)

    def publish(self, kind: str, alert: Alert, *, audience: Audience) -> Accepted:
        """Check, sign and keep one alert; it is durable when this returns. FaultyError lists all that is wrong."""
        return self.accept([self.draft(kind, alert, audience)])[0]

    def publish_many(self, alerts: Iterable[tuple[str, Alert, Audience]], *, bulk: bool = False) -> list[Accepted]:
        """The same for several (kind, alert, audience) in one transaction: all are accepted, or none."""
        return self.accept([self.draft(*alert) for alert in alerts], bulk=bulk)

    def update(
        self, alert: str, content: Alert, *, audience: Audience | None = None, version: int | None = None
    ) -> Accepted:
        """The alert's next version, written anew in full; its audience and dates stay where it does not say them.

        Here and in the next ones: `alert` is an id, the start of one (8 characters), or our own reference; `version`,
        if given, must be the current one (StaleVersionError). LifeError where its life does not allow it.
        """
        now_at = self._current(alert, "UPDATE", version)
        return self._say(now_at, self.updated(now_at, content, audience))

    def extend(
        self, alert: str, *, until: str | dt.datetime, review: str | dt.datetime = "", version: int | None = None
    ) -> Accepted:
        """The same alert with a later expiry, and with a new date of review if one is given. Dates as people write
        them.
        """
        now_at = self._current(alert, "EXTEND", version)
        return self._say(now_at, extended(now_at, until, review, now_micros()))

    def suspend(self, alert: str, *, version: int | None = None) -> Accepted:
        """The alert as it is, not to be acted on for now."""
        now_at = self._current(alert, "SUSPEND", version)
        return self._say(now_at, versions.follow(now_at, "SUSPEND", now_micros()))

    def resume(self, alert: str, *, version: int | None = None) -> Accepted:
        """A suspended alert, in force again."""
        now_at = self._current(alert, "RESUME", version)
        return self._say(now_at, versions.follow(now_at, "RESUME", now_micros()))

    def cancel(self, alert: str, *, reason: str = "", note: str = "", version: int | None = None) -> Accepted:
        """End an alert that is no longer wanted (NO_LONGER_WANTED), was ISSUED_IN_ERROR, or is SUPERSEDED."""
        return self._end(alert, "CANCEL", reason, note, version)

    def withdraw(self, alert: str, *, reason: str = "", note: str = "", version: int | None = None) -> Accepted:
        """End an alert (WITHDRAWN, ISSUED_IN_ERROR) and have everybody whom it reached delete it and sign that."""
        return self._end(alert, "WITHDRAW", reason, note, version)

    def fulfil(self, alert: str, *, reason: str = "", note: str = "", version: int | None = None) -> Accepted:
        """End an alert that has achieved its purpose (FULFILLED)."""
        return self._end(alert, "FULFIL", reason, note, version)

    def _end(self, alert: str, message: str, reason: str, note: str, version: int | None) -> Accepted:
        now_at = self._current(alert, message, version)
        return self._say(now_at, versions.end(now_at, message, now_micros(), reason=reason, note=note))

    def links(self, states: Collection[State] = LIVING) -> list[Held]:
        """Matches with alerts of other states that the hub has told us of, in these states; the oldest offer first."""
        return links.held(self.outbox, states)

    def answer(
        self,
        link: str,
        says: str,
        *,
        reason: str = "",
        note: str = "",
        not_this_person: Mapping[str, str] | None = None,
    ) -> Answered:
        """Say ACKNOWLEDGED, ACCEPTED or DECLINED of a link (its id, or 8 characters of it or more), signed and durable
        when this returns; the relay carries it.

        A decline has a reason of `answers.REASONS`; the note stays here. `not_this_person` is an OtherPerson, kept with
        a MISTAKEN_IDENTITY. AuthorError, LifeError, KeyNotUsableError.
        """
        now = now_micros()
        self._check_key(self._trust.remembered(), now)
        why = Why(reason, note, not_this_person)
        return answers.give(self.outbox, link, _says(says), self._key, now=now, why=why)

    def share(self, link: str, *, only: str = "", version: int | None = None) -> Accepted:
        """Let the other side of an agreed link read our alert: its own next version, with one member more. Of several
        sides all, or `only` this member.
        """
        found = links.get(self.outbox, link).link
        members = sharing.shareable(found, only)
        now_at = self._current(found.alert_id, "UPDATE", version)
        draft = sharing.widened(now_at, members, now_micros())
        sharing.check(plan(now_at, draft, self._trust.remembered()), members)
        return self.accept([draft])[0]

    def _current(self, alert: str, message: str, version: int | None) -> Current:
        found = versions.current(self.outbox, alert)
        known = validity.log_time(self.outbox, 0)
        versions.check(found, message, version=version, log_time=known.at)
        return found

    def _say(self, now_at: Current, draft: Draft) -> Accepted:
        plan(now_at, draft, None)
        return self.accept([draft])[0]

    def updated(self, now_at: Current, content: Alert, audience: Audience | None = None) -> Draft:
        """The draft of an update, not checked against the rules yet."""
        now = now_micros()
        to = None if audience is None else from_python(audience)
        if is_record(now_at.kind, content):
            chosen = self.draft(now_at.kind, content, audience) if audience is not None else None
            return versions.of_record(now_at, content, chosen.audience if chosen else None, now)
        return versions.update(now_at, from_python(dict(content)), self._author, now, audience=to)

    def draft(self, kind: str, alert: Alert, audience: Audience) -> Draft:
        """An alert as it would be sent, not checked against the rules yet. A complete Avro record is taken as it is."""
        now = now_micros()
        if is_record(kind, alert):
            form = Form(now)
            to = readers(from_python(audience), form)
            faults = list(form.faults)
            written = alert["header"]["agency"]
            if written != self.settings.agency:
                faults.append(Fault("agency", "FORM_NOT_YOURS", written, f"you publish as {self.settings.agency}"))
            # the outbox writes into the header alone; the rest is only read until this draft is sealed
            record = dict(alert) | {"header": dict(alert["header"])}
            return Draft(kind, record, to, form, fixed_id=True, faults=faults)
        return compose(from_python(dict(alert)), self._author, now, new_id, kind=kind, audience=from_python(audience))

    def accept(self, drafts: Sequence[Draft], *, bulk: bool = False, judged: bool = False) -> list[Accepted]:
        """Check and accept drafts: all or none. `judged` ones were checked just now, and are not checked again.

        FaultyError, KeyNotUsableError, ContradictionError, StoreError.
        """
        now = now_micros()
        directory = self._trust.remembered()
        self._check_key(directory, now)
        faults = [] if judged else checking.judge_all(drafts, directory, now)
        if faults:
            raise FaultyError(faults)
        accepted = self.outbox.accept(drafts, self._key, partition=BULK if bulk else LIVE, now=now)
        for draft, one in zip(drafts, accepted, strict=True):
            self._mine.add(one.number)
            if not one.again:
                metrics.accepted.labels(kind=draft.kind).inc()
        return accepted

    def wait(self, timeout: float = 60.0) -> list[Standing]:
        """Carry the outbox until the hub has judged all that was accepted here, or `timeout` seconds; where each then
        stands.

        Another relay of this outbox, if one runs, does the carrying. BrokerError where the hub cannot be reached.
        """
        deadline = time.monotonic() + timeout
        carrier = self.carrier()
        try:
            while standing.unjudged(self.outbox, self._mine) and time.monotonic() < deadline:
                if carrier is None:
                    time.sleep(0.1)
                else:
                    carrier.step()
        finally:
            if carrier is not None:
                carrier.close()
        return standing.by_number(self.outbox, self._mine)

    def carrier(self) -> Relay | None:
        """A relay of this outbox, or None where one runs already."""
        try:
            return Relay.open(self.settings, self.outbox)
        except InUseError:
            return None

    def directory(self, timeout: float = 5.0) -> Directory | None:
        """The directory as it is now, the last one known where the network cannot be reached, or None."""
        try:
            return self._trust.wait(timeout)
        except BrokerError:
            return self._trust.remembered()

    def _check_key(self, directory: Directory | None, now: int) -> None:
        """The directory's word on our key, where we have a directory; without one the hub will say it."""
        if directory is None:
            return
        found = directory.keys.get(self._key.kid)
        kid = self._key.kid.hex()
        if found is not None and found.holder != self.settings.agency:
            raise KeyNotUsableError(
                f"The key {kid} is that of {found.holder}, not of {self.settings.agency}.",
                "Name your own key's file in the settings.",
            )
        reason = judge_key(found, now)
        if reason is not None:
            said = "not in the directory" if found is None else "not valid now"
            raise KeyNotUsableError(
                f"The key {kid} is {said} ({reason}).",
                "Have a key certified by your state's root: `manara keys new`, then `manara keys certify`.",
            )

    def close(self) -> None:
        """Let go of the outbox."""
        self._trust.close()
        self.outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def extended(now_at: Current, until: str | dt.datetime, review: str | dt.datetime, now: int) -> Draft:
    """The draft of an extension. AuthorError for a date that is none, or no later one."""
    header = now_at.last.record["header"]
    expires_at = _micros("until", until, now, end_of_day=True)
    if expires_at < header["expires_at"]:
        raise AuthorError(
            "An extension ends later than the alert does now.", "To end it earlier, use `manara update` or end it."
        )
    review_at = _micros("review", review, now, end_of_day=False) if review else header["review_at"]
    if not review and review_due(review_at, now):  # to extend it is to have looked at it
        review_at = 0
    return versions.follow(now_at, "EXTEND", now, expires_at=expires_at, review_at=review_at)


def _micros(name: str, text: str | dt.datetime, now: int, *, end_of_day: bool) -> int:
    written = text.isoformat() if isinstance(text, dt.datetime) else text
    try:
        return scalars.micros(written, now, end_of_day=end_of_day)
    except scalars.ScalarError as error:
        raise AuthorError(f"{name}: {written!r} is not a date.", f"{error.remedy}.") from error


def _says(text: str) -> Says:
    try:
        return Says(text.strip().upper())
    except ValueError as error:
        raise AuthorError(f"{text!r} is no answer to a link.", f"Write one of: {', '.join(Says)}.") from error


def new_id() -> str:
    """A new alert id."""
    return uuid7(now_micros(), secrets.token_bytes(RANDOM_BYTES))


def is_record(kind: str, alert: Alert) -> bool:
    """Whether this is a complete Avro record (every field there, times as integers), not the friendly form."""
    header = alert.get("header")
    if kind not in ALERT_KINDS or not isinstance(header, Mapping):
        return False
    complete = (
        alert.keys() == shapes.fields_of(shapes.definition(kind)).keys()
        and header.keys() == shapes.header_fields(kind).keys()
    )
    return complete and isinstance(header["sent_at"], int)


def require_agency(settings: Settings) -> None:
    """AuthorError where the settings name no agency."""
    if not settings.agency:
        raise AuthorError(
            "No agency is named in the settings.",
            'Write `agency = "az-customs"` in the settings file (--config), or set MANARA_AGENCY.',
        )
