"""Which sinks the settings name: a new kind of sink is named here, and nowhere else."""

from __future__ import annotations

from typing import Final

from consumers.sinks.contract import Sink
from consumers.sinks.filedrop import FileDrop
from consumers.sinks.postgres import PostgresSink
from consumers.sinks.syslog import Syslog
from consumers.sinks.webhook import Webhook
from manara.settings import Settings

NAMES: Final = ("postgres", "filedrop", "webhook", "syslog")


def sinks_of(settings: Settings) -> list[Sink]:
    """The sinks that these settings name; the first is the one whose commits are receipted. Sinks that keep their own
    cursor keep it in `<folder>/<sink>/`."""
    found: list[Sink] = []
    if settings.postgres is not None:
        found.append(PostgresSink(settings.postgres))
    if settings.filedrop is not None:
        found.append(FileDrop(settings.filedrop))
    if settings.webhook is not None:
        found.append(Webhook(settings.webhook, settings.folder / "webhook"))
    if settings.syslog is not None:
        found.append(Syslog(settings.syslog, settings.folder / "syslog"))
    return found
