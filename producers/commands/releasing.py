# ruff: noqa: PLR0913, PLR0917 - each parameter is an option of the command line
"""`manara links acknowledge|accept|decline|share`: what we say about a match, and the update that follows."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Annotated

import typer

from manara.console import confirm, out, print_json, printable
from manara.settings import Settings
from producers import answers, countries, differences, links, scalars, sharing
from producers.answers import REASONS, Answered
from producers.commands import living
from producers.commands.links import Json, Name, link_as_json, list_, log_time, our_alert, show, show_link
from producers.commands.living import How, Lock, Send, Timeout, Yes
from producers.commands.saying import agency_settings, note
from producers.errors import AuthorError
from producers.linking import Says
from producers.outbox import Outbox
from producers.planning import Plan
from producers.publisher import Publisher

Home = Annotated[str, typer.Option("--note", help="A note for your own file; it stays here.")]
Carry = Annotated[bool, typer.Option("--wait", help="Carry the answer to the hub now.")]


def group() -> typer.Typer:
    """The group `manara links`."""
    made = typer.Typer(
        no_args_is_help=True,
        help="Matches between an alert of ours and one of another state. Nobody is named, and nothing is shown, until "
        "both sides have accepted; content moves only by our own update. Begin with:  manara links list",
    )
    made.command("list")(list_)
    for each in (show, acknowledge, accept, decline, share):
        made.command(each.__name__)(each)
    return made


def acknowledge(ctx: typer.Context, link: Name, note: Home = "", wait: Carry = False, as_json: Json = False) -> None:
    """Say that somebody here is at work on a link: within 10 minutes for an urgent alert of ours, an hour for another.

    Example:

      manara links acknowledge 3fa9c2d1
    """
    _say(agency_settings(ctx), link, Says.ACKNOWLEDGED, ("", note, None), wait=wait, as_json=as_json)


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
        ours = [] if yes else our_alert(outbox, one.link)
        now = log_time(outbox)
    finally:
        outbox.close()
    if yes:
        return
    if not sys.stdin.isatty():
        raise AuthorError("Nobody can be asked here, and a link is accepted by a person.", "Add --yes if one has.")
    show_link(one, now, ours)
    if not confirm("Tell the other side who we are and our reference, if it accepts too?", yes=False):
        raise typer.Exit(1)


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
    if send and not update:
        raise AuthorError("--send sends the update of our alert, and none is asked for.", "Add --update.")
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
        one, now = links.get(publisher.outbox, told.link_id), log_time(publisher.outbox)
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
