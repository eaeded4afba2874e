"""The state of a link: one fold, whatever the order and the repeats; clocks at their edges; what may be said when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import linking, meaning
from producers.linking import ANSWER_WITHIN, HOUR, LIVING, MINUTE, Link, Other, Own, Says, State, Word

EVIDENCE = ("BIRTH_DATE", "NAME")
MOROCCO = Other("ma-police", "MA", "a", "R")


def word(about: str, at: int, **changes: Any) -> Word:
    """A notice of the hub, at the place on the topic that its time suggests."""
    said: dict[str, Any] = {
        "place": at,
        "alert_id": "a",
        "version": 1,
        "kind": "person",
        "band": "STRONG",
        "evidence": EVIDENCE,
    }
    return Word(at=at, type=f"MATCH_{about}", **{**said, **changes})


def own(answer: Says, offered_at: int, at: int = 0, **changes: Any) -> Own:
    """An answer of ours."""
    said: dict[str, Any] = {"band": "STRONG", "evidence": EVIDENCE, **changes}
    return Own(answer=answer, offered_at=offered_at, at=at or offered_at + 1, **said)


def state(words: list[Word], answers: list[Own] | None = None) -> State:
    """The state after all of this."""
    link = linking.fold("l", words, answers or [])
    assert link is not None
    return link.state


WORDS = st.builds(
    word,
    st.sampled_from(["OFFERED", "AGREED", "DECLINED", "ENDED", "REFUSED"]),
    st.integers(1, 6),
    band=st.sampled_from(["STRONG", "PROBABLE"]),
    evidence=st.sampled_from([EVIDENCE, ("NAME",)]),
    other=st.sampled_from([Other(), MOROCCO]),
    version=st.integers(1, 3),
    place=st.integers(1, 3),
)
OWNS = st.builds(
    own,
    st.sampled_from(list(Says)),
    st.integers(1, 6),
    st.integers(1, 9),
    band=st.sampled_from(["STRONG", "PROBABLE"]),
    evidence=st.sampled_from([EVIDENCE, ("NAME",)]),
)


@given(st.lists(WORDS, max_size=8), st.lists(OWNS, max_size=5), st.randoms())
def test_any_order_and_repetition_of_notices_and_answers_is_the_same_link(
    words: list[Word], answers: list[Own], chance: Any
) -> None:
    """Shuffled and said twice: nothing of the link differs."""
    first = linking.fold("l", words, answers)
    words, answers = words * 2, answers * 2
    chance.shuffle(words)
    chance.shuffle(answers)
    assert linking.fold("l", words, answers) == first
    assert (first is None) == all(each.type == "MATCH_REFUSED" for each in words)


@given(st.lists(WORDS, max_size=8), st.lists(OWNS, max_size=5))
def test_a_link_says_nothing_that_nobody_said(words: list[Word], answers: list[Own]) -> None:
    """A name, an agreement and an end come from the hub alone; what we said came from us; an open link owes."""
    link = linking.fold("l", [word("OFFERED", 1), *words], answers)
    assert link is not None
    assert set(link.others) <= {each.other for each in words if each.other.named}
    assert link.state is not State.AGREED or any(each.type == "MATCH_AGREED" for each in words)
    assert link.state is not State.ENDED or any(each.type == "MATCH_ENDED" for each in words)
    assert link.answer is None or link.answer in {each.answer for each in answers}
    assert bool(linking.clocks(link, "ROUTINE")) == link.open
    assert meaning.next_step(link)


def test_an_offer_is_acknowledged_accepted_and_agreed() -> None:
    """And the other side is named by the last word alone."""
    offer, agreed = word("OFFERED", 10), word("AGREED", 50, other=MOROCCO)
    answers = [own(Says.ACKNOWLEDGED, 10), own(Says.ACCEPTED, 10, 20)]
    assert state([offer]) is State.OFFERED
    assert state([offer], answers[:1]) is State.ACKNOWLEDGED
    assert state([offer], answers) is State.ACCEPTED
    link = linking.fold("l", [agreed, offer], answers)
    assert link is not None
    assert (link.state, link.others, link.agreed_at, link.answered_at) == (State.AGREED, (MOROCCO,), 50, 20)


def test_an_agreed_link_can_be_declined_later_by_us() -> None:
    """A mistaken identity is often found only when the files are compared."""
    words = [word("OFFERED", 10), word("AGREED", 50, other=MOROCCO)]
    answers = [own(Says.ACCEPTED, 10, 20), own(Says.DECLINED, 10, 60, reason="MISTAKEN_IDENTITY")]
    link = linking.fold("l", words, answers)
    assert link is not None
    assert (link.state, link.declined_by, link.reason) == (State.DECLINED, "us", "MISTAKEN_IDENTITY")
    assert link.others == (MOROCCO,)


def test_a_pattern_of_money_has_several_other_sides() -> None:
    """Each is named by an agreement of its own; their members are known once each."""
    turkey, other = Other("tr-fiu", "TR", "b", ""), Other("ma-customs", "MA", "c", "")
    words = [word("OFFERED", 10), *(word("AGREED", 50, other=side) for side in (turkey, other, MOROCCO))]
    link = linking.fold("l", words)
    assert link is not None
    assert (link.state, link.others, link.members) == (State.AGREED, (other, MOROCCO, turkey), ("MA", "TR"))


def test_what_was_declined_is_not_asked_again_for_the_same_evidence_and_is_for_other() -> None:
    """Also when the hub offers it anew after an end."""
    declined = [own(Says.DECLINED, 10)]
    assert state([word("OFFERED", 10), word("ENDED", 20), word("OFFERED", 30)], declined) is State.DECLINED
    more = word("OFFERED", 30, evidence=(*EVIDENCE, "PASSPORT"))
    assert state([word("OFFERED", 10), more], declined) is State.OFFERED
    assert state([word("OFFERED", 10), word("DECLINED", 20), more]) is State.OFFERED


def test_an_acceptance_holds_for_the_offer_that_it_was_given_to() -> None:
    """The same offer again changes nothing; after an end, or with other evidence, it is asked anew."""
    accepted = [own(Says.ACCEPTED, 10)]
    assert state([word("OFFERED", 10), word("OFFERED", 40, version=2)], accepted) is State.ACCEPTED
    assert state([word("OFFERED", 10), word("ENDED", 20), word("OFFERED", 30)], accepted) is State.OFFERED
    assert state([word("OFFERED", 10), word("OFFERED", 30, band="PROBABLE")], accepted) is State.OFFERED


def test_new_evidence_does_not_undo_an_agreement() -> None:
    """Both know each other; only band and evidence are told anew."""
    link = linking.fold(
        "l", [word("OFFERED", 1), word("AGREED", 2, other=MOROCCO), word("OFFERED", 3, band="POSSIBLE")]
    )
    assert link is not None
    assert (link.state, link.band, link.others) == (State.AGREED, "POSSIBLE", (MOROCCO,))


def test_that_an_answer_was_refused_changes_nothing() -> None:
    """It is told, and the link stands as the hub says otherwise."""
    assert linking.fold("l", [word("REFUSED", 5, band="", evidence=(), kind="")]) is None
    assert (
        state([word("OFFERED", 5), word("REFUSED", 9, band="", evidence=())], [own(Says.ACCEPTED, 5)]) is State.ACCEPTED
    )


def test_of_notices_of_one_millisecond_the_topic_gives_the_order() -> None:
    """Suspended and resumed at once: it is offered; the other way round it has ended."""
    first, offer, end = word("OFFERED", 5), word("OFFERED", 9, place=20), word("ENDED", 9, place=19)
    assert state([offer, end, first]) is State.OFFERED
    assert state([offer, replace(end, place=21), first]) is State.ENDED


@pytest.mark.parametrize(
    ("precedence", "acknowledge"),
    [("FLASH", 10 * MINUTE), ("IMMEDIATE", 10 * MINUTE), ("PRIORITY", HOUR), ("ROUTINE", HOUR), ("", 10 * MINUTE)],
)
def test_the_clock_of_acknowledging_hangs_on_our_own_alert(precedence: str, acknowledge: int) -> None:
    """At the very moment it is not overdue, a microsecond later it is; an alert not known here counts as urgent."""
    link = linking.fold("l", [word("OFFERED", 1000)])
    assert link is not None
    assert [clock.due_at for clock in linking.clocks(link, precedence)] == [1000 + acknowledge, 1000 + ANSWER_WITHIN]
    assert linking.overdue(link, precedence, 1000 + acknowledge) == ()
    assert [clock.owes for clock in linking.overdue(link, precedence, 1001 + acknowledge)] == ["acknowledge"]


def test_the_clock_of_answering_runs_on_after_an_acknowledgement_and_ends_with_an_answer() -> None:
    """12 hours, to the microsecond."""
    link = linking.fold("l", [word("OFFERED", 0)], [own(Says.ACKNOWLEDGED, 0, HOUR * 2)])
    assert link is not None
    assert linking.overdue(link, "ROUTINE", ANSWER_WITHIN) == ()
    assert [clock.owes for clock in linking.overdue(link, "ROUTINE", ANSWER_WITHIN + 1)] == ["answer"]
    answered = linking.fold("l", [word("OFFERED", 0)], [own(Says.ACCEPTED, 0)])
    assert answered is not None
    assert linking.clocks(answered, "ROUTINE") == ()


def test_what_may_be_said_in_each_state() -> None:
    """Nothing of what has ended, been declined or is withheld; never less after more."""
    link = Link("l", "a", 1, "person", "STRONG", EVIDENCE, 1)
    allowed = {each: {says for says in Says if linking.may(replace(link, state=each), says)} for each in State}
    assert allowed[State.OFFERED] == set(Says)
    assert allowed[State.ACKNOWLEDGED] == {Says.ACCEPTED, Says.DECLINED}
    assert allowed[State.ACCEPTED] == allowed[State.AGREED] == {Says.DECLINED}
    assert not any(allowed[each] for each in State if each not in LIVING)
