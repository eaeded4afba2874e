"""The operator's commands: `explain`, `quarantine`, `trace`, `top`. They read, and change nothing."""

from __future__ import annotations

import json
import os
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from manara import trace as traces
from manara.console import out, print_json, print_table, printable, progress, settings_of
from manara.directory import DirectoryReader
from manara.errors import InputError
from schemas.models import Quarantined
from streams.operate import explaining, finding, quarantined, top, tracing
from streams.operate.log import Log, Progress

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Since = Annotated[str, typer.Option(help="Only from so long ago: 90s, 30m, 2h, 7d.", show_default=False)]
Alert = Annotated[str, typer.Argument(help="An alert id, or AGENCY/ID.", metavar="ALERT")]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def register(app: typer.Typer) -> None:
    """Add the operator's commands."""
    app.command("explain")(explain)
    app.command("trace")(trace)
    app.command("top")(watch)
    app.add_typer(quarantine, name="quarantine")


quarantine = typer.Typer(
    no_args_is_help=True,
    help="Refused messages: why, of whom, and the original bytes.\n\n"
    "Example:  manara --config operator/manara.toml quarantine list --reason BAD_SIGNATURE --since 2h",
)


def explain(
    ctx: typer.Context,
    alert: Alert,
    member: Annotated[str, typer.Argument(help="A member's two letters.", metavar="MEMBER")],
    as_json: Json = False,
) -> None:
    """Why a member did or did not receive an alert.

    Runs the policy once more over what the gate wrote down, and says whether the recorded decision agrees. Exit code 1
    if it does not.

    Example:  manara --config operator/manara.toml explain az-police/0193589a-6c00-7abc-8def-0123456789ab TR
    """
    settings, asked = settings_of(ctx), finding.parse(alert)
    code = member.strip().upper()
    if not re.fullmatch(r"[A-Z]{2}", code):
        raise InputError(f"{member!r} is not a member.", "Write its two letters, as in TR.")
    with Log(settings) as log, DirectoryReader(settings) as reader:
        found = _admitted(log, asked)
        latest = reader.wait(15.0)
        item = found[-1].item
        answer = explaining.explain(item, code, reader.at_seq(item["directory_seq"]) or latest)
    if as_json:
        print_json(answer.as_json())
    else:
        _say(answer)
    raise typer.Exit(1 if not answer.agrees and answer.same_directory else 0)


def trace(ctx: typer.Context, alert: Alert, as_json: Json = False) -> None:
    """One alert's way through the hub: admitted, routed, stored, with times.

    An operator sees all members; an author sees its own alerts with `manara trace` at the agency.

    Example:  manara --config operator/manara.toml trace 0193589a-6c00-7abc-8def-0123456789ab
    """
    settings, asked = settings_of(ctx), finding.parse(alert)
    with Log(settings) as log, DirectoryReader(settings) as reader:
        found = _admitted(log, asked)
        directory = reader.wait(15.0)
        with _reading("Reading its author's status") as heard:
            steps = tracing.trace(log, found, directory, heard)
    traces.show(finding.key_of(found[-1].item).decode(), steps, as_json=as_json)


@quarantine.command("list")
def list_(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="Only this reason, as in BAD_SIGNATURE.", show_default=False)] = "",
    agency: Annotated[str, typer.Option(help="Only from this agency's inlet.", show_default=False)] = "",
    since: Since = "",
    limit: Annotated[int, typer.Option(help="At most so many, the latest ones; 0 for all.", min=0)] = 50,
    as_json: Json = False,
) -> None:
    """What was refused: time, agency, reason, coordinates.

    Example:  manara --config operator/manara.toml quarantine list --agency az-police --since 7d
    """
    wanted = quarantined.Filter(reason.strip().upper(), agency.strip().lower(), _ago(since))
    with Log(settings_of(ctx)) as log, _reading("Reading quarantine") as heard:
        kept: deque[Quarantined] = deque(quarantined.entries(log, wanted, heard), maxlen=limit or None)
    rows = [quarantined.summary(each) for each in kept]
    if as_json:
        print_json(rows)
        return
    columns = ("time", "agency", "reason", "place", "bytes", "detail")
    print_table(columns, [[printable(str(row[column])) for column in columns] for row in rows])


