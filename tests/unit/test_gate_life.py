"""The life of an alert at the gate: ends reach all who have it, leaving is told once, expiry binds living messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schemas import codec, message, registry
from schemas.models import Admitted
from streams.gate import register
from tests.support.alerts import Author, end, person
from tests.support.directories import DAY, NOW, Network, network
from tests.support.gates import Desk, Inlets

LISTED = {"mode": "LISTED"}


class Story:
    """One alert of az-police, told message by message; each answer is the block's item."""

    def __init__(self, net: Network | None = None) -> None:
        self.desk = Desk(net)
        self.inlets = Inlets()
        self.author = Author.of("az-police")
        self.sent: list[message.Sealed] = []

    def open(self, *members: str, **changes: Any) -> Admitted:
        """The ALERT, for the listed members."""
        return self._send(self.author.write(mode="LISTED", members=members, **changes))

    def say(self, name: str, *members: str, time: int = 0, **changes: Any) -> Admitted:
        """The next message, for the listed members (an end says ALL, and it does not matter)."""
        audience: dict[str, Any] = {"mode": "LISTED", "members": members} if members else {}
        return self._send(self.author.follow(self.sent[-1], name, **audience, **changes), time)

    def refusal(self, sealed: message.Sealed, time: int = 0) -> str:
        """Why a message is refused."""
        answer = self.desk.judge(self.inlets.put(sealed, time=time))
        assert not answer.admitted
        assert [kept["value"] for kept in answer.quarantined] == [sealed.value]
        return answer.verdict("az-police")["reason"]

    def entry(self) -> Any:
        """The register's."""
        return register.read(self.desk.state[self.sent[0].key])

    def next(self, name: str, **changes: Any) -> message.Sealed:
        """The next message, not sent yet."""
        return self.author.follow(self.sent[-1], name, **changes)

    def _send(self, sealed: message.Sealed, time: int = 0) -> Admitted:
        answer = self.desk.judge(self.inlets.put(sealed, time=time))
        verdict = answer.verdict("az-police")
        assert (verdict["outcome"], verdict["again"]) == ("ADMITTED", False), verdict
        self.sent.append(sealed)
        (item,) = answer.admitted
        return item


@pytest.fixture
def story() -> Iterator[Story]:
    """Over the usual network."""
    made = Story()
    yield made
    made.desk.close()


def test_living_messages_are_snapshots_with_an_audience_of_their_own(story: Story) -> None:
    """UPDATE, EXTEND, SUSPEND, RESUME: each goes where its own header says, and moves the entry on."""
    assert story.open("EG")["deliver"] == ["EG"]
    for number, (name, state) in enumerate(
        [("UPDATE", "ACTIVE"), ("EXTEND", "ACTIVE"), ("SUSPEND", "SUSPENDED"), ("RESUME", "ACTIVE")], 2
    ):
        item = story.say(name, "EG", "TR", expires_at=NOW + (30 + number) * DAY)
        assert (item["message"], item["version"], item["deliver"], item["leave"]) == (name, number, ["EG", "TR"], [])
        entry = story.entry()
        assert (entry["state"], entry["version"], entry["expires_at"]) == (state, number, NOW + (30 + number) * DAY)
    assert story.entry()["digests"] == [sealed.digest for sealed in story.sent]
    assert story.entry()["reached"] == ["EG", "TR"]


@pytest.mark.parametrize(
    ("name", "state"), [("CANCEL", "CANCELLED"), ("WITHDRAW", "WITHDRAWN"), ("FULFIL", "FULFILLED")]
)
@pytest.mark.parametrize("suspended", [False, True])
def test_an_end_goes_to_all_whom_any_version_reached(story: Story, name: str, state: str, suspended: bool) -> None:
    """Also to members that a later version left out, whatever audience the end itself names; the rule says so."""
    story.open("EG", "TR")
    story.say("UPDATE", "KZ", "TR")
    if suspended:
        story.say("SUSPEND", "KZ")
    item = story.say(name, "MA")
    assert (item["deliver"], item["leave"], item["rules"]) == (["EG", "KZ", "TR"], [], ["REACHED"])
    assert (item["kind"], item["message"]) == ("person", name)
    entry = story.entry()
    assert (entry["state"], entry["reached"]) == (state, ["EG", "KZ", "TR"])
    assert entry["digests"] == [sealed.digest for sealed in story.sent]


