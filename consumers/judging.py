"""The edge's judgement on one message of a feed: verified again, whatever the hub says. Pure.

The hub is believed for confidentiality, audience, availability and time; author and content are checked here, with
keys that were certified under roots pinned by this member.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from consumers.entry import Arrival
from schemas import codec, message, registry, rules
from schemas.directory import Directory
from schemas.errors import MalformedError, SchemaUnknownError
from schemas.models import HubHeader
from schemas.reasons import Reason, Refusal

HUB_TIME_SPAN: Final = 35 * 24 * 3600 * 1_000_000
"""Microseconds: so far may the hub's time lie from our own clock at first receipt; beyond, it is marked as the hub's
word."""
AT_LENGTH: Final = 8
YEAR_2000: Final = 946_684_800_000_000
YEAR_2200: Final = 7_258_118_400_000_000
ROUTE: Final = "hub.route"
"""The one stage of the hub that says that an alert is no longer addressed to us."""
CURABLE: Final = (
    Reason.UNKNOWN_KEY,
    Reason.KEY_NOT_VALID,
    Reason.WRONG_AGENCY,
    Reason.SCHEMA_UNKNOWN,
    Reason.UNREADABLE,
)
"""Refusals that rest on what we know: a message may overtake the directory, or the release, that makes it good (a
defect of ours included). So these are judged again at every new directory and every start."""

_FOR_US: Final[HubHeader] = {"mode": "LISTED", "members": ["ZZ"], "sequence": 1, "previous": "", "salt": "00" * 32}
"""Whom else an alert went to is hidden from us by design."""

Headers = Sequence[tuple[str, bytes | None]]


class Message(NamedTuple):
    """A Kafka record as it came. `time` is its log time in microseconds."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    time: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Refused(NamedTuple):
    """A message that a correct hub would not have sent, and why."""

    message: Message
    reason: str
    detail: str
    digest: str


class Accepted(NamedTuple):
    """A message that is what it claims to be, as it goes into the inbox."""

    message: Message
    arrival: Arrival


def judge(sent: Message, kind: str, directory: Directory, now: int) -> Accepted | Refused:
    """What to make of a message on the feed of this kind, by this directory; `now` is our own clock."""
    try:
        if _is_notice(sent.value):
            return Accepted(sent, _notice(sent, kind, directory, now))
        return Accepted(sent, _alert(sent, kind, directory, now))
    except Refusal as refusal:
        return Refused(sent, refusal.reason, refusal.detail, refusal.digest)
    except Exception as error:  # noqa: BLE001 - a defect met by one message must not stop all that follow it
        return Refused(sent, Reason.UNREADABLE, f"unexpected {type(error).__name__}", "")


def _alert(sent: Message, kind: str, directory: Directory, now: int) -> Arrival:
    at = _admitted_at(sent.headers)
    authentic = message.authenticate(sent.key, sent.value, sent.headers, directory=directory, at=at)
    opened = message.interpret(authentic, sent.key or b"")
    if opened.kind != kind:
        raise Refusal(Reason.SCHEMA_MISMATCH, f"a {opened.kind} alert on the feed of {kind}", digest=opened.digest)
    header = opened.header
    _check_rules(opened, at)
    return Arrival(
        type="ALERT",
        agency=header["agency"],
        alert_id=header["alert_id"],
        version=header["version"],
        kind=kind,
        message=header["message"],
        status=header["status"],
        precedence=header["precedence"],
        expires_at=header["expires_at"],
        at=at,
        hub_time_only=abs(now - at) > HUB_TIME_SPAN,
        received_at=now,
        digest=opened.digest,
        kid=authentic.claim.kid.hex(),
        trace=_text(sent.headers, message.TRACE),
        value=sent.value or b"",
        sig=_only(sent.headers, message.SIG) or b"",
    )


def _check_rules(opened: message.Opened, at: int) -> None:
    """The publication rules about content, at the time of admission. Audience and directory of then are the hub's to
    know.

    What the gate admits passes here: this is a part of what it has judged, by the same function and the same time.
    """
    for path, rule, _value, _remedy in rules.check(opened.kind, opened.record, _FOR_US, None, at):
        raise Refusal(rule, f"at {path}", digest=opened.digest)


def _notice(sent: Message, kind: str, directory: Directory, now: int) -> Arrival:
    """The hub's word that an alert is no longer addressed to us; nobody else may say that, and the hub nothing else."""
    value = sent.value or b""
    at = _admitted_at(sent.headers, absent=sent.time)
    _schema, notice, key = message.open_record(value, sent.headers, directory=directory, at=at, holders=(ROUTE,))
    if notice.get("type") != "NO_LONGER_ADDRESSED" or notice.get("kind") != kind:
        raise Refusal(Reason.SCHEMA_MISMATCH, "the hub's notice does not belong on this feed")
    if sent.key != message.identity(notice["agency"], notice["alert_id"]):
        raise Refusal(Reason.MALFORMED, "the notice's key is not its alert's")
    return Arrival(
        type="NOTICE",
        agency=notice["agency"],
        alert_id=notice["alert_id"],
        version=notice["version"],
        kind=kind,
        message=notice["type"],
        status="SYSTEM",
        precedence="ROUTINE",
        expires_at=0,
        at=notice["at"],
        hub_time_only=abs(now - at) > HUB_TIME_SPAN,
        received_at=now,
        digest=hashlib.sha256(value).hexdigest(),
        kid=key.kid.hex(),
        trace=_text(sent.headers, message.TRACE),
        value=value,
        sig=_only(sent.headers, message.SIG) or b"",
    )


def _is_notice(value: bytes | None) -> bool:
    """What the prefix claims; a false claim ends in a refusal either way."""
    try:
        return value is not None and registry.by_id(codec.unframe(value)[0]).name == "notice"
    except (SchemaUnknownError, MalformedError):
        return False


def _admitted_at(headers: Headers, absent: int | None = None) -> int:
    """The `at` header: when the hub admitted the message."""
    value = _only(headers, message.AT)
    if value is None and absent is not None:
        return absent
    if value is None or len(value) != AT_LENGTH:
        raise Refusal(Reason.MALFORMED, "the hub's header `at` is absent or not 8 bytes")
    at = int.from_bytes(value, "big", signed=True)
    if not YEAR_2000 <= at < YEAR_2200:
        raise Refusal(Reason.MALFORMED, "the hub's header `at` is no time of this network")
    return at


def _only(headers: Headers, name: str) -> bytes | None:
    """The header's value where it is there exactly once."""
    found = [value for header, value in headers if header == name]
    return found[0] if len(found) == 1 else None


def _text(headers: Headers, name: str) -> str:
    value = _only(headers, name) or b""
    return value.decode("ascii", errors="replace") if len(value) <= 64 else ""  # noqa: PLR2004 - a traceparent has 55
