"""The agency's commands of the command line: new, check, publish, import, status, relay, trace."""

from __future__ import annotations

import typer

from producers.commands import carrying, checks, importing, publishing, statuses, templates


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("new")(templates.new)
    app.command("check")(checks.check)
    app.command("publish")(publishing.publish)
    app.command("import")(importing.import_)
    app.command("status")(statuses.status)
    app.command("trace")(statuses.trace)
    app.command("relay")(carrying.relay)