@quarantine.command()
def show(
    ctx: typer.Context,
    place: Annotated[str, typer.Argument(help="TOPIC/PARTITION/OFFSET, as the list says.", metavar="PLACE")],
    raw: Annotated[Path | None, typer.Option(help="Write the original value to this new file.")] = None,
    as_json: Json = False,
) -> None:
    """Everything about one refused message, with its original bytes.

    The record inside is shown only if its signature holds: nothing else is ever decoded. It may hold personal data.

    Example:  manara --config operator/manara.toml quarantine show alerts.v1.az-police/0/17 --raw refused.bin
    """
    settings = settings_of(ctx)
    with Log(settings) as log, DirectoryReader(settings) as reader:
        with _reading("Reading quarantine") as heard:
            kept = quarantined.find(log, place, heard)
        latest = reader.wait(15.0)
        found = quarantined.full(kept, reader.at_seq(kept["directory_seq"]) or latest)
    if raw is not None:
        _write(raw, kept["value"] or b"")
    if as_json:
        print_json(found)
        return
    _show(found, kept)


def watch(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Print one table and end.")] = False,
    as_json: Json = False,
    since: Annotated[str, typer.Option(help="Count refusals from so long ago.")] = "1h",
) -> None:
    """How the hub does, every second: rate and lag of each stage, and refusals by reason.

    Taken from the brokers alone, so that it tells the truth about a stage that has died. --json: one line a second.

    Example:  manara --config operator/manara.toml top
    """
    top.run(settings_of(ctx), once=once, as_json=as_json, since=_ago(since))


def _admitted(log: Log, asked: finding.Asked) -> list[finding.Found]:
    with _reading("Reading blocks") as heard:
        found = finding.admitted(log, asked, heard)
    if found:
        return found
    with _reading("Reading quarantine") as heard:
        raise finding.missing(asked, finding.refused(log, asked, heard))


@contextmanager
def _reading(what: str) -> Iterator[Progress]:
    """A progress bar on a terminal, for a scan of the log."""
    with progress() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _say(answer: explaining.Explanation) -> None:
    screen = out()
    colour = "green" if answer.allowed else "yellow"
    screen.print(f"{answer.alert}, version {answer.version}", markup=False)
    screen.print(f"[{colour}]{answer.rule}[/{colour}]  {escape(answer.sentence)}")
    screen.print(answer.verdict, style="" if answer.agrees else "bold red", markup=False)


def _show(found: dict[str, Any], kept: Quarantined) -> None:
    screen = out()
    for name in ("place", "topic_id", "time", "agency", "reason", "detail", "remedy", "directory_seq", "key", "bytes"):
        screen.print(f"{name:14} {printable(str(found[name]))}", markup=False)
    for error in found["errors"]:
        screen.print(f"{'rule':14} {error['rule']} at {printable(error['path'])}", markup=False)
    for name, value in found["headers"]:
        screen.print(f"{'header':14} {printable(name)} = {value}", markup=False)
    screen.print(f"value\n{quarantined.hex_lines(kept['value'])}", markup=False)
    if found["record"] is None:
        screen.print(f"record         not decoded: {printable(found['record_withheld'])}", markup=False)
    else:
        screen.print("record, signed by its agency:", markup=False)
        screen.print(json.dumps(found["record"], ensure_ascii=True, indent=2), markup=False)  # nothing but plain ASCII


def _write(path: Path, value: bytes) -> None:
    """A new file that nobody else may read: it holds what a stranger sent."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InputError(f"{path} exists.", "Name a new file: nothing is overwritten.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(value)


def _ago(text: str) -> int:
    """The time so long ago, in microseconds; 0 for ""."""
    if not text:
        return 0
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip().lower())
    if match is None:
        raise InputError(f"{text!r} is no span of time.", "Write 90s, 30m, 2h or 7d.")
    return (time.time_ns() // 1000) - int(match[1]) * _UNITS[match[2]] * 1_000_000
