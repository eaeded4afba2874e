"""`manara hub gate|route|receipts|index|correlate|links|clock`: the hub's processes at the command line."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from manara.console import settings_of
from manara.process import Context, run
from streams import correlation, wiring
from streams.engine.errors import Exit

CODES = "Exit codes: 0 stopped as asked; 1 failed, with a sentence in the log; 2 wrong settings; " + "; ".join(
    f"{int(code)} {code.meaning}" for code in Exit
)

Slot = Annotated[
    str,
    typer.Option(
        help="The worker's place for good: a restart takes its work back at once. One process a slot.",
        envvar="MANARA_SLOT",
        metavar="NAME",
    ),
]


class RunnerName(StrEnum):
    """Which engine drives a stage."""

    FAUST = "faust"
    LOOP = "loop"


def register(app: typer.Typer) -> None:
    """Add the group `hub`."""
    app.add_typer(hub, name="hub")


hub = typer.Typer(
    no_args_is_help=True,
    help="The hub's processes. Each runs until Ctrl-C or SIGTERM and may be killed at any time: nothing is lost.\n\n"
    "Example:  manara --config hub/gate/manara.toml hub gate",
)


@hub.command(epilog=CODES)
def gate(
    ctx: typer.Context,
    slot: Slot = "1",
    accept_hole: Annotated[
        bool,
        typer.Option(
            "--accept-hole",
            help="Work on although blocks between snapshot and log are lost: updates and withdrawals of the alerts in "
            "them will be refused. Look at what is lost first (`manara doctor`); for one start.",
        ),
    ] = False,
) -> None:
    """Verify, judge and decide: from the agencies' topics to blocks, verdicts and quarantine.

    Several may run, each with a slot of its own; they share the lanes out among themselves.

    Example:  manara --config hub/gate/manara.toml hub gate
    """
    _process(ctx, "hub.gate", partial(wiring.gate, slot=slot, accept_hole=accept_hole))


@hub.command(epilog=CODES)
def route(
    ctx: typer.Context,
    slot: Slot = "1",
    runner: Annotated[
        RunnerName, typer.Option(help="The engine that drives it; both give the same.", envvar="MANARA_RUNNER")
    ] = RunnerName.FAUST,
) -> None:
    """Put admitted alerts into the feeds of the members that may read them.

    Example:  manara --config hub/route/manara.toml hub route --runner loop
    """
    _process(ctx, "hub.route", partial(wiring.route, slot=slot, runner=runner.value))


@hub.command(epilog=CODES)
def receipts(ctx: typer.Context, slot: Slot = "1") -> None:
    """Hand members' receipts on to the authors, as they are.

    Example:  manara --config hub/receipts/manara.toml hub receipts
    """
    _process(ctx, "hub.receipts", partial(wiring.receipts, slot=slot))


@hub.command(epilog=CODES)
def index(
    ctx: typer.Context,
    slot: Slot = "1",
    runner: Annotated[
        RunnerName, typer.Option(help="The engine that drives it; both give the same.", envvar="MANARA_RUNNER")
    ] = RunnerName.FAUST,
) -> None:
    """Turn admitted alerts into mentions by token, for correlation.

    Example:  manara --config hub/index/manara.toml hub index
    """
    _process(ctx, "hub.index", partial(correlation.index, slot=slot, runner=runner.value))


@hub.command(epilog=CODES)
def correlate(ctx: typer.Context) -> None:
    """Find alerts of different members that belong together. One process, for the whole network.

    Example:  manara --config hub/correlate/manara.toml hub correlate
    """
    _process(ctx, "hub.correlate", correlation.correlate)


@hub.command(epilog=CODES)
def links(ctx: typer.Context) -> None:
    """Tell authors of matches, and hear their answers. One process, for the whole network.

    Example:  manara --config hub/links/manara.toml hub links
    """
    _process(ctx, "hub.links", correlation.links)


@hub.command(epilog=CODES)
def clock(
    ctx: typer.Context,
    every: Annotated[
        float, typer.Option(help="Seconds between two strokes.", min=0.1, max=60.0, envvar="MANARA_CLOCK_SECONDS")
    ] = 5.0,
) -> None:
    """Let time pass on every lane and sign the hub's heartbeat. One process, for the whole network.

    Example:  manara --config hub/clock/manara.toml hub clock
    """
    _process(ctx, "hub.clock", partial(wiring.clock, every=every))


def _process(ctx: typer.Context, name: str, loop: Callable[[Context], int]) -> None:
    raise typer.Exit(run(loop, name=name, settings=settings_of(ctx)))
