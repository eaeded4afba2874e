"""`manara search` and `manara search audit`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer
import typer.core

from consumers import rendering
from consumers.errors import EdgeError
from consumers.heartbeat import disconnected_since
from consumers.inbox import FILE_NAME, Inbox
from consumers.moments import moment
from consumers.search import audit, showing
from consumers.search.audit import Audit
from consumers.search.finding import Answer, find
from consumers.search.index import Index
from consumers.search.query import MOST, Query, query
from consumers.view import iso
from manara.console import err, out, print_json, print_table, progress, settings_of

SEARCH: Final = "find"
NOTHING_FOUND: Final = 3
"""The exit code of a search that was answered by nothing."""
LONG: Final = 5_000
"""So many entries that the index has to take in first are shown on a terminal."""
AUDIT_COLUMNS: Final = ("time", "user", "case", "what", "asked", "found")
_WITHOUT_TERMINAL: Final = 10_000

Case = Annotated[str, typer.Option(help="Reference of the file you work on; required, and put on record.")]
Raw = Annotated[str, typer.Option(show_default=False)]
Folder = Annotated[
    Path | None,
    typer.Option("--offline-dir", help="Search the copy of an edge's folder here; no settings.", show_default=False),
]


class SearchGroup(typer.core.TyperGroup):
    """`manara search audit` is a command; whatever else follows `manara search` is what to search for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Everything that is not `audit` is the search's own: `manara search --help` tells how to search."""
        return super().parse_args(ctx, args if args[:1] == ["audit"] else [SEARCH, *args])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command; the search bears no name of its own."""
        name, command, rest = super().resolve_command(ctx, args)
        return "" if name == SEARCH else name, command, rest


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    searches = typer.Typer(cls=SearchGroup, no_args_is_help=False)
    searches.command(SEARCH, hidden=True)(search)
    searches.command("audit")(read_audit)
    app.add_typer(searches, name="search")


def search(  # noqa: PLR0913, PLR0917 - one option a kind of number, as the desk thinks of them
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="A name or any number; - reads it from standard input.")] = "",
    document: Annotated[str, typer.Option(help="Passport, card, licence, any number of a paper.")] = "",
    iban: Annotated[str, typer.Option(help="IBAN or other account.")] = "",
    plate: Annotated[str, typer.Option(help="Number plate, in any script.")] = "",
    vin: Raw = "",
    imo: Annotated[str, typer.Option(help="IMO number of a ship.")] = "",
    container: Raw = "",
    phone: Annotated[str, typer.Option(help="Best with country code, else with --country.")] = "",
    email: Raw = "",
    wallet: Annotated[str, typer.Option(help="Address of a virtual asset.")] = "",
    name: Annotated[str, typer.Option(help="A person, a ship, a firm, a place; in any script.")] = "",
    born: Annotated[str, typer.Option(help="YYYY, YYYY-MM or YYYY-MM-DD; goes with a name.")] = "",
    country: Annotated[str, typer.Option(help="Two letters: the person's, or the state that gave the number.")] = "",
    kind: Annotated[list[str] | None, typer.Option(help="person, route or transfer; may be repeated.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also alerts that have ended or expired.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="The best so many.")] = 20,
    case: Case = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    offline_dir: Folder = None,
) -> None:
    """Search the alerts in our inbox: exactly by any number, loosely by names in all scripts.

    Live alerts alone, unless --ended; what was withdrawn is never found. FLASH comes first; each line of an exercise
    says so. Scores say how likely it is, the lines below them why; a match is a proposal that you judge.

    Every search needs the case it is for and is put on record.

    Who asked what:  manara search audit --since 7d

    Exit code 0: found. 3: nothing found. 2: wrongly asked, or no case given. 1: failed.

    Example:  manara search "Mohamed Reza Naghdi" --born 1960 --case TR-2026/118

    By a number:  manara search --document "U 1234567" --country TR --case TR-2026/118

    Unseen by others on this machine:  manara search - --case TR-2026/118 < question.txt
    """
    named = audit.checked_case(case)
    text = sys.stdin.readline() if text == "-" else text
    given = {
        "document": document, "account": iban, "plate": plate, "vin": vin, "imo": imo, "container": container,
        "phone": phone, "email": email, "wallet": wallet,
    }  # fmt: skip
    sought = query(
        text, given, name=name, born=born, country=country, kinds=frozenset(kind or ()), ended=ended, limit=limit
    )
    folder = _folder(ctx, offline_dir)
    with Audit.open(folder) as record, Inbox.open(folder, thorough=False) as inbox, Index.open(folder) as index:
        answer = _answered(record, inbox, index, sought, named)
        lost = None if offline_dir else _lost(inbox)
        if as_json:
            told = showing.document(sought, answer, case=named, alerts=index.count())
            print_json({**told, "disconnected_since": iso(lost) if lost is not None else ""})
        else:
            _print(answer, lost)
    if not answer.hits:
        raise typer.Exit(NOTHING_FOUND)


def _answered(record: Audit, inbox: Inbox, index: Index, sought: Query, case: str) -> Answer:
    """The answer, which is on record before anybody sees it."""
    _catch_up(index, inbox)
    began = time.perf_counter()
    now = time.time_ns() // 1000
    answer = find(index, inbox, sought, int(inbox.meta("heartbeat_at") or 0) or now)
    shown = [f"{hit.entry.agency}/{hit.entry.alert_id}" for hit in answer.hits]
    record.record(case, sought.what, sought.as_json(), shown, now)
    structlog.get_logger().info("Search answered", found=len(shown), seconds=round(time.perf_counter() - began, 4))
    return answer


def _catch_up(index: Index, inbox: Inbox) -> None:
    waiting = index.waiting(inbox)
    if waiting < LONG:
        index.catch_up(inbox)
        return
    with progress() as bar:
        task = bar.add_task("The search index takes in the inbox", total=waiting)
        index.catch_up(inbox, progress=lambda done, goal: bar.update(task, completed=done, total=goal))


def _folder(ctx: typer.Context, offline_dir: Path | None) -> Path:
    folder = offline_dir or settings_of(ctx).folder
    if not (folder / FILE_NAME).is_file():
        raise EdgeError(
            f"There is no inbox in {folder}.",
            "Start `manara edge` with these settings first, or name the folder that holds inbox.db.",
        )
    return folder


def _lost(inbox: Inbox) -> int | None:
    seen = [int(inbox.meta(name) or 0) for name in ("edge_seen", "heartbeat_seen")]
    return disconnected_since(seen[0], seen[1], time.time_ns() // 1000)


def _print(answer: Answer, lost: int | None) -> None:
    console = out()
    for text in showing.page(answer, console.width if console.is_terminal else _WITHOUT_TERMINAL):
        console.print(text, soft_wrap=True)
    if not answer.hits:
        err().print("Nothing found.")
    if lost is not None:
        err().print(rendering.cut_off(lost, time.time_ns() // 1000))


def read_audit(
    ctx: typer.Context,
    since: Annotated[str, typer.Option(help="The last 30m, 2h, 1d, or since a time.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    offline_dir: Folder = None,
) -> None:
    """Who searched for what, when, in which case, and what was found.

    The record is append-only, and each row carries a hash over all before it: where one was changed or taken out, the
    exit code is 1.

    Example:  manara search audit --since 7d
    """
    begin = moment(since, time.time_ns() // 1000) if since else 0
    with Audit.open(_folder(ctx, offline_dir)) as record:
        broken = record.broken()
        found = list(record.since(begin))
    if as_json:
        told = [showing.audit_document(one) for one in found]
        print_json({"whole": not broken, "broken_at": broken, "searches": told})
    else:
        print_table(AUDIT_COLUMNS, [showing.audit_row(one) for one in found])
    if broken:
        err().print(f"The record does not hold from row {broken} on: it was changed.", style="bold red", markup=False)
        sys.exit(1)
