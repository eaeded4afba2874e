"""One alert's way as a list of steps: the same form whether its author asks (from the outbox) or an operator (all)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from manara.console import print_json, print_table

STAGES: Final = (
    "ACCEPTED",
    "SENT",
    "ADMITTED",
    "REFUSED",
    "ROUTED",
    "STORED",
    "SEEN",
    "ACTIONED",
    "DECLINED",
    "FAILED",
    "PURGED",
)
"""The stages of an alert's way, in the order in which they can happen."""


class TraceStep(NamedTuple):
    """Something that happened to an alert.

    `at` is microseconds since the epoch, 0 where nobody knows; `who` said so (an agency, `hub.gate`, `edge.az`);
    `detail` is a few words: coordinates, a count, a reason.
    """

    stage: str
    at: int
    who: str
    detail: str


def in_order(steps: Iterable[TraceStep]) -> list[TraceStep]:
    """The steps by stage, then time, then who said so; each once."""
    ranks = {stage: rank for rank, stage in enumerate(STAGES)}
    return sorted(set(steps), key=lambda step: (ranks.get(step.stage, len(ranks)), step.at, step.who, step.detail))


def clock(at: int) -> str:
    """A time for people, to the millisecond, UTC: 2026-11-24T15:04:05.123Z; "" for 0."""
    if not at:
        return ""
    moment = dt.datetime.fromtimestamp(at / 1e6, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def show(alert: str, steps: Sequence[TraceStep], *, as_json: bool) -> None:
    """Print a trace: a table with the time that each step took after the first one, or JSON."""
    if as_json:
        print_json({"alert": alert, "steps": [{**step._asdict(), "time": clock(step.at)} for step in steps]})
        return
    first = min((step.at for step in steps if step.at), default=0)
    rows = [(step.stage, clock(step.at), _after(step.at, first), step.who, step.detail) for step in steps]
    print_table(("stage", "time", "after", "who", "detail"), rows, title=alert)


def _after(at: int, first: int) -> str:
    return f"+{(at - first) / 1e6:.3f} s" if at else ""
