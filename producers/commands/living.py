# ruff: noqa: PLR0913, PLR0917 - each parameter is an option of the command line
"""`manara update`, `extend`, `suspend`, `resume`, `cancel`, `withdraw`, `fulfil`: what becomes of an alert later.

Each is a dry run unless --send: what changes, who would get it, who would be told that it no longer does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from manara.console import out, print_json
from producers import checking, reading, validity, versions
from producers.commands.publishing import confirm_or_go, refuse, send_drafts
from producers.commands.saying import agency_settings, look_up, note
from producers.composing import Author, Draft
from producers.errors import AuthorError, FaultyError
from producers.hours import now_micros
from producers.nodes import Node
from producers.outbox import Outbox
from producers.planning import Plan, plan
from producers.publisher import extended
from producers.versions import Current

Alert = Annotated[str, typer.Argument(help="An alert's id, the first 8 characters of it or more, or your reference.")]
Send = Annotated[bool, typer.Option("--send", help="Send. Without it, only show what would happen.")]
Wait = Annotated[bool, typer.Option("--wait", help="Carry it to the hub and wait for its verdict.")]
Timeout = Annotated[float, typer.Option(help="With --wait: seconds to wait at most.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")]
Lock = Annotated[
    int | None, typer.Option("--version", help="The version that this is about; refused where it is not the current.")
]
Note = Annotated[str, typer.Option(help="A sentence for whoever holds the alert. No names: it is kept as proof.")]
Make = Callable[[Current, int], Draft]
Look = Callable[[Plan], Mapping[str, object]]


class How(NamedTuple):
    """The options that all of these commands have."""

    send: bool
    wait: bool
    timeout: float
    yes: bool
    as_json: bool
    version: int | None


def update(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The alert as it shall be, in full: YAML or JSON.")],
    alert: Annotated[str, typer.Argument(help="Which alert; the file's alert_id or national_ref without it.")] = "",
    send: Send = False,
    wait: Wait = False,
    timeout: Timeout = 60.0,
    version: Lock = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Say an alert anew, in full; its audience and dates stay where the file leaves them out.

    Members that the new audience leaves out are told so by the hub. Examples:

      manara update wanted.yaml
      manara update wanted.yaml 2026/118-A --send --wait
    """
    node = _read(file, as_json=as_json)
    settings = agency_settings(ctx)
    author = Author.of(settings.agency)
    chosen = alert or _named(node, file)
    act(
        ctx,
        chosen,
        "UPDATE",
        How(send, wait, timeout, yes, as_json, version),
        lambda now_at, now: _from_file(versions.update(now_at, node, author, now), file),
    )