def test_an_end_reaches_a_member_that_has_lost_standing_clearance_and_subscription(story: Story) -> None:
    """It holds the alert still: the policy of today is not asked."""
    story.open("EG", "TR")
    story.desk.net = network(
        2, members={"EG": {"standing": "SUSPENDED", "tlp": "CLEAR", "handling": [], "subscriptions": []}}
    )
    assert story.say("WITHDRAW")["deliver"] == ["EG", "TR"]


def test_a_member_that_has_left_the_directory_has_no_feed_and_the_rules_say_so(story: Story) -> None:
    """The hub does not stand still over it; the register still knows that it was reached."""
    story.desk.net = network(members={"SA": {}})
    story.open("EG", "SA")
    story.desk.net = network(2)
    item = story.say("CANCEL")
    assert (item["deliver"], item["rules"]) == (["EG"], ["READER_UNKNOWN", "REACHED"])
    assert story.entry()["reached"] == ["EG", "SA"]


def test_an_author_that_has_lost_its_standing_may_still_take_back_what_it_published(story: Story) -> None:
    """Its member is suspended and its agency may no longer publish the kind: an update is refused, an end is not."""
    story.open("EG")
    story.desk.net = network(2, members={"AZ": {"standing": "SUSPENDED"}})
    assert story.refusal(story.next("UPDATE", **LISTED, members=["EG"])) == "RULE_MEMBER_STANDING"
    assert story.say("WITHDRAW")["deliver"] == ["EG"]


def test_leaving_is_told_once_to_exactly_those_who_had_it_and_are_left_out(story: Story) -> None:
    """Not to those who never had it, not again by the next version, again after they were called back."""
    story.open("EG", "KZ")
    assert story.say("UPDATE", "KZ", "TR")["leave"] == ["EG"]
    assert story.entry()["left"] == ["EG"]
    assert story.say("UPDATE", "KZ", "TR")["leave"] == []
    assert story.say("UPDATE", "TR")["leave"] == ["KZ"]
    assert story.entry()["left"] == ["EG", "KZ"]
    assert story.say("UPDATE", "EG", "TR")["leave"] == []
    assert story.entry()["left"] == ["KZ"]
    assert story.say("SUSPEND", "TR")["leave"] == ["EG"]
    assert story.say("CANCEL")["deliver"] == ["EG", "KZ", "TR"]


def test_a_member_that_may_not_read_any_more_is_told_that_it_is_left_out(story: Story) -> None:
    """Suspended meanwhile, or the new version is above its clearance: the audience names it, the policy does not."""
    story.open("EG", "KZ", "TR")
    story.desk.net = network(2, members={"EG": {"standing": "SUSPENDED"}, "KZ": {"tlp": "GREEN"}})
    item = story.say("UPDATE", "EG", "KZ", "TR")
    assert (item["deliver"], item["leave"]) == (["TR"], ["EG", "KZ"])


def test_a_lost_race_is_made_good_by_the_next_version(story: Story) -> None:
    """A worker that had lost the lane delivered version 3 to a member that was left out: it is told anew.

    Else that member would act on a version that nobody has called back. Ends reach whom that worker reached, too.
    """
    story.open("EG", "TR")
    story.say("UPDATE", "TR")
    third = story.say("UPDATE", "TR")
    key = story.sent[0].key
    stale = {**third, "deliver": ["EG", "MA", "TR"], "leave": []}
    block: Any = {"lane": 3, "positions": [], "admitted": [stale]}
    schema = registry.by_name("block")
    story.desk.known[story.inlets.record("az-police", None, None, []).topic, 0] = ("", 10**6)
    story.desk.replay(codec.frame(schema, codec.encode(schema, block)))
    entry = register.read(story.desk.state[key])
    assert entry is not None
    assert (entry["reached"], entry["left"]) == (["EG", "MA", "TR"], [])
    assert story.say("UPDATE", "TR")["leave"] == ["EG", "MA"]
    assert story.say("UPDATE", "TR")["leave"] == []
    assert story.say("WITHDRAW")["deliver"] == ["EG", "MA", "TR"]


