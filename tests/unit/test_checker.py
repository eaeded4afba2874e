"""The checker can fail: a good history passes, and one doctored history an invariant does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from schemas import message
from tests.support.alerts import Author, log_time
from tests.support.checker import ENGINE_LEAVES_OUT, INVARIANTS, Totals, check
from tests.support.directories import network
from tests.support.history import PUBLIC, Counter, Delivery, History, Place, Receipt, Sealed, Submission, Verdict, mark
from tests.support.totals import table

PLACES = (Place.INBOX, Place.DATABASE, Place.EFFECT)
AT = log_time(0)


def good() -> History:
    """Three alerts stored where they belong, one of them in two versions; one refused, one expired."""
    history = History("doctored", PLACES, directory=network().directory)
    author = Author.of("az-police")
    first = author.write(mode="LISTED", members=["EG"])
    both = author.write(mode="LISTED", members=["EG", "KZ"])
    later = author.follow(both, "UPDATE", mode="LISTED", members=["EG", "KZ"])
    for number, (sealed, readers) in enumerate([(first, ("EG",)), (both, ("EG", "KZ")), (later, ("EG", "KZ"))]):
        _submit(history, sealed, *readers)
        history.verdicts.append(Verdict(sealed.digest, "ADMITTED", "", AT))
        for member in readers:
            _store(history, sealed, member, number)
    for reason in ("RULE_LEGAL_BASIS_MISSING", "EXPIRED"):
        sealed = author.write()
        _submit(history, sealed, "EG", "KZ")
        history.verdicts.append(Verdict(sealed.digest, "REFUSED", reason, AT))
    history.counters += [
        Counter("admitted", "", 3),
        Counter("refused", "EXPIRED", 1),
        Counter("database", "EG", 3),
        Counter("database", "KZ", 1, since=False),
    ]
    return history


def _submit(history: History, sealed: message.Sealed, *readers: str) -> None:
    mine = mark()
    history.submissions.append(
        Submission(sealed.digest, "az-police", sealed.alert_id, sealed.version, mine, frozenset(readers), AT)
    )
    for member in readers if len(history.submissions) < 4 else ():
        history.observe(member, mine.encode())


def _store(history: History, sealed: message.Sealed, member: str, number: int) -> None:
    evidence = Sealed(sealed.key, sealed.value, dict(sealed.headers)["sig"], AT)
    for place in PLACES:
        held = Delivery(member, place, "az-police", sealed.alert_id, sealed.version, number, sealed.digest, AT)
        history.deliveries.append(replace(held, sealed=evidence) if place is Place.INBOX else held)
    history.receipts.append(Receipt(sealed.digest, member, "STORED", AT))


def _without(place: Place) -> Callable[[History], None]:
    def doctor(history: History) -> None:
        history.deliveries = [d for d in history.deliveries if d.place is not place or d.member != "KZ"]

    return doctor


def _twice(history: History) -> None:
    history.deliveries.append(next(d for d in history.deliveries if d.place is Place.EFFECT))


def _leak(history: History) -> None:
    history.observe("KZ", [b"in the middle of " + history.submissions[0].mark.encode() + b" other bytes"])


def _log_leak(history: History) -> None:
    history.observe(PUBLIC, history.submissions[1].mark.encode())


def _row_leak(history: History) -> None:
    row = next(d for d in history.deliveries if d.place is Place.DATABASE)
    history.deliveries.append(replace(row, member="KZ"))


def _downwards(history: History) -> None:
    history.deliveries = [replace(d, order=-d.order) for d in history.deliveries]


def _phantom(history: History) -> None:
    history.deliveries.append(Delivery("EG", Place.DATABASE, "az-police", "nobody's", 1, 9))


def _other_content(history: History) -> None:
    history.deliveries = [replace(d, digest="0" * 64) if d.digest else d for d in history.deliveries]


def _refused_yet_there(history: History) -> None:
    sent = history.submissions[3]
    history.deliveries.append(Delivery("EG", Place.DATABASE, sent.agency, sent.alert_id, sent.version, 9, sent.digest))


def _forged(history: History) -> None:
    def forge(each: Delivery) -> Delivery:
        if each.sealed is None:
            return each
        value = each.sealed.value[:-1] + bytes([each.sealed.value[-1] ^ 1])
        return replace(each, sealed=replace(each.sealed, value=value))

    history.deliveries = [forge(each) for each in history.deliveries]


def _renamed(history: History) -> None:
    inbox = [d for d in history.deliveries if d.place is Place.INBOX]
    history.deliveries.remove(inbox[0])
    history.deliveries.append(replace(inbox[0], sealed=inbox[1].sealed))


def _silent(history: History) -> None:
    history.receipts.pop()


def _receipt_for_nothing(history: History) -> None:
    history.receipts.append(Receipt(history.submissions[0].digest, "KZ", "STORED", AT))


def _no_verdict(history: History) -> None:
    history.verdicts.pop(0)


def _without_reason(history: History) -> None:
    history.verdicts[-1] = replace(history.verdicts[-1], reason="")


def _both_ways(history: History) -> None:
    history.verdicts.append(replace(history.verdicts[0], outcome="REFUSED", reason="EXPIRED"))


def _counted_more(history: History) -> None:
    history.counters.append(Counter("database", "KZ", 3, since=False))


def _counted_less(history: History) -> None:
    history.counters.append(Counter("refused", "RULE_LEGAL_BASIS_MISSING", 0))


DOCTORED = [
    ("no loss", _without(Place.INBOX)),
    ("no loss", _without(Place.DATABASE)),
    ("one effect", _twice),
    ("no leak", _leak),
    ("no leak", _log_leak),
    ("no leak", _row_leak),
    ("order", _downwards),
    ("no phantom", _phantom),
    ("no phantom", _other_content),
    ("no phantom", _refused_yet_there),
    ("authentic", _forged),
    ("authentic", _renamed),
    ("receipted", _silent),
    ("receipted", _receipt_for_nothing),
    ("receipted", _no_verdict),
    ("accounted", _without_reason),
    ("accounted", _both_ways),
    ("truthful metrics", _counted_more),
    ("truthful metrics", _counted_less),
]


def test_a_good_history_breaks_nothing_and_its_totals_add_up() -> None:
    """Accepted = delivered + refused + expired; a version that came after another is no repeat."""
    report = check(good())
    assert report.words() == ""
    assert report.totals == Totals("doctored", accepted=5, delivered=3, refused=1, expired=1)


@pytest.mark.parametrize(("invariant", "doctor"), DOCTORED, ids=[f"{n}: {d.__name__}" for n, d in DOCTORED])
def test_each_invariant_fails_on_a_history_doctored_against_it(
    invariant: str, doctor: Callable[[History], None]
) -> None:
    """The invariant itself says so, whatever the others say too, and the report has words for it."""
    history = good()
    doctor(history)
    report = check(history)
    assert invariant in report.broken
    assert invariant in report.words()


def test_every_invariant_has_a_doctored_history() -> None:
    """None of the nine is there for show."""
    assert {name for name, _ in DOCTORED} == set(INVARIANTS)
    assert len(INVARIANTS) == 9
    assert set(ENGINE_LEAVES_OUT) <= set(INVARIANTS)


def test_losses_doubles_leaks_and_disorder_are_counted() -> None:
    """What the totals show is what the invariants found."""
    history = good()
    for doctor in (_without(Place.DATABASE), _twice, _leak):
        doctor(history)
    totals = check(history).totals
    assert (totals.lost, totals.doubled, totals.leaked) == (2, 1, 1)
    turned = good()
    _downwards(turned)
    assert check(turned).totals.out_of_order > 0


def test_copies_on_a_log_are_repeats_and_a_higher_version_supersedes() -> None:
    """A log may hold a message twice; a compacted one may hold its last version alone."""
    history = History("log", (Place.LOG,))
    for version in (1, 2):
        history.submissions.append(Submission(f"d{version}", "x", "a", version, "", frozenset({"feed"}), AT))
    history.deliveries += [Delivery("feed", Place.LOG, "x", "a", 2, order) for order in (1, 2, 3)]
    report = check(history, ENGINE_LEAVES_OUT)
    assert report.words() == ""
    assert (report.totals.delivered, report.totals.superseded, report.totals.repeats) == (1, 1, 2)


def test_a_history_in_which_nothing_was_accepted_is_an_error() -> None:
    """A scenario that did not happen must not pass."""
    with pytest.raises(AssertionError, match="nothing was accepted"):
        check(History("empty", PLACES))


def test_the_hub_s_word_is_checked_with_the_right_directory_only() -> None:
    """Rows signed by keys that the directory does not hold are not authentic."""
    history = good()
    history.directory = network(keys={"az-police": None}).directory
    assert "authentic" in check(history).broken


def test_the_table_has_a_line_a_scenario() -> None:
    """Names of columns above, numbers below them."""
    lines = table([Totals("one", accepted=12), Totals("another", accepted=7, lost=1)])
    assert len(lines) == 5
    assert "out of order" in lines[2]
    assert lines[3].split()[:2] == ["one", "12"]
    assert table([]) == []


def test_a_failing_history_can_be_kept(tmp_path: Path) -> None:
    """As JSON lines, one an event."""
    path = tmp_path / "history.ndjson"
    history = good()
    history.write(path)
    events = len(history.submissions) + len(history.verdicts) + len(history.deliveries) + len(history.receipts)
    assert len(path.read_text().splitlines()) == events + len(history.counters)
