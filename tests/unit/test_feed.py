"""The feed: order, exercises that cannot pass for real, text that cannot harm a terminal, and being cut off."""

from __future__ import annotations

import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from consumers import rendering, summary
from consumers.entry import Entry
from consumers.errors import AlertNotFoundError, EdgeError
from consumers.feed import Alert, Connection, Feed, open_inbox
from consumers.heartbeat import SILENCE
from consumers.inbox import Inbox
from consumers.moments import moment
from consumers.show import everything, find, page
from consumers.text import FSI, PDI, clean, safe
from consumers.view import document, line
from manara.errors import InputError
from manara.settings import Settings
from schemas import codec
from schemas.registry import by_name
from tests.support.alerts import Author
from tests.support.directories import DAY, NOW, network
from tests.support.entries import accepted, alerts, entries, filled, mixture, notice, sent, unruly

NET = network()


def shown(entry: Entry, width: int = 100) -> list[str]:
    """The lines of an alert, as a terminal gets them."""
    return [text.plain for text in rendering.alert(entry, width)]


def name(full: str) -> dict[str, Any]:
    """A record with this name."""
    return {"names": [{"full": full, "parts": [], "script": "Arab", "lang": "", "kind": "BIRTH"}], "description": full}


@pytest.mark.parametrize("status", ["EXERCISE", "TEST", "SYSTEM"])
@pytest.mark.parametrize("width", [60, 100, 200])
def test_every_line_of_what_is_not_real_says_so(tmp_path: Path, status: str, width: int) -> None:
    """On the narrowest terminal too; no line of it can be mistaken alone."""
    for entry in entries(alerts(1, status=status), tmp_path):
        found = shown(entry, width)
        assert len(found) > 1
        assert all(row.startswith(f" {status} ") for row in found)


@pytest.mark.parametrize("width", [80, 110])
def test_nothing_that_decides_is_cut_from_an_alert(tmp_path: Path, width: int) -> None:
    """What to do, warnings, handling and expiry are whole on a usual terminal."""
    made = [*alerts(1, record={"warnings": ["ARMED", "VIOLENT"]}), *alerts(1, agency="tr-customs", kind="route")]
    for entry in entries(made, tmp_path):
        text = "\n".join(shown(entry, width))
        assert all(detail in text for detail in summary.details(entry))
        assert all(len(row) <= width for row in shown(entry, width))


def test_a_real_alert_carries_no_banner(tmp_path: Path) -> None:
    """The banner means something because it is not always there."""
    (entry,) = entries(alerts(1, status="ACTUAL"), tmp_path)
    assert not any("EXERCISE" in row for row in shown(entry))


def test_the_most_urgent_comes_first_among_what_is_waiting(tmp_path: Path) -> None:
    """Otherwise the order of the inbox holds."""
    order = ["ROUTINE", "FLASH", "PRIORITY", "IMMEDIATE", "FLASH"]
    author = Author.of("az-police")
    inbox = filled(tmp_path, [accepted(sent(author.write(precedence=one))) for one in order])
    feed = Feed(inbox, follow=False)
    assert [(alert.precedence, alert.number) for alert in feed] == [
        ("FLASH", 2),
        ("FLASH", 5),
        ("IMMEDIATE", 4),
        ("PRIORITY", 3),
        ("ROUTINE", 1),
    ]


def test_what_comes_later_comes_after(tmp_path: Path) -> None:
    """Nothing is shown twice, and nothing is consumed by looking."""
    made = alerts(5)
    inbox = filled(tmp_path, made[:2])
    feed = Feed(Inbox.open(tmp_path), follow=False)
    assert [alert.number for alert in feed] == [1, 2]
    inbox.take(made, now=NOW)
    assert [alert.number for alert in feed] == [3, 4, 5]
    assert [alert.number for alert in Feed(Inbox.open(tmp_path), follow=False)] == [1, 2, 3, 4, 5]


def test_a_feed_can_be_of_some_kinds_and_from_some_time(tmp_path: Path) -> None:
    """`--kind` and `--since`."""
    inbox = filled(tmp_path, mixture(3))
    inbox.db.execute("update inbox set received_at = ? where number = 1", (NOW - DAY,))
    settings = Settings(folder=tmp_path)
    assert [a.kind for a in Feed.open(settings, kinds=["route"], follow=False)] == ["route"]
    assert [a.number for a in Feed.open(settings, since=NOW - 1, follow=False)] == [2, 3]
    assert [a.number for a in Feed.open(settings, since=NOW + 1, follow=False)] == []


def test_notices_are_events_but_no_alerts(tmp_path: Path) -> None:
    """A program that prints alerts does not print that one is gone as if it were one."""
    filled(tmp_path, mixture(3))
    feed = Feed.open(Settings(folder=tmp_path), follow=False)
    assert all(not alert.notice for alert in feed)
    feed = Feed.open(Settings(folder=tmp_path), follow=False)
    assert [event.notice for event in feed.events() if isinstance(event, Alert)].count(True) == 1


