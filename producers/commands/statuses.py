"""`manara status` and an author's `manara trace`: what became of our alerts, from the outbox alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from manara.console import out, print_json, print_table
from manara.trace import clock, show
from producers import standing
from producers.commands.saying import agency_settings, counted
from producers.errors import AuthorError
from producers.outbox import Outbox
from producers.standing import Standing
from producers.tracing import trace_own

Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")]
_SHOWN = 20


def status(
    ctx: typer.Context,
    alert: Annotated[
        str, typer.Argument(help="An alert's id, the first 8 characters of it or more, or your own reference.")
    ] = "",
    as_json: Json = False,
) -> None:
    """What has become of our alerts: accepted, sent, admitted or refused (why, and what to do), routed, stored.

    It shows what the relay has brought back; members appear as they answer. Examples:

      manara status
      manara status 2026/118-A
    """
    settings = agency_settings(ctx)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        if alert:
            _one(standing.find(outbox, alert), alert, as_json=as_json)
        else:
            _all(outbox, as_json=as_json)
    finally:
        outbox.close()


def _one(found: list[Standing], alert: str, *, as_json: bool) -> None:
    if not found:
        raise AuthorError(f"No alert of ours is called {alert!r}.", "`manara status` lists the latest.")
    if as_json:
        print_json([{**asdict(one), "stage": one.stage} for one in found])
        return
    screen = out()
    for one in found:
        screen.print(f"{one.kind} {one.alert_id} version {one.version}  {one.national_ref}", style="bold", markup=False)
        for name, at, word in (
            ("accepted", one.accepted_at, f"number {one.number}"),
            ("sent", one.sent_at, ""),
            (one.outcome.lower(), one.judged_at, "again" if one.again else one.reason),
            ("routed", one.routed_at, f"into {counted(one.feeds, 'feed')}"),
            *((member.stage.lower(), member.at, f"{member.member} {member.reason}".strip()) for member in one.members),
        ):
            if at:
                screen.print(f"  {name:<10}{clock(at)}  {word}", markup=False)
        if one.damaged:
            screen.print("  damaged in the outbox: it was not sent; publish it again", style="red", markup=False)
        if one.outcome == "REFUSED":
            screen.print(f"  what to do: {one.remedy}", style="red", markup=False)
            for path, rule in one.errors:
                screen.print(f"    {path}: {rule}", markup=False)
        elif not one.sent_at:
            screen.print("  waits in the outbox: `manara relay` carries it to the hub", markup=False)


def _all(outbox: Outbox, *, as_json: bool) -> None:
    totals = standing.totals(outbox)
    latest = list(standing.latest(outbox, _SHOWN))
    notices = standing.notices(outbox, 5)
    if as_json:
        said = [asdict(notice) for notice in notices]
        found = [{**asdict(one), "stage": one.stage} for one in latest]
        print_json({"totals": totals, "latest": found, "notices": said})
        return
    screen = out()
    strangers = totals.pop("STRANGERS")
    if not latest:
        screen.print("Nothing was published from here yet. `manara new person` writes a template to begin with.")
    for name, count in totals.items():
        screen.print(
            f"{count:>8}  {name.lower() if not name.startswith('REFUSED ') else '  ' + name[8:]}", markup=False
        )
    if strangers:
        text = (
            f"{counted(strangers, 'message')} in our name did not come from this outbox: somebody else has our rights."
        )
        screen.print(text, style="bold red", markup=False)
    for notice in notices:
        screen.print(f"{clock(notice.at)}  notice {notice.type}: {notice.text}", style="yellow", markup=False)
    rows = [(one.alert_id, one.kind, one.national_ref, one.stage, one.reason, clock(one.accepted_at)) for one in latest]
    if rows:
        print_table(("alert", "kind", "reference", "stage", "reason", "accepted"), rows, title="Latest")


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
