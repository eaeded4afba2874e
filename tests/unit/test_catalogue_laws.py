"""Laws of the catalogue: whatever members and agencies there are, nobody reads what is not theirs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.directory import Agency, Directory, Member
from schemas.topics import Names, acls, catalogue, principals

CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2)
TAILS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=2, max_size=16)
STANDINGS = st.sampled_from(["GOOD", "SUSPENDED", "UNKNOWN"])


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    """Some members in any standing, each with some agencies; names may begin alike."""
    standings = draw(st.dictionaries(CODES, STANDINGS, min_size=1, max_size=6))
    members = {
        code: Member(code, code, standing, "", "", "RED", frozenset(), frozenset())  # type: ignore[arg-type]
        for code, standing in standings.items()
    }
    agencies = {}
    for code in members:
        for tail in draw(st.sets(TAILS, max_size=3)):
            id_ = f"{code.lower()}-{tail}"
            agencies[id_] = Agency(id_, code, id_, frozenset({"person"}))
    return Directory(1, 0, "", members, agencies, {})


@given(directories(), st.integers(1, 16))
def test_no_two_topics_have_the_same_name(directory: Directory, lanes: int) -> None:
    """Two agencies or members never share one."""
    names = [topic.name for topic in catalogue(directory, lanes)]
    assert len(set(names)) == len(names)


@given(directories())
def test_a_members_topics_are_open_to_its_own_edge_alone(directory: Directory) -> None:
    """Feeds are read, and receipts written, by one edge; beside it the hub and, for receipts, the operator."""
    names = Names()
    for acl in acls(directory):
        for code in directory.members:
            edge = f"edge.{code.lower()}"
            if acl.name in {names.feed(code, kind) for kind in ("person", "route", "transfer")}:
                assert acl.principal in {edge, "hub.route"}
                assert acl.operation != "READ" or acl.principal == edge
            if acl.name == names.receipts(code):
                assert acl.principal in {edge, "hub.receipts", "operator"}
                assert acl.operation != "WRITE" or acl.principal == edge


@given(directories())
def test_nobody_but_the_hub_reads_what_no_policy_has_passed(directory: Directory) -> None:
    """Inlets and the register are the gate's; blocks are the hub's and the operator's."""
    for acl in acls(directory):
        if acl.operation == "READ" and acl.name.startswith(("alerts.v1.", "register.v1")):
            assert acl.principal == "hub.gate"
        if acl.operation == "READ" and acl.name == "admitted.v1" and acl.resource_type == "TOPIC":
            assert acl.principal in {"hub.gate", "hub.route", "hub.index", "operator"}
        if acl.operation == "READ" and acl.name in ("mentions.v1", "transfers.v1"):
            assert acl.principal == "hub.correlate"


@given(directories())
def test_an_agency_writes_to_its_own_inlet_and_answers_and_nowhere_else(directory: Directory) -> None:
    """Also when another agency's name begins with its own."""
    for acl in acls(directory):
        if acl.operation == "WRITE" and acl.principal in directory.agencies:
            assert acl.name in {f"alerts.v1.{acl.principal}", f"answers.v1.{acl.principal}"}


@given(directories())
def test_rights_go_to_those_alone_who_may_log_in(directory: Directory) -> None:
    """And a member out of standing is not among them."""
    known = set(principals(directory))
    assert {acl.principal for acl in acls(directory)} <= known
    bad = {code for code, member in directory.members.items() if member.standing != "GOOD"}
    assert not known & {f"edge.{code.lower()}" for code in bad}
    assert not known & {id_ for id_, agency in directory.agencies.items() if agency.member in bad}


@given(directories())
def test_no_right_is_by_prefix(directory: Directory) -> None:
    """Every right names a topic or group of the catalogue in full."""
    topics = catalogue(directory)
    whole = {topic.name for topic in topics} | {group for topic in topics for group in topic.groups.values()}
    assert {acl.name for acl in acls(directory)} <= whole
