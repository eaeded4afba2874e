"""What members owe us, what we owe for links, and what needs its author soon, in words: parts of `manara status`."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from manara.console import out, print_json, print_table, printable
from manara.settings import Settings
from manara.trace import clock
from producers import answers, delivery, links, validity, versions
from producers.clocks import Due, Mark
from producers.commands.saying import counted
from producers.delivery import Board
from producers.hours import now_micros
from producers.links import Held
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


def say_links(waiting: Sequence[Held], now: int) -> None:
    """Links that wait for an answer of ours: how many, and each one that is past its clock."""
    if not waiting:
        return
    screen = out()
    late = [(one, owed(one, now)) for one in waiting if one.overdue(now)]
    text = f"{counted(len(waiting), 'link')} for us to answer, {len(late)} past their clocks: `manara links list`"
    screen.print(text, style="yellow", markup=False)
    for one, words in late[:_SHOWN]:
        name = printable(f"link {one.link.link_id[:8]} of our {one.link.kind} {one.national_ref or one.link.alert_id}")
        screen.print(f"  {name}, {one.link.band.lower()}: {words}", style="red", markup=False)
    if len(late) > _SHOWN:
        screen.print(f"  … and {len(late) - _SHOWN} more", style="red")


def owed(one: Held, now: int) -> str:
    """What we owe for a link next, in words; "" for nothing. What is overdue comes first."""
    due = min((due for due in one.clocks if not due.done_at), key=lambda due: due.due_at, default=None)
    if due is None:
        return ""
    left = f"overdue by {span(now - due.due_at)}" if due.overdue(now) else f"{span(due.due_at - now)} left"
    return f"{due.owes}: {left}"


def links_as_json(outbox: Outbox, waiting: Sequence[Held], now: int) -> dict[str, object]:
    """The same for machines, with how many links stand in each state."""
    late = [
        {"link_id": one.link.link_id, "alert_id": one.link.alert_id, "owes": due.owes, "late_us": now - due.due_at}
        for one in waiting
        for due in one.overdue(now)
    ]
    states = links.counts(outbox)
    unsent = answers.waiting(outbox)
    return {
        "open": len(waiting),
        "overdue": len({one["link_id"] for one in late}),
        "late": late,
        "states": states,
        "unsent": unsent,
    }


def say_warnings(warned: Sequence[Warned]) -> None:
    """Alerts that need their author soon."""
    screen = out()
    for one in warned[:_SHOWN]:
        name = printable(f"{one.kind} {one.alert_id} {one.national_ref}".strip())
        screen.print(f"{name}: {one.validity.words} (until {clock(one.expires_at)})", style="yellow", markup=False)
    if len(warned) > _SHOWN:
        screen.print(f"… and {len(warned) - _SHOWN} more that expire or need a review soon", style="yellow")
