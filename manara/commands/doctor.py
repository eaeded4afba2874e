"""`manara doctor`: says what is wrong here, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from manara.console import Options, out, print_json
from manara.doctor.examination import round_
from manara.doctor.findings import Finding, State

STYLES = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red", State.SKIP: "dim"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    ctx: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="For machines: one JSON document on standard output.")
    ] = False,
) -> None:
    """Look at everything this party needs: Java, jars, disk, ports, TLS, login, rights, keys, the hub's heartbeat, the
    clock.

    Each line says ok, warn, fail or skip, and what to do. Exit code 1 when anything fails. Example:

      manara --config az-customs/manara.toml doctor
    """
    options = ctx.find_object(Options) or Options()
    findings = []
    for finding in round_(options.config):
        findings.append(finding)
        if not as_json:
            show(finding)
    failed = any(finding.state is State.FAIL for finding in findings)
    if as_json:
        print_json({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
    if failed:
        raise typer.Exit(1)


def show(finding: Finding) -> None:
    """One line, and the fix below it."""
    screen = out()
    screen.print(f"{finding.state:<5}", style=STYLES[finding.state], end=" ")
    screen.print(f"{finding.name:<11} {finding.text}", markup=False)
    if finding.fix:
        screen.print(f"      what to do: {finding.fix}", markup=False)
