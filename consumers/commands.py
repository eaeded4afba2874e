"""A member's commands: `edge` (with `edge resend`, `edge enable`), `feed`, `show`, `search` (`search audit`)."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from consumers import rendering, resending
from consumers import show as telling
from consumers.feed import Connection, Feed, open_inbox
from consumers.host import Host
from consumers.host import settings_of as hosted
from consumers.moments import moment
from consumers.search import commands as searching
from consumers.sinks.chosen import NAMES
from consumers.sinks.ledger import Ledger
from consumers.view import iso, line
from manara.console import out, print_json, progress, settings_of
from manara.errors import InputError
from manara.process import run
from manara.settings import Settings
from schemas.registry import ALERT_KINDS


def register(app: typer.Typer) -> None:
    """Add the commands of this role to the command line."""
    edges = typer.Typer(no_args_is_help=False)
    edges.callback(invoke_without_command=True)(edge)
    edges.command("resend")(resend)
    edges.command("enable")(enable)
    app.add_typer(edges, name="edge")
    app.command("feed")(feed)
    app.command("show")(show)
    searching.register(app)


def edge(
    ctx: typer.Context,
    config: Annotated[
        list[Path] | None,
        typer.Option(help="Settings file of an edge; give it several times to host several.", show_default=False),
    ] = None,
    resync: Annotated[
        bool, typer.Option("--resync", help="Read all feeds again from their beginning; what is known is silent.")
    ] = False,
) -> None:
    """Receive, verify and deliver into national systems.

    Runs until Ctrl-C. Every alert is verified again under the roots pinned in the settings, kept in the inbox
    (`<folder>/inbox.db`), brought into each sink (`postgres`, `filedrop`), and receipted.

    Example:  manara --config members/az/manara.toml edge

    Two members in one process:  manara edge --config az.toml --config tr.toml
    """
    if ctx.invoked_subcommand is not None:
        return
    files = config or []
    first = Settings.load(files[0]) if files else settings_of(ctx)
    host = Host(hosted(first, files[1:]), resync=resync)
    with progress() as bar:
        host.show(bar)
        raise typer.Exit(run(host.run, name="edge", settings=first, checks=host.checks))


def resend(
    ctx: typer.Context,
    sink: Annotated[str, typer.Option(help="postgres, filedrop, webhook or syslog.")],
    begin: Annotated[
        str, typer.Option("--from", help="A number of the inbox, or an alert: its id or the start of it.")
    ],
) -> None:
    """Deliver once more by hand: from a number of the inbox on, or all versions of one alert.

    The edge does it beside what is new, under the same keys, so whoever keeps them sees repeats. It may be running or
    not.

    Example:  manara --config members/az/manara.toml edge resend --sink webhook --from 120
    """
    _known_sink(sink)
    with open_inbox(settings_of(ctx)) as inbox:
        count = resending.ask(inbox, sink, begin)
    out().print(f"{count} {'entry' if count == 1 else 'entries'} will be delivered to {sink} again.")


def enable(ctx: typer.Context, sink: Annotated[str, typer.Option(help="The sink, for example webhook.")]) -> None:
    """Let a sink deliver again that its receiver has switched off (410).

    Example:  manara --config members/az/manara.toml edge enable --sink webhook
    """
    _known_sink(sink)
    if not Ledger(settings_of(ctx).folder / sink).enable():
        raise InputError(f"The sink {sink} is not disabled.", "Look at `manara show ALERT` for what it waits for.")
    out().print(f"{sink} is enabled.")


def _known_sink(name: str) -> None:
    if name not in NAMES:
        raise InputError(f"`{name}` is no sink.", f"The sinks are {', '.join(NAMES)}.")


def feed(
    ctx: typer.Context,
    since: Annotated[
        str, typer.Option(help="Begin with what came in the last 30m, 2h, 1d, or since a time.", show_default=False)
    ] = "",
    follow: Annotated[bool, typer.Option(help="Wait for what comes.")] = True,
    kind: Annotated[
        list[str] | None, typer.Option(help="person, route or transfer; may be repeated.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line, as in a pipe.")] = False,
) -> None:
    """Watch alerts as they arrive: FLASH first among what is waiting, EXERCISE marked on every line.

    On a terminal for people; in a pipe, or with --json, one JSON document a line. When the way to the hub is lost it
    says since when.

    Example:  manara --config members/az/manara.toml feed --since 2h

    In a pipe:  manara feed --since 1d --no-follow | jq -r .record.header.action
    """
    wrong = sorted(set(kind or ()) - set(ALERT_KINDS))
    if wrong:
        raise InputError(f"`{wrong[0]}` is no kind of alert.", f"The kinds are {', '.join(ALERT_KINDS)}.")
    begin = moment(since, time.time_ns() // 1000) if since else None
    people = sys.stdout.isatty() and not as_json
    with Feed.open(settings_of(ctx), since=begin, kinds=kind or (), follow=follow) as opened:
        if people:
            _watch(opened, out())
        else:
            _pipe(opened)


def show(
    ctx: typer.Context,
    alert: Annotated[str, typer.Argument(help="The alert's id, the beginning of it, or <agency>/<id>.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Everything about one alert: versions, fields, signature checked now and offline, sinks, receipts.

    Example:  manara --config members/az/manara.toml show 01998c2e
    """
    settings = settings_of(ctx)
    with open_inbox(settings) as inbox:
        found = telling.find(inbox, alert)
        story = telling.everything(inbox, found, settings.roots)
        if as_json:
            print_json(story)
            return
        console = out()
        for text in telling.page(story, found, _width(console)):
            console.print(text, soft_wrap=True)


def _watch(opened: Feed, console: Console) -> None:
    for event in opened.events():
        now = time.time_ns() // 1000
        if isinstance(event, Connection):
            text = rendering.connected(now) if event.since is None else rendering.cut_off(event.since, now)
            console.print(text, soft_wrap=True)
            continue
        for text in rendering.alert(event.entry, _width(console), standing=opened.marks(event)):
            console.print(text, soft_wrap=True)


def _pipe(opened: Feed) -> None:
    for event in opened.events():
        if isinstance(event, Connection):
            lost = event.since is not None
            said = {
                "type": "DISCONNECTED" if lost else "CONNECTED",
                "since": iso(event.since or 0) if event.since else "",
            }
            sys.stdout.write(line(said) + "\n")
        else:
            sys.stdout.write(line(event.as_json()) + "\n")
        sys.stdout.flush()


def _width(console: Console) -> int:
    """The terminal's width; without one, nothing is cut."""
    return console.width if console.is_terminal else 10_000
