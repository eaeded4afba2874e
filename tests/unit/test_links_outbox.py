"""Links in the outbox: who is believed, what is kept, answers durable in one transaction and sent until confirmed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import apsw
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara import stores
from producers import answers, linking, links, retention
from producers.answers import Why
from producers.errors import AuthorError, LifeError
from producers.ledger import Ledger, Said, Spot, UnfitError
from producers.linking import LIVING, Own, Says, State, Word
from producers.outbox import LIVE, Outbox
from schemas import message
from tests.support.agency import AGENCY, verdict
from tests.support.answers import Answers
from tests.support.directories import DAY, NOW, network
from tests.support.links import LINK, OTHER, hear, match
from tests.unit.test_outbox import KEY, ROOT, draft, open_box, outbox  # noqa: F401 - a fixture

HOUR = DAY // 24


@pytest.fixture
def hub(outbox: Outbox) -> Answers:  # noqa: F811
    """The hub, which has admitted one alert of ours."""
    made = Answers(outbox, network(), NOW)
    made.remember()
    made.admit(*outbox.accept([draft(1)], KEY, partition=LIVE, now=NOW))
    return made


def alert_of(box: Outbox) -> str:
    """Our only alert."""
    row = box.db.execute("select alert_id from messages").fetchone()
    assert row is not None
    return str(row[0])


def offered(hub: Answers, about: str = "OFFERED", **more: Any) -> None:
    """The hub's links says something about the link."""
    hub.say("notice", match(about, alert_of(hub.outbox), **more), "hub.links")


@pytest.mark.parametrize("holder", ["hub.gate", "hub.correlate", "hub.route", "edge.ma", "ma-police", AGENCY])
def test_a_notice_about_a_link_is_believed_from_the_hubs_links_alone(hub: Answers, holder: str) -> None:
    """Signed well by somebody else, it leaves nothing behind."""
    with pytest.raises(UnfitError, match="only the hub's links"):
        hub.say("notice", match("AGREED", alert_of(hub.outbox), **OTHER), holder)
    assert links.held(hub.outbox) == []


def test_the_hubs_links_says_nothing_else(hub: Answers) -> None:
    """A gap is the gate's to tell."""
    with pytest.raises(UnfitError, match="only the hub's gate"):
        hub.say("notice", {**match("OFFERED", ""), "type": "SEQUENCE_GAP"}, "hub.links")


def test_a_notice_about_another_agency_is_not_taken(hub: Answers) -> None:
    """Whoever put it on our topic."""
    with pytest.raises(UnfitError, match="another agency"):
        hub.say("notice", match("OFFERED", "x", agency="tr-fiu"), "hub.links")


def test_an_offer_is_kept_with_all_that_the_hub_said_and_the_record_it_signed(hub: Answers) -> None:
    """Unnamed; the same notice again, and refusals, make no second one; a refusal is told."""
    offered(hub)
    offered(hub)
    offered(hub, "REFUSED", link_id="")
    offered(hub, "REFUSED", band="", evidence=[], kind="", at=NOW + 1)
    (one,) = links.held(hub.outbox)
    assert (one.link.link_id, one.link.state, one.link.others) == (LINK, State.OFFERED, ())
    assert (one.link.evidence, one.precedence, one.national_ref) == (("BIRTH_DATE", "NAME"), "ROUTINE", "R-1")
    assert hub.outbox.db.execute("select count(*) from signed where name = 'notice'").fetchone() == (2,)
    told = hub.outbox.db.execute("select text from notices where type = 'MATCH_REFUSED' order by at").fetchall()
    assert told == [("One sentence.",), (f"Link {LINK[:8]}: One sentence.",)]
    assert links.refusals(hub.outbox, LINK) == [(NOW + 1, "One sentence.")]


def test_an_answer_is_signed_by_us_and_says_what_was_offered(hub: Answers) -> None:
    """Opened as the hub does; the note is not in it."""
    offered(hub)
    answers.give(hub.outbox, LINK, Says.DECLINED, KEY, now=NOW, why=Why("other", "SECRET NOTE"))
    (item,) = answers.pending(hub.outbox)
    assert item.key == LINK.encode()
    assert b"SECRET" not in item.value
    schema, record, signer = message.open_record(
        item.value,
        item.headers,  # type: ignore[arg-type]
        directory=hub.directory,
        at=NOW,
        holders={AGENCY},
    )
    assert (schema.name, signer.holder) == ("answer", AGENCY)
    assert (record["link_id"], record["answer"], record["reason"], record["band"]) == (
        LINK,
        "DECLINED",
        "OTHER",
        "STRONG",
    )
    assert record["evidence"] == ["BIRTH_DATE", "NAME"]
    assert links.spoken(hub.outbox, LINK)[0].note == "SECRET NOTE"


