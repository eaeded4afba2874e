"""How the agency's commands speak: faults for people and for machines, the settings and the directory that they work
with.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from manara.console import err, out, settings_of
from manara.errors import BrokerError, DirectoryError
from manara.settings import Settings
from producers.faults import Fault
from producers.outbox import FILE, Outbox
from producers.publisher import require_agency
from producers.trust import Trust
from schemas.directory import Directory

DIRECTORY_SECONDS = 5.0


def say_faults(faults: Sequence[Fault]) -> None:
    """Every fault with its place, value, rule and remedy, on standard output."""
    screen = out()
    for fault in faults:
        value = f" = {fault.value!r}" if fault.value else ""
        screen.print(f"{fault.place or '-'}: {fault.path or 'the alert'}{value}", style="bold", markup=False)
        screen.print(f"    {fault.rule}: {fault.remedy}", markup=False)


def counted(number: int, noun: str) -> str:
    """`1 alert`, `2 alerts`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def agency_settings(ctx: typer.Context) -> Settings:
    """The settings, which must name an agency."""
    settings = settings_of(ctx)
    require_agency(settings)
    return settings


def look_up(settings: Settings, outbox: Outbox) -> tuple[Directory | None, str]:
    """The directory to check against, and what to say where it is not today's."""
    trust = Trust(settings, outbox)
    try:
        return trust.wait(DIRECTORY_SECONDS), ""
    except (BrokerError, DirectoryError) as error:
        kept = trust.remembered()
        which = f"the last one known (number {kept.seq}) is used" if kept else "members and keys are not checked"
        return kept, f"No directory from the hub, so {which}: {error.message} {error.remedy}"
    finally:
        trust.close()


def remembered(settings: Settings) -> Directory | None:
    """The directory that this agency's outbox remembers, without a network and without making an outbox."""
    if not settings.agency or not (settings.folder / FILE).exists():
        return None
    outbox = Outbox.open(settings.folder, settings.agency)
    try:
        return Trust(settings, outbox).remembered()
    finally:
        outbox.close()


def note(text: str) -> None:
    """A word about the work, on standard error."""
    err().print(text, markup=False, style="dim")
