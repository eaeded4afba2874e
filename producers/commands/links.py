# ruff: noqa: PLR0913, PLR0917 - each parameter is an option of the command line
"""`manara links list|show|acknowledge|accept|decline|share`: matches with alerts of other states, and what we say."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from manara.console import confirm, out, print_json, print_table, printable
from manara.settings import Settings
from manara.trace import clock
from producers import answers, countries, differences, links, meaning, scalars, sharing, validity, versions
from producers.answers import REASONS, Answered
from producers.commands import living
from producers.commands.living import How, Lock, Send, Timeout
from producers.commands.outstanding import owed, span
from producers.commands.saying import agency_settings, counted, note
from producers.errors import AuthorError
from producers.hours import now_micros
from producers.linking import LIVING, Link, Says, State
from producers.links import Held
from producers.outbox import Outbox
from producers.planning import Plan
from producers.publisher import Publisher

Name = Annotated[str, typer.Argument(metavar="LINK", help="A link's id, or the first 8 characters of it or more.")]
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Home = Annotated[str, typer.Option("--note", help="A note for your own file; it stays here.")]
Carry = Annotated[bool, typer.Option("--wait", help="Carry the answer to the hub now.")]

app = typer.Typer(
    no_args_is_help=True,
    help="Matches between an alert of ours and one of another state. Nobody is named, and nothing is shown, until both "
    "sides have accepted; content moves only by our own update. Begin with:  manara links list",
)


def _where(outbox: Outbox) -> int:
    return validity.log_time(outbox, now_micros()).at


@app.command("list")
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
        now = _where(outbox)
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


@app.command()
def show(ctx: typer.Context, link: Name, as_json: Json = False) -> None:
    """One link in words: what matched and how much that means, our own alert, the clocks, what to do next. Example:

    manara links show 3fa9c2d1
    """
    settings = agency_settings(ctx)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        now, one = _where(outbox), links.get(outbox, link)
        given = links.spoken(outbox, one.link.link_id)
        ours = _our_alert(outbox, one.link)
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
    _show(one, now, ours)
    _show_answers(given, len(hits))
    for at, text in refused:
        out().print(printable(f"  {clock(at)}  the hub refused an answer: {text}"), style="red", markup=False)
    out().print(f"  next: {meaning.next_step(one.link)}", style="bold", markup=False)


def _show(one: Held, now: int, ours: list[tuple[str, str]]) -> None:
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


def _our_alert(outbox: Outbox, link: Link) -> list[tuple[str, str]]:
    """The parts of our own alert by which somebody recognises it; [] where its content is not here any more."""
    try:
        last = versions.current(outbox, link.alert_id).last
    except AuthorError:
        return []
    header = {name: last.record["header"][name] for name in _SUMMARY_HEADER}
    body = {name: last.record[name] for name in _SUMMARY if name in last.record}
    found = [("version", str(last.version)), ("readers", differences.audience_in_words(last.audience))]
    return [*found, *differences.content({"header": header, **body})[:_LINES]]


@app.command()
def acknowledge(ctx: typer.Context, link: Name, note: Home = "", wait: Carry = False, as_json: Json = False) -> None:
    """Say that somebody here is at work on a link: within 10 minutes for an urgent alert of ours, an hour for another.

    Example:

      manara links acknowledge 3fa9c2d1
    """
    _say(agency_settings(ctx), link, Says.ACKNOWLEDGED, ("", note, None), wait=wait, as_json=as_json)


@app.command()
def accept(
    ctx: typer.Context, link: Name, note: Home = "", wait: Carry = False, yes: Yes = False, as_json: Json = False
) -> None:
    """Agree that each side learns who the other is: agency, alert and reference. No content moves by this. Example:

    manara links accept 3fa9c2d1
    """
    settings = agency_settings(ctx)
    _ask(settings, link, yes=yes)
    _say(settings, link, Says.ACCEPTED, ("", note, None), wait=wait, as_json=as_json)


def _ask(settings: Settings, link: str, *, yes: bool) -> None:
    """A person decides. Without a terminal, --yes says that one has."""
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        one = links.get(outbox, link)
        ours = [] if yes else _our_alert(outbox, one.link)
        now = _where(outbox)
    finally:
        outbox.close()
    if yes:
        return
    if not sys.stdin.isatty():
        raise AuthorError("Nobody can be asked here, and a link is accepted by a person.", "Add --yes if one has.")
    _show(one, now, ours)
    if not confirm("Tell the other side who we are and our reference, if it accepts too?", yes=False):
        raise typer.Exit(1)


@app.command()
def decline(
    ctx: typer.Context,
    link: Name,
    reason: Annotated[str, typer.Option(help=" | ".join(REASONS))] = "",
    note: Home = "",
    person: Annotated[str, typer.Option("--not-this-person", help="Who it is instead, as far as you know.")] = "",
    birth: Annotated[str, typer.Option(help="Of that person: 1984, 1984-05 or 1984-05-17.")] = "",
    country: Annotated[str, typer.Option(help="Of that person, as in MA.")] = "",
    apart: Annotated[str, typer.Option(help="How to tell the two apart. Readers of the alert see it.")] = "",
    update: Annotated[
        bool, typer.Option("--update", help="Prepare the update of our alert that says who is not meant.")
    ] = False,
    send: Send = False,
    wait: Carry = False,
    timeout: Timeout = 60.0,
    version: Lock = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Say that a link is none, or that it is not for us, with a reason. It is not offered again for the same evidence.

    A MISTAKEN_IDENTITY is kept with the alert; with --update it becomes a next version that says who is not meant,
    shown first and sent with --send. Examples:

      manara links decline 3fa9c2d1 --reason EVIDENCE_TOO_WEAK --note "Seen by the desk."
      manara links decline 3fa9c2d1 --reason MISTAKEN_IDENTITY --not-this-person "Ali Reza" --birth 1971 --update
    """
    settings = agency_settings(ctx)
    entry = _other_person(person, birth, country, apart)
    chosen = answers.reason_of(Says.DECLINED, reason)
    if chosen != answers.MISTAKEN and (entry or update):
        raise AuthorError("Who is not meant is said with a MISTAKEN_IDENTITY alone.", "Leave those options out.")
    told = _say(
        settings, link, Says.DECLINED, (chosen, note, entry), wait=wait, as_json=as_json and not update, quiet=as_json
    )
    if chosen == answers.MISTAKEN:
        _exclude(ctx, told, How(send, wait, timeout, yes, as_json, version), update=update)