def test_an_answer_given_twice_is_one_and_what_cannot_be_said_is_refused(hub: Answers) -> None:
    """Each refusal says why and what to do."""
    offered(hub)
    first = answers.give(hub.outbox, LINK[:8], Says.ACCEPTED, KEY, now=NOW)
    again = answers.give(hub.outbox, LINK, Says.ACCEPTED, KEY, now=NOW + 1)
    assert (first.again, again.again, again.number) == (False, True, first.number)
    assert links.spoken(hub.outbox, LINK)[-1].at == NOW
    with pytest.raises(LifeError, match="cannot be ACKNOWLEDGED"):
        answers.give(hub.outbox, LINK, Says.ACKNOWLEDGED, KEY, now=NOW)
    with pytest.raises(AuthorError, match="with a reason"):
        answers.give(hub.outbox, LINK, Says.DECLINED, KEY, now=NOW)
    with pytest.raises(AuthorError, match="no reason to decline"):
        answers.give(hub.outbox, LINK, Says.DECLINED, KEY, now=NOW, why=Why("BECAUSE"))
    with pytest.raises(AuthorError, match="No link is called"):
        answers.give(hub.outbox, "ffffffff", Says.ACCEPTED, KEY, now=NOW)
    offered(hub, "ENDED", at=NOW + HOUR)
    with pytest.raises(LifeError, match="is ENDED"):
        answers.give(hub.outbox, LINK, Says.ACCEPTED, KEY, now=NOW)
    assert len(links.spoken(hub.outbox, LINK)) == 1


def test_each_answer_is_later_than_the_one_before_whatever_our_clock_does(hub: Answers) -> None:
    """The hub takes one that is not later for an old one sent again."""
    offered(hub)
    for says, now in ((Says.ACKNOWLEDGED, NOW), (Says.ACCEPTED, NOW), (Says.DECLINED, NOW - DAY)):
        answers.give(hub.outbox, LINK, says, KEY, now=now, why=Why("OTHER"))
    times = [each.at for each in links.spoken(hub.outbox, LINK)]
    assert times == [NOW, NOW + 1, NOW + 2]


