"""The operator's commands without a broker: what is asked for, what is explained, what reaches the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from manara.console import printable
from manara.errors import InputError
from streams.gate import blocks
from streams.operate import commands, explaining, finding, quarantined, top
from streams.operate.gauges import Gauges, Lane, Row, Seen, View
from streams.operate.log import Read
from tests.support.alerts import Author
from tests.support.directories import NOW, network
from tests.support.gates import NAMES, Desk, Inlets

ALERT = "0193589a-6c00-7abc-8def-0123456789ab"


def test_an_alert_is_named_by_its_id_or_with_its_agency() -> None:
    """As verdicts and feeds show it, in any case."""
    assert finding.parse(ALERT) == ("", ALERT)
    assert finding.parse(f" az-police/{ALERT.upper()} ") == ("az-police", ALERT)


@pytest.mark.parametrize(
    "text", ["", "az-police", f"az/{ALERT}", f"{ALERT}0", "az-police/", "../../etc/passwd", ALERT[:-1]]
)
def test_anything_else_is_no_alert(text: str) -> None:
    """Wrong input, with the form to write."""
    with pytest.raises(InputError, match="is not an alert"):
        finding.parse(text)


def test_the_id_of_an_alert_tells_when_it_was_made() -> None:
    """A UUIDv7 begins with milliseconds."""
    assert finding.made_at(ALERT) == 0x0193589A6C00 * 1000


def test_explain_agrees_with_what_the_gate_decided() -> None:
    """For every member: the policy's answer is what the block records."""
    desk = Desk(network(members={"KZ": {"tlp": "CLEAR"}}))
    (item,) = desk.judge(Inlets().put(Author.of("az-police").write(mode="ALL_BUT", members=["TR"]))).admitted
    answers = {code: explaining.explain(item, code, desk.net.directory) for code in desk.net.directory.members}
    assert all(answer.agrees for answer in answers.values())
    assert {code: answer.rule for code, answer in answers.items()} == {
        "AE": "AUDIENCE_ALL_BUT",
        "AZ": "OWN_ALERT",
        "EG": "AUDIENCE_ALL_BUT",
        "KZ": "TLP_CLEARANCE",
        "MA": "AUDIENCE_ALL_BUT",
        "TR": "EXCLUDED",
    }


def test_an_end_is_explained_by_whom_the_alert_had_reached() -> None:
    """The policy is not asked: who has the alert gets its end, though it was left out or would not be cleared today."""
    desk, inlets, author = Desk(), Inlets(), Author.of("az-police")
    first = author.write(mode="LISTED", members=["EG", "TR"])
    second = author.follow(first, "UPDATE", mode="LISTED", members=["TR"])
    closing = author.follow(second, "WITHDRAW")
    *_, item = desk.judge(*map(inlets.put, (first, second, closing))).admitted
    left, stranger = (explaining.explain(item, code, desk.net.directory) for code in ("EG", "KZ"))
    assert (left.allowed, left.rule, left.agrees) == (True, "REACHED", True)
    assert (stranger.allowed, stranger.rule, stranger.agrees) == (False, "REACHED", True)
    assert "WITHDRAW" in left.sentence


def test_a_block_that_does_not_follow_the_policy_is_said_loudly() -> None:
    """A hub that delivered to somebody who may not read it is found out."""
    desk = Desk()
    (item,) = desk.judge(Inlets().put(Author.of("az-police").write(mode="LISTED", members=["TR"]))).admitted
    item["deliver"].append("MA")
    answer = explaining.explain(item, "MA", desk.net.directory)
    assert not answer.agrees
    assert answer.verdict.startswith("THE BLOCK DISAGREES")


def test_another_directory_than_the_one_that_decided_is_named() -> None:
    """What has changed since is no fault of the hub."""
    desk = Desk()
    (item,) = desk.judge(Inlets().put(Author.of("az-police").write())).admitted
    answer = explaining.explain(item, "TR", network(9, members={"TR": {"standing": "SUSPENDED"}}).directory)
    assert (answer.recorded, answer.allowed, answer.same_directory) == (True, False, False)
    assert "by directory 1, which is no longer at hand" in answer.verdict


def test_text_of_strangers_cannot_steer_a_terminal() -> None:
    """Escape sequences, bidi overrides and line breaks are written out."""
    assert printable("\x1b[2Jа\u202eb\r\n") == "\\x1b[2Jа\\u202eb\\r\\n"


def test_a_span_of_time_is_a_number_and_a_unit() -> None:
    """Two hours are 120 minutes, to the second."""
    assert abs(commands._ago("2h") - commands._ago("120m")) < 1_000_000
    assert commands._ago("") == 0
    with pytest.raises(InputError):
        commands._ago("2 weeks")


def test_hex_shows_the_beginning_and_says_how_much_is_left() -> None:
    """A 100-byte value at 32 bytes: two lines and the rest; null is not empty."""
    lines = quarantined.hex_lines(bytes(range(100)), 32).splitlines()
    assert lines[0] == "000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"
    assert lines[2].startswith("... 68 bytes more")
    assert (quarantined.hex_lines(None), quarantined.hex_lines(b"")) == ("null", "")


def test_a_lane_waits_from_the_committed_offset_on() -> None:
    """Blocks that admit nothing make nobody wait."""
    lane = Lane()
    lane.seen.extend([Seen(4, 10, 3), Seen(5, 20, 0), Seen(6, 30, 2)])
    assert lane.waiting(4) == [Seen(4, 10, 3), Seen(6, 30, 2)]
    assert lane.waiting(5) == [Seen(6, 30, 2)]
    assert lane.waiting(7) == []


class Flood:
    """A log in which there is always more."""

    def __init__(self) -> None:
        self.names = NAMES

    def news(self, _timeout: float) -> list[Read]:
        """One more empty block."""
        return [Read(NAMES.admitted, 3, 0, NOW, b"3", blocks.empty(3), [])]


def test_a_look_ends_though_there_is_always_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load the log never falls silent; the table is shown all the same."""
    gauges = Gauges.__new__(Gauges)
    gauges._log, gauges._lanes, gauges._positions, gauges._last_block = Flood(), {3: Lane()}, {}, 0  # type: ignore[assignment]
    monkeypatch.setattr("streams.operate.gauges._LONGEST_LOOK", 0.02)
    gauges._read()
    assert gauges._last_block == NOW


def test_the_live_table_shows_stages_refusals_and_silence() -> None:
    """What a terminal gets."""
    view = View((Row("gate", None, 12, 75.0), Row("route", 3.25, 0, 0.0)), 40, {"EXPIRED": 2}, None)
    console = Console(file=io.StringIO(), width=100)
    console.print(top.screen(view))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "75.0 s" in shown
    assert "3.2" in shown
    assert "refused EXPIRED 2" in shown
    assert "no block yet" in shown
    assert top.as_record(view)["refused"] == {"EXPIRED": 2}
