# ruff: noqa: F811 - fixtures of another file
"""Receipts with clocks, expiry and review by log time, retention: what an author is told about its alerts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from manara.stores import transaction
from producers import delivery, retention, standing, validity
from producers.care import Care
from producers.clocks import HOUR, MINUTE, Mark, Sent, dues
from producers.errors import ContradictionError, LifeError
from producers.hours import now_micros
from producers.ledger import UnfitError
from producers.outbox import FILE, Accepted
from producers.publisher import Publisher
from producers.validity import DAY
from tests.support.agency import receipt, wanted
from tests.support.answers import Answers
from tests.support.directories import Network
from tests.unit.test_agency_commands import Run, run  # noqa: F401 - a fixture
from tests.unit.test_living_alerts import AUDIENCE, net, published, publisher, settings  # noqa: F401 - fixtures

NOW = 1_000_000_000_000_000


@pytest.fixture
def answers(publisher: Publisher, net: Network) -> Answers:
    """The hub and the members, now."""
    made = Answers(publisher.outbox, net, now_micros())
    made.remember()
    return made


def sent(version: int = 1, **changes: Any) -> Sent:
    """An admitted message to EG and TR, unanswered."""
    given: dict[str, Any] = {
        "number": version,
        "alert_id": "a",
        "version": version,
        "message": "ALERT" if version == 1 else "UPDATE",
        "precedence": "FLASH",
        "admitted_at": NOW,
        "expires_at": NOW + 90 * DAY,
        "expected": ("EG", "TR"),
        "answers": {},
    }
    return Sent(**{**given, **changes})


@pytest.mark.parametrize(
    ("precedence", "span"),
    [("FLASH", MINUTE), ("IMMEDIATE", 5 * MINUTE), ("PRIORITY", 30 * MINUTE), ("ROUTINE", 4 * HOUR)],
)
def test_a_clock_runs_from_admission_by_precedence(precedence: str, span: int) -> None:
    """At the last moment it waits, one microsecond later it is overdue, and an answer ends it whenever it comes."""
    given = sent(precedence=precedence, answers={"EG": {"STORED": NOW + 10 * span}})
    for late, mark in ((0, Mark.WAITING), (1, Mark.OVERDUE)):
        found = {due.member: due.mark for due in dues([given], NOW + span + late)}
        assert found == {"EG": Mark.DONE, "TR": mark}


def test_a_withdrawal_is_owed_until_it_is_purged() -> None:
    """Stored is not enough; after 15 minutes a warning, after 24 hours overdue, also when the alert has expired."""
    given = sent(message="WITHDRAW", answers={"EG": {"STORED": NOW}}, expires_at=NOW)
    for after, mark in ((15 * MINUTE, Mark.WAITING), (16 * MINUTE, Mark.WARNING), (25 * HOUR, Mark.OVERDUE)):
        assert [(due.stage, due.mark) for due in dues([given], NOW + after)] == [("PURGED", mark)] * 2
    done = sent(message="WITHDRAW", answers={member: {"PURGED": NOW} for member in ("EG", "TR")})
    assert {due.mark for due in dues([done], NOW + 25 * HOUR)} == {Mark.DONE}


def test_an_earlier_version_is_not_owed_and_neither_is_what_has_expired() -> None:
    """Who was left out by the later one is told so instead; an expired alert need not arrive any more."""
    found = dues([sent(), sent(2, expected=("EG",))], NOW + HOUR)
    assert [(due.version, due.member, due.mark) for due in found] == [
        (1, "EG", Mark.SUPERSEDED),
        (1, "TR", Mark.SUPERSEDED),
        (2, "EG", Mark.OVERDUE),
    ]
    assert {due.mark for due in dues([sent(expires_at=NOW + 1)], NOW + HOUR)} == {Mark.EXPIRED}


def test_the_board_knows_whom_it_addressed_and_says_where_the_hub_counts_otherwise(
    publisher: Publisher,
    answers: Answers,
) -> None:
    """Expected by the policy at admission; ROUTED brings a count only."""
    one = published(publisher, precedence="FLASH")
    answers.admit(one)
    answers.route(one, 3)
    answers.receive(one, ["EG"])
    board = delivery.whole(publisher.outbox, answers.at, lambda: answers.directory)
    assert [(due.member, due.mark) for due in board.dues] == [
        ("EG", Mark.DONE), ("MA", Mark.WAITING), ("TR", Mark.WAITING),
    ]  # fmt: skip
    assert (board.mismatches, board.unknown) == ((), 0)
    late = delivery.of_alert(publisher.outbox, one.alert_id, answers.at + HOUR, lambda: answers.directory)
    assert (late.overdue, [due.member for due in late.outstanding]) == (2, ["MA", "TR"])
    assert delivery.late(publisher.outbox, answers.at + MINUTE) == 0
    assert delivery.late(publisher.outbox, answers.at + MINUTE + 1) == 1
    two = published(publisher, sex="MALE")
    answers.admit(two)
    answers.route(two, 4)
    (mismatch,) = delivery.whole(publisher.outbox, answers.at, lambda: answers.directory).mismatches
    assert "we expected 3 members, the hub reports 4 feeds" in mismatch.sentence


def test_an_end_is_expected_at_everybody_that_was_reached(publisher: Publisher, answers: Answers) -> None:
    """Also at a member that an update left out."""
    one = published(publisher)
    two = publisher.update(one.alert_id, wanted(sex="MALE"), audience=["EG", "KZ"])
    three = publisher.withdraw(one.alert_id)
    answers.admit(one, two, three)
    board = delivery.whole(publisher.outbox, answers.at, lambda: answers.directory)
    assert delivery.late(publisher.outbox, answers.at + 24 * HOUR) == 0
    assert delivery.late(publisher.outbox, answers.at + 25 * HOUR) == 1
    assert [(due.member, due.stage) for due in board.outstanding] == [(m, "PURGED") for m in ("EG", "KZ", "MA", "TR")]
    answers.receive(three, ["EG", "KZ", "MA", "TR"], "PURGED")
    assert delivery.whole(publisher.outbox, answers.at, lambda: answers.directory).outstanding == []
    assert delivery.late(publisher.outbox, answers.at + 25 * HOUR) == 0
    assert standing.find(publisher.outbox, one.alert_id)[-1].stage == "PURGED"


def test_receipts_that_cannot_be_right_are_refused_and_counted(publisher: Publisher, answers: Answers) -> None:
    """Of an alert that the member never got, of none of ours, of another one, purged though never withdrawn, again."""
    one, other = published(publisher), published(publisher, sex="MALE")
    answers.admit(one, other)
    answers.receive(one, ["KZ"])
    answers.receive(one, ["AZ"], "SEEN")
    answers.receive(Accepted(one.alert_id, 1, 0, "f" * 64), ["EG"])
    answers.receive(one, ["EG"], alert_id=other.alert_id)
    answers.receive(one, ["EG"], version=2)
    answers.receive(one, ["EG"], "PURGED")
    answers.receive(one, ["MA"])
    answers.receive(one, ["MA"])
    answers.receive(one, ["MA"])
    assert delivery.disbelieved(publisher.outbox) == {
        "NOT_ADDRESSED": 2,
        "NOT_OURS": 1,
        "NOT_WITHDRAWN": 1,
        "OTHER_ALERT": 2,
        "REPEATED": 2,
    }
    (found,) = standing.by_number(publisher.outbox, [one.number])
    assert [(member.member, member.stage) for member in found.members] == [("MA", "STORED")]


def test_a_receipt_forged_for_another_member_is_not_taken(publisher: Publisher, answers: Answers) -> None:
    """An edge signs for its own member alone, whatever it writes; and the hub for none."""
    one = published(publisher)
    answers.admit(one)
    given = [receipt(one.digest, "STORED")]
    for issuer, holder in (("edge.eg", "edge.kz"), ("edge.kz", "edge.kz"), ("hub.route", "hub.route")):
        with pytest.raises(UnfitError):
            answers.say("receipt", {"agency": "az-police", "issuer": issuer, "member": "EG", "receipts": given}, holder)
    assert standing.by_number(publisher.outbox, [one.number])[0].members == ()


def test_a_purge_of_an_earlier_version_of_what_was_withdrawn_is_taken(publisher: Publisher, answers: Answers) -> None:
    """An edge that never stored a version confirms it as purged, too."""
    one = published(publisher)
    two = publisher.withdraw(one.alert_id)
    answers.admit(one, two)
    answers.receive(one, ["EG"], "PURGED")
    assert delivery.disbelieved(publisher.outbox) == {}
    board = delivery.whole(publisher.outbox, answers.at, lambda: answers.directory)
    assert [due.member for due in board.outstanding] == ["EG", "MA", "TR"], "the order itself is still owed"


def test_status_shows_members_stages_and_clocks(
    run: Run,
    publisher: Publisher,
    answers: Answers,
) -> None:
    """The undelivered report exits with 1 once anything is past its clock, and with 0 before."""
    one = published(publisher, precedence="FLASH")
    answers.admit(one)
    answers.route(one, 2)
    answers.receive(one, ["EG"])
    report = run("--config", "manara.toml", "status", "--outstanding")
    assert (report.code, "MA" in report.out, "left" in report.out) == (0, True, True)
    answers.at += 2 * HOUR
    answers.say("verdict", {"agency": "az-police", "verdicts": []}, "hub.gate")
    report = run("--config", "manara.toml", "status", "--outstanding", "--json")
    said = json.loads(report.out)
    assert (report.code, said["overdue"], [due["member"] for due in said["outstanding"]]) == (1, 2, ["MA", "TR"])
    assert said["outstanding"][0]["late_us"] == 2 * HOUR - MINUTE
    shown = run("--config", "manara.toml", "status", "R-1")
    assert "expected at EG, MA, TR" in shown.out
    assert "MA has not stored it: overdue by 1 h" in shown.out
    assert "we expected 3 members, the hub reports 2 feeds" in shown.out
    assert "2 past their clocks" in run("--config", "manara.toml", "status").out
    for member in ("MA", "TR"):
        answers.receive(one, [member])
    assert run("--config", "manara.toml", "status", "--outstanding", one.alert_id).code == 0


def test_log_time_moves_forward_only_and_wins_over_our_clock(publisher: Publisher, answers: Answers) -> None:
    """Our own clock counts before the first word of the hub alone."""
    assert validity.log_time(publisher.outbox, 7) == validity.LogTime(7, by_hub=False)
    answers.admit(published(publisher))
    latest = answers.at
    answers.at -= HOUR
    answers.say("verdict", {"agency": "az-police", "verdicts": []}, "hub.gate")
    assert validity.log_time(publisher.outbox, 7) == validity.LogTime(latest, by_hub=True)


@pytest.mark.parametrize(
    ("category", "left", "review", "words"),
    [
        ("WNT", 31 * DAY, 0, ""),
        ("WNT", 30 * DAY, 0, "expires within 30 days"),
        ("STR", 15 * DAY, 0, ""),
        ("STR", 14 * DAY, 0, "expires within 14 days"),
        ("SAN", 60 * DAY, 0, "expires within 60 days"),
        ("WNT", 1, 0, "expires within 1 day"),
        ("WNT", 0, 5, "expired"),
        ("WNT", 90 * DAY, NOW, "review is due"),
        ("WNT", 90 * DAY, NOW + 7 * DAY, "review within 7 days"),
        ("WNT", 90 * DAY, NOW + 8 * DAY, ""),
    ],
)
def test_expiry_and_review_are_predicates_over_log_time(category: str, left: int, review: int, words: str) -> None:
    """With a warning ahead whose length the category decides; the moment of expiry itself is out."""
    assert validity.judge(category, "ALERT", NOW + left, review, NOW).words == words
    assert validity.judge(category, "WITHDRAW", NOW + left, review, NOW).words == ""


def test_the_author_is_warned_in_status_and_in_the_log_by_id_alone(
    run: Run,
    publisher: Publisher,
    answers: Answers,
) -> None:
    """Once an alert and state; an alert that was extended or ended is not warned about."""
    soon = published(publisher, expires_at="+10d")
    extended = published(publisher, expires_at="+10d", sex="MALE")
    publisher.extend(extended.alert_id, until="+200d")
    ended = published(publisher, expires_at="+10d", sex="FEMALE")
    publisher.cancel(ended.alert_id)
    assert [one.alert_id for one in validity.warnings(publisher.outbox, answers.at)] == [soon.alert_id]
    said = run("--config", "manara.toml", "status")
    assert f"person {soon.alert_id} R-1: expires within 10 days" in said.out
    structlog.reset_defaults()  # the command had silenced it
    with capture_logs() as logs:
        care = Care(publisher.outbox, every=0)
        assert care.turn()
        assert care.turn()
    warned = [log for log in logs if log["event"] == "An alert needs its author soon"]
    assert [(log["alert_id"], log["state"]) for log in warned] == [(soon.alert_id, "expiry")]
    assert "Invented" not in json.dumps(logs)


def test_content_is_erased_thirty_days_after_the_end_and_the_proof_stays(
    publisher: Publisher,
    answers: Answers,
    tmp_path: Path,
) -> None:
    """From the file itself; a living alert, a later end and what waits for its verdict are kept."""
    withdrawn = published(publisher)
    order = publisher.withdraw(withdrawn.alert_id)
    living, waiting = published(publisher, names=["Living Person"]), published(publisher, names=["Waiting Person"])
    publisher.outbox.db.execute("update messages set expires_at = 1 where number = ?", (waiting.number,))
    answers.admit(withdrawn, order, living)
    answers.receive(order, AUDIENCE, "PURGED")
    assert retention.erase(publisher.outbox, answers.at + 30 * DAY) == 0
    assert retention.erase(publisher.outbox, answers.at + 30 * DAY + 1) == 2
    assert retention.erase(publisher.outbox, answers.at + 30 * DAY + 1) == 0
    raw = (tmp_path / FILE).read_bytes() + (tmp_path / f"{FILE}-wal").read_bytes()
    assert b"Tural Invented" not in raw
    assert b"Living Person" in raw
    assert b"Waiting Person" in raw
    first, second = standing.find(publisher.outbox, withdrawn.alert_id)
    assert (first.digest, first.outcome, second.stage) == (withdrawn.digest, "ADMITTED", "PURGED")
    assert publisher.outbox.settle("c", "one", 0) == publisher.outbox.settle("c", "one", 0) == 0
    with pytest.raises(LifeError, match="no longer kept"):
        publisher.update(withdrawn.alert_id, wanted())
    with pytest.raises(ContradictionError):
        publisher.publish("person", wanted(alert_id=withdrawn.alert_id), audience=AUDIENCE)
    assert published(publisher).number == 5


def test_an_expired_and_a_refused_alert_are_erased_in_time_too(publisher: Publisher, answers: Answers) -> None:
    """Expiry by log time is an end, and so is a refusal that nobody has corrected."""
    expiring, refused = published(publisher, expires_at="+2d"), published(publisher, sex="MALE")
    answers.admit(expiring)
    answers.admit(refused, outcome="REFUSED", reason="EXPIRED")
    assert retention.erase(publisher.outbox, answers.at + 31 * DAY) == 1
    assert retention.erase(publisher.outbox, answers.at + 33 * DAY) == 1
    with transaction(publisher.outbox.db) as db:
        assert db.execute("select count(*) from messages where value = x''").fetchone() == (2,)
