"""Who may read an alert: each rule by name, and the law that nobody reads what an independent reference denies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import audience as policy_table
from schemas.directory import Directory, Member
from streams import policy
from streams.policy import Audience, Facts, Memo, Rule
from tests.support.directories import network

PLAIN = Facts("person", "AZ", "AMBER", ())
EVERYBODY = Audience("ALL", ())
TLPS = ("UNKNOWN", "CLEAR", "GREEN", "AMBER", "AMBER_STRICT", "RED")
CODES = ("UNKNOWN", "H0", "H1", "H2", "H3")
KINDS = ("person", "route", "transfer")
STATES = ("AE", "AZ", "EG", "KZ", "MA", "TR")


def directory(**members: dict[str, Any]) -> Directory:
    """The six states, with some members' fields changed."""
    return network(members=members).directory


def rule(facts: Facts, audience: Audience, member: str, **members: dict[str, Any]) -> Rule:
    """The rule that decides about a member."""
    return policy.decide(facts, audience, directory(**members), member)


def test_all_means_every_member_in_good_standing_but_the_author_s_own() -> None:
    """ALL goes to the five others, and to four when one is suspended."""
    assert policy.readers(PLAIN, EVERYBODY, directory()).deliver == ("AE", "EG", "KZ", "MA", "TR")
    assert policy.readers(PLAIN, EVERYBODY, directory(KZ={"standing": "SUSPENDED"})).deliver == ("AE", "EG", "MA", "TR")


def test_a_list_may_name_the_author_s_own_member() -> None:
    """LISTED goes to the listed, the author's own state included."""
    assert policy.readers(PLAIN, Audience("LISTED", ("AZ", "TR")), directory()).deliver == ("AZ", "TR")


def test_all_but_leaves_out_the_named_and_the_author_s_own() -> None:
    """ALL_BUT is ALL without the named members."""
    assert policy.readers(PLAIN, Audience("ALL_BUT", ("TR", "AE")), directory()).deliver == ("EG", "KZ", "MA")


@pytest.mark.parametrize(
    ("expected", "facts", "audience", "member", "members"),
    [
        (Rule.AUDIENCE_ALL, PLAIN, EVERYBODY, "TR", {}),
        (Rule.AUDIENCE_LISTED, PLAIN, Audience("LISTED", ("TR",)), "TR", {}),
        (Rule.AUDIENCE_ALL_BUT, PLAIN, Audience("ALL_BUT", ("EG",)), "TR", {}),
        (Rule.AUTHOR_UNKNOWN, PLAIN._replace(member="ZZ"), EVERYBODY, "TR", {}),
        (Rule.AUTHOR_STANDING, PLAIN, EVERYBODY, "TR", {"AZ": {"standing": "SUSPENDED"}}),
        (Rule.AUDIENCE_UNKNOWN, PLAIN, Audience("UNKNOWN", ()), "TR", {}),
        (Rule.TLP_UNKNOWN, PLAIN._replace(tlp="UNKNOWN"), EVERYBODY, "TR", {}),
        (Rule.RED_NEEDS_LIST, PLAIN._replace(tlp="RED"), EVERYBODY, "TR", {}),
        (Rule.HANDLING_UNKNOWN, PLAIN._replace(codes=("UNKNOWN",)), EVERYBODY, "TR", {"TR": {"handling": ["UNKNOWN"]}}),
        (Rule.READER_UNKNOWN, PLAIN, Audience("LISTED", ("ZZ",)), "ZZ", {}),
        (Rule.READER_STANDING, PLAIN, EVERYBODY, "TR", {"TR": {"standing": "UNKNOWN"}}),
        (Rule.OWN_ALERT, PLAIN, EVERYBODY, "AZ", {}),
        (Rule.NOT_LISTED, PLAIN, Audience("LISTED", ("EG",)), "TR", {}),
        (Rule.EXCLUDED, PLAIN, Audience("ALL_BUT", ("TR",)), "TR", {}),
        (Rule.NOT_SUBSCRIBED, PLAIN, EVERYBODY, "TR", {"TR": {"subscriptions": ["route"]}}),
        (Rule.TLP_CLEARANCE, PLAIN, EVERYBODY, "TR", {"TR": {"tlp": "GREEN"}}),
        (Rule.TLP_CLEARANCE, PLAIN._replace(tlp="CLEAR"), EVERYBODY, "TR", {"TR": {"tlp": "UNKNOWN"}}),
        (Rule.HANDLING_CLEARANCE, PLAIN._replace(codes=("H1", "H2")), EVERYBODY, "TR", {"TR": {"handling": ["H1"]}}),
    ],
)
def test_each_rule_decides_where_it_should(
    expected: Rule, facts: Facts, audience: Audience, member: str, members: dict[str, Any]
) -> None:
    """Every rule id is reached by an input that differs from a granted one in a single thing."""
    assert rule(facts, audience, member, **members) is expected
    decision = policy.explain(facts, audience, directory(**members), member)
    assert decision.rule is expected
    assert decision.allowed is (expected in policy.GRANTS.values())
    assert decision.sentence.endswith(".")


def test_every_rule_has_a_sentence() -> None:
    """No rule can be reached that `explain` has no words for."""
    assert set(policy_table._SENTENCES) == set(Rule)


def test_an_unknown_author_s_alert_is_read_by_nobody_even_when_listed() -> None:
    """What is unknown denies."""
    readers = policy.readers(PLAIN._replace(member="ZZ"), Audience("LISTED", STATES), directory())
    assert readers == ((), ("AUTHOR_UNKNOWN",))


