"""How alerts look on a terminal: words before colours, and EXERCISE on every line, so that no part of one passes for
real.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from consumers import summary
from consumers.entry import Entry
from consumers.text import clean
from consumers.view import iso

STATUS_STYLE: Final = "bold reverse"
PRECEDENCE_STYLES: Final = {
    "FLASH": "bold white on red",
    "IMMEDIATE": "bold red",
    "PRIORITY": "bold yellow",
    "ROUTINE": "",
}
CUT_OFF_STYLE: Final = "bold white on red"
INDENT: Final = "    "
_NARROWEST: Final = 40


def banner(status: str) -> Text:
    """What begins every line of an alert that must not be acted upon; nothing for a real one."""
    return Text() if status == "ACTUAL" else Text.assemble((f" {status} ", STATUS_STYLE), " ")


def alert(entry: Entry, width: int, *, standing: Sequence[str] = ()) -> list[Text]:
    """An alert as lines of at most `width` cells; `standing` are the marks against acting on it."""
    precedence = Text(f"{entry.precedence:<9}", PRECEDENCE_STYLES.get(entry.precedence, ""))
    head = Text.assemble(
        iso(entry.received_at)[11:19], " ", precedence, " ", f"{entry.kind:<8}", " ", (entry.agency, "bold"), " "
    )
    head.append(summary.title(entry), "bold" if not standing else "dim")
    marks = [*standing, *(["TIME BY HUB ONLY"] if entry.hub_time_only else [])]
    name = f"{entry.message} {clean(entry.alert_id, 40)} v{entry.version}"
    room = _room(entry.status, width) - len(INDENT)
    return lines(entry.status, [head, *_filled([name, *marks, *summary.details(entry)], room)], width)


def lines(status: str, content: Sequence[Text], width: int, *, whole: bool = False) -> list[Text]:
    """Each line with the banner of its status before it; what is wider is cut, or goes on below if `whole`."""
    mark, room = banner(status), _room(status, width)
    if not whole:
        return [mark + _cut(text, room) for text in content]
    return [mark + part for text in content for part in text.wrap(Console(width=room), room)]


def cut_off(since: int, now: int) -> Text:
    """The line that says that alerts may be missing."""
    if not since:
        return Text(" DISCONNECTED: this inbox has never heard of the hub; is `manara edge` running? ", CUT_OFF_STYLE)
    ago = duration((now - since) // 1_000_000)
    return Text(f" DISCONNECTED since {local(since)} ({ago}): alerts may be missing ", CUT_OFF_STYLE)


def connected(now: int) -> Text:
    """The line that says that all is well again."""
    return Text(f"connected again at {local(now)}; what came meanwhile follows", "green")


def local(microseconds: int) -> str:
    """A time of our clock for people: UTC, to the second."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: int) -> str:
    """So long, in the two largest units."""
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def _room(status: str, width: int) -> int:
    """The cells that the banner leaves."""
    return max(width - banner(status).cell_len, _NARROWEST)


def _filled(texts: Iterable[str], width: int) -> list[Text]:
    """Short texts side by side, as many as a line holds; none is broken, so that isolated ones stay whole."""
    rows: list[str] = []
    for text in texts:
        joined = f"{rows[-1]} · {text}" if rows else text
        if rows and cell_len(joined) <= width:
            rows[-1] = joined
        else:
            rows.append(text)
    return [Text(INDENT + row, "dim") for row in rows]


def _cut(text: Text, width: int) -> Text:
    if text.cell_len <= width:
        return text
    cut = text.copy()
    cut.truncate(width, overflow="ellipsis")
    return cut
