"""What an edge makes of every bad input that a lying hub could put into a feed, and of the good ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.judging import CURABLE, HUB_TIME_SPAN, Accepted, Message, Refused, judge
from schemas import message, registry, rules
from tests.support.alerts import Author, person
from tests.support.bad_inputs import CASES, Bench, Case, Sent, bad_network
from tests.support.directories import DAY, NOW, key_of, network
from tests.support.entries import TOPIC_ID, accepted, notice, refused, sent

NET = network()
FEED = "feeds.v1.az.person"
SEEN_BY_THE_GATE_ALONE = {
    "partition not the alert's", "hub header absent", "hub header not the signed one", "two hub headers",
    "version gap", "change of an unknown alert", "end of an unknown alert", "change of another agency's alert",
    "another agency's message copied", "unknown member in the list", "RED for everybody",
    "end of another agency's alert", "published again after a withdrawal", "same version with other content",
}  # fmt: skip
"""An edge sees neither inlets nor audiences, and not every version: for these the hub is believed.

The last two are for the inbox, which knows what came before: it keeps no content after a withdrawal, and refuses other
content under a known version.
"""


def fed(bad: Sent, at: int = NOW) -> Message:
    """A bad input as a lying hub would hand it on."""
    headers = [*((name, value) for name, value in bad.headers if name != message.HUB), ("at", at.to_bytes(8, "big"))]
    return Message(FEED, TOPIC_ID, 0, 0, at, bad.key, bad.value, tuple(headers))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name not in SEEN_BY_THE_GATE_ALONE], ids=lambda c: c.name
)
def test_an_edge_refuses_what_a_lying_hub_hands_on(case: Case) -> None:
    """Each row of the contract's table that can be seen at an edge, with the same reason as at the gate."""
    net = bad_network(NOW)
    bad = case.make(Bench(net, NOW))[-1]
    judged = judge(fed(bad), "person", net.directory, NOW)
    assert isinstance(judged, Refused)
    assert judged.reason == case.reason
    assert judged.message.value == bad.value


@pytest.mark.parametrize("case", [case for case in CASES if case.name in SEEN_BY_THE_GATE_ALONE], ids=lambda c: c.name)
def test_what_only_the_gate_can_see_is_left_to_it(case: Case) -> None:
    """These are what a member must believe about the hub: the list above is held to be complete and no longer than
    needed.
    """
    net = bad_network(NOW)
    bad = case.make(Bench(net, NOW))[-1]
    assert isinstance(judge(fed(bad), "person", net.directory, NOW), Accepted)


def test_a_good_alert_is_taken_as_it_was_signed() -> None:
    """Identity, digest, time and bytes are those of the author and the hub."""
    sealed = Author.of("az-police").write("person", precedence="FLASH")
    arrival = accepted(sent(sealed, at=NOW + 7)).arrival
    assert (arrival.agency, arrival.alert_id, arrival.version) == ("az-police", sealed.alert_id, 1)
    assert (arrival.digest, arrival.value, arrival.at) == (sealed.digest, sealed.value, NOW + 7)
    assert (arrival.precedence, arrival.status, arrival.hub_time_only) == ("FLASH", "EXERCISE", False)


def test_an_end_is_taken_too() -> None:
    """An end is a record of its own, about an alert of the feed's kind."""
    header = person(version=2, message="CANCEL")["header"]
    end = {"header": header, "kind": "person", "reason": "NO_LONGER_WANTED", "note": ""}
    assert accepted(sent(Author.of("az-police").seal(end, "end"))).arrival.message == "CANCEL"


@pytest.mark.parametrize(("days", "marked"), [(34, False), (36, True)])
def test_a_time_far_from_our_clock_is_marked_as_the_hubs_word(days: int, marked: bool) -> None:
    """On a resync the validity of the key then rests on the hub's time."""
    arrival = accepted(sent(Author.of("az-police").write()), now=NOW + days * DAY).arrival
    assert arrival.hub_time_only is marked
    assert (days * DAY > HUB_TIME_SPAN) is marked


def test_a_key_is_judged_at_the_time_of_admission_not_of_receipt() -> None:
    """A key that has expired since does not take back what it signed."""
    net = network(keys={"az-police": {"valid_until": NOW + 1}})
    alert = sent(Author.of("az-police").write(), at=NOW)
    accepted(alert, directory=net.directory, now=NOW + DAY)
    late = sent(Author.of("az-police").write(), at=NOW + 1)
    assert refused(late, directory=net.directory).reason == "KEY_NOT_VALID"


def test_a_compromised_key_is_refused_whatever_the_hub_says() -> None:
    """`compromised_since` wins over validity."""
    net = network(keys={"az-police": {"compromised_since": NOW - 1}})
    assert refused(sent(Author.of("az-police").write()), directory=net.directory).reason == "KEY_NOT_VALID"


