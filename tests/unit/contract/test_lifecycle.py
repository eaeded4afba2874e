"""The life of an alert: laws that hold for any order of messages, and the refusals one by one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, registry
from schemas.lifecycle import ENDS, MAX_VERSIONS, NEXT, OFFERED, Transition, transition
from schemas.models import RegisterEntry
from tests.support import samples

ALL = ("ALERT", "UPDATE", "EXTEND", "SUSPEND", "RESUME", "CANCEL", "WITHDRAW", "FULFIL")

Message = tuple[str, int, str, str, int]
"""Message type, version, kind, digest, partition."""


def step(entry: RegisterEntry | None, message: Message, offered: Any = OFFERED) -> Transition:
    """One message to one entry."""
    name, version, kind, digest, partition = message
    header: Any = samples.header(message=name, version=version)
    return transition(entry, header, kind, digest, partition, offered=offered)


def lived(*names: str) -> RegisterEntry | None:
    """The entry after these messages, each admitted, versions from 1, digests d1, d2, ..."""
    entry: RegisterEntry | None = None
    for version, name in enumerate(names, 1):
        found = step(entry, (name, version, "person", f"d{version}", 0))
        assert (found.outcome, found.again) == ("ADMITTED", False)
        entry = found.entry
    return entry


def test_an_alert_opens_an_entry() -> None:
    """All that the register keeps of it."""
    assert lived("ALERT") == {
        "agency": samples.AGENCY,
        "alert_id": samples.ALERT_ID,
        "kind": "person",
        "state": "ACTIVE",
        "version": 1,
        "partition": 0,
        "expires_at": samples.header()["expires_at"],
        "digests": ["d1"],
        "reached": [],
        "admitted_offset": -1,
        "left": [],
    }


@pytest.mark.parametrize(
    ("before", "message", "reason"),
    [
        ((), ("UPDATE", 1, "person", "x", 0), "UNKNOWN_ALERT"),
        ((), ("CANCEL", 2, "person", "x", 0), "UNKNOWN_ALERT"),
        ((), ("ALERT", 2, "person", "x", 0), "STALE_VERSION"),
        ((), ("ALERT", 0, "person", "x", 0), "STALE_VERSION"),
        (("ALERT",), ("ALERT", 1, "person", "x", 0), "EQUIVOCATION"),
        (("ALERT", "UPDATE"), ("UPDATE", 1, "person", "x", 0), "EQUIVOCATION"),
        (("ALERT",), ("UPDATE", 3, "person", "x", 0), "STALE_VERSION"),
        (("ALERT",), ("UPDATE", 0, "person", "x", 0), "STALE_VERSION"),
        (("ALERT",), ("UPDATE", -(2**31), "person", "x", 0), "STALE_VERSION"),
        (("ALERT",), ("UPDATE", 2, "person", "x", 1), "WRONG_PARTITION"),
        (("ALERT",), ("ALERT", 1, "person", "x", 1), "WRONG_PARTITION"),
        (("ALERT",), ("UPDATE", 2, "route", "x", 0), "RULE_KIND_FIXED"),
        (("ALERT",), ("ALERT", 2, "person", "x", 0), "RULE_TRANSITION"),
        (("ALERT",), ("RESUME", 2, "person", "x", 0), "RULE_TRANSITION"),
        (("ALERT", "SUSPEND"), ("UPDATE", 3, "person", "x", 0), "RULE_TRANSITION"),
        (("ALERT", "CANCEL"), ("UPDATE", 3, "person", "x", 0), "RULE_TRANSITION"),
        (("ALERT", "WITHDRAW"), ("CANCEL", 3, "person", "x", 0), "RULE_TRANSITION"),
        (("ALERT",), ("UNKNOWN", 2, "person", "x", 0), "RULE_MESSAGE_NOT_OFFERED"),
    ],
)
def test_what_does_not_fit_is_refused(before: tuple[str, ...], message: Message, reason: str) -> None:
    """With the reason of the contract, and the entry as it was."""
    entry = lived(*before)
    found = step(entry, message)
    assert (found.outcome, found.again, found.reason) == ("REFUSED", False, reason)
    assert found.entry == entry


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (("UPDATE", 2, "person", "x", 0), "RULE_MESSAGE_NOT_OFFERED"),
        (("CANCEL", 2, "person", "x", 0), "RULE_MESSAGE_NOT_OFFERED"),
        (("CANCEL", 3, "person", "x", 0), "STALE_VERSION"),
        (("UPDATE", 1, "person", "x", 0), "EQUIVOCATION"),
    ],
)
def test_a_message_that_a_network_does_not_offer_is_refused(message: Message, reason: str) -> None:
    """Said only after identity and version, so that what is said stays true when it is offered."""
    header: Any = samples.header(message=message[0], version=message[1])
    found = transition(lived("ALERT"), header, message[2], message[3], message[4], offered=("ALERT",))
    assert (found.outcome, found.reason) == ("REFUSED", reason)


def test_an_alert_that_grows_without_end_can_only_be_ended() -> None:
    """The register holds a digest a version: its entry stays far below what a topic takes, whatever an agency sends."""
    entry: Any = {**(lived("ALERT") or {}), "version": MAX_VERSIONS, "digests": ["d" * 64] * MAX_VERSIONS}
    more = ("UPDATE", MAX_VERSIONS + 1, "person", "x", 0)
    assert step(entry, more).reason == "RULE_TOO_MANY_VERSIONS"
    assert step(entry, ("CANCEL", *more[1:])).outcome == "ADMITTED"
    before: Any = {**entry, "version": MAX_VERSIONS - 1, "digests": entry["digests"][1:]}
    assert step(before, ("UPDATE", MAX_VERSIONS, "person", "x", 0)).outcome == "ADMITTED"
    assert len(codec.encode(registry.by_name("register"), entry)) < 100_000


def test_all_eight_messages_are_offered() -> None:
    """Agency, hub and edge serve the whole life cycle."""
    assert set(ALL) == OFFERED


@pytest.mark.parametrize("name", ALL[1:])
@pytest.mark.parametrize("late", [-1, 0, 1])
def test_what_has_expired_can_only_be_ended(name: str, late: int) -> None:
    """By log time, against the version that is known; a re-send and an end always pass."""
    entry = lived("ALERT", "SUSPEND") if name == "RESUME" else lived("ALERT")
    assert entry is not None
    header: Any = samples.header(message=name, version=entry["version"] + 1, expires_at=entry["expires_at"] + 10**12)
    found = transition(entry, header, "person", "x", 0, at=entry["expires_at"] + late)
    assert found.reason == ("EXPIRED" if late >= 0 and name not in ENDS else "")
    assert transition(entry, header, "person", "d1", 0, at=2**60).again


def test_an_end_leaves_the_validity_as_it_was() -> None:
    """Whatever its header says."""
    entry = lived("ALERT")
    assert entry is not None
    header: Any = samples.header(message="CANCEL", version=2, expires_at=0)
    after = transition(entry, header, "person", "x", 0).entry
    assert after is not None
    assert after["expires_at"] == entry["expires_at"]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("partition", [0, 1])
def test_every_admitted_version_may_come_again(version: int, partition: int) -> None:
    """Whatever followed it, an end included, and in whatever order."""
    names = ("ALERT", "SUSPEND", "RESUME", "CANCEL")
    entry = lived(*names)
    found = step(entry, (names[version - 1], version, "person", f"d{version}", partition), offered=())
    assert found == Transition("ADMITTED", again=True, reason="", entry=entry)


def numbered(names: list[str]) -> list[Message]:
    """The messages as an honest author sends them."""
    return [(name, version, "person", f"d{version}", 0) for version, name in enumerate(names, 1)]


def mixed(two: tuple[list[Message], list[Message]]) -> list[Message]:
    """One of the first, one of the second, in turn."""
    turns = itertools.zip_longest(*two)
    return [message for turn in turns for message in turn if message is not None]


honest = st.lists(st.sampled_from(ALL), max_size=6).map(lambda names: numbered(["ALERT", *names]))
messages = st.tuples(
    st.sampled_from((*ALL, "UNKNOWN")),
    st.integers(-1, 6),
    st.sampled_from(("person", "route")),
    st.sampled_from([f"d{number}" for number in range(12)]),
    st.integers(0, 1),
)


@given(st.one_of(st.lists(messages, max_size=30), honest, st.tuples(honest, st.lists(messages)).map(mixed)))
def test_any_order_of_messages_keeps_the_laws(sent: list[Message]) -> None:
    """No gap, no forbidden step, nothing after an end, no change by a refusal, every re-send admitted again."""
    entry: RegisterEntry | None = None
    admitted: set[str] = set()
    for message in sent:
        before, name, digest = entry, message[0], message[3]
        found = step(entry, message)
        if digest in admitted:
            assert (found.outcome, found.again, found.entry) == ("ADMITTED", True, before)
        elif found.outcome == "REFUSED":
            assert (found.again, found.entry) == (False, before)
            assert found.reason
        else:
            assert found.entry is not None
            assert found.reason == ""
            assert found.entry["version"] == (before["version"] if before else 0) + 1 == message[1]
            assert found.entry["digests"] == [*(before["digests"] if before else []), digest]
            assert before is None or (before["state"], name) in NEXT
            assert before is None or before["state"] not in ENDS.values()
            assert before is None or (before["kind"], before["partition"]) == (message[2], message[4])
            admitted.add(digest)
        entry = found.entry


@given(st.one_of(honest, st.tuples(honest, st.lists(messages)).map(mixed)), st.data())
def test_a_second_delivery_of_everything_changes_nothing(sent: list[Message], data: st.DataObject) -> None:
    """Replay: the same messages again, in any order, leave the entry as it is where they had been admitted."""
    entry: RegisterEntry | None = None
    admitted: list[Message] = []
    for message in sent:
        found = step(entry, message)
        entry = found.entry
        if found.outcome == "ADMITTED":
            admitted.append(message)
    for message in data.draw(st.permutations(admitted)):
        found = step(entry, message)
        assert (found.outcome, found.again, found.entry) == ("ADMITTED", True, entry)


def test_a_transition_does_not_change_the_entry_it_was_given() -> None:
    """The register may be asked "what if" without harm."""
    entry = lived("ALERT")
    assert entry is not None
    digests = entry["digests"]
    step(entry, ("UPDATE", 2, "person", "x", 0))
    assert (entry["version"], digests) == (1, ["d1"])