def test_what_a_lost_race_told_is_not_taken_for_told() -> None:
    """The owner's version delivers to EG, the other worker told EG to leave: a later version that does so says it."""
    story = Story()
    story.open("EG", "TR")
    second = story.say("UPDATE", "EG", "TR")
    entry = story.entry()
    after = register.absorb(entry, {**second, "deliver": ["TR"], "leave": ["EG"]}, stale=True)
    assert (after["left"], after["reached"]) == ([], ["EG", "TR"])


def test_living_messages_after_expiry_are_refused_and_ends_are_not(story: Story) -> None:
    """By the log's time, not by the message's own."""
    story.open("EG", expires_at=NOW + DAY)
    late = NOW + DAY
    for name in ("UPDATE", "EXTEND", "SUSPEND"):
        sealed = story.next(name, **LISTED, members=["EG"], expires_at=NOW + 9 * DAY)
        assert story.refusal(sealed, late) == "EXPIRED"
    assert story.say("CANCEL", time=late + DAY)["deliver"] == ["EG"]


def test_an_extension_in_time_moves_the_expiry(story: Story) -> None:
    """Then what is sent before the new expiry passes."""
    story.open("EG", expires_at=NOW + DAY)
    story.say("EXTEND", "EG", expires_at=NOW + 5 * DAY, time=NOW + DAY - 1)
    assert story.say("UPDATE", "EG", expires_at=NOW + 5 * DAY, time=NOW + 4 * DAY)["version"] == 3


# ---------------------------------------------------------------------- bad input


def test_an_update_of_another_agency_s_alert_is_refused(story: Story) -> None:
    """For its sender there is no such alert; the true one goes on undisturbed."""
    story.open("EG")
    other = Author.of("eg-police").follow(story.sent[0], "UPDATE")
    answer = story.desk.judge(story.inlets.put(other))
    assert answer.verdict("eg-police")["reason"] == "UNKNOWN_ALERT"
    assert story.say("UPDATE", "EG")["version"] == 2


@pytest.mark.parametrize("name", ["CANCEL", "WITHDRAW", "FULFIL"])
def test_an_end_of_another_agency_s_alert_is_refused(story: Story, name: str) -> None:
    """Nobody can end what another has published: under its own name, in the other's, or in the other's inlet."""
    story.open("EG")
    other = Author.of("eg-police")
    ours = other.follow(story.sent[0], name)
    assert story.desk.judge(story.inlets.put(ours)).verdict("eg-police")["reason"] == "UNKNOWN_ALERT"
    forged = other.seal(end("az-police", story.sent[0].alert_id, 2, name), "end")
    assert story.refusal(forged) == "WRONG_AGENCY"
    assert story.desk.judge(story.inlets.put(ours, agency="az-police")).verdict("az-police")["reason"] == "WRONG_AGENCY"
    assert story.entry()["state"] == "ACTIVE"


@pytest.mark.parametrize("name", ["UPDATE", "EXTEND", "SUSPEND", "RESUME", "CANCEL", "WITHDRAW", "FULFIL"])
def test_a_change_or_end_of_an_unknown_alert_is_refused(story: Story, name: str) -> None:
    """Whatever its version."""
    never_sent = story.author.write()
    for version in (1, 2, 7):
        assert story.refusal(story.author.follow(never_sent, name, version=version)) == "UNKNOWN_ALERT"


@pytest.mark.parametrize("name", ["UPDATE", "CANCEL"])
@pytest.mark.parametrize(("version", "reason"), [(4, "STALE_VERSION"), (0, "STALE_VERSION"), (2, "EQUIVOCATION")])
def test_a_gap_and_an_old_version_are_refused(story: Story, name: str, version: int, reason: str) -> None:
    """After version 2: 4 leaves a gap, 2 and 1 are taken by other content."""
    story.open("EG")
    story.say("UPDATE", "EG")
    if version == 0:
        record = person("az-police", alert_id=story.sent[0].alert_id, version=0, message=name)
        closing = end("az-police", story.sent[0].alert_id, 0, name) if name == "CANCEL" else record
        sealed = story.author.seal(closing, "end" if name == "CANCEL" else "person")
    else:
        sealed = story.author.follow(story.sent[0], name, version=version)
    assert story.refusal(sealed) == reason