def test_a_failure_while_answering_leaves_nothing(hub: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer, state and false hit are one transaction: the fold fails, and none of them is there."""
    offered(hub)

    def fail(*_: object) -> None:
        raise apsw.FullError

    with monkeypatch.context() as patched:
        patched.setattr(links, "refold", fail)
        with pytest.raises(Exception, match="full"):
            answers.give(hub.outbox, LINK, Says.DECLINED, KEY, now=NOW, why=Why("MISTAKEN_IDENTITY"))
    assert (links.spoken(hub.outbox, LINK), answers.pending(hub.outbox)) == ([], [])
    assert links.get(hub.outbox, LINK).link.state is State.OFFERED
    assert answers.false_hits(hub.outbox, alert_of(hub.outbox)) == []


def test_only_the_last_answer_to_a_link_is_sent_until_it_is_confirmed(hub: Answers) -> None:
    """An older one that failed could else come to stand behind it on a topic that keeps the last."""
    offered(hub)
    answers.give(hub.outbox, LINK, Says.ACKNOWLEDGED, KEY, now=NOW)
    (first,) = answers.pending(hub.outbox)
    second = answers.give(hub.outbox, LINK, Says.ACCEPTED, KEY, now=NOW)
    assert [item.number for item in answers.pending(hub.outbox)] == [second.number] != [first.number]
    assert answers.pending(hub.outbox, {second.number}) == []
    answers.acknowledge(hub.outbox, [second.number], NOW)
    assert (answers.pending(hub.outbox), answers.waiting(hub.outbox)) == ([], 0)


def test_a_cluster_made_anew_is_told_the_last_answer_to_every_link_that_lives(hub: Answers) -> None:
    """Not what has ended; nothing at the first sight of a cluster, nor where it is the same."""
    for number in range(3):
        offered(hub, link_id=f"{number:032x}")
        answers.give(hub.outbox, f"{number:032x}", Says.ACKNOWLEDGED, KEY, now=NOW)
        answers.give(hub.outbox, f"{number:032x}", Says.ACCEPTED, KEY, now=NOW)
    assert answers.settle(hub.outbox, "c", "one") == 0
    answers.acknowledge(hub.outbox, [item.number for item in answers.pending(hub.outbox)], NOW)
    offered(hub, "ENDED", link_id=f"{2:032x}", at=NOW + 1)
    assert answers.settle(hub.outbox, "c", "one") == 0
    assert answers.settle(hub.outbox, "c", "two") == 2
    assert [item.key for item in answers.pending(hub.outbox)] == [b"%032x" % number for number in range(2)]


def test_a_hub_that_offers_what_we_have_answered_is_told_again(hub: Answers) -> None:
    """After the loss of a cluster it knows neither the link nor our answer; after an end it asks anew, and we wait."""
    offered(hub)
    answers.give(hub.outbox, LINK, Says.ACKNOWLEDGED, KEY, now=NOW)
    second = answers.give(hub.outbox, LINK, Says.ACCEPTED, KEY, now=NOW)
    answers.acknowledge(hub.outbox, [1, second.number], NOW)
    offered(hub, "AGREED", at=NOW + 1, **OTHER)
    assert answers.pending(hub.outbox) == []
    offered(hub, at=NOW + HOUR)
    assert [item.number for item in answers.pending(hub.outbox)] == [second.number]
    answers.acknowledge(hub.outbox, [second.number], NOW)
    offered(hub, "ENDED", at=NOW + 2 * HOUR)
    offered(hub, at=NOW + 3 * HOUR)
    assert (answers.pending(hub.outbox), links.get(hub.outbox, LINK).link.state) == ([], State.OFFERED)


def test_a_damaged_answer_is_never_sent_and_does_not_count(hub: Answers) -> None:
    """The link waits for us again."""
    offered(hub)
    answers.give(hub.outbox, LINK, Says.ACCEPTED, KEY, now=NOW)
    hub.outbox.db.execute("update link_answers set value = zeroblob(length(value))")
    assert answers.pending(hub.outbox) == []
    assert links.get(hub.outbox, LINK).link.state is State.OFFERED
    assert not answers.give(hub.outbox, LINK, Says.ACCEPTED, KEY, now=NOW).again
    assert len(answers.pending(hub.outbox)) == 1


EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["OFFERED", "AGREED", "DECLINED", "ENDED", "REFUSED"]),
            st.integers(0, 4),
            st.sampled_from([["NAME"], ["NAME", "PASSPORT"]]),
        ),
        st.sampled_from(list(Says)),
    ),
    max_size=12,
)


@hypothesis.settings(max_examples=30)
@given(EVENTS)
def test_a_row_is_always_the_fold_of_what_is_kept(events: list[Any]) -> None:
    """Through the ledger and the answers, whatever comes; and taking all of it in again changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        box = open_box(Path(folder))
        said = [match(e[0], "a", at=NOW + e[1], evidence=e[2]) for e in events if isinstance(e, tuple)]
        for event in events:
            if isinstance(event, tuple):
                hear(box, match(event[0], "a", at=NOW + event[1], evidence=event[2]))
                continue
            try:
                answers.give(box, LINK, event, KEY, now=NOW, why=Why("OTHER"))
            except AuthorError:
                continue
        before = box.db.execute("select * from links").fetchall()
        hub = next(key for key in network().directory.keys.values() if key.holder == "hub.links")
        for place, notice in reversed(list(enumerate(said, 1))):  # each where it stood
            Ledger(box, AGENCY).take([Said("notice", notice, hub, Spot("status", "id", 0, place))], [])
        assert box.db.execute("select * from links").fetchall() == before
        own = [
            Own(Says(answer), offered_at, band, tuple(json.loads(evidence)), at, reason)
            for answer, offered_at, band, evidence, at, reason in cast(
                "list[tuple[str, int, str, str, int, str]]",
                box.db.execute("select answer, offered_at, band, evidence, at, reason from link_answers").fetchall(),
            )
        ]
        folded = linking.fold(LINK, (Word.of(notice, place) for place, notice in enumerate(said, 1)), own)
        assert [one.link for one in links.held(box)] == ([] if folded is None else [folded])
        box.close()


def test_kill_9_while_answering_keeps_what_was_promised(tmp_path: Path) -> None:
    """Processes killed at random moments: every answer that was said to be durable is there, signed and folded."""
    times = 200 if os.environ.get("MANARA_LONG") else 12
    command = [sys.executable, "-m", "tests.support.links_worker", str(tmp_path), str(times)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    said = set(done.stdout.split())
    box = open_box(tmp_path)
    stores.examine(box.db)
    found = {one.link.link_id: one.link for one in links.held(box)}
    assert len(said) >= times
    for name in said:
        assert found[name].state is State.ACCEPTED
    given = box.db.execute("select link_id, answer from link_answers where answer = 'ACCEPTED'").fetchall()
    accepted = {name for name, link in found.items() if link.state is State.ACCEPTED}
    assert sorted(str(row[0]) for row in given) == sorted(accepted)
    waiting = [item.key.decode() for item in answers.pending(box)]
    assert len(waiting) == len(set(waiting))
    box.close()


def test_links_go_with_the_content_of_the_alert(hub: Answers) -> None:
    """30 days after its end: what was known of the other side is gone from the file, our answers stay without notes."""
    offered(hub, **OTHER)
    answers.give(hub.outbox, LINK, Says.DECLINED, KEY, now=NOW, why=Why("MISTAKEN_IDENTITY", "a note", {"name": "X Y"}))
    assert retention.erase(hub.outbox, NOW + 200 * DAY) == 1
    assert links.held(hub.outbox) == []
    assert answers.false_hits(hub.outbox, alert_of(hub.outbox)) == []
    (kept,) = links.spoken(hub.outbox, LINK)
    assert (kept.answer, kept.note) == ("DECLINED", "")
    dump = b"".join(path.read_bytes() for path in Path(hub.outbox.db.filename).parent.glob("outbox.db*"))
    assert OTHER["other_reference"].encode() not in dump


def test_an_outbox_of_the_second_wave_is_brought_up(tmp_path: Path) -> None:
    """Its tables are those of a new one, and its alerts are as they were."""
    script = "import apsw,sys; apsw.Connection(sys.argv[1]).execute(sys.stdin.read())"
    old = (Path(__file__).parents[1] / "data" / "outbox-3.sql").read_text()
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "outbox.db")], input=old, text=True, check=True)
    box = open_box(tmp_path)
    (tmp_path / "new").mkdir()
    new = open_box(tmp_path / "new")
    assert tables(box) == tables(new)
    assert box.db.execute("select count(*) from messages").fetchone() == (1,)
    hear(box, match("OFFERED", alert_of(box)))
    assert [one.precedence for one in links.waiting(box)] == ["ROUTINE"]
    box.close()
    new.close()


