"""The publication rules: each refuses what it is there for, and the samples break none."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.audience import audience, facts, readers
from schemas.categories import CATEGORIES, COERCIVE
from schemas.directory import Agency, Directory
from schemas.reasons import REMEDY, RULES
from schemas.registry import ALERT_KINDS, by_name
from schemas.rules import check
from tests.support import samples, strategies

NOW = samples.NOW
DAY = samples.DAY
MEMBERS = {
    "AE": samples.member("AE", tlp="GREEN"),
    "AZ": samples.member("AZ"),
    "EG": samples.member("EG", handling=frozenset({"H0"})),
    "KZ": samples.member("KZ", subscriptions=frozenset({"route"})),
    "MA": samples.member("MA", standing="SUSPENDED"),
    "TR": samples.member("TR"),
}
DIRECTORY = samples.directory(MEMBERS)


def rules_of(kind: str, record: Any, audience: Any = None) -> list[str]:
    """The ids of the rules that it breaks."""
    return [found.rule for found in check(kind, record, audience or samples.audience(), DIRECTORY, NOW)]


def changed(record: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the record with another value at a path such as `names[0].full`."""
    record = copy.deepcopy(record)
    *way, last = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    place: Any = record
    for step in way:
        place = place[step]
    place[last] = value
    return record


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_the_samples_break_no_rule(kind: str) -> None:
    """What is refused below is refused for its one change."""
    assert rules_of(kind, samples.alert(kind)) == []