def test_the_same_version_with_other_content_is_refused_and_kept_as_evidence(story: Story) -> None:
    """Version 1 in two ways, version 2 in two ways, and an end that contradicts an end."""
    story.open("EG")
    story.say("UPDATE", "EG")
    for version, name in ((1, "ALERT"), (2, "UPDATE"), (2, "WITHDRAW")):
        assert story.refusal(story.author.follow(story.sent[0], name, version=version, unit="other")) == "EQUIVOCATION"
    story.say("CANCEL")
    assert story.refusal(story.author.follow(story.sent[1], "WITHDRAW", version=3)) == "EQUIVOCATION"


@pytest.mark.parametrize("name", ["CANCEL", "WITHDRAW", "FULFIL"])
def test_a_re_send_of_any_admitted_message_after_an_end_is_admitted_again(story: Story, name: str) -> None:
    """All of them, in any order, the end included: `again`, no block item, no quarantine."""
    story.open("EG", "TR")
    story.say("UPDATE", "EG")
    story.say("SUSPEND", "EG")
    story.say(name)
    before = story.entry()
    for sealed in (*story.sent, *reversed(story.sent)):
        answer = story.desk.judge(story.inlets.put(sealed, time=NOW + 400 * DAY))
        verdict = answer.verdict("az-police")
        assert (verdict["outcome"], verdict["again"], verdict["version"]) == ("ADMITTED", True, sealed.version)
        assert answer.admitted == []
        assert answer.quarantined == []
    assert story.entry() == before


@pytest.mark.parametrize("name", ["CANCEL", "WITHDRAW", "FULFIL"])
def test_nothing_follows_an_end(story: Story, name: str) -> None:
    """Publishing a withdrawn alert again is refused: as a new ALERT, as any other message, at any version."""
    story.open("EG")
    story.say(name)
    assert story.refusal(story.author.follow(story.sent[0], "ALERT", version=1, unit="again")) == "EQUIVOCATION"
    for follow in ("ALERT", "UPDATE", "EXTEND", "SUSPEND", "RESUME", "CANCEL", "WITHDRAW", "FULFIL"):
        assert story.refusal(story.author.follow(story.sent[0], follow, version=3)) == "RULE_TRANSITION"
    assert story.refusal(story.author.follow(story.sent[0], "ALERT", version=4)) == "STALE_VERSION"


def test_an_end_of_another_kind_is_refused(story: Story) -> None:
    """It would go to feeds that never had the alert."""
    story.open("EG")
    closing = end("az-police", story.sent[0].alert_id, 2, "CANCEL", "route")
    assert story.refusal(story.author.seal(closing, "end")) == "RULE_KIND_FIXED"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"reason": "FULFILLED"}, "RULE_END_REASON"),
        ({"reason": "UNKNOWN"}, "RULE_END_REASON"),
        ({"note": "=cmd()\x00"}, "RULE_CONTROL_CHARACTER"),
        ({"sent_at": NOW + DAY}, "RULE_SENT_IN_FUTURE"),
    ],
)
def test_an_end_has_rules_of_its_own(story: Story, changes: dict[str, Any], reason: str) -> None:
    """A reason that fits, clean text, a time that is not ahead."""
    story.open("EG")
    assert story.refusal(story.next("CANCEL", **changes)) == reason


def test_an_end_that_is_no_end_record_and_a_living_message_that_is_one_are_refused(story: Story) -> None:
    """A CANCEL as a full snapshot would carry content to members that were left out."""
    story.open("EG")
    alert = story.sent[0].alert_id
    full = story.author.seal(person("az-police", alert_id=alert, version=2, message="CANCEL"), "person")
    assert story.refusal(full) == "RULE_MESSAGE_RECORD"
    bare = end("az-police", alert, 2)
    bare["header"]["message"] = "UPDATE"
    assert story.refusal(story.author.seal(bare, "end")) == "RULE_MESSAGE_RECORD"


def test_a_register_entry_of_the_first_schema_version_is_still_read() -> None:
    """Stores and snapshots that were written before: a bare body without `left`."""
    old: Any = {
        "agency": "az-police", "alert_id": "x", "kind": "person", "state": "ACTIVE", "version": 1, "partition": 0,
        "expires_at": NOW, "digests": ["d"], "reached": ["EG"], "admitted_offset": -1,
    }  # fmt: skip
    body = codec.encode(registry.by_id(registry.wire_id("register", 1, 0)), old)
    assert register.read(body) == {**old, "left": []}
    again: Any = register.read(body)
    assert register.read(register.write(again)) == again
