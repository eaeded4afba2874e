"""`manara relay`: the process that carries the outbox to the hub and its answers back."""

from __future__ import annotations

import typer

from manara import process
from producers import relay as relaying
from producers.commands.saying import agency_settings


def relay(ctx: typer.Context) -> None:
    """Carry the outbox to the hub, in order, and bring back what the hub and the members say. Runs until it is stopped.

    One relay an outbox. It may be killed at any time: nothing is lost. When the cluster was made anew, it sends again
    everything that has not ended. Example:

      manara --config az-customs/manara.toml relay
    """
    settings = agency_settings(ctx)
    raise typer.Exit(process.run(relaying.run, name="relay", settings=settings))