def test_the_memo_answers_from_the_directory_it_is_asked_about() -> None:
    """A new snapshot is not answered from an old one, even with the same number."""
    memo = Memo()
    assert "TR" in memo.readers(PLAIN, EVERYBODY, directory()).deliver
    assert "TR" not in memo.readers(PLAIN, EVERYBODY, directory(TR={"standing": "SUSPENDED"})).deliver


def test_the_memo_is_bounded() -> None:
    """A stranger that varies its audience cannot make it grow."""
    memo, network_ = Memo(limit=8), directory()
    for number in range(100):
        memo.readers(PLAIN, Audience("LISTED", (f"X{number}",)), network_)
        assert len(memo._known) <= 8


member_fields = st.fixed_dictionaries(
    {
        "standing": st.sampled_from(("UNKNOWN", "GOOD", "GOOD", "GOOD", "SUSPENDED")),
        "tlp": st.sampled_from(TLPS),
        "handling": st.sets(st.sampled_from(CODES)).map(frozenset),
        "subscriptions": st.sets(st.sampled_from(KINDS)).map(frozenset),
    }
)
networks = st.dictionaries(st.sampled_from(STATES), member_fields)
alerts = st.builds(
    Facts,
    st.sampled_from((*KINDS, "unheard")),
    st.sampled_from((*STATES, "ZZ")),
    st.sampled_from(TLPS),
    st.sets(st.sampled_from(CODES)).map(lambda codes: tuple(sorted(codes))),
)
audiences = st.builds(
    Audience,
    st.sampled_from(("ALL", "LISTED", "LISTED", "ALL_BUT", "UNKNOWN")),
    st.sets(st.sampled_from((*STATES, "ZZ"))).map(lambda codes: tuple(sorted(codes))),
)


def snapshot(members: dict[str, dict[str, Any]]) -> Directory:
    """A directory of these members alone; policy looks at nothing else in it."""
    entries = {
        code: Member(code=code, name=code, root="", root_fingerprint="", **fields) for code, fields in members.items()
    }
    return Directory(1, 0, "", entries, {}, {})


def reference(facts: Facts, audience: Audience, members: dict[str, dict[str, Any]], reader: str) -> bool:
    """Contract section 5, written a second time and the other way round: as one conjunction, from raw fields."""
    scale = ["CLEAR", "GREEN", "AMBER", "AMBER_STRICT", "RED"]
    good = {code for code, fields in members.items() if fields["standing"] == "GOOD"}
    addressed = {
        "ALL": good - {facts.member},
        "LISTED": good & set(audience.members),
        "ALL_BUT": good - {facts.member} - set(audience.members),
    }.get(audience.mode, set())
    return (
        facts.member in good
        and reader in addressed
        and facts.tlp in scale
        and (facts.tlp != "RED" or audience.mode == "LISTED")
        and members[reader]["tlp"] in scale[scale.index(facts.tlp) :]
        and facts.kind in members[reader]["subscriptions"]
        and "UNKNOWN" not in facts.codes
        and all(code in members[reader]["handling"] for code in facts.codes)
    )


@given(alerts, audiences, networks)
def test_nobody_reads_what_the_reference_denies_and_everybody_else_does(
    facts: Facts, audience: Audience, members: dict[str, dict[str, Any]]
) -> None:
    """The readers are exactly those of the reference; explain agrees with readers about each member."""
    found = policy.readers(facts, audience, snapshot(members))
    assert set(found.deliver) == {code for code in members if reference(facts, audience, members, code)}
    assert list(found.deliver) == sorted(found.deliver)
    decisions = {code: policy.explain(facts, audience, snapshot(members), code) for code in members}
    assert {code for code, decision in decisions.items() if decision.allowed} == set(found.deliver)
    assert {decision.rule.value for decision in decisions.values()} == set(found.rules)


@given(alerts, audiences, networks, st.sampled_from(STATES), member_fields)
def test_one_changed_attribute_flips_at_most_the_expected_readers(
    facts: Facts,
    audience: Audience,
    members: dict[str, dict[str, Any]],
    changed: str,
    fields: dict[str, Any],
) -> None:
    """Changing one member changes only whether it reads, unless it is the author's, whose standing decides for all."""
    before = set(policy.readers(facts, audience, snapshot(members)).deliver)
    after = set(policy.readers(facts, audience, snapshot({**members, changed: fields})).deliver)
    if changed != facts.member or members.get(changed, {}).get("standing") == fields["standing"]:
        assert before ^ after <= {changed}


@given(alerts, audiences, networks, st.sampled_from((*STATES, "ZZ")))
def test_one_name_more_or_less_in_the_audience_flips_at_most_that_member(
    facts: Facts, audience: Audience, members: dict[str, dict[str, Any]], name: str
) -> None:
    """An audience is a set: each name speaks for itself."""
    toggled = audience._replace(members=tuple(sorted(set(audience.members) ^ {name})))
    before = set(policy.readers(facts, audience, snapshot(members)).deliver)
    after = set(policy.readers(facts, toggled, snapshot(members)).deliver)
    assert before ^ after <= {name}


@given(alerts, audiences, networks, st.sampled_from(("H0", "H1", "H2", "H3")))
def test_a_further_handling_code_never_adds_a_reader(
    facts: Facts, audience: Audience, members: dict[str, dict[str, Any]], code: str
) -> None:
    """More restrictions, fewer readers."""
    stricter = facts._replace(codes=tuple(sorted({*facts.codes, code})))
    before = policy.readers(facts, audience, snapshot(members)).deliver
    assert set(policy.readers(stricter, audience, snapshot(members)).deliver) <= set(before)
