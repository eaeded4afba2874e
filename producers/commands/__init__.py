"""The agency's commands of the command line: to write, check and publish, the life cycle, links, proofs, the relay."""

from __future__ import annotations

import typer

from producers.commands import (
    carrying,
    checks,
    importing,
    living,
    proving,
    publishing,
    releasing,
    statuses,
    templates,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("new")(templates.new)
    app.command("check")(checks.check)
    app.command("publish")(publishing.publish)
    app.command("import")(importing.import_)
    for step in (living.update, living.extend, living.suspend, living.resume):
        app.command(step.__name__)(step)
    for end in (living.cancel, living.withdraw, living.fulfil):
        app.command(end.__name__)(end)
    app.command("purge-proof")(proving.purge_proof)
    app.command("evidence")(proving.evidence)
    app.command("verify")(proving.verify)
    app.command("status")(statuses.status)
    app.command("trace")(statuses.trace)
    app.add_typer(releasing.group(), name="links")
    app.command("relay")(carrying.relay)
