"""`manara import`: a table becomes alerts by a mapping. A dry run unless --send."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from manara.console import out, print_json, progress
from manara.settings import Settings
from producers.commands.publishing import confirm_or_go
from producers.commands.saying import agency_settings, counted, look_up, note, say_faults
from producers.composing import Author, Draft
from producers.errors import FaultyError
from producers.faults import Fault, in_file
from producers.hours import now_micros
from producers.importing.job import BATCH, Import, Rejected, Ways
from producers.importing.mapping import TableMap, load_map
from producers.importing.rejects import RejectFile
from producers.importing.tables import Table, open_table
from producers.outbox import Accepted, Outbox
from producers.preview import Counts
from producers.publisher import Publisher, new_id

_SHOWN = 10


def import_(  # noqa: PLR0913 - a command has as many options as its users need
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The table: .csv, .tsv, .txt, .ndjson, .jsonl or .xlsx.")],
    *,
    map_file: Annotated[Path, typer.Option("--map", help="From columns to alerts; `manara new map` writes one.")],
    kind: Annotated[str, typer.Option(help="person, route or transfer; the mapping may say it too.")] = "",
    send: Annotated[bool, typer.Option("--send", help="Put the good rows into the outbox.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Beside the single alerts, not on the bulk partition.")] = False,
    rejects: Annotated[Path | None, typer.Option(help="The reject file; default: FILE.rejected.csv beside it.")] = None,
    encoding: Annotated[str, typer.Option(help="As in cp1251; found out without it.")] = "",
    delimiter: Annotated[str, typer.Option(help="As in ; or tab; found out without it.")] = "",
    sheet: Annotated[str, typer.Option(help="Of a workbook; the first without it.")] = "",
    rate: Annotated[float, typer.Option(help="At most so many alerts a second; 0 for as fast as it goes.")] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")] = False,
) -> None:
    """Turn a table into alerts. A dry run unless --send. Rows that cannot be alerts go to a reject file, with the
    reason.

    Importing the same file again adds nothing. Exit code 2 if a row was rejected. Examples:

      manara import people.xlsx --kind person --map people.map.yaml
      manara import people.xlsx --kind person --map people.map.yaml --send
    """
    settings = agency_settings(ctx)
    table_map = load_map(map_file, kind)
    how = table_map.how
    delimiter = "\t" if delimiter == "tab" else delimiter or how.delimiter
    how = replace(how, encoding=encoding or how.encoding, delimiter=delimiter, sheet=sheet or how.sheet)
    table = open_table(file, how)
    _fits(table, table_map, map_file)
    if send and not yes and not as_json and not confirm_or_go(f"Send the rows of {file}?"):
        raise typer.Exit(1)
    with RejectFile(rejects or _beside(file, table), table) as bad:
        _work(settings, Work(table, table_map, send, live, rate), bad, as_json=as_json)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done with a table: dry run or not, live or bulk, at most so many a second."""

    table: Table
    table_map: TableMap
    send: bool
    live: bool
    rate: float


def _work(settings: Settings, work: Work, bad: RejectFile, *, as_json: bool) -> None:
    """Go through the table, say what came of it, and end with 2 where a row was rejected."""
    outbox = Outbox.open(settings.folder, settings.agency)
    publisher = Publisher.open(settings) if work.send else None
    try:
        directory, remark = look_up(settings, outbox)
        for text in (remark, *work.table.assumed):
            if text:
                note(text)
        counts = Counts(directory)
        accept = _accepter(publisher, bulk=not work.live, rate=work.rate) if publisher else None
        ways = Ways(now_micros, new_id, accept, _batch(work.rate))
        job = Import(work.table, work.table_map, Author.of(settings.agency), outbox, directory, ways)
        shown = _run(job, bad, counts)
    finally:
        outbox.close()
        if publisher:
            publisher.close()
    _report(job, shown, counts, bad.path, sent=work.send, as_json=as_json)
    if job.tally.rejected:
        raise typer.Exit(2)


def _batch(rate: float) -> int:
    return BATCH if not rate else max(1, min(BATCH, int(rate / 10)))


def _beside(file: Path, table: Table) -> Path:
    return file.with_name(f"{file.name}.rejected.{'ndjson' if table.form == 'ndjson' else 'csv'}")


def _fits(table: Table, table_map: TableMap, map_file: Path) -> None:
    faults = table_map.faults_with(table.columns)
    if faults:
        raise FaultyError(in_file(faults, str(map_file)))
    unused = table_map.unused(table.columns)
    if unused:
        note(f"columns that are not used: {', '.join(unused)} (name them under `ignore:` to be rid of this)")


def _accepter(publisher: Publisher, *, bulk: bool, rate: float) -> Callable[[list[Draft]], list[Accepted]]:
    """How a batch gets into the outbox, at most `rate` alerts a second."""
    began, done = time.monotonic(), 0

    def accept(drafts: list[Draft]) -> list[Accepted]:
        nonlocal done
        done += len(drafts)
        accepted = publisher.accept(drafts, bulk=bulk, judged=True)
        if rate:
            time.sleep(max(0.0, began + done / rate - time.monotonic()))
        return accepted

    return accept


def _run(job: Import, bad: RejectFile, counts: Counts) -> list[Fault]:
    """Go through the rows with a bar; the first faults, to be shown."""
    shown: list[Fault] = []
    with progress() as bar:
        task = bar.add_task("rows", total=job.table.total or None)
        for number, result in enumerate(job.run(), 1):
            if isinstance(result, Rejected):
                bad.add(result)
                shown += result.faults[: max(0, _SHOWN - len(shown))]
            elif result is not None:
                counts.add([result])
            if number % BATCH == 0:
                bar.update(task, completed=number)
    return shown


def _report(job: Import, shown: list[Fault], counts: Counts, rejects: Path, *, sent: bool, as_json: bool) -> None:
    tally = job.tally
    if as_json:
        said = {
            **asdict(tally),
            "members": counts.members,
            "nobody": counts.nobody,
            "sent": sent,
            "assumed": job.table.assumed,
        }
        print_json({**said, "rejects": str(rejects) if tally.rejected else ""})
        return
    screen = out()
    say_faults([replace(fault, file="row") for fault in shown])
    if tally.rejected:
        screen.print(f"{counted(tally.rejected, 'row')} rejected, all of them in {rejects}", style="red", markup=False)
    if tally.again:
        screen.print(f"{counted(tally.again, 'row')} imported before, and not sent again", markup=False)
    if tally.alike:
        text = f"{counted(tally.alike, 'row')} look like alerts sent before (same content or national reference)"
        screen.print(text, style="yellow", markup=False)
    for member, count in sorted(counts.members.items()):
        screen.print(f"  {member} {'receives' if sent else 'would receive'} {count}", markup=False)
    if counts.nobody:
        screen.print(f"  nobody may read {counts.nobody} of them", style="yellow", markup=False)
    if sent:
        screen.print(
            f"{counted(tally.accepted, 'alert')} accepted of {counted(tally.rows, 'row')}.", style="bold green"
        )
        note("`manara relay` carries them to the hub; `manara status` says what became of them.")
    else:
        screen.print(
            f"A dry run: {tally.good} of {counted(tally.rows, 'row')} would be sent. Add --send.", style="bold"
        )
