"""A trace: steps in the order of an alert's way, for people and for machines."""

from __future__ import annotations

import json
import sys

import pytest

from manara.trace import TraceStep, clock, in_order, show

STEPS = [
    TraceStep("STORED", 1_795_521_600_250_000, "edge.tr", ""),
    TraceStep("ADMITTED", 1_795_521_600_000_000, "hub.gate", "lane 3"),
    TraceStep("ADMITTED", 1_795_521_600_000_000, "hub.gate", "lane 3"),
    TraceStep("ROUTED", 1_795_521_600_100_000, "hub.route", "2 feeds"),
]


def test_steps_come_in_the_order_of_an_alert_s_way_each_once() -> None:
    """Logs are read in any order, and repeat."""
    assert [step.stage for step in in_order(STEPS)] == ["ADMITTED", "ROUTED", "STORED"]


def test_times_are_utc_to_the_millisecond() -> None:
    """Nothing is said where nothing is known."""
    assert clock(1_795_521_600_250_000) == "2026-11-24T12:00:00.250Z"
    assert clock(0) == ""


def test_a_trace_is_a_table_for_pipes_and_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """The same steps in both."""
    show("az-police/x", in_order(STEPS), as_json=False)
    rows = capsys.readouterr().out.splitlines()
    assert rows[1].split("\t") == ["ADMITTED", "2026-11-24T12:00:00.000Z", "+0.000 s", "hub.gate", "lane 3"]
    assert rows[3].split("\t")[2] == "+0.250 s"
    show("az-police/x", in_order(STEPS), as_json=True)
    assert [step["who"] for step in json.loads(capsys.readouterr().out)["steps"]] == [
        "hub.gate",
        "hub.route",
        "edge.tr",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_what_others_wrote_neither_steers_the_terminal_nor_is_taken_for_markup(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reason is another member's text, a reference may look like markup: both are shown, letter by letter."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    hostile = TraceStep("FAILED", 1_795_521_600_000_000, "edge.tr", "\x1b[2J\u202etxt\n[/x] [red]no")
    show("2026/[/x]", [hostile], as_json=False)
    said = capsys.readouterr().out
    assert not {"\x1b[2J", "\u202e"} & {said[at : at + size] for at in range(len(said)) for size in (1, 4)}
    assert "\\x1b[2J\\u202etxt\\n[/x] [red]no" in said
    assert "2026/[/x]" in said or not terminal