@pytest.mark.parametrize("value", [None, b"", b"1234567", b"123456789", (2**63 - 1).to_bytes(8, "big"), b"\xff" * 8])
def test_a_feed_without_a_sane_time_of_admission_is_refused(value: bytes | None) -> None:
    """The header `at` is the hub's to give; nothing is guessed in its place."""
    good = sent(Author.of("az-police").write())
    headers = [header for header in good.headers if header[0] != "at"]
    bad = good._replace(headers=(*headers, ("at", value)))
    assert refused(bad).reason == "MALFORMED"
    assert refused(good._replace(headers=tuple(headers))).reason == "MALFORMED"
    assert refused(good._replace(headers=(*good.headers, *good.headers))).reason == "MALFORMED"


def test_an_alert_on_the_feed_of_another_kind_is_refused() -> None:
    """A member that does not subscribe to a kind does not get it by another door."""
    assert refused(sent(Author.of("tr-customs").write("route")), "person").reason == "SCHEMA_MISMATCH"


def test_the_hub_says_that_an_alert_is_no_longer_addressed() -> None:
    """Signed by a stage of the hub, under the alert's key."""
    arrival = accepted(notice("az-police", "an-id", 2)).arrival
    assert (arrival.type, arrival.message, arrival.version) == ("NOTICE", "NO_LONGER_ADDRESSED", 2)


@pytest.mark.parametrize("holder", ["az-police", "edge.az", "edge.tr", "hub.gate", "hub.receipts", "hub.clock"])
def test_nobody_but_the_hub_s_route_may_say_that(holder: str) -> None:
    """An agency cannot make other agencies' alerts vanish, nor can whoever stole the key of another stage."""
    assert refused(notice("az-police", "an-id", 2, holder=holder)).reason == "WRONG_AGENCY"


@pytest.mark.parametrize("changes", [{"type": "SEQUENCE_GAP"}, {"kind": "route"}])
def test_the_hub_may_say_nothing_else_on_a_feed(changes: dict[str, str]) -> None:
    """Other notices, and notices about another kind, do not belong there."""
    kind = changes.pop("kind", "person")
    assert refused(notice("az-police", "an-id", 2, kind, **changes), "person").reason == "SCHEMA_MISMATCH"


def test_a_notice_under_another_alerts_key_is_refused() -> None:
    """After compaction it would stand where a living alert was."""
    bad = notice("az-police", "an-id", 2)._replace(key=b"az-police/other")
    assert refused(bad).reason == "MALFORMED"


def test_a_verdict_of_the_hub_is_no_notice() -> None:
    """The prefix alone is a claim."""
    record = {"at": NOW, "sequence": 1}
    value, headers = message.sign_record(registry.by_name("heartbeat"), record, key_of("hub.clock"))
    prefix = registry.by_name("notice").id.to_bytes(4, "big")
    bad = Message(FEED, TOPIC_ID, 0, 0, NOW, b"a/b", b"\x00" + prefix + value[5:], tuple(headers))
    assert refused(bad).reason == "SCHEMA_MISMATCH"


@given(
    st.binary(max_size=200),
    st.binary(max_size=200) | st.none(),
    st.lists(
        st.tuples(st.sampled_from(["sig", "at", "hub", "trace", "x"]), st.binary(max_size=200) | st.none()), max_size=5
    ),
)
def test_no_bytes_at_all_can_stop_an_edge(
    key: bytes, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    """Every message is judged; nothing raises."""
    sent = Message(FEED, TOPIC_ID, 0, 0, NOW, key, value, tuple(headers))
    assert isinstance(judge(sent, "person", NET.directory, NOW), Refused)


def test_a_defect_of_ours_refuses_the_message_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One message must not end the edge at its offset, again and again; a later release may understand it."""

    def broken(*_: object) -> list[object]:
        raise KeyError("ABDULLAYEV")

    monkeypatch.setattr(rules, "check", broken)
    judged = judge(sent(Author.of("az-police").write()), "person", NET.directory, NOW)
    assert isinstance(judged, Refused)
    assert (judged.reason, judged.detail) == ("UNREADABLE", "unexpected KeyError")
    assert judged.reason in CURABLE


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_anywhere_is_refused(place: int, byte: int) -> None:
    """In the value, whatever it becomes; only the very bytes that were signed pass."""
    good = sent(Author.of("az-police").write())
    value = bytearray(good.value or b"")
    index = place % len(value)
    if value[index] == byte:
        byte ^= 1
    value[index] = byte
    judged = judge(replace_value(good, bytes(value)), "person", NET.directory, NOW)
    assert isinstance(judged, Refused)


def replace_value(sent: Message, value: bytes) -> Message:
    """The same message with another value."""
    return sent._replace(value=value)
