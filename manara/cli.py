"""The front door: `manara COMMAND`. It knows the names of all commands, and loads a role's code only when its command
is used.

So `--help` answers at once, an agency's install needs no hub, and a role that is missing or broken is told apart by the
one command that needs it. This is also where every error becomes a sentence.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import typer.core
import typer.main

from manara.console import Options, err
from manara.errors import InputError, ManaraError, in_words
from manara.settings import Settings
from manara.telemetry import configure_quiet


@dataclass(frozen=True)
class Entry:
    """A command: who implements it (the first that fits), the extra of the distribution it needs, one line of help."""

    modules: tuple[str, ...]
    help: str
    panel: str
    extra: str = ""


TRY, AGENCY, MEMBER, HUB, ADMIN = (
    "Try it",
    "Agency: publish alerts",
    "Member: receive alerts",
    "Hub and operator",
    "Set up",
)
_PRODUCERS, _CONSUMERS, _STREAMS = "producers.commands", "consumers.commands", "streams.commands"
COMMANDS: Final[dict[str, Entry]] = {
    "demo": Entry(
        ("manara.demo.commands",), "A whole network on this machine, from agencies to databases.", TRY, "all"
    ),
    "up": Entry(("manara.deployment.commands",), "Start that network and keep it running.", TRY, "all"),
    "down": Entry(("manara.deployment.commands",), "Stop what `up` left running.", TRY, "all"),
    "bench": Entry(("manara.bench.commands",), "Measure the whole product: figures S1 to S10.", TRY, "all"),
    "doctor": Entry(("manara.commands.doctor",), "Say what is wrong here, and what to do about it.", TRY),
    "new": Entry((_PRODUCERS,), "Write a commented template of an alert.", AGENCY, "agency"),
    "check": Entry((_PRODUCERS,), "Check alert files: every error at once.", AGENCY, "agency"),
    "publish": Entry((_PRODUCERS,), "Publish alert files; a dry run unless --send.", AGENCY, "agency"),
    "import": Entry((_PRODUCERS,), "Turn a table (CSV, NDJSON, xlsx) into alerts.", AGENCY, "agency"),
    "update": Entry((_PRODUCERS,), "Say an alert anew, in full.", AGENCY, "agency"),
    "extend": Entry((_PRODUCERS,), "Let an alert hold for longer.", AGENCY, "agency"),
    "suspend": Entry((_PRODUCERS,), "Have nobody act on an alert for now.", AGENCY, "agency"),
    "resume": Entry((_PRODUCERS,), "Put a suspended alert in force again.", AGENCY, "agency"),
    "cancel": Entry((_PRODUCERS,), "End an alert that is no longer wanted.", AGENCY, "agency"),
    "withdraw": Entry((_PRODUCERS,), "End an alert and have everybody delete it.", AGENCY, "agency"),
    "fulfil": Entry((_PRODUCERS,), "End an alert that has done its work.", AGENCY, "agency"),
    "status": Entry((_PRODUCERS,), "What has become of our alerts.", AGENCY, "agency"),
    "purge-proof": Entry((_PRODUCERS,), "Who has deleted a withdrawn alert, signed.", AGENCY, "agency"),
    "evidence": Entry((_PRODUCERS,), "All that was signed about an alert, in one file.", AGENCY, "agency"),
    "verify": Entry((_PRODUCERS,), "Check such a file, offline.", AGENCY, "agency"),
    "links": Entry((_PRODUCERS,), "Matches with other states' alerts: show, accept, decline, share.", AGENCY, "agency"),
    "match": Entry(("producers.commands.matching",), "Why two alerts, or two names, match or not.", AGENCY, "agency"),
    "relay": Entry((_PRODUCERS,), "Carry the outbox to the hub and verdicts back.", AGENCY, "agency"),
    "edge": Entry((_CONSUMERS,), "Receive, verify and deliver into national systems.", MEMBER, "edge"),
    "feed": Entry((_CONSUMERS,), "Watch alerts as they arrive.", MEMBER, "edge"),
    "show": Entry((_CONSUMERS,), "Everything about one alert.", MEMBER, "edge"),
    "search": Entry((_CONSUMERS,), "Search our alerts by number or name; every search is on record.", MEMBER, "edge"),
    "hub": Entry((_STREAMS,), "The hub's processes: gate, route, receipts, clock.", HUB, "hub"),
    "trace": Entry(
        (_PRODUCERS, "streams.operate.commands"), "One alert's way: accepted, admitted, routed, stored.", HUB
    ),
    "explain": Entry(("streams.operate.commands",), "Why a member may or may not read an alert.", HUB, "hub"),
    "quarantine": Entry(("streams.operate.commands",), "Look at refused messages.", HUB, "hub"),
    "top": Entry(("streams.operate.commands",), "A live table of the hub's stages.", HUB, "hub"),
    "broker": Entry(
        ("manara.commands.broker",), "Start a Kafka and a PostgreSQL of our own in the foreground.", ADMIN, "embedded"
    ),
    "topics": Entry(("manara.commands.topics",), "Topics, rights and users, from the catalogue.", ADMIN),
    "directory": Entry(("manara.commands.directory",), "Who takes part: check, publish, show.", ADMIN),
    "keys": Entry(("manara.commands.keys",), "Make and certify signing keys.", ADMIN),
}


class LazyGroup(typer.core.TyperGroup):
    """A group whose commands are placeholders, good for `--help`, until one is used."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in the placeholder's place, then go on as usual."""
        if args and args[0] in COMMANDS:
            self.commands[args[0]] = load(args[0], config=ctx.params.get("config"))
        return super().resolve_command(ctx, args)


