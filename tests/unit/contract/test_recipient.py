"""What a recipient holds: laws over any order, repeats and gaps, and the cases that a person would ask about."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import lifecycle
from schemas.models import MessageType
from schemas.recipient import LEAVING, STATES, Held, Incoming, apply, expired, join, replay, review_due

MESSAGES = ("ALERT", "UPDATE", "EXTEND", "SUSPEND", "RESUME", "CANCEL", "WITHDRAW", "FULFIL", LEAVING, "UNKNOWN")

incomings = st.builds(
    Incoming,
    version=st.integers(1, 6),
    message=st.sampled_from(MESSAGES),
    digest=st.sampled_from(["a", "b", "c"]),
    kind=st.sampled_from(["person", "route"]),
)
some = st.lists(incomings, min_size=1, max_size=8)


def got(*messages: tuple[int, str]) -> Held:
    """What is held after these (version, message), in this order."""
    held = replay(Incoming(version, name, f"d{version}", "person") for version, name in messages)
    assert held is not None
    return held


@given(some, st.data())
def test_any_order_gives_the_same(sent: list[Incoming], data: st.DataObject) -> None:
    """Commutative: two edges that got the same messages hold the same."""
    assert replay(sent) == replay(data.draw(st.permutations(sent)))


@given(some, st.data())
def test_repeats_change_nothing(sent: list[Incoming], data: st.DataObject) -> None:
    """Idempotent: whatever comes again, between the others or after them."""
    again = data.draw(st.lists(st.sampled_from(sent), max_size=8))
    assert replay(data.draw(st.permutations([*sent, *again]))) == replay(sent)


@given(some, some, some)
def test_parts_may_be_joined_in_any_grouping(
    first: list[Incoming], second: list[Incoming], third: list[Incoming]
) -> None:
    """Associative: an inbox that is restored from a backup and caught up ends where the others are."""
    one, two, three = replay(first), replay(second), replay(third)
    assert one is not None
    assert two is not None
    assert three is not None
    assert join(join(one, two), three) == join(one, join(two, three)) == replay([*first, *second, *third])
    assert join(one, two) == join(two, one)
    assert join(one, one) == one


@given(some, some)
def test_more_messages_never_take_anything_back(sent: list[Incoming], more: list[Incoming]) -> None:
    """Versions that are known stay known, an end stays an end, a purge stays a purge."""
    before, after = replay(sent), replay([*sent, *more])
    assert before is not None
    assert after is not None
    assert before.versions.keys() <= after.versions.keys()
    assert after.ended or not before.ended
    assert after.purge or not before.purge


@given(some)
def test_the_held_state_follows_from_what_decides(sent: list[Incoming]) -> None:
    """`message` and `latest` are those of a message that came, and purge means that one of them was a WITHDRAW."""
    held = replay(sent)
    assert held is not None
    assert (held.latest, held.message) in [(each.version, each.message) for each in sent]
    assert held.state == STATES.get(held.message, "SUSPENDED")
    assert held.purge == any(each.message == "WITHDRAW" for each in sent)
    assert held.versions.keys() == {each.version for each in sent if each.message != LEAVING}


def test_an_apply_that_changes_nothing_gives_the_same_object() -> None:
    """So that an edge writes nothing for it."""
    held = got((1, "ALERT"), (2, "UPDATE"))
    assert apply(held, Incoming(1, "ALERT", "d1", "person")) is held


@pytest.mark.parametrize(
    ("sent", "state", "latest", "purge"),
    [
        ([(1, "ALERT")], "ACTIVE", 1, False),
        ([(2, "UPDATE"), (1, "ALERT")], "ACTIVE", 2, False),
        ([(2, "SUSPEND"), (1, "ALERT")], "SUSPENDED", 2, False),
        ([(1, "ALERT"), (3, "RESUME")], "ACTIVE", 3, False),
        ([(1, "ALERT"), (2, LEAVING)], "LEFT_OUT", 2, False),
        ([(2, "UPDATE"), (2, LEAVING)], "LEFT_OUT", 2, False),
        ([(3, "UPDATE"), (2, LEAVING), (1, "ALERT")], "ACTIVE", 3, False),
        ([(2, LEAVING)], "LEFT_OUT", 2, False),
        ([(1, "ALERT"), (2, LEAVING), (4, "CANCEL")], "CANCELLED", 4, False),
        ([(4, "FULFIL"), (1, "ALERT")], "FULFILLED", 4, False),
        ([(3, "WITHDRAW"), (1, "ALERT"), (2, "UPDATE")], "WITHDRAWN", 3, True),
        ([(2, "WITHDRAW"), (3, "UPDATE")], "WITHDRAWN", 2, True),
        ([(1, "ALERT"), (2, "UNKNOWN")], "SUSPENDED", 2, False),
    ],
)
def test_what_a_person_would_expect(sent: list[tuple[int, str]], state: str, latest: int, purge: bool) -> None:
    """Out of order, with gaps, left out and called back, ended."""
    held = got(*sent)
    assert (held.state, held.latest, held.purge) == (state, latest, purge)
    assert held.acting == (state == "ACTIVE")


def test_what_is_left_out_keeps_the_versions_that_it_got() -> None:
    """The notice is no version: what must be purged later is what was really received."""
    assert got((1, "ALERT"), (2, LEAVING)).versions == {1: "d1"}


def test_every_message_of_the_contract_has_a_state_that_the_register_would_have() -> None:
    """The recipient's table and the gate's agree wherever the gate lets the message pass."""
    for (_before, message), after in lifecycle.NEXT.items():
        assert STATES[message] == after
    assert set(STATES) - {LEAVING} == set(get_args(MessageType)) - {"UNKNOWN"}


def test_expiry_and_review_are_predicates_over_log_time() -> None:
    """The moment itself counts as past; no review date is never due."""
    assert [expired(10, at) for at in (9, 10, 11)] == [False, True, True]
    assert [review_due(10, at) for at in (9, 10, 11)] == [False, True, True]
    assert not review_due(0, 10)
