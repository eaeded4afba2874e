"""The publication rules: what an alert must hold to be published. The gate and the agency run the same function.

Every rule fails closed: a value that this version does not know is a violation. The list is in an order of meaning (who
speaks, what it does, times, legal basis, handling, audience, substance, single fields), and the gate refuses by the
first. The remedies stand in `reasons.py`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from schemas import audience as audiences
from schemas.categories import CATEGORIES, COERCIVE, Category
from schemas.directory import AGENCY_FORM, Directory
from schemas.fields import findings, first_day, is_digest, last_day
from schemas.lifecycle import ENDS
from schemas.models import AlertHeader, HubHeader, LegalBasis
from schemas.reasons import REMEDY, Reason
from schemas.registry import ALERT_KINDS, by_name
from schemas.substance import Broken, substance

MINUTE: Final = 60 * 1_000_000
CLOCK_TOLERANCE: Final = 5 * MINUTE
"""How far ahead of the judge's clock an author's may be."""

_YEAR_2000: Final = 946_684_800_000_000
_YEAR_2200: Final = 7_258_118_400_000_000
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# Where a violation stands that is itself why nobody would receive the alert.
_EXPLAINS_NO_READER: Final = ("audience", "header.handling", "header.member", "header.agency", "kind")
_EVALUATION: Final[Mapping[str, tuple[str, str]]] = {
    "FOUR_BY_FOUR": ("ABCDX", "1234"),
    "SIX_BY_SIX": ("ABCDEF", "123456"),
}
_END_REASONS: Final[Mapping[str, frozenset[str]]] = {
    "FULFIL": frozenset({"FULFILLED"}),
    "CANCEL": frozenset({"NO_LONGER_WANTED", "ISSUED_IN_ERROR", "SUPERSEDED"}),
    "WITHDRAW": frozenset({"WITHDRAWN", "ISSUED_IN_ERROR"}),
}


class Violation(NamedTuple):
    """One broken rule. `path` as in `names[0].full`, or `audience.members[1]`; `value` is for the author alone."""

    path: str
    rule: str
    value: object
    remedy: str


def check(
    kind: str, record: Mapping[str, Any], audience: HubHeader, directory: Directory | None, now: int
) -> list[Violation]:
    """Every rule that this message breaks at the time `now`, most telling first; [] if it may be published.

    `record` is a decoded record of the kind, or an AlertEnd about one. Without a directory (an agency offline) the
    rules about members and agencies are left out; of a draft, whose `hub_digest` is still empty, sequence and salt of
    the audience are not judged. Whether the message fits the alert's life says `lifecycle.transition`, which must be
    asked first: a re-send is admitted though it has expired since. Rules are RULE_ ids, and EXPIRED.
    """
    found = list(_broken(kind, record, audience, directory, now))
    if directory is not None and not any(path.startswith(_EXPLAINS_NO_READER) for path, _, _ in found):
        found += _no_reader(kind, record["header"], audience, directory)
    return [Violation(path, rule, value, REMEDY[rule]) for path, rule, value in found]


def _broken(
    kind: str, record: Mapping[str, Any], audience: HubHeader, directory: Directory | None, now: int
) -> Iterator[Broken]:
    header: AlertHeader = record["header"]
    if kind not in ALERT_KINDS:
        yield "kind", "RULE_KIND_UNKNOWN", kind
        return
    yield from _speaker(kind, header, directory)
    is_end = header["message"] in ENDS
    if is_end != ("reason" in record):
        yield "header.message", "RULE_MESSAGE_RECORD", header["message"]
        return
    yield from _sent(header, now)
    if is_end:
        yield from _end(record, header)
        if header["hub_digest"]:
            yield from _chain(audience)
        yield from findings(by_name("end"), record)
        return
    today = dt.datetime.fromtimestamp(now // 1_000_000, dt.UTC).date()
    yield from _category(kind, header)
    yield from _times(header, now)
    yield from _legal_basis(header["legal_basis"], today)
    yield from _handling(header, audience)
    yield from _audience(header, audience, directory)
    yield from _texts(header)
    yield from substance(kind, record, today)
    yield from findings(by_name(kind), record)


def _speaker(kind: str, header: AlertHeader, directory: Directory | None) -> Iterator[Broken]:
    if not _UUID7.fullmatch(header["alert_id"]):
        yield "header.alert_id", "RULE_ALERT_ID", header["alert_id"]
    if header["version"] < 1:
        yield "header.version", "RULE_VERSION", header["version"]
    if not AGENCY_FORM.fullmatch(header["agency"]) or header["agency"][:2].upper() != header["member"]:
        yield "header.member", "RULE_AGENCY_MEMBER", header["member"]
    if directory is None:
        return
    agency = directory.agencies.get(header["agency"])
    if agency is None:
        yield "header.agency", "RULE_AGENCY_UNKNOWN", header["agency"]
        return
    if kind not in agency.kinds and header["message"] not in ENDS:
        yield "header.agency", "RULE_KIND_NOT_ALLOWED", kind
    if header["message"] in ENDS:
        return  # whoever has lost its standing or a kind may still take back what it published
    member = directory.members.get(agency.member)
    if member is None or member.standing != "GOOD":
        yield "header.member", "RULE_MEMBER_STANDING", header["member"]


def _sent(header: AlertHeader, now: int) -> Iterator[Broken]:
    if not _YEAR_2000 <= header["sent_at"] <= _YEAR_2200:
        yield "header.sent_at", "RULE_TIME", header["sent_at"]
    elif header["sent_at"] > now + CLOCK_TOLERANCE:
        yield "header.sent_at", "RULE_SENT_IN_FUTURE", header["sent_at"]


def _end(record: Mapping[str, Any], header: AlertHeader) -> Iterator[Broken]:
    if record["reason"] not in _END_REASONS[header["message"]]:
        yield "reason", "RULE_END_REASON", record["reason"]


def _category(kind: str, header: AlertHeader) -> Iterator[Broken]:
    category = CATEGORIES.get(header["category"])
    if category is None:
        yield "header.category", "RULE_UNKNOWN_VALUE", header["category"]
        return
    if category.kind != kind:
        yield "header.category", "RULE_CATEGORY_KIND", header["category"]
    elif header["action"] not in category.actions:
        yield "header.action", "RULE_CATEGORY_ACTION", header["action"]
    elif _too_coercive(header, category):
        yield "header.action", "RULE_PENALTY_THRESHOLD", header["action"]
    # counted from now where it takes effect later: nobody parks an alert in the next century
    if header["expires_at"] - min(header["effective_at"], header["sent_at"]) > category.max_validity:
        yield "header.expires_at", "RULE_VALIDITY_TOO_LONG", header["expires_at"]
    if not header["crimes"]:
        yield "header.crimes", "RULE_CRIMES_MISSING", []


def _too_coercive(header: AlertHeader, category: Category) -> bool:
    penalty = header["legal_basis"]["max_penalty_months"]
    return header["action"] in COERCIVE and penalty < category.penalty_threshold


def _times(header: AlertHeader, now: int) -> Iterator[Broken]:
    effective, expires, review = header["effective_at"], header["expires_at"], header["review_at"]
    if not _YEAR_2000 <= effective <= _YEAR_2200:
        yield "header.effective_at", "RULE_TIME", effective
    if not _YEAR_2000 <= expires <= _YEAR_2200:
        yield "header.expires_at", "RULE_TIME", expires
    elif expires <= effective:
        yield "header.expires_at", "RULE_EXPIRY_ORDER", expires
    elif expires <= now:
        yield "header.expires_at", str(Reason.EXPIRED), expires
    if review and not effective <= review <= expires:
        yield "header.review_at", "RULE_REVIEW_DATE", review


def _legal_basis(basis: LegalBasis, today: dt.date) -> Iterator[Broken]:
    required = {
        "instrument": basis["instrument"],
        "decision_ref": basis["decision_ref"],
        "authority": basis["authority"],
        "decided_on": basis["decided_on"],
    }
    for field, value in required.items():
        if not value.strip():
            yield f"header.legal_basis.{field}", "RULE_LEGAL_BASIS_MISSING", value
    until, decided = last_day(basis["valid_until"]), first_day(basis["decided_on"])
    if until is not None and until < today:
        yield "header.legal_basis.valid_until", "RULE_LEGAL_BASIS_EXPIRED", basis["valid_until"]
    if decided is not None and decided > today + dt.timedelta(days=1):  # it may be tomorrow east of here
        yield "header.legal_basis.decided_on", "RULE_DATE_IN_FUTURE", basis["decided_on"]
    if basis["max_penalty_months"] < 0:
        yield "header.legal_basis.max_penalty_months", "RULE_PENALTY_THRESHOLD", basis["max_penalty_months"]


def _handling(header: AlertHeader, audience: HubHeader) -> Iterator[Broken]:
    handling, evaluation = header["handling"], header["evaluation"]
    if handling["tlp"] == "RED" and audience["mode"] != "LISTED":
        yield "header.handling.tlp", "RULE_TLP_RED_LISTED", audience["mode"]
    if "H3" in handling["codes"] and not handling["note"].strip():
        yield "header.handling.note", "RULE_HANDLING_NOTE", handling["note"]
    sources, information = _EVALUATION.get(evaluation["scheme"], ("", ""))
    for field, value, allowed in (
        ("source", evaluation["source"], sources),
        ("information", evaluation["information"], information),
    ):
        if len(value) != 1 or value not in allowed:
            yield f"header.evaluation.{field}", "RULE_EVALUATION", value


def _audience(header: AlertHeader, audience: HubHeader, directory: Directory | None) -> Iterator[Broken]:
    mode, members = audience["mode"], audience["members"]
    if header["hub_digest"]:
        yield from _chain(audience)
    if mode not in {"ALL", "LISTED", "ALL_BUT"}:
        yield "audience.mode", "RULE_AUDIENCE_MODE", mode
        return
    if (mode == "ALL") == bool(members):
        yield "audience.members", "RULE_AUDIENCE_MEMBERS", members
        return
    yield from _listing(members, directory)


def _chain(audience: HubHeader) -> Iterator[Broken]:
    """What a sealed message must have and a draft cannot have yet."""
    if audience["sequence"] < 1 or (audience["previous"] and not is_digest(audience["previous"])):
        yield "audience.sequence", "RULE_SEQUENCE", audience["sequence"]
    if not is_digest(audience["salt"]):
        yield "audience.salt", "RULE_SALT", None


def _listing(members: list[str], directory: Directory | None) -> Iterator[Broken]:
    for index, code in enumerate(members):
        if directory is not None and code not in directory.members:
            yield f"audience.members[{index}]", "RULE_AUDIENCE_UNKNOWN_MEMBER", code
        if index and code == members[index - 1]:
            yield f"audience.members[{index}]", "RULE_AUDIENCE_TWICE", code
        elif index and code < members[index - 1]:
            yield f"audience.members[{index}]", "RULE_AUDIENCE_ORDER", code


def _no_reader(kind: str, header: AlertHeader, hub: HubHeader, directory: Directory) -> Iterator[Broken]:
    """An audience that ends empty. An end goes to whoever the alert reached, so it is never asked."""
    if header["message"] in ENDS:
        return
    facts, addressed = audiences.facts(kind, header), audiences.audience(hub)
    granting = audiences.GRANTS.get(addressed.mode)
    if not any(audiences.decide(facts, addressed, directory, code) is granting for code in directory.members):
        yield "audience", "RULE_AUDIENCE_EMPTY", hub["mode"]


def _texts(header: AlertHeader) -> Iterator[Broken]:
    if not any(text["text"].strip() for text in header["narrative"]):
        yield "header.narrative", "RULE_NARRATIVE_MISSING", []
    if header["tokens"]:
        yield "header.tokens", "RULE_TOKENS", header["tokens"]
    for index, reference in enumerate(header["references"]):
        known = AGENCY_FORM.fullmatch(reference["agency"]) and _UUID7.fullmatch(reference["alert_id"])
        if not known or reference["version"] < 1:
            yield f"header.references[{index}]", "RULE_REFERENCE", reference["alert_id"]