def extend(
    ctx: typer.Context,
    alert: Alert,
    until: Annotated[str, typer.Option(help="The last day, as in 2027-06-30, or days from now, as in +90d.")],
    review: Annotated[str, typer.Option(help="When to look at it again; a review that is due counts as done.")] = "",
    send: Send = False,
    wait: Wait = False,
    timeout: Timeout = 60.0,
    version: Lock = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let an alert hold for longer. Example:

    manara extend 2026/118-A --until +90d --send
    """
    how = How(send, wait, timeout, yes, as_json, version)
    act(ctx, alert, "EXTEND", how, lambda now_at, now: extended(now_at, until, review, now))


def suspend(
    ctx: typer.Context,
    alert: Alert,
    send: Send = False,
    wait: Wait = False,
    timeout: Timeout = 60.0,
    version: Lock = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Tell all who hold an alert not to act on it for now. Example:

    manara suspend 2026/118-A --send --wait
    """
    how = How(send, wait, timeout, yes, as_json, version)
    act(ctx, alert, "SUSPEND", how, lambda now_at, now: versions.follow(now_at, "SUSPEND", now))


def resume(
    ctx: typer.Context,
    alert: Alert,
    send: Send = False,
    wait: Wait = False,
    timeout: Timeout = 60.0,
    version: Lock = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put a suspended alert in force again. Example:

    manara resume 2026/118-A --send --wait
    """
    how = How(send, wait, timeout, yes, as_json, version)
    act(ctx, alert, "RESUME", how, lambda now_at, now: versions.follow(now_at, "RESUME", now))


def cancel(
    ctx: typer.Context,
    alert: Alert,
    reason: Annotated[str, typer.Option(help=" | ".join(versions.REASONS["CANCEL"]))] = "",
    note: Note = "",
    send: Send = False,
    wait: Wait = False,
    timeout: Timeout = 60.0,
    version: Lock = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """End an alert that is no longer wanted, or was an error. Example:

    manara cancel 2026/118-A --reason ISSUED_IN_ERROR --send --wait
    """
    _end(ctx, alert, "CANCEL", (reason, note), How(send, wait, timeout, yes, as_json, version))


def withdraw(
    ctx: typer.Context,
    alert: Alert,
    reason: Annotated[str, typer.Option(help=" | ".join(versions.REASONS["WITHDRAW"]))] = "",
    note: Note = "",
    send: Send = False,
    wait: Wait = False,
    timeout: Timeout = 60.0,
    version: Lock = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """End an alert and have everybody whom it ever reached delete it. `manara purge-proof` says who has. Example:

    manara withdraw 2026/118-A --send --wait
    """
    _end(ctx, alert, "WITHDRAW", (reason, note), How(send, wait, timeout, yes, as_json, version))


def fulfil(
    ctx: typer.Context,
    alert: Alert,
    reason: Annotated[str, typer.Option(help=" | ".join(versions.REASONS["FULFIL"]))] = "",
    note: Note = "",
    send: Send = False,
    wait: Wait = False,
    timeout: Timeout = 60.0,
    version: Lock = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """End an alert that has done its work. Example:

    manara fulfil 2026/118-A --note "Found in Casablanca." --send
    """
    _end(ctx, alert, "FULFIL", (reason, note), How(send, wait, timeout, yes, as_json, version))


def _end(ctx: typer.Context, alert: str, message: str, why: tuple[str, str], how: How) -> None:
    reason, text = why
    act(ctx, alert, message, how, lambda now_at, now: versions.end(now_at, message, now, reason=reason, note=text))


def _read(file: Path, *, as_json: bool) -> Node:
    try:
        nodes = reading.read_file(file)
    except FaultyError as error:
        refuse(error.faults, as_json=as_json)
        raise
    if len(nodes) != 1:
        raise AuthorError(f"{file} holds {len(nodes)} alerts.", "Put the one that you update into a file of its own.")
    return nodes[0]


def _named(node: Node, file: Path) -> str:
    """How the file itself calls the alert."""
    fields = node.value if isinstance(node.value, dict) else {}
    header = fields.get("header")
    inner = header.value if header is not None and isinstance(header.value, dict) else {}
    for name in ("alert_id", "national_ref"):
        found = fields.get(name) or inner.get(name)
        if found is not None and isinstance(found.value, str) and found.value.strip():
            return found.value.strip()
    raise AuthorError(
        f"{file} does not say which alert it is.",
        f"Write its id or reference behind the file: `manara update {file} 2026/118-A`.",
    )


def _from_file(draft: Draft, file: Path) -> Draft:
    draft.file = str(file)
    return draft


def act(ctx: typer.Context, alert: str, message: str, how: How, make: Make, look: Look | None = None) -> None:
    """Plan one step of an alert's life, show it, and with --send take it.

    `look` sees the plan first: it may refuse it, and what it returns is said beside it in --json.
    """
    settings = agency_settings(ctx)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        now_at = versions.current(outbox, alert)
        versions.check(now_at, message, version=how.version, log_time=validity.log_time(outbox, 0).at)
        directory, remark = look_up(settings, outbox)
        draft = make(now_at, now_micros())
        faults = checking.judge_all([draft], directory, now_micros())
        if faults:
            refuse(faults, as_json=how.as_json)
        found = plan(now_at, draft, directory)
    finally:
        outbox.close()
    if remark:
        note(remark)
    more = look(found) if look is not None else {}
    if how.as_json and not how.send:
        print_json({"sent": False, "alert": found.as_json(), **more})
    elif not how.as_json:
        _show(found, sending=how.send, why=look is not None)
    if not how.send:
        return
    if not how.yes and not how.as_json and not confirm_or_go(f"{message.title()} the alert {now_at.alert_id}?"):
        raise typer.Exit(1)
    send_drafts(settings, [draft], wait=how.wait, timeout=how.timeout, as_json=how.as_json)


def _show(found: Plan, *, sending: bool, why: bool = False) -> None:
    screen, header = out(), found.draft.header
    screen.print(
        f"{header['message']} of {found.draft.kind} {header['alert_id']}: version {found.based_on} becomes "
        f"{header['version']}",
        style="bold",
        markup=False,
    )
    for change in found.changes:
        screen.print(f"  {change.path}", markup=False)
        if change.old:
            screen.print(f"    - {change.old}", style="red", markup=False)
        if change.new:
            screen.print(f"    + {change.new}", style="green", markup=False)
    if found.receives is None:
        screen.print("  who would receive it is not known: there is no directory here", markup=False)
    else:
        screen.print(f"  would go to {', '.join(found.receives) or 'nobody'}", markup=False)
    for _, decision in found.decisions if why else ():
        screen.print(f"    {decision.sentence} [{decision.rule}]", style="dim", markup=False)
    if found.joins:
        screen.print(f"    for the first time: {', '.join(found.joins)}", style="yellow", markup=False)
    if found.leaves:
        screen.print(f"  would be told NO_LONGER_ADDRESSED: {', '.join(found.leaves)}", style="yellow", markup=False)
    if header["message"] == "WITHDRAW":
        screen.print("  all of them must delete every version of it and sign that they have", markup=False)
    if not sending:
        screen.print("A dry run: nothing was sent. Add --send to send.", style="bold")
