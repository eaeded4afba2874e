"""`manara status` and an author's `manara trace`: what became of our alerts, from the outbox alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from manara.console import out, print_json, print_table, printable
from manara.settings import Settings
from manara.trace import clock, show
from producers import anew, delivery, links, standing, validity
from producers.commands.outstanding import links_as_json, report_outstanding, say_dues, say_links, say_warnings
from producers.commands.saying import agency_settings, counted
from producers.delivery import Board
from producers.errors import AuthorError
from producers.hours import now_micros
from producers.outbox import Outbox
from producers.standing import Standing
from producers.tracing import trace_own
from producers.trust import Trust
from producers.validity import LogTime

DAMAGED = (
    "damaged in the outbox: it is not sent, and the hub reports the gap (SEQUENCE_GAP); say it again (`manara publish` "
    "or the step that it was), and have the disk looked at"
)
_BY_CLOCK = {True: "", False: " (by our own clock: the hub has not been heard yet)"}
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")]
_SHOWN = 20


def status(
    ctx: typer.Context,
    alert: Annotated[
        str, typer.Argument(help="An alert's id, the first 8 characters of it or more, or your own reference.")
    ] = "",
    outstanding: Annotated[
        bool, typer.Option("--outstanding", help="What members still owe us; exit code 1 if any of it is overdue.")
    ] = False,
    as_json: Json = False,
) -> None:
    """What has become of our alerts: accepted, sent, admitted or refused (why, and what to do), routed, stored, purged.

    It shows what the relay has brought back, and of each member expected to have the alert what is done, outstanding,
    or past its clock. Examples:

      manara status
      manara status 2026/118-A
      manara status --outstanding
    """
    settings = agency_settings(ctx)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        if outstanding:
            report_outstanding(settings, outbox, alert, as_json=as_json)
        elif alert:
            _one(settings, outbox, alert, as_json=as_json)
        else:
            _all(settings, outbox, as_json=as_json)
    finally:
        outbox.close()


def _one(settings: Settings, outbox: Outbox, alert: str, *, as_json: bool) -> None:
    found = standing.find(outbox, alert)
    if not found:
        raise AuthorError(f"No alert of ours is called {alert!r}.", "`manara status` lists the latest.")
    now = validity.log_time(outbox, now_micros())
    boards = {
        one.alert_id: delivery.of_alert(outbox, one.alert_id, now.at, Trust(settings, outbox).remembered)
        for one in found
    }
    if as_json:
        print_json([_as_json(one, boards[one.alert_id], now) for one in found])
        return
    for lost in anew.lost(outbox, now.at):
        if lost.alert_id in boards:
            out().print(printable(lost.sentence), style="bold red", markup=False)
    for one in found:
        _show(one, boards[one.alert_id], now, latest=_is_latest(one, found))


def _show(one: Standing, board: Board, now: LogTime, *, latest: bool) -> None:
    """One message: what has happened to it, and what has not."""
    screen = out()
    name = f"{one.kind} {one.alert_id} version {one.version} {one.message}  {one.national_ref}"
    screen.print(printable(name), style="bold", markup=False)
    words = one.validity(now.at).words
    if words and latest:
        screen.print(f"  {words}{_BY_CLOCK[now.by_hub]}", style="yellow", markup=False)
    for name, at, word in (
        ("accepted", one.accepted_at, f"number {one.number}"),
        ("sent", one.sent_at, ""),
        (one.outcome.lower(), one.judged_at, "again" if one.again else one.reason),
        ("erased", one.erased_at, "30 days after its end; the proof stays"),
        ("routed", one.routed_at, f"into {counted(one.feeds, 'feed')}"),
        *((member.stage.lower(), member.at, f"{member.member} {member.reason}".strip()) for member in one.members),
    ):
        if at:
            screen.print(printable(f"  {name:<10}{clock(at)}  {word}"), markup=False)
    say_dues(board, one.number, now.at)
    if one.damaged:
        screen.print(f"  {DAMAGED}", style="red", markup=False)
    if one.outcome == "REFUSED":
        screen.print(printable(f"  what to do: {one.remedy}"), style="red", markup=False)
        for path, rule in one.errors:
            screen.print(printable(f"    {path}: {rule}"), markup=False)
    elif not one.sent_at:
        screen.print("  waits in the outbox: `manara relay` carries it to the hub", markup=False)


def _is_latest(one: Standing, found: list[Standing]) -> bool:
    """Whether no later version counts: validity is that of the latest."""
    later = [each for each in found if each.alert_id == one.alert_id and each.version > one.version]
    return one.outcome != "REFUSED" and all(each.outcome == "REFUSED" for each in later)


def _as_json(one: Standing, board: Board, now: LogTime) -> dict[str, object]:
    judged = one.validity(now.at)
    dues = [delivery.as_json(due, now.at) for due in board.dues if due.number == one.number]
    return {
        **asdict(one),
        "stage": one.stage,
        "expired": judged.expired,
        "review_due": judged.review_due,
        "log_time": now.at,
        "log_time_by_hub": now.by_hub,
        "expected": dues,
        "mismatches": [each.sentence for each in board.mismatches if each.version == one.version],
    }


def _all(settings: Settings, outbox: Outbox, *, as_json: bool) -> None:
    now = validity.log_time(outbox, now_micros())
    warned = validity.warnings(outbox, now.at)
    board = delivery.whole(outbox, now.at, Trust(settings, outbox).remembered)
    doubted = delivery.disbelieved(outbox)
    totals = standing.totals(outbox)
    latest = list(standing.latest(outbox, _SHOWN))
    notices = standing.notices(outbox, 5)
    lost = anew.lost(outbox, now.at)
    owed = links.waiting(outbox)
    if as_json:
        said = [asdict(notice) for notice in notices]
        found = [{**asdict(one), "stage": one.stage, "validity": one.validity(now.at).words} for one in latest]
        print_json(
            {
                "totals": totals,
                "latest": found,
                "notices": said,
                "log_time": now.at,
                "log_time_by_hub": now.by_hub,
                "warnings": [asdict(one) for one in warned],
                "publish_anew": [{**asdict(one), "sentence": one.sentence} for one in lost],
                "receipts": {"outstanding": len(board.outstanding), "overdue": board.overdue, "disbelieved": doubted},
                "links": links_as_json(outbox, owed, now.at),
            }
        )
        return
    screen = out()
    _say_totals(totals, anything=bool(latest))
    for each in lost:
        screen.print(printable(each.sentence), style="bold red", markup=False)
    say_warnings(warned)
    if board.outstanding:
        text = f"{counted(len(board.outstanding), 'answer')} of members outstanding, {board.overdue} past their clocks"
        screen.print(f"{text}: `manara status --outstanding`", style="yellow", markup=False)
    say_links(owed, now.at)
    if doubted:
        told = ", ".join(f"{number} {why}" for why, number in doubted.items())
        screen.print(f"Receipts that were not taken: {told}", style="dim", markup=False)
    for notice in notices:
        text = printable(f"{clock(notice.at)}  notice {notice.type}: {notice.text}")
        screen.print(text, style="yellow", markup=False)
    _say_latest(latest, now.at)


def _say_totals(totals: dict[str, int], *, anything: bool) -> None:
    """How many messages stand where; in red, how many others sent in our name."""
    screen = out()
    strangers = totals.pop("STRANGERS")
    if not anything:
        screen.print("Nothing was published from here yet. `manara new person` writes a template to begin with.")
    for name, count in totals.items():
        shown = name.lower() if not name.startswith("REFUSED ") else "  " + name[8:]
        screen.print(printable(f"{count:>8}  {shown}"), markup=False)
    if strangers:
        text = (
            f"{counted(strangers, 'message')} in our name did not come from this outbox: somebody else has our rights."
        )
        screen.print(text, style="bold red", markup=False)


def _say_latest(latest: list[Standing], at: int) -> None:
    """The latest messages as a table; nothing where there are none."""
    rows = [
        (
            one.alert_id,
            str(one.version),
            one.message,
            one.kind,
            one.national_ref,
            one.stage,
            one.reason or one.validity(at).words,
            clock(one.accepted_at),
        )
        for one in latest
    ]
    if rows:
        columns = ("alert", "version", "message", "kind", "reference", "stage", "remark", "accepted")
        print_table(columns, rows, title="Latest")


def trace(
    ctx: typer.Context,
    alert: Annotated[str, typer.Argument(help="An alert's id, the start of it, or your own reference.")],
    as_json: Json = False,
) -> None:
    """One of our alerts' way, with times: accepted, sent, admitted, routed, stored by whom. Example:

    manara trace 2026/118-A
    """
    settings = agency_settings(ctx)
    steps = trace_own(settings, alert)
    if not steps:
        raise AuthorError(f"No alert of ours is called {alert!r}.", "`manara status` lists the latest.")
    show(alert, steps, as_json=as_json)
