"""What members owe us, and what needs its author soon, in words: parts of `manara status`."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from manara.console import out, print_json, print_table, printable
from manara.settings import Settings
from manara.trace import clock
from producers import delivery, validity, versions
from producers.clocks import Due, Mark
from producers.commands.saying import counted
from producers.delivery import Board
from producers.hours import now_micros
from producers.outbox import Outbox
from producers.trust import Trust
from producers.validity import Warned

_STYLES = {Mark.OVERDUE: "red", Mark.WARNING: "yellow", Mark.WAITING: "", Mark.DONE: "green"}
_SHOWN = 20


def report_outstanding(settings: Settings, outbox: Outbox, alert: str, *, as_json: bool) -> None:
    """The undelivered report: of one alert, or of all. Exit code 1 where anything is past its clock."""
    now = validity.log_time(outbox, now_micros())
    known = Trust(settings, outbox).remembered
    if alert:
        board = delivery.of_alert(outbox, versions.id_of(outbox, alert), now.at, known)
    else:
        board = delivery.whole(outbox, now.at, known)
    if as_json:
        print_json(
            {
                "log_time": now.at,
                "log_time_by_hub": now.by_hub,
                "outstanding": [delivery.as_json(due, now.at) for due in board.outstanding],
                "overdue": board.overdue,
                "unknown": board.unknown,
                "mismatches": [one.sentence for one in board.mismatches],
            }
        )
    else:
        _say(board, now.at)
    if board.overdue:
        raise typer.Exit(1)


def _say(board: Board, now: int) -> None:
    screen = out()
    rows = [
        (due.member, due.stage, due.alert_id, str(due.version), due.message, clock(due.due_at), _state(due, now))
        for due in board.outstanding
    ]
    if rows:
        print_table(("member", "owes", "alert", "version", "message", "until", "state"), rows, title="Outstanding")
    else:
        screen.print("Nothing is outstanding: every member expected to answer has answered.", style="green")
    _say_doubts(board)


def _say_doubts(board: Board) -> None:
    screen = out()
    for one in board.mismatches:
        screen.print(one.sentence, style="yellow", markup=False)
    if board.unknown:
        text = f"{counted(board.unknown, 'admitted message')} without known members: there is no directory here yet"
        screen.print(text, style="yellow", markup=False)


def _state(due: Due, now: int) -> str:
    if due.mark is Mark.OVERDUE:
        return f"overdue by {span(now - due.due_at)}"
    if due.mark is Mark.WARNING:
        return f"not confirmed after {span(now - due.since)}"
    return f"{span(due.due_at - now)} left"


def span(micros: int) -> str:
    """A length of time for people, in its largest unit: 40 s, 12 min, 3 h, 2 d."""
    seconds = max(0, micros) // 1_000_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def say_dues(board: Board, number: int, now: int) -> None:
    """What the members expected to have one message still owe for it; what they did is said with the stages."""
    screen = out()
    mine = [due for due in board.dues if due.number == number]
    if mine:
        screen.print(f"  expected at {', '.join(due.member for due in mine)}", markup=False)
    for due in mine:
        if due.mark is not Mark.DONE:
            words = _state(due, now) if due.mark in _STYLES else str(due.mark).lower()
            text = f"  {due.member} has not {due.stage.lower()} it: {words}"
            screen.print(text, style=_STYLES.get(due.mark, "dim"), markup=False)
    for one in board.mismatches:
        if mine and one.version == mine[0].version:
            screen.print(f"  {one.sentence}", style="yellow", markup=False)


def say_warnings(warned: Sequence[Warned]) -> None:
    """Alerts that need their author soon."""
    screen = out()
    for one in warned[:_SHOWN]:
        name = printable(f"{one.kind} {one.alert_id} {one.national_ref}".strip())
        screen.print(f"{name}: {one.validity.words} (until {clock(one.expires_at)})", style="yellow", markup=False)
    if len(warned) > _SHOWN:
        screen.print(f"… and {len(warned) - _SHOWN} more that expire or need a review soon", style="yellow")
