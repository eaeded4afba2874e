"""`manara links list|show`: matches between an alert of ours and one of another state, as they stand, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from manara.console import out, print_json, print_table, printable
from manara.trace import clock
from producers import answers, differences, links, meaning, validity, versions
from producers.answers import REASONS
from producers.commands.outstanding import owed, span
from producers.commands.saying import agency_settings, counted
from producers.errors import AuthorError
from producers.hours import now_micros
from producers.linking import LIVING, Link, State
from producers.links import Held
from producers.outbox import Outbox

Name = Annotated[str, typer.Argument(metavar="LINK", help="A link's id, or the first 8 characters of it or more.")]
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")]


def log_time(outbox: Outbox) -> int:
    """The time that clocks are judged by."""
    return validity.log_time(outbox, now_micros()).at


def list_(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those declined or ended.")] = False,
    as_json: Json = False,
) -> None:
    """The links that wait for somebody, the oldest first, with their clocks. Example:

    manara links list
    """
    settings = agency_settings(ctx)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        now = log_time(outbox)
        found = links.held(outbox, tuple(State) if every else LIVING)
    finally:
        outbox.close()
    if as_json:
        print_json({"log_time": now, "links": [link_as_json(one, now) for one in found]})
        return
    if not found:
        out().print("No link waits for anybody here.", style="green")
        return
    rows = [
        (
            one.link.link_id[:8],
            one.national_ref or one.link.alert_id,
            one.link.kind,
            one.link.band.lower(),
            ", ".join(one.link.evidence),
            ", ".join(one.link.members) or "?",
            one.link.state,
            clock(one.link.offered_at),
            owed(one, now),
        )
        for one in found
    ]
    columns = ("link", "our alert", "kind", "match", "evidence", "other side", "state", "offered", "owed by us")
    print_table(columns, rows, title="Links")


def link_as_json(one: Held, now: int) -> dict[str, Any]:
    """A link with its clocks, for machines."""
    link = one.link
    return {
        **{name: getattr(link, name) for name in ("link_id", "alert_id", "version", "kind", "band")},
        "national_ref": one.national_ref,
        "precedence": one.precedence,
        "evidence": list(link.evidence),
        "state": str(link.state),
        "others": [asdict(other) for other in link.others],
        **{name: getattr(link, name) for name in ("offered_at", "acknowledged_at", "answered_at", "agreed_at")},
        "ended_at": link.ended_at,
        "answer": str(link.answer or ""),
        "declined_by": link.declined_by,
        "reason": link.reason,
        "clocks": [
            {"owes": due.owes, "due_at": due.due_at, "done_at": due.done_at, "overdue": due.overdue(now)}
            for due in one.clocks
        ],
        "overdue": bool(one.overdue(now)),
    }


def show(ctx: typer.Context, link: Name, as_json: Json = False) -> None:
    """One link in words: what matched and how much that means, our own alert, the clocks, what to do next. Example:

    manara links show 3fa9c2d1
    """
    settings = agency_settings(ctx)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        now, one = log_time(outbox), links.get(outbox, link)
        given = links.spoken(outbox, one.link.link_id)
        ours = our_alert(outbox, one.link)
        hits = answers.false_hits(outbox, one.link.alert_id)
        refused = links.refusals(outbox, one.link.link_id)
    finally:
        outbox.close()
    if as_json:
        said = [{name: getattr(each, name) for name in each.__slots__} for each in given]
        words = {"band_means": meaning.band(one.link), "evidence_means": meaning.evidence(one.link.evidence)}
        more = {"our_alert": dict(ours), "answers": said, "next": meaning.next_step(one.link), "false_hits": len(hits)}
        told = {"refused": [{"at": at, "text": text} for at, text in refused]}
        print_json({**link_as_json(one, now), **words, **more, **told})
        return
    show_link(one, now, ours)
    _show_answers(given, len(hits))
    for at, text in refused:
        out().print(printable(f"  {clock(at)}  the hub refused an answer: {text}"), style="red", markup=False)
    out().print(f"  next: {meaning.next_step(one.link)}", style="bold", markup=False)


def show_link(one: Held, now: int, ours: list[tuple[str, str]]) -> None:
    """A link for a person: state, what matched, the other side, our own alert, clocks."""
    screen, link = out(), one.link
    screen.print(f"link {link.link_id}  {link.state}", style="bold", markup=False)
    by = f" by {link.declined_by}" if link.declined_by else ""
    if by or link.reason:
        screen.print(f"  declined{by}: {REASONS.get(link.reason, link.reason or 'no reason is told')}", markup=False)
    screen.print(f"  the match is {meaning.band(link)}", markup=False)
    for kind, words in zip(link.evidence, meaning.evidence(link.evidence), strict=True):
        screen.print(printable(f"    {kind}: {words}"), markup=False)
    for side in meaning.other_sides(link):
        screen.print(printable(f"  the other side: {side}"), markup=False)
    screen.print(printable(f"  our alert: {link.kind} {link.alert_id} {one.national_ref}".rstrip()), markup=False)
    for path, value in ours:
        screen.print(printable(f"    {path}: {value}"), style="dim", markup=False)
    screen.print(f"  offered {clock(link.offered_at)}", markup=False)
    for due in one.clocks:
        if due.done_at:
            screen.print(f"  {due.owes}d {clock(due.done_at)}", markup=False)
            continue
        late = due.overdue(now)
        words = f"overdue by {span(now - due.due_at)}" if late else f"{span(due.due_at - now)} left"
        screen.print(f"  {due.owes} until {clock(due.due_at)}: {words}", style="red" if late else "", markup=False)


def _show_answers(given: list[links.Spoken], hits: int) -> None:
    screen = out()
    for each in given:
        how = "damaged here: it does not count, say it again" if each.damaged else "waits for `manara relay`"
        words = f"  {clock(each.at)}  {each.answer} {each.reason}".rstrip()
        screen.print(words if each.sent_at else f"{words} ({how})", markup=False)
        if each.note:
            screen.print(printable(f"    note: {each.note}"), style="dim", markup=False)
    if hits:
        screen.print(f"  {counted(hits, 'false hit')} of this alert so far", style="yellow", markup=False)


_SUMMARY = ("names", "births", "nationalities", "identifiers", "waypoints", "transfers", "subjects", "not_this_person")
_SUMMARY_HEADER = ("status", "action", "crimes", "precedence", "expires_at")
_LINES = 12


def our_alert(outbox: Outbox, link: Link) -> list[tuple[str, str]]:
    """The parts of our own alert by which somebody recognises it; [] where its content is not here any more."""
    try:
        last = versions.current(outbox, link.alert_id).last
    except AuthorError:
        return []
    header = {name: last.record["header"][name] for name in _SUMMARY_HEADER}
    body = {name: last.record[name] for name in _SUMMARY if name in last.record}
    found = [("version", str(last.version)), ("readers", differences.audience_in_words(last.audience))]
    return [*found, *differences.content({"header": header, **body})[:_LINES]]