def _other_person(name: str, birth: str, country: str, apart: str) -> dict[str, str] | None:
    """The entry of `not_this_person`; None where nothing is said. AuthorError for a date or state that is none."""
    if not (name or birth or country or apart):
        return None
    if not name.strip():
        raise AuthorError("Who is not meant needs a name.", "Write --not-this-person NAME.")
    try:
        date = scalars.partial_date(birth) if birth else ""
    except scalars.ScalarError as error:
        raise AuthorError(f"--birth: {birth!r} is not a date.", f"{error.remedy}.") from error
    code = countries.code_of(country) if country else ""
    if code is None:
        raise AuthorError(f"--country: {country!r} is not a country.", "Write its ISO code of two letters, as in MA.")
    return {"name": name.strip(), "birth_date": date, "country": code, "note": apart.strip()}


def _exclude(ctx: typer.Context, told: Answered, how: How, *, update: bool) -> None:
    """A false hit becomes an update of our own alert; or words about how it could."""
    settings = agency_settings(ctx)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        found = links.get(outbox, told.link_id).link
        entries = answers.false_hits(outbox, found.alert_id)
    finally:
        outbox.close()
    if update:
        living.act(
            ctx, found.alert_id, "UPDATE", how, lambda now_at, now: sharing.excluding(now_at, entries, now), _seen
        )
    elif not how.as_json and found.kind == "person":
        note(
            "The false hit is kept with the alert. To tell its readers who is not meant, say this again with "
            "--not-this-person NAME --update."
        )
    elif not how.as_json:
        note(f"The false hit is kept here; an alert about a {found.kind} has no place for persons who are not meant.")


def _seen(_found: Plan) -> Mapping[str, object]:
    """Nothing is added: that it is asked for shows why each member reads it."""
    return {}


@app.command()
def share(
    ctx: typer.Context,
    link: Name,
    only: Annotated[str, typer.Option("--with", help="Of several other sides, this member alone, as in MA.")] = "",
    send: Send = False,
    wait: Annotated[bool, typer.Option("--wait", help="Carry it to the hub and wait for its verdict.")] = False,
    timeout: Timeout = 60.0,
    version: Lock = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let the other side of an agreed link read our alert: our own update with one reader more. A dry run unless
    --send.

    It shows all that would be seen, by whom, and why. Example:

      manara links share 3fa9c2d1
      manara links share 3fa9c2d1 --version 3 --send --wait
    """
    settings = agency_settings(ctx)
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        found = links.get(outbox, link).link
        members = sharing.shareable(found, only.upper())
    finally:
        outbox.close()

    def look(plan: Plan) -> dict[str, object]:
        sharing.check(plan, members)
        content = differences.content(plan.draft.record)
        if not as_json:
            _show_content(", ".join(members), content)
        return {"link_id": found.link_id, "shared_with": members, "content": dict(content)}

    how = How(send, wait, timeout, yes, as_json, version)
    living.act(ctx, found.alert_id, "UPDATE", how, lambda now_at, now: sharing.widened(now_at, members, now), look)


def _show_content(member: str, content: list[tuple[str, str]]) -> None:
    screen = out()
    screen.print(f"{member} would see all of this:", style="bold", markup=False)
    for path, value in content:
        screen.print(printable(f"  {path}: {value}"), markup=False)


def _say(
    settings: Settings,
    link: str,
    says: Says,
    words: tuple[str, str, Mapping[str, str] | None],
    *,
    wait: bool,
    as_json: bool,
    quiet: bool = False,
) -> Answered:
    """Give an answer and say what became of it."""
    reason, text, entry = words
    with Publisher.open(settings) as publisher:
        told = publisher.answer(link, says, reason=reason, note=text, not_this_person=entry)
        carried = _carry(publisher) if wait else False
        one, now = links.get(publisher.outbox, told.link_id), _where(publisher.outbox)
    if as_json:
        print_json({"answer": str(told.answer), "again": told.again, "sent": carried, "link": link_as_json(one, now)})
    elif not quiet:
        again = " already" if told.again else ""
        out().print(f"{told.answer}{again}: link {told.link_id} is {one.link.state}", style="bold", markup=False)
        if not carried:
            note("`manara relay` carries the answer to the hub.")
    return told


_CARRY_SECONDS = 30.0


def _carry(publisher: Publisher) -> bool:
    """Carry until no answer waits; whether that came about. BrokerError where the hub cannot be reached."""
    deadline = time.monotonic() + _CARRY_SECONDS
    carrier = publisher.carrier()
    try:
        while answers.waiting(publisher.outbox) and time.monotonic() < deadline:
            if carrier is None:
                time.sleep(0.1)
            else:
                carrier.step()
    finally:
        if carrier is not None:
            carrier.close()
    return not answers.waiting(publisher.outbox)
