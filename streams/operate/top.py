"""`manara top`: one live table of the hub's stages."""

from __future__ import annotations

import json
import sys
import time

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from manara.console import out, print_table
from manara.directory import DirectoryReader
from manara.settings import Settings
from streams.operate.gauges import Gauges, Row, View
from streams.operate.log import Log

EVERY = 1.0
"""Seconds between two looks."""
COLUMNS = ("stage", "messages/s", "waiting", "oldest waits")
_LATE, _VERY_LATE = 5.0, 60.0  # seconds: a FLASH alert must be stored within a minute


def run(settings: Settings, *, once: bool, as_json: bool, since: int) -> None:
    """Look at the hub until Ctrl-C, or once: live on a terminal, else a table; JSON is one line a look."""
    with Log(settings) as log, DirectoryReader(settings) as reader:
        gauges = Gauges(log, reader.wait(15.0), since)
        if once:
            gauges.look()  # a rate needs two looks
            time.sleep(EVERY)
            _print(gauges.look(), as_json=as_json)
            return
        if as_json or not sys.stdout.isatty():
            _lines(gauges, as_json=as_json)
            return
        with Live(screen(gauges.look()), console=out(), refresh_per_second=4, transient=False) as live:
            while True:
                time.sleep(EVERY)
                live.update(screen(gauges.look()))


def screen(view: View) -> Group:
    """The table for a terminal."""
    table = Table(*COLUMNS, header_style="bold", box=None, pad_edge=False)
    for row in view.rows:
        table.add_row(*_cells(row), style=_style(row))
    refused = ", ".join(f"{reason} {number}" for reason, number in view.refused.items()) or "none"
    return Group(table, Text(f"admitted {view.admitted}   refused {refused}"), Text(_heard(view), style=_alarm(view)))


def as_record(view: View) -> dict[str, object]:
    """A look for machines."""
    return {
        "at": time.time(),
        "stages": [row._asdict() for row in view.rows],
        "admitted": view.admitted,
        "refused": dict(view.refused),
        "seconds_since_last_block": view.heard,
    }


def _lines(gauges: Gauges, *, as_json: bool) -> None:
    while True:
        _print(gauges.look(), as_json=as_json)
        time.sleep(EVERY)


def _print(view: View, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(as_record(view)) + "\n")
        sys.stdout.flush()
        return
    print_table(COLUMNS, [_cells(row) for row in view.rows])
    refused = [(reason, str(number)) for reason, number in view.refused.items()]
    print_table(("outcome", "messages"), [("admitted", str(view.admitted)), *refused])
    sys.stdout.write(_heard(view) + "\n")
    sys.stdout.flush()


def _cells(row: Row) -> tuple[str, str, str, str]:
    rate = "" if row.rate is None else f"{row.rate:.1f}"
    return row.stage, rate, str(row.lag), f"{row.lag_seconds:.1f} s"


def _style(row: Row) -> str:
    return "red" if row.lag_seconds > _VERY_LATE else "yellow" if row.lag_seconds > _LATE else ""


def _heard(view: View) -> str:
    """The clock writes a block to each lane every 5 seconds, so silence means that the hub stands still."""
    return "no block yet" if view.heard is None else f"last block {view.heard:.0f} s ago"


def _alarm(view: View) -> str:
    return "bold red" if view.heard is None or view.heard > _VERY_LATE else "dim"