def test_being_cut_off_is_said_once_and_its_end_too(tmp_path: Path) -> None:
    """Since when, by our own clock."""
    time = [NOW]
    inbox = filled(tmp_path, alerts(1))
    inbox.put_meta({"edge_seen": NOW, "heartbeat_seen": NOW})
    feed = Feed(inbox, after=1, follow=False, clock=lambda: time[0])
    assert list(feed.events()) == []
    time[0] = NOW + SILENCE + 1
    assert list(feed.events()) == [Connection(NOW)]
    assert list(feed.events()) == []
    inbox.put_meta({"edge_seen": time[0], "heartbeat_seen": time[0]})
    assert list(feed.events()) == [Connection(None)]


def test_an_inbox_that_never_heard_of_the_hub_says_that(tmp_path: Path) -> None:
    """At the first look."""
    feed = Feed(filled(tmp_path, []), follow=False, clock=lambda: NOW)
    assert list(feed.events()) == [Connection(0)]
    assert "never" in rendering.cut_off(0, NOW).plain
    assert "2 h 5 min" in rendering.cut_off(NOW, NOW + 7_500_000_000).plain


def test_expiry_goes_by_the_networks_time(tmp_path: Path) -> None:
    """Not by a desk's clock that may be wrong."""
    inbox = filled(tmp_path, alerts(1, expires_at=NOW + DAY))
    feed = Feed(inbox, follow=False, clock=lambda: NOW + 9 * DAY)
    (alert,) = feed
    assert feed.expired(alert)
    inbox.put_meta({"heartbeat_at": NOW})
    assert not feed.expired(alert)


