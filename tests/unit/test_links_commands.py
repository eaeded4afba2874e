# ruff: noqa: F811 - fixtures of another file
"""`manara links` and what status says of links: words, refusals, exit codes; content moves by an update alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from manara.settings import Settings
from producers import answers, links, versions
from producers.care import Care
from producers.linking import HOUR, MINUTE, State
from producers.outbox import Outbox
from producers.publisher import Publisher
from producers.relay import now_micros
from producers.validity import LOG_TIME
from tests.support.agency import AGENCY, wanted
from tests.support.directories import Network
from tests.support.links import LINK, OTHER, hear, match
from tests.unit.test_agency_commands import Run, net, remember, run, settings  # noqa: F401 - fixtures

pytestmark = pytest.mark.usefixtures("offline")
Hub = Callable[..., None]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the directory for a moment only."""
    monkeypatch.setattr("producers.commands.saying.DIRECTORY_SECONDS", 0.1)


@pytest.fixture
def alert(settings: Settings, net: Network) -> str:
    """An alert of ours to one member; the directory is known."""
    remember(settings, net)
    with Publisher.open(settings) as publisher:
        content = wanted(national_ref="R-1", identifiers=[{"type": "PASSPORT", "value": "P7", "country": "AZ"}])
        return publisher.publish("person", content, audience=["EG"]).alert_id


@pytest.fixture
def hub(settings: Settings, alert: str) -> Hub:
    """What the hub says about the link, `late` microseconds ago; log time is now."""

    def says(about: str, *, late: int = 0, **more: Any) -> None:
        outbox = Outbox.open(settings.folder, AGENCY)
        now = now_micros()
        outbox.db.execute("insert or replace into facts values (?, ?)", (LOG_TIME, now))
        hear(outbox, match(about, alert, at=now - late, **more))
        outbox.close()

    return says


@pytest.fixture
def typed(run: Run) -> Run:
    """A command of this agency."""
    return lambda *words: run("--config", "manara.toml", *words)


def state(settings: Settings) -> State:
    """How the link stands."""
    outbox = Outbox.open(settings.folder, AGENCY)
    found = links.get(outbox, LINK).link.state
    outbox.close()
    return found


def test_an_offer_is_listed_with_its_clock_and_shown_in_words(typed: Run, hub: Hub) -> None:
    """Unnamed; band, evidence, our own alert, clocks and next step."""
    assert "No link waits" in typed("links", "list").out
    hub("OFFERED", late=90 * MINUTE)
    listed = typed("links", "list").out
    assert LINK[:8] in listed
    assert "R-1" in listed
    assert "acknowledge: overdue by 30 min" in listed
    (one,) = json.loads(typed("links", "list", "--json").out)["links"]
    assert (one["state"], one["overdue"], one["others"], one["national_ref"]) == ("OFFERED", True, [], "R-1")
    shown = typed("links", "show", LINK[:8]).out
    for words in (
        "strong: what matched is rarely shared by chance",
        "the dates of birth agree, or differ as slips of the pen do",
        "not named until all sides have accepted",
        "Tural Invented",
        "readers: only EG",
        "acknowledge until",
        "answer until",
        f"next: Say that somebody is at work on it: `manara links acknowledge {LINK[:8]}`",
    ):
        assert words in shown
    machine = json.loads(typed("links", "show", LINK, "--json").out)
    assert machine["our_alert"]["names[0].full"] == "Tural Invented"


def test_acknowledge_accept_and_the_way_to_an_agreement(typed: Run, hub: Hub, settings: Settings) -> None:
    """Accepting is a person's: without a terminal it needs --yes."""
    hub("OFFERED")
    assert "ACKNOWLEDGED: link" in typed("links", "acknowledge", LINK).out
    refused = typed("links", "accept", LINK)
    assert (refused.code, "Add --yes" in refused.err) == (2, True)
    assert state(settings) is State.ACKNOWLEDGED
    told = typed("links", "accept", LINK[:8], "--yes", "--json")
    assert json.loads(told.out)["link"]["state"] == "ACCEPTED"
    assert "ACCEPTED already" in typed("links", "accept", LINK, "--yes").out
    hub("AGREED", **OTHER)
    shown = typed("links", "show", LINK).out
    assert "ma-police (MA) alert 01936d8f-0000-7000-8000-000000000001 reference DGSN/77" in shown
    assert f"manara links share {LINK[:8]}" in shown


