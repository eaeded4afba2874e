"""`manara publish`: a dry run that says who would receive what and why; with --send the real thing."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from manara.console import confirm, out, print_json, printable, progress
from manara.errors import BrokerError
from manara.settings import Settings
from producers import checking, standing
from producers.commands.checks import Files
from producers.commands.saying import agency_settings, counted, look_up, note, say_faults
from producers.composing import Author, Draft
from producers.errors import AuthorError
from producers.hours import now_micros
from producers.outbox import SAME_CONTENT, Accepted, Outbox
from producers.preview import preview
from producers.publisher import Publisher, new_id
from producers.standing import Standing
from schemas.directory import Directory


def publish(
    ctx: typer.Context,
    files: Files,
    send: Annotated[bool, typer.Option("--send", help="Send. Without it, only show what would happen.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Carry them to the hub and wait for its verdicts.")] = False,
    timeout: Annotated[float, typer.Option(help="With --wait: seconds to wait at most.")] = 60.0,
    again: Annotated[bool, typer.Option("--again", help="Send what was sent before a second time.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")] = False,
) -> None:
    """Publish alert files. A dry run unless --send: who would receive each alert and why, and whether it was sent
    before.

    "Accepted" means signed and safe in the outbox; `manara relay` (or --wait) carries it to the hub. Examples:

      manara publish wanted.yaml
      manara publish wanted.yaml --send --wait
    """
    settings = agency_settings(ctx)
    drafts = _drafts(files, settings, as_json=as_json)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        directory, remark = look_up(settings, outbox)
        plan = _judged(drafts, directory, outbox, as_json=as_json)
    finally:
        outbox.close()
    if remark:
        note(remark)
    if not send:
        _show_plan(plan, drafts, as_json=as_json)
        return
    if not as_json:
        _show_plan(plan, drafts, as_json=False, sending=True)
    if not again:
        _refuse_doubles(plan, drafts)
    if not yes and not as_json and not confirm_or_go(f"Send {counted(len(drafts), 'alert')}?"):
        raise typer.Exit(1)
    send_drafts(settings, drafts, wait=wait, timeout=timeout, as_json=as_json)


def _refuse_doubles(plan: list[dict[str, Any]], drafts: list[Draft]) -> None:
    """An alert that says what another one says already would be a second alert on the same thing in every state."""
    for entry, draft in zip(plan, drafts, strict=True):
        same = [one for one in entry["alike"] if one["because"] == SAME_CONTENT and one["alert_id"] != draft.alert_id]
        if same:
            raise AuthorError(
                f"The alert in {draft.file} was sent before, as {same[0]['alert_id']}; nothing was sent.",
                "`manara status` says what became of it. To send it once more, as another alert, add --again.",
            )


def confirm_or_go(question: str) -> bool:
    """Ask on a terminal; a script that said --send has answered already."""
    return confirm(question, yes=not sys.stdin.isatty())


def _drafts(files: list[Path], settings: Settings, *, as_json: bool) -> list[Draft]:
    drafts, faults = checking.draft_files(files, Author.of(settings.agency), now_micros(), new_id)
    if faults:
        refuse(faults, as_json=as_json)
    return drafts


def refuse(faults: Sequence[Any], *, as_json: bool) -> None:
    """Say all faults, and end the command."""
    if as_json:
        print_json({"sent": False, "errors": [fault.as_json() for fault in faults]})
    else:
        say_faults(faults)
        out().print(f"{counted(len(faults), 'error')}; nothing was sent.", style="bold red")
    raise typer.Exit(2)


def _judged(drafts: list[Draft], directory: Directory | None, outbox: Outbox, *, as_json: bool) -> list[dict[str, Any]]:
    """What would happen to each draft; ends the command where one has faults."""
    faults = checking.judge_all(drafts, directory, now_micros())
    if faults:
        refuse(faults, as_json=as_json)
    plan: list[dict[str, Any]] = []
    for draft in drafts:
        seen = preview(draft, directory).as_json() if directory else None
        alike = [
            {"alert_id": one.alert_id, "number": one.number, "because": one.because} for one in outbox.alike(draft)
        ]
        plan.append({"kind": draft.kind, "national_ref": draft.header["national_ref"], "readers": seen, "alike": alike})
    return plan


def _show_plan(plan: list[dict[str, Any]], drafts: list[Draft], *, as_json: bool, sending: bool = False) -> None:
    if as_json:
        print_json({"sent": False, "alerts": plan})
        return
    screen = out()
    for entry, draft in zip(plan, drafts, strict=True):
        reference = entry["national_ref"] or draft.file
        screen.print(f"{draft.kind} {reference}", style="bold", markup=False)
        readers = entry["readers"]
        if readers is None:
            screen.print("  who would receive it is not known: there is no directory here", markup=False)
        else:
            screen.print(f"  would go to {', '.join(readers['receives']) or 'nobody'}", markup=False)
            for decision in readers["decisions"]:
                screen.print(f"    {decision['why']} [{decision['rule']}]", markup=False, style="dim")
        for alike in entry["alike"]:
            said = f"  looks like one sent before: {alike['alert_id']} (number {alike['number']}), {alike['because']}"
            screen.print(said, style="yellow", markup=False)
    if not sending:
        screen.print("A dry run: nothing was sent. Add --send to send.", style="bold")


def send_drafts(settings: Settings, drafts: list[Draft], *, wait: bool, timeout: float, as_json: bool) -> None:
    """Accept drafts; with `wait`, carry them and say what the hub says. Exit code 1 where it admits not all."""
    with Publisher.open(settings) as publisher:
        accepted = publisher.accept(drafts)
        if not as_json:
            _show_accepted(accepted)
        found: list[Standing] = []
        if wait:
            found = _wait(publisher, accepted, timeout)
        elif not as_json:
            note("`manara relay` carries them to the hub; `manara status` says what became of them.")
    numbers = {standing.number: standing for standing in found}
    if as_json:
        print_json({"sent": True, "alerts": [_as_json(one, numbers.get(one.number)) for one in accepted]})
    elif wait:
        _show_found(found)
    if any(one.outcome == "REFUSED" or one.damaged for one in found):
        raise typer.Exit(1)
    if wait and any(not one.outcome for one in found):
        raise typer.Exit(1)


def _show_accepted(accepted: Sequence[Accepted]) -> None:
    screen = out()
    for one in accepted:
        again = " (it was already, and is not sent a second time)" if one.again else ""
        screen.print(f"accepted {one.alert_id} version {one.version}, number {one.number}{again}", markup=False)


def _wait(publisher: Publisher, accepted: Sequence[Accepted], timeout: float) -> list[Standing]:
    """Carry and wait, with a bar. Trouble with the broker does not undo what was accepted, and says so."""
    numbers = [one.number for one in accepted]
    carrier = publisher.carrier()
    deadline = time.monotonic() + timeout
    try:
        with progress() as bar:
            task = bar.add_task("verdicts", total=len(numbers))
            left = len(numbers)
            while left and time.monotonic() < deadline:
                if carrier is None:
                    time.sleep(0.1)
                else:
                    carrier.step()
                left = standing.unjudged(publisher.outbox, numbers)
                bar.update(task, completed=len(numbers) - left)
    except BrokerError as error:
        error.remedy = f"{error.remedy} Nothing is lost: they are in the outbox, and `manara relay` sends them."
        raise
    finally:
        if carrier is not None:
            carrier.close()
    return standing.by_number(publisher.outbox, numbers)


def _show_found(found: Sequence[Standing]) -> None:
    screen = out()
    for one in found:
        if one.outcome == "REFUSED":
            text = printable(f"refused  {one.alert_id}: {one.reason}. {one.remedy}")
            screen.print(text, style="red", markup=False)
            for path, rule in one.errors:
                screen.print(printable(f"    {path}: {rule}"), markup=False)
        elif one.outcome:
            screen.print(f"admitted {one.alert_id}", style="green", markup=False)
        else:
            screen.print(f"waiting  {one.alert_id}: the hub has not answered yet", style="yellow", markup=False)


def _as_json(one: Accepted, found: Standing | None) -> dict[str, object]:
    said: dict[str, object] = {
        "alert_id": one.alert_id,
        "version": one.version,
        "number": one.number,
        "digest": one.digest,
        "again": one.again,
    }
    if found is not None:
        said |= {"outcome": found.outcome, "reason": found.reason, "remedy": found.remedy}
    return said