PERSON, ROUTE, TRANSFER = samples.person(), samples.route(), samples.transfer()
CASES: list[tuple[str, dict[str, Any], str, Any, str]] = [
    ("person", PERSON, "header.alert_id", samples.ALERT_ID.upper(), "RULE_ALERT_ID"),
    ("person", PERSON, "header.alert_id", "01a03b6e-1800-4abc-8def-0123456789ab", "RULE_ALERT_ID"),
    ("person", PERSON, "header.alert_id", samples.ALERT_ID + "\n", "RULE_ALERT_ID"),
    ("person", PERSON, "header.version", 0, "RULE_VERSION"),
    ("person", PERSON, "header.agency", "az-nobody", "RULE_AGENCY_UNKNOWN"),
    ("person", PERSON, "header.member", "KZ", "RULE_AGENCY_MEMBER"),
    ("person", PERSON, "header.member", "az", "RULE_AGENCY_MEMBER"),
    ("person", PERSON, "header.category", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "header.category", "TRF", "RULE_CATEGORY_KIND"),
    ("person", PERSON, "header.action", "AS_LISTED", "RULE_CATEGORY_ACTION"),
    ("person", PERSON, "header.action", "UNKNOWN", "RULE_CATEGORY_ACTION"),
    ("person", PERSON, "header.legal_basis.max_penalty_months", 23, "RULE_PENALTY_THRESHOLD"),
    ("person", PERSON, "header.legal_basis.max_penalty_months", -1, "RULE_PENALTY_THRESHOLD"),
    ("person", PERSON, "header.crimes", [], "RULE_CRIMES_MISSING"),
    ("person", PERSON, "header.crimes", ["UNKNOWN"], "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "header.status", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "header.precedence", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "header.message", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "header.message", "CANCEL", "RULE_MESSAGE_RECORD"),
    ("person", PERSON, "header.sent_at", NOW + 6 * 60_000_000, "RULE_SENT_IN_FUTURE"),
    ("person", PERSON, "header.sent_at", 0, "RULE_TIME"),
    ("person", PERSON, "header.sent_at", 2**62, "RULE_TIME"),
    ("person", PERSON, "header.effective_at", -5, "RULE_TIME"),
    ("person", PERSON, "header.expires_at", 2**63 - 1, "RULE_VALIDITY_TOO_LONG"),
    ("person", PERSON, "header.expires_at", NOW + 1828 * DAY, "RULE_VALIDITY_TOO_LONG"),
    ("person", PERSON, "header.expires_at", NOW, "RULE_EXPIRY_ORDER"),
    ("person", PERSON, "header.review_at", NOW + 91 * DAY, "RULE_REVIEW_DATE"),
    ("person", PERSON, "header.review_at", NOW - DAY, "RULE_REVIEW_DATE"),
    ("person", PERSON, "header.legal_basis.instrument", " ", "RULE_LEGAL_BASIS_MISSING"),
    ("person", PERSON, "header.legal_basis.decision_ref", "", "RULE_LEGAL_BASIS_MISSING"),
    ("person", PERSON, "header.legal_basis.authority", "", "RULE_LEGAL_BASIS_MISSING"),
    ("person", PERSON, "header.legal_basis.decided_on", "", "RULE_LEGAL_BASIS_MISSING"),
    ("person", PERSON, "header.legal_basis.decided_on", "2027-01-01", "RULE_DATE_IN_FUTURE"),
    ("person", PERSON, "header.legal_basis.decided_on", "2026-05", "RULE_DATE"),
    ("person", PERSON, "header.legal_basis.valid_until", "2026-09-20", "RULE_LEGAL_BASIS_EXPIRED"),
    ("person", PERSON, "header.handling.tlp", "RED", "RULE_TLP_RED_LISTED"),
    ("person", PERSON, "header.handling.tlp", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "header.handling.codes", ["H3"], "RULE_HANDLING_NOTE"),
    ("person", PERSON, "header.handling.codes", ["UNKNOWN"], "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "header.handling.onward", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "header.evaluation.source", "E", "RULE_EVALUATION"),
    ("person", PERSON, "header.evaluation.information", "12", "RULE_EVALUATION"),
    ("person", PERSON, "header.evaluation.scheme", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "header.narrative", [], "RULE_NARRATIVE_MISSING"),
    ("person", PERSON, "header.narrative[0].text", " \n", "RULE_NARRATIVE_MISSING"),
    ("person", PERSON, "header.narrative[0].text", "a\x1b[2J", "RULE_CONTROL_CHARACTER"),
    ("person", PERSON, "header.narrative[0].text", "x" * 20_001, "RULE_TOO_LONG"),
    ("person", PERSON, "header.narrative[0].lang", "", "RULE_EMPTY"),
    ("person", PERSON, "header.narrative[0].lang", "English!", "RULE_LANGUAGE"),
    ("person", PERSON, "header.tokens", ["x"], "RULE_TOKENS"),
    ("person", PERSON, "header.annex_digests", ["AB" * 32], "RULE_HEX_DIGEST"),
    ("person", PERSON, "header.national_ref", "=cmd|' /C calc'!A0", "RULE_FORMULA"),
    ("person", PERSON, "header.national_ref", "AZ\t1", "RULE_CONTROL_CHARACTER"),
    ("person", PERSON, "header.national_ref", "AZ\u202e1", "RULE_BIDI_OVERRIDE"),
    ("person", PERSON, "header.national_ref", "AZ\u200b1", "RULE_CONTROL_CHARACTER"),
    ("person", PERSON, "header.national_ref", "AZ\u31641", "RULE_CONTROL_CHARACTER"),
    ("person", PERSON, "header.national_ref", "x" * 257, "RULE_TOO_LONG"),
    ("person", PERSON, "header.unit", "x" * 501, "RULE_TOO_LONG"),
    ("person", PERSON, "header.unit", "Unit\u202e3", "RULE_BIDI_OVERRIDE"),
    ("person", PERSON, "header.unit", "Отдел 3, вул. Ніжинська", ""),
    ("person", PERSON, "births[0].place", "می\u200cخواهم", ""),
    ("person", PERSON, "births[0].place", "Ganja\x07", "RULE_CONTROL_CHARACTER"),
    ("person", PERSON, "header.legal_basis.decision_ref", "@SUM(1)", "RULE_FORMULA"),
    (
        "person",
        PERSON,
        "header.references",
        [{"agency": "AZ", "alert_id": samples.ALERT_ID, "version": 1, "relation": "RELATED"}],
        "RULE_REFERENCE",
    ),
    ("person", PERSON, "names", [], "RULE_IDENTITY_MISSING"),
    ("person", PERSON, "names[0].full", " ", "RULE_EMPTY"),
    ("person", PERSON, "names[0].full", "Ali\u202egnp", "RULE_BIDI_OVERRIDE"),
    ("person", PERSON, "names[0].full", "Ali\u2066", "RULE_BIDI_OVERRIDE"),
    ("person", PERSON, "names[0].full", "Ali\r\nBcc: all", "RULE_CONTROL_CHARACTER"),
    ("person", PERSON, "names[0].full", "x" * 501, "RULE_TOO_LONG"),
    ("person", PERSON, "names[0].script", "latin", "RULE_SCRIPT"),
    ("person", PERSON, "names[0].kind", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "names[1].parts[0].kind", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "births[0].date", "2026-02-30", "RULE_DATE"),
    ("person", PERSON, "births[0].date", "1987-3", "RULE_DATE"),
    ("person", PERSON, "births[0].date", "٢٠٠١", "RULE_DATE"),
    ("person", PERSON, "births[0].date", "2027", "RULE_BIRTH_DATE"),
    ("person", PERSON, "births[0].date", "1899", "RULE_BIRTH_DATE"),
    ("person", PERSON, "births[0].country", "az", "RULE_COUNTRY"),
    ("person", PERSON, "nationalities", ["AZE"], "RULE_COUNTRY"),
    ("person", PERSON, "nationalities", [""], "RULE_EMPTY"),
    ("person", PERSON, "identifiers[0].value", "", "RULE_EMPTY"),
    ("person", PERSON, "identifiers[0].value", "-1+1", "RULE_FORMULA"),
    ("person", PERSON, "identifiers[0].value", "+994501234567", "RULE_FORMULA"),
    ("person", PERSON, "identifiers[0].value", "C0123\u06f45", ""),
    ("person", PERSON, "identifiers[0].type", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "warnings", ["UNKNOWN"], "RULE_UNKNOWN_VALUE"),
    ("person", PERSON, "last_seen[0].date", "2026-12", "RULE_DATE_IN_FUTURE"),
    (
        "person",
        PERSON,
        "images",
        [{"sha256": "x", "size": 1, "media_type": "image/png", "reference": ""}],
        "RULE_HEX_DIGEST",
    ),
    (
        "person",
        PERSON,
        "images",
        [{"sha256": "ab" * 32, "size": 0, "media_type": "image/png", "reference": ""}],
        "RULE_ATTACHMENT",
    ),
    ("route", ROUTE, "commodity", "", "RULE_EMPTY"),
    ("route", ROUTE, "modes", ["UNKNOWN"], "RULE_UNKNOWN_VALUE"),
    ("route", ROUTE, "waypoints", [samples.waypoint("Aktau", "KZ", "KZSCO")], "RULE_IDENTITY_MISSING"),
    ("route", ROUTE, "waypoints[0].code", "kzsco", "RULE_PLACE_CODE"),
    ("route", ROUTE, "waypoints[0].code_type", "IATA", "RULE_PLACE_CODE"),
    ("route", ROUTE, "waypoints[0].code_type", "NONE", "RULE_PLACE_CODE"),
    ("route", ROUTE, "waypoints[0].code_type", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("route", ROUTE, "waypoints[0].role", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("route", ROUTE, "waypoints[0].lat", None, "RULE_POSITION"),
    ("route", ROUTE, "waypoints[0].lat", 90.5, "RULE_POSITION"),
    ("route", ROUTE, "waypoints[0].lon", -181.0, "RULE_POSITION"),
    ("route", ROUTE, "waypoints[0].departs", "2026-13", "RULE_DATE"),
    ("route", ROUTE, "consignments[0].quantity", "12,5", "RULE_QUANTITY"),
    ("route", ROUTE, "persons[0].name", "", "RULE_EMPTY"),
    ("route", ROUTE, "period.end", "2026-07", "RULE_PERIOD"),
    ("route", ROUTE, "header.expires_at", NOW + 185 * DAY, "RULE_VALIDITY_TOO_LONG"),
    ("transfer", TRANSFER, "report_type", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("transfer", TRANSFER, "transfers", [], "RULE_IDENTITY_MISSING"),
    ("transfer", TRANSFER, "transfers[0].amount", 0, "RULE_AMOUNT"),
    ("transfer", TRANSFER, "transfers[0].amount", -950_000, "RULE_AMOUNT"),
    ("transfer", TRANSFER, "transfers[0].amount", 10**17 + 1, "RULE_AMOUNT"),
    ("transfer", TRANSFER, "transfers[0].currency", "XXX", "RULE_CURRENCY"),
    ("transfer", TRANSFER, "transfers[0].currency", "azn", "RULE_CURRENCY"),
    ("transfer", TRANSFER, "transfers[0].at", NOW + 3 * DAY, "RULE_DATE_IN_FUTURE"),
    ("transfer", TRANSFER, "transfers[0].at", -1, "RULE_TIME"),
    ("transfer", TRANSFER, "transfers[0].channel", "UNKNOWN", "RULE_UNKNOWN_VALUE"),
    ("transfer", TRANSFER, "transfers[0].from.account", "=1+1", "RULE_FORMULA"),
    ("transfer", TRANSFER, "transfers[0].from.holder", "A\x00", "RULE_CONTROL_CHARACTER"),
    ("transfer", TRANSFER, "totals[0].amount", 0, "RULE_AMOUNT"),
    ("transfer", TRANSFER, "subjects[0].birth_date", "1850", "RULE_BIRTH_DATE"),
]


@pytest.mark.parametrize(("kind", "record", "path", "value", "rule"), CASES)
def test_one_change_breaks_one_rule(kind: str, record: dict[str, Any], path: str, value: Any, rule: str) -> None:
    """The rule is among those broken; a case without a rule is a change that must pass."""
    broken = rules_of(kind, changed(record, path, value))
    assert rule in broken if rule else broken == []


def test_a_violation_names_its_field_and_what_to_do() -> None:
    """Path, value and remedy: what the agency's report shows."""
    record = changed(PERSON, "names[1].full", "")
    (found,) = check("person", record, samples.audience(), DIRECTORY, NOW)
    assert found == ("names[1].full", "RULE_EMPTY", "", REMEDY["RULE_EMPTY"])


def test_an_alert_that_has_expired_says_so_first() -> None:
    """EXPIRED is a reason of its own, not a rule."""
    record = samples.person(header=samples.header(effective_at=NOW - 9 * DAY, expires_at=NOW - DAY, review_at=0))
    assert rules_of("person", record) == ["EXPIRED"]


def test_an_alert_is_not_parked_in_the_far_future() -> None:
    """Its validity counts from the day it was sent, if it takes effect later."""
    later = samples.header(effective_at=NOW + 1800 * DAY, expires_at=NOW + 1820 * DAY, review_at=0)
    assert rules_of("person", samples.person(header=later)) == []
    parked = samples.header(effective_at=NOW + 1900 * DAY, expires_at=NOW + 1910 * DAY, review_at=0)
    assert rules_of("person", samples.person(header=parked)) == ["RULE_VALIDITY_TOO_LONG"]


members = st.fixed_dictionaries(
    {
        code: st.builds(
            samples.member,
            st.just(code),
            standing=st.sampled_from(["GOOD", "GOOD", "SUSPENDED"]),
            tlp=st.sampled_from(["CLEAR", "AMBER", "RED"]),
            handling=st.frozensets(st.sampled_from(["H0", "H1"])),
            subscriptions=st.frozensets(st.sampled_from(["person", "route"])),
        )
        for code in ("AE", "EG", "TR")
    }
)


@given(members, st.sampled_from(["ALL", "LISTED", "ALL_BUT"]), st.sets(st.sampled_from(["AE", "EG", "TR"]), min_size=1))
def test_an_audience_is_empty_where_the_policy_finds_no_reader(
    others: dict[str, Any], mode: Any, chosen: set[str]
) -> None:
    """The rule and the policy never disagree."""
    known = Directory(1, NOW, "", {**others, "AZ": samples.member("AZ")}, DIRECTORY.agencies, {})
    hub = samples.audience(mode=mode, members=[] if mode == "ALL" else sorted(chosen))
    found = readers(facts("person", PERSON["header"]), audience(hub), known)
    broken = [violation.rule for violation in check("person", PERSON, hub, known, NOW)]
    assert broken == ([] if found.deliver else ["RULE_AUDIENCE_EMPTY"])


def test_a_phone_number_may_begin_with_plus() -> None:
    """And nothing else may, nor may a formula call itself a phone."""
    record = changed(PERSON, "identifiers[0].type", "PHONE")
    assert rules_of("person", changed(record, "identifiers[0].value", "+994 (50) 123-45-67")) == []
    assert rules_of("person", changed(record, "identifiers[0].value", "+cmd|x")) == ["RULE_FORMULA"]


def test_detention_needs_more_than_a_name_and_a_nationality() -> None:
    """Namesakes are not to be detained; to look out for somebody, less is enough."""
    record = samples.person(births=[], identifiers=[])
    assert rules_of("person", record) == ["RULE_IDENTITY_COERCIVE"]
    assert rules_of("person", changed(record, "header.action", "LOCATE")) == []
    assert rules_of("person", {**record, "identifiers": PERSON["identifiers"]}) == []
    assert rules_of("person", {**record, "births": PERSON["births"]}) == []
    nobody = {**record, "nationalities": []}
    assert rules_of("person", changed(nobody, "header.action", "LOCATE")) == ["RULE_IDENTITY_MISSING"]


def test_an_agency_publishes_only_its_kinds() -> None:
    """And only while its member is in good standing."""
    route_only = {"az-customs": Agency("az-customs", "AZ", "Customs", frozenset({"route"}))}
    suspended = samples.directory({**MEMBERS, "AZ": samples.member("AZ", standing="SUSPENDED")})
    narrow = Directory(1, NOW, "", DIRECTORY.members, route_only, {})
    found = [check("person", PERSON, samples.audience(), known, NOW)[0].rule for known in (narrow, suspended)]
    assert found == ["RULE_KIND_NOT_ALLOWED", "RULE_MEMBER_STANDING"]


def test_an_unknown_kind_is_refused() -> None:
    """Before anything is looked up by it."""
    assert rules_of("vessel", PERSON) == ["RULE_KIND_UNKNOWN"]


AUDIENCES: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"mode": "LISTED", "members": ["TR"]}, ""),
    ({"mode": "LISTED", "members": ["AZ"]}, ""),
    ({"mode": "ALL_BUT", "members": ["AE"]}, ""),
    ({"mode": "UNKNOWN"}, "RULE_AUDIENCE_MODE"),
    ({"mode": "ALL", "members": ["TR"]}, "RULE_AUDIENCE_MEMBERS"),
    ({"mode": "LISTED", "members": []}, "RULE_AUDIENCE_MEMBERS"),
    ({"mode": "ALL_BUT", "members": []}, "RULE_AUDIENCE_MEMBERS"),
    ({"mode": "LISTED", "members": ["TR", "XX"]}, "RULE_AUDIENCE_UNKNOWN_MEMBER"),
    ({"mode": "LISTED", "members": ["tr"]}, "RULE_AUDIENCE_UNKNOWN_MEMBER"),
    ({"mode": "LISTED", "members": ["*"]}, "RULE_AUDIENCE_UNKNOWN_MEMBER"),
    ({"mode": "LISTED", "members": ["TR", "TR"]}, "RULE_AUDIENCE_TWICE"),
    ({"mode": "LISTED", "members": ["TR", "AE"]}, "RULE_AUDIENCE_ORDER"),
    ({"mode": "LISTED", "members": ["AE"]}, "RULE_AUDIENCE_EMPTY"),  # not cleared for AMBER
    ({"mode": "LISTED", "members": ["EG"]}, "RULE_AUDIENCE_EMPTY"),  # not cleared for H1
    ({"mode": "LISTED", "members": ["KZ"]}, "RULE_AUDIENCE_EMPTY"),  # does not read persons
    ({"mode": "LISTED", "members": ["MA"]}, "RULE_AUDIENCE_EMPTY"),  # suspended
    ({"mode": "ALL_BUT", "members": ["TR"]}, "RULE_AUDIENCE_EMPTY"),
    ({"sequence": 0}, "RULE_SEQUENCE"),
    ({"previous": "x"}, "RULE_SEQUENCE"),
    ({"salt": ""}, "RULE_SALT"),
]


@pytest.mark.parametrize(("changes", "rule"), AUDIENCES)
def test_the_audience_is_judged(changes: dict[str, Any], rule: str) -> None:
    """Of a sealed message, everything about it."""
    record = changed(PERSON, "header.hub_digest", "ab" * 32)
    broken = rules_of("person", record, samples.audience(**changes))
    assert broken == ([rule] if rule else [])


def test_a_draft_has_no_sequence_and_no_salt_yet() -> None:
    """The agency's check runs before the outbox numbers and seals."""
    assert rules_of("person", PERSON, samples.audience(sequence=0, salt="")) == []


def test_red_may_be_listed() -> None:
    """The rule is about the others."""
    record = changed(PERSON, "header.handling.tlp", "RED")
    assert rules_of("person", record, samples.audience(mode="LISTED", members=["TR"])) == []


def test_without_a_directory_members_are_not_judged() -> None:
    """An agency that is offline can still check the rest."""
    audience = samples.audience(mode="LISTED", members=["XX"])
    record = changed(PERSON, "header.agency", "az-nobody")
    assert check("person", record, audience, None, NOW) == []


@pytest.mark.parametrize(
    ("message", "reason", "rule"),
    [
        ("CANCEL", "NO_LONGER_WANTED", ""),
        ("WITHDRAW", "ISSUED_IN_ERROR", ""),
        ("FULFIL", "FULFILLED", ""),
        ("FULFIL", "WITHDRAWN", "RULE_END_REASON"),
        ("CANCEL", "UNKNOWN", "RULE_END_REASON"),
        ("UPDATE", "FULFILLED", "RULE_MESSAGE_RECORD"),
    ],
)
def test_an_end_gives_a_reason_that_fits(message: str, reason: str, rule: str) -> None:
    """Ends are records of their own."""
    record = samples.end(header=samples.header(version=2, message=message), reason=reason)
    broken = rules_of("person", record)
    assert rule in broken if rule else broken == []


def test_an_end_is_not_held_to_the_expiry_of_its_alert() -> None:
    """It must reach everybody who holds the alert, also late."""
    header = samples.header(version=2, message="CANCEL", effective_at=NOW - 9 * DAY, expires_at=NOW - DAY, review_at=0)
    assert rules_of("person", samples.end(header=header)) == []


@given(st.sampled_from(ALERT_KINDS).flatmap(lambda kind: st.tuples(st.just(kind), strategies.records(by_name(kind)))))
def test_any_record_is_judged_without_a_crash(drawn: tuple[str, dict[str, Any]]) -> None:
    """Whatever decodes can be judged; nonsense is refused; every rule named has a remedy."""
    kind, record = drawn
    broken = check(kind, record, samples.audience(), DIRECTORY, NOW)
    assert broken
    assert all(found.rule in REMEDY and found.remedy for found in broken)


@given(strategies.records(by_name("end")))
def test_any_end_is_judged_without_a_crash(record: dict[str, Any]) -> None:
    """The same for ends."""
    assert check("person", record, samples.audience(), DIRECTORY, NOW)


def test_every_rule_can_be_broken() -> None:
    """No rule stands in the table that no test breaks: here by a row, in a test of its own, or in the life cycle's."""
    rows = {rule for *_, rule in CASES} | {rule for _, rule in AUDIENCES} | {"RULE_END_REASON"}
    own = {"RULE_IDENTITY_COERCIVE", "RULE_KIND_NOT_ALLOWED", "RULE_MEMBER_STANDING", "RULE_KIND_UNKNOWN"}
    life = {"RULE_MESSAGE_NOT_OFFERED", "RULE_TRANSITION", "RULE_KIND_FIXED", "RULE_TOO_MANY_VERSIONS"}
    assert rows | own | life == RULES | {""}


def test_the_table_of_categories_holds_together() -> None:
    """Each kind has one, each category allows something, coercion has its threshold where the offence is a crime."""
    assert {category.kind for category in CATEGORIES.values()} == set(ALERT_KINDS)
    assert all(category.actions and category.max_validity > 0 for category in CATEGORIES.values())
    assert all(category.penalty_threshold > 0 for category in CATEGORIES.values() if category.actions & COERCIVE)