def test_on_a_terminal_accept_asks_first(
    typed: Run, hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the person agrees to stands above the question; no is no."""
    hub("OFFERED")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    said = typed("links", "accept", LINK)
    assert (said.code, "the match is strong" in said.out, state(settings)) == (1, True, State.OFFERED)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
    assert typed("links", "accept", LINK).code == 0
    assert state(settings) is State.ACCEPTED


def test_decline_needs_a_reason_of_the_list(typed: Run, hub: Hub, settings: Settings) -> None:
    """The note stays at home; it is not offered again."""
    hub("OFFERED")
    for words in ((), ("--reason", "NO")):
        said = typed("links", "decline", LINK, *words)
        assert (said.code, "MISTAKEN_IDENTITY, NOT_RELATED" in said.err) == (2, True)
    assert typed("links", "decline", LINK, "--reason", "evidence-too-weak", "--note", "Seen by the desk.").code == 0
    shown = typed("links", "show", LINK).out
    assert "declined by us: what matched is too little to act on" in shown
    assert "note: Seen by the desk." in shown
    assert "No link waits" in typed("links", "list").out
    assert LINK[:8] in typed("links", "list", "--all").out
    hub("OFFERED")
    assert state(settings) is State.DECLINED


def test_share_works_for_an_agreed_and_named_link_alone(typed: Run, hub: Hub) -> None:
    """Before that it says what is missing, and nothing is prepared."""
    hub("OFFERED")
    typed("links", "accept", LINK, "--yes")
    said = typed("links", "share", LINK, "--send")
    assert (said.code, "only when both have accepted" in said.err) == (2, True)
    hub("AGREED")
    said = typed("links", "share", LINK, "--send")
    assert (said.code, "does not name the other side" in said.err) == (2, True)


def test_share_shows_who_would_see_what_and_why_and_sends_only_when_told(
    typed: Run, hub: Hub, settings: Settings, alert: str
) -> None:
    """A dry run leaves the outbox as it was; --send says our alert anew to one member more, under the lock."""
    hub("OFFERED")
    hub("AGREED", **OTHER)
    dry = typed("links", "share", LINK)
    for words in (
        "MA would see all of this:",
        "names[0].full: Tural Invented",
        "identifiers[0].value: P7",
        "only EG",
        "only EG, MA",
        "MA reads it: the author listed MA",
        "for the first time: MA",
        "A dry run: nothing was sent",
    ):
        assert words in dry.out, words
    machine = json.loads(typed("links", "share", LINK, "--json").out)
    assert (machine["shared_with"], machine["alert"]["joins"], machine["sent"]) == (["MA"], ["MA"], False)
    assert machine["content"]["names[0].full"] == "Tural Invented"
    assert {"MA": True, "TR": False}.items() <= {
        d["member"]: d["receives"] for d in machine["alert"]["decisions"]
    }.items()
    outbox = Outbox.open(settings.folder, AGENCY)
    assert versions.current(outbox, alert).version == 1
    stale = typed("links", "share", LINK, "--version", "3", "--send")
    assert (stale.code, "at version 1 by now" in stale.err) == (2, True)
    assert typed("links", "share", LINK, "--version", "1", "--send").code == 0
    found = versions.current(outbox, alert)
    assert (found.version, found.last.message, found.last.audience["members"]) == (2, "UPDATE", ["EG", "MA"])
    assert found.last.record["names"] == found.versions[0].record["names"]
    assert OTHER["other_alert"] not in json.dumps(found.last.record)
    again = typed("links", "share", LINK, "--send")
    assert (again.code, "among the readers of the alert" in again.err) == (2, True)
    outbox.close()


def test_of_several_other_sides_all_or_one_is_let_in(typed: Run, hub: Hub) -> None:
    """A pattern of money: each side is named by an agreement of its own."""
    hub("AGREED", **OTHER)
    hub("AGREED", **{**OTHER, "other_agency": "tr-fiu", "other_member": "TR"})
    assert "tr-fiu (TR)" in typed("links", "show", LINK).out
    assert json.loads(typed("links", "share", LINK, "--json").out)["alert"]["joins"] == ["MA", "TR"]
    assert json.loads(typed("links", "share", LINK, "--with", "tr", "--json").out)["alert"]["joins"] == ["TR"]
    said = typed("links", "share", LINK, "--with", "KZ")
    assert (said.code, "KZ is not on the other side" in said.err) == (2, True)


def test_share_is_refused_where_the_policy_would_stop_it(run: Run, hub: Hub, settings: Settings) -> None:
    """An update that leaves the other side as blind as before is not sent."""
    from tests.support.directories import network

    remember(settings, network(2, now=now_micros(), members={"MA": {"tlp": "GREEN"}}))
    hub("AGREED", **OTHER)
    said = run("--config", "manara.toml", "links", "share", LINK, "--send")
    assert (said.code, "MA would not get it. MA does not read it: it is cleared up to GREEN" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("audience", "after"), [({"all_but": ["KZ", "MA"]}, ("ALL_BUT", ["KZ"])), ({"all_but": ["MA"]}, ("ALL", []))]
)
def test_sharing_with_a_member_that_was_left_out_lets_it_in(
    settings: Settings, net: Network, audience: Any, after: tuple[str, list[str]]
) -> None:
    """By the library; the last exclusion lifted is an alert for all."""
    remember(settings, net)
    with Publisher.open(settings) as publisher:
        alert = publisher.publish("person", wanted(national_ref="R-2"), audience=audience).alert_id
        hear(publisher.outbox, match("AGREED", alert, at=now_micros(), **OTHER))
        assert publisher.share(LINK, version=1).version == 2
        to = versions.current(publisher.outbox, alert).last.audience
        assert (to["mode"], to["members"]) == after


def test_a_mistaken_identity_is_kept_and_becomes_an_update_when_asked_for(
    typed: Run, hub: Hub, settings: Settings, alert: str
) -> None:
    """`not_this_person` of our own alert, shown first, sent with --send; said twice it stands there once."""
    hub("OFFERED")
    words = ("links", "decline", LINK, "--reason", "MISTAKEN_IDENTITY")
    told = typed(*words)
    assert (told.code, "The false hit is kept" in told.err) == (0, True)
    assert "1 false hit of this alert" in typed("links", "show", LINK).out
    nobody = typed(*words, "--update")
    assert (nobody.code, "Nobody knows yet who it is" in nobody.err) == (2, True)
    person = ("--not-this-person", "Tural Other", "--birth", "1971-02", "--country", "Azerbaijan")
    dry = typed(*words, *person, "--apart", "Ten years older.", "--update")
    assert (dry.code, "not_this_person[0]" in dry.out, "A dry run" in dry.out) == (0, True, True)
    assert typed(*words, "--update", "--send").code == 0
    outbox = Outbox.open(settings.folder, AGENCY)
    last = versions.current(outbox, alert).last
    entry = {"name": "Tural Other", "birth_date": "1971-02", "country": "AZ", "note": "Ten years older."}
    assert (last.version, last.record["not_this_person"]) == (2, [entry])
    assert len(links.spoken(outbox, LINK)) == 1
    assert answers.false_hits(outbox, alert) == [entry]
    outbox.close()
    again = typed(*words, "--update", "--send")
    assert (again.code, "Nothing would change" in again.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("--reason", "OTHER", "--update"),
        ("--reason", "MISTAKEN_IDENTITY", "--send"),
        ("--reason", "OTHER", "--not-this-person", "X"),
        ("--reason", "MISTAKEN_IDENTITY", "--birth", "1971"),
        ("--reason", "MISTAKEN_IDENTITY", "--not-this-person", "X", "--birth", "1971-13"),
        ("--reason", "MISTAKEN_IDENTITY", "--not-this-person", "X", "--country", "Atlantis"),
    ],
)
def test_what_does_not_fit_a_decline_is_refused_before_anything_is_said(
    typed: Run, hub: Hub, settings: Settings, words: tuple[str, ...]
) -> None:
    """Exit code 2 with what to do; the link is as it was."""
    hub("OFFERED")
    said = typed("links", "decline", LINK, *words)
    assert (said.code, "what to do:" in said.err, state(settings)) == (2, True, State.OFFERED)


def test_status_counts_links_and_names_those_that_are_overdue(typed: Run, hub: Hub, settings: Settings) -> None:
    """In words and for machines; the relay's log has a line, with numbers alone."""
    hub("OFFERED", late=13 * HOUR)
    hub("OFFERED", link_id="cd" * 16)
    said = typed("status").out
    assert "2 links for us to answer, 1 past their clocks: `manara links list`" in said
    assert f"link {LINK[:8]} of our person R-1, strong: acknowledge: overdue by 12 h" in said
    machine = json.loads(typed("status", "--json").out)["links"]
    assert (machine["open"], machine["overdue"], machine["states"]) == (2, 1, {"OFFERED": 2})
    assert [one["owes"] for one in machine["late"]] == ["acknowledge", "answer"]
    typed("links", "acknowledge", LINK)
    assert "answer: overdue by 1 h" in typed("status").out
    outbox = Outbox.open(settings.folder, AGENCY)
    care = Care(outbox)
    care.turn()
    assert care._late == 1
    outbox.close()
    typed("links", "decline", LINK, "--reason", "RESOURCE")
    assert "1 link for us to answer, 0 past their clocks" in typed("status").out


def test_words_of_the_hub_and_of_others_cannot_steer_the_terminal(typed: Run, hub: Hub) -> None:
    """A reference with control and direction characters in it."""
    evil = "x\x1b[2Jx\rx\u202ex"
    hub("AGREED", **{**OTHER, "other_reference": evil, "other_agency": evil}, evidence=[evil])
    for words in (("links", "list"), ("links", "show", LINK), ("status",)):
        assert not set("\x1b\r\u202e") & set(typed(*words).out)


def test_an_answer_that_the_hub_refused_is_told(typed: Run, hub: Hub) -> None:
    """Where the link is shown, and in status."""
    hub("OFFERED")
    typed("links", "accept", LINK, "--yes")
    hub("REFUSED", band="", evidence=[], kind="")
    assert "the hub refused an answer: One sentence." in typed("links", "show", LINK).out
    assert [one["text"] for one in json.loads(typed("links", "show", LINK, "--json").out)["refused"]] == [
        "One sentence."
    ]
    assert f"notice MATCH_REFUSED: Link {LINK[:8]}: One sentence." in typed("status").out


def test_a_link_that_is_not_here_is_said_so(typed: Run, alert: str) -> None:
    """Exit code 2."""
    for words in (("show",), ("acknowledge",), ("share",), ("accept", "--yes"), ("decline", "--reason", "OTHER")):
        said = typed("links", words[0], "deadbeef", *words[1:])
        assert (said.code, "No link is called 'deadbeef'" in said.err) == (2, True)


def test_the_library_lists_and_answers(settings: Settings, hub: Hub) -> None:
    """The Python door says the same as the commands."""
    hub("OFFERED")
    with Publisher.open(settings) as publisher:
        (one,) = publisher.links()
        assert publisher.answer(one.link.link_id, "accepted").answer == "ACCEPTED"
        assert [each.link.state for each in publisher.links([State.ACCEPTED])] == [State.ACCEPTED]
        with pytest.raises(Exception, match="no answer to a link"):
            publisher.answer(one.link.link_id, "MAYBE")