TURNING = ("LRO", "RLO", "LRE", "RLE", "LRI", "RLI", "FSI", "PDI", "PDF")
HOSTILE = [
    "\x1b[2J\x1b[31mred", "\x9b31m", "a\rb", "a\x08b", "\u202eevil\u202c", "\u2066x", "\ufeffx", "\x00", "a\u2028b",
    "\U000e0041tag", "line\nline", "\u200f", "[bold red]markup[/]",
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_no_text_of_a_stranger_reaches_the_terminal_as_it_is(hostile: str, tmp_path: Path) -> None:
    """In the feed and in `show`: no control or format character, and each alert keeps its number of lines."""
    (entry,) = entries([unruly(record=name(hostile), national_ref=hostile)], tmp_path)
    inbox = Inbox.open(tmp_path)
    console = Console(record=True, width=100, force_terminal=True, file=io.StringIO())
    told = everything(inbox, [entry], NET.pins)
    for text in [*rendering.alert(entry, 100), *page(told, [entry], 100)]:
        plain = text.plain
        assert "\n" not in plain
        assert not [
            char for char in plain if unicodedata.category(char) in {"Cc", "Cf", "Zl"} and char not in (FSI, PDI)
        ]
        console.print(text)
    assert ("markup" not in hostile) or "[bold red]markup[/]" in console.export_text()


@given(st.text())
def test_cleaned_text_is_one_line_of_harmless_characters(text: str) -> None:
    """For every text that Unicode knows."""
    cleaned = clean(text, 80)
    assert not any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs", "Co") for char in cleaned)
    assert not any(
        unicodedata.bidirectional(char) in ("LRO", "RLO", "LRE", "RLE", "LRI", "RLI", "FSI", "PDI", "PDF")
        for char in cleaned
    )
    assert clean(cleaned, 80) == cleaned


def test_names_from_right_to_left_stand_isolated_and_others_do_not() -> None:
    """Beside an Arabic name, numbers and Latin words keep their places."""
    assert safe("محمد علي") == f"{FSI}محمد علي{PDI}"
    assert safe("Тест") == "Тест"
    assert safe("Tural") == "Tural"
    assert clean("می‌خواهم") == "می‌خواهم"  # the joiner belongs to the word


@given(st.text(max_size=50))
def test_a_line_of_json_holds_everything_and_is_harmless(text: str) -> None:
    """Escaped, not lost: what comes out of the pipe is what was signed."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    written = line({"text": text})
    assert json.loads(written) == {"text": text}
    assert not any(unicodedata.category(char) == "Cc" or char in "\u202e\u2066\u2028" for char in written)


def test_a_document_holds_the_record_and_the_bytes(tmp_path: Path) -> None:
    """What pipes and the file drop get."""
    (entry,) = entries(alerts(1), tmp_path)
    told = json.loads(line(document(entry)))
    assert told["record"] == codec.decode(by_name("person"), entry.value[5:])
    assert told["at"] == "2026-11-24T12:00:00Z"


def test_show_tells_everything_about_one_alert(tmp_path: Path) -> None:
    """Fields, signature, sinks, receipts; verified with the kept directory under our own pins."""
    made = mixture(3)
    inbox = filled(tmp_path, made)
    frame = codec.frame(by_name("directory"), codec.encode(by_name("directory"), NET.record))
    inbox.keep_directory(1, frame, [], NOW)
    inbox.db.execute("insert into sinks values ('postgres', 2, 1, ?, 'OK', '')", (NOW,))
    inbox.db.execute("insert into sinks values ('filedrop', 9, 0, ?, 'OK', '')", (NOW,))
    inbox.db.execute("insert into dead_letters values ('filedrop', 1, 5, 'too odd', ?)", (NOW,))
    inbox.db.execute("insert into receipt_batches values (1, 'az-police', null, null, ?, ?)", (NOW, NOW + 1))
    inbox.db.execute("insert into receipt_items values (1, 1, 'STORED', '')")
    found = find(inbox, f"az-police/{made[0].arrival.alert_id}")
    story = everything(inbox, found, NET.pins)
    assert [told["type"] for told in story["entries"]] == ["ALERT", "NOTICE"]
    first = story["entries"][0]
    assert (first["signature"]["state"], first["signature"]["holder"]) == ("GOOD", "az-police")
    assert [(one["sink"], one["state"]) for one in first["sinks"]] == [("filedrop", "DEAD"), ("postgres", "STORED")]
    assert first["receipts"][0]["stage"] == "STORED"
    assert story["entries"][1]["signature"]["state"] == "GOOD"
    text = "\n".join(row.plain for row in page(story, found, 120))
    assert "names[0].full: Tural Invented" in text
    assert "header.expires_at: 2026-12-24T12:00:00Z" in text
    assert "too odd" in text
    json.dumps(story)


@pytest.mark.parametrize(
    ("pins", "state"), [({}, "UNKNOWN_KEY"), ({**NET.pins, "AZ": "00" * 32}, "UNKNOWN_KEY"), (NET.pins, "GOOD")]
)
def test_show_believes_its_own_pins_alone(tmp_path: Path, pins: dict[str, str], state: str) -> None:
    """A root that we do not pin vouches for nothing."""
    inbox = filled(tmp_path, alerts(1))
    frame = codec.frame(by_name("directory"), codec.encode(by_name("directory"), NET.record))
    inbox.keep_directory(1, frame, [], NOW)
    story = everything(inbox, inbox.after(0, 1), pins)
    assert story["entries"][0]["signature"]["state"] == state


def test_show_finds_a_flipped_bit(tmp_path: Path) -> None:
    """A disk that forgets is found out by the signature."""
    inbox = filled(tmp_path, alerts(1))
    frame = codec.frame(by_name("directory"), codec.encode(by_name("directory"), NET.record))
    inbox.keep_directory(1, frame, [], NOW)
    (entry,) = inbox.after(0, 1)
    value = bytearray(entry.value)
    value[-3] ^= 1
    inbox.db.execute("update inbox set value = ?", (bytes(value),))
    assert everything(inbox, inbox.after(0, 1), NET.pins)["entries"][0]["signature"]["state"] == "BAD_SIGNATURE"


def test_show_cuts_nothing(tmp_path: Path) -> None:
    """A long narrative goes on in the next line, which carries the banner too."""
    words = " ".join(f"word{number}" for number in range(150))
    inbox = filled(tmp_path, alerts(1, narrative=[{"lang": "en", "text": words}]))
    found = inbox.after(0, 1)
    rows = [row.plain for row in page(everything(inbox, found, NET.pins), found, 80)]
    assert all(f"word{number}" in " ".join(rows) for number in range(150))
    assert all(row.startswith(" EXERCISE ") for row in rows[2:])
    assert max(len(row) for row in rows[2:]) <= 80


def test_an_alert_that_is_not_there_or_not_clear_is_said(tmp_path: Path) -> None:
    """With what to do instead."""
    inbox = filled(tmp_path, alerts(3))
    first = inbox.after(0, 1)[0].alert_id
    for words, sentence in (("abcd", "no alert"), ("ab", "too short"), (first[:8], "means 3 alerts")):
        with pytest.raises(AlertNotFoundError, match=sentence) as caught:
            find(inbox, words)
        assert caught.value.remedy
        assert caught.value.exit_code == 2


def test_without_an_edge_there_is_no_inbox_to_read(tmp_path: Path) -> None:
    """And none is made by looking for it."""
    with pytest.raises(EdgeError, match="no inbox"):
        open_inbox(Settings(folder=tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("90s", NOW - 90_000_000),
        ("30m", NOW - 1_800_000_000),
        ("2h", NOW - 7_200_000_000),
        ("1d", NOW - DAY),
        ("2026-11-24", NOW - DAY // 2),
        ("2026-11-24T12:00", NOW),
        ("2026-11-24T16:00+04:00", NOW),
        ("99999999d", 0),
    ],
)
def test_times_are_meant_as_people_write_them(said: str, meant: int) -> None:
    """Durations, and times in UTC unless they say otherwise."""
    assert moment(said, NOW) == meant


@pytest.mark.parametrize("said", ["", "h", "2x", "yesterday", "-2h"])
def test_what_is_no_time_is_said(said: str) -> None:
    """With an example of what is."""
    with pytest.raises(InputError, match="no time"):
        moment(said, NOW)


def test_an_end_and_a_notice_are_told_as_such(tmp_path: Path) -> None:
    """They have no subject of their own."""
    header = alerts(1)[0].arrival
    (entry,) = entries([accepted(notice(header.agency, header.alert_id, 2))], tmp_path)
    assert "no longer addressed" in shown(entry)[0]