def load(name: str, *, config: Path | None = None) -> Any:
    """The real command of that name. Raises `ManaraError` that says what is missing where it cannot be had."""
    entry = COMMANDS[name]
    modules = entry.modules
    if len(modules) > 1 and not _is_agency(config):  # an author sees its own, an operator all
        modules = modules[::-1]
    found = typer.Typer()
    try:
        importlib.import_module(modules[0]).register(found)
    except ImportError as error:
        raise _missing(name, entry, modules[0], error) from error
    command = typer.main.get_group(found).commands.get(name)
    if command is None:
        raise ManaraError(f"`manara {name}` is not part of this installation.", "Install the whole release again.")
    return command


def _is_agency(config: Path | None) -> bool:
    return bool(Settings.load(config).agency)


def _missing(name: str, entry: Entry, module: str, error: ImportError) -> ManaraError:
    absent = error.name or ""
    if isinstance(error, ModuleNotFoundError) and absent.split(".")[0] not in ("manara", module.partition(".")[0]):
        extra = entry.extra or "all"
        return ManaraError(
            f"`manara {name}` needs the [{extra}] extra: the package {absent} is not installed.",
            f"Run: pip install 'manara[{extra}]'",
        )
    return ManaraError(f"`manara {name}` cannot be loaded: {error}.", "Install the whole release again.")


def _placeholder(app: typer.Typer, name: str, entry: Entry) -> None:
    @app.command(name, help=entry.help, rich_help_panel=entry.panel)
    def never_called() -> None:
        """Stand in for a command in `--help`."""


def build() -> typer.Typer:
    """The command line, with a placeholder for every command."""
    app = typer.Typer(
        cls=LazyGroup,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Manara: signed alerts between national agencies, on Apache Kafka.\n\n"
        "Begin with:  manara demo        Every command explains itself:  manara publish --help",
    )
    for name, entry in COMMANDS.items():
        _placeholder(app, name, entry)

    @app.callback()
    def options(
        ctx: typer.Context,
        config: Annotated[
            Path | None,
            typer.Option(help="The settings file of this party.", envvar="MANARA_CONFIG", show_default=False),
        ] = None,
        _version: Annotated[
            bool, typer.Option("--version", help="Say which release this is.", is_eager=True, callback=_say_version)
        ] = False,
    ) -> None:
        ctx.obj = Options(config)

    return app


def _say_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(f"manara {version('manara')}")
    except PackageNotFoundError:
        typer.echo("manara, run from a folder that was never installed")
    raise typer.Exit


@contextmanager
def sentences() -> Iterator[None]:
    """Every error as `error: …` and `what to do: …`, and the exit code that belongs to it; never a traceback."""
    try:
        yield
    except ManaraError as error:
        complain(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        said = in_words(error)
        complain(said)
        sys.exit(said.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("MANARA_DEBUG"):
            raise
        complain(unexpected(error))
        sys.exit(1)


def unexpected(error: Exception) -> ManaraError:
    """A defect of ours, said so. The error's own text is left out, since it may quote the data that it choked on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return ManaraError(
        f"Manara has come upon something it did not expect ({type(error).__name__}{where}).",
        "This is a defect: please report it. MANARA_DEBUG=1 shows all of it, which may include the data it worked on.",
    )


def complain(error: ManaraError) -> None:
    """Print an error for people on standard error."""
    screen = err()
    screen.print("error:", style="bold red", end=" ")
    screen.print(error.message, markup=False)
    if error.remedy:
        screen.print("what to do:", style="bold", end=" ")
        screen.print(error.remedy, markup=False)


def main() -> None:
    """Run the command line; the console script `manara`."""
    configure_quiet(debug=bool(os.environ.get("MANARA_DEBUG")))
    with sentences():
        build()(prog_name="manara")


__all__ = ["COMMANDS", "InputError", "build", "complain", "load", "main", "sentences", "unexpected"]


if __name__ == "__main__":
    main()