def tables(box: Outbox) -> dict[str, list[tuple[Any, ...]]]:
    """Each table's columns: name, type, whether it may be null, its place in the key."""
    names = [str(row[0]) for row in box.db.execute("select name from sqlite_schema where type = 'table'").fetchall()]
    return {
        name: sorted((c[1], c[2], c[3], c[5]) for c in box.db.execute(f"pragma table_info({name})").fetchall())
        for name in names
    }


def test_verdicts_and_links_come_in_one_reading(hub: Answers) -> None:
    """A batch of the status topic with both: position, verdict and link stand together."""
    key = next(key for key in hub.directory.keys.values() if key.holder == "hub.links")
    gate = next(key for key in hub.directory.keys.values() if key.holder == "hub.gate")
    digest = str(hub.outbox.db.execute("select digest from messages").fetchall()[0][0])
    spots = [Spot("status", "id", 0, 7), Spot("status", "id", 0, 8)]
    said = [
        Said("notice", match("OFFERED", alert_of(hub.outbox)), key, spots[0], NOW),
        Said("verdict", {"agency": AGENCY, "verdicts": [verdict(digest)]}, gate, spots[1], NOW),
    ]
    ledger = Ledger(hub.outbox, AGENCY)
    ledger.take(said, spots)
    assert ledger.position("status", 0, "id") == 9
    assert [one.link.state for one in links.held(hub.outbox, LIVING)] == [State.OFFERED]
