"""`manara broker`: a Kafka and a PostgreSQL of our own in the foreground, until Ctrl-C."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from manara.console import err, out, settings_of
from manara.embedded.files import write_private
from manara.embedded.kafka import EmbeddedKafka
from manara.embedded.postgres import EmbeddedPostgres


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("broker")(broker)


def broker(
    ctx: typer.Context,
    folder: Annotated[
        Path | None, typer.Option(help="Where data and certificates lie; default: <folder>/broker.", show_default=False)
    ] = None,
    port: Annotated[int | None, typer.Option(help="Of Kafka; a free one unless given.", show_default=False)] = None,
    postgres: Annotated[bool, typer.Option(help="Start PostgreSQL, too.")] = True,
) -> None:
    """Start a real, secured Kafka (and PostgreSQL) on 127.0.0.1 and keep them running until Ctrl-C. Data stays in the
    folder.

    It writes `admin.toml` there: settings of the administrator, good for the next step. Example:

      manara broker --folder /var/tmp/manara

      manara --config /var/tmp/manara/admin.toml topics apply --directory directory.yaml
    """
    place = (folder or settings_of(ctx).folder / "broker").absolute()
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    try:
        with ExitStack() as servers:
            err().print("Starting Apache Kafka …")
            kafka = servers.enter_context(EmbeddedKafka(place / "kafka", port=port))
            settings = write_settings(place, kafka)
            out().print(
                f"Kafka {kafka.version} at {kafka.bootstrap} (SASL_SSL, user {kafka.admin_username})", markup=False
            )
            if postgres:
                err().print("Starting PostgreSQL …")
                database = servers.enter_context(EmbeddedPostgres(place / "postgres"))
                out().print(f"PostgreSQL {database.version} on port {database.port}", markup=False)
            out().print(f"Settings of the administrator: {settings}", markup=False)
            err().print("Ctrl-C stops them.")
            stop.wait()
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def write_settings(place: Path, kafka: EmbeddedKafka) -> Path:
    """Write the administrator's settings; the password stays in its own file. Gives back the path."""
    password = place / "secrets" / f"{kafka.admin_username}.password"
    password.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(password, kafka.admin_password.encode() + b"\n")
    values = {
        "bootstrap": kafka.bootstrap,
        "ca": str(kafka.ca),
        "username": kafka.admin_username,
        "password_file": str(password),
    }
    lines = ['folder = "."', "[kafka]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    path = place / "admin.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
