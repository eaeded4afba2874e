"""A plot as SVG, drawn by hand: horizontal bars with their values. Pure; no library is worth its weight here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from manara.bench.results import number

WIDTH, LABEL, BAR, GAP, TOP, RIGHT = 760, 250, 20, 8, 44, 90
OURS: Final = "#1f6feb"
THEIRS: Final = "#8c959f"


class Bar(NamedTuple):
    """One bar: who, how much, and whether it is ours."""

    label: str
    value: float
    ours: bool


def bars(title: str, unit: str, found: Sequence[Bar]) -> str:
    """The plot. Lengths are in proportion from zero; colours read on white and on black."""
    height = TOP + len(found) * (BAR + GAP) + GAP
    longest = max((bar.value for bar in found), default=0.0) or 1.0
    room = WIDTH - LABEL - RIGHT
    said = escape(title)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{said}" font-family="system-ui, sans-serif" font-size="13" fill="#57606a">'
    )
    lines = [
        opening,
        f'<text x="{GAP}" y="20" font-size="15" font-weight="600">{said}</text>',
        f'<text x="{GAP}" y="36" font-size="11">{escape(unit)}</text>',
    ]
    for at, bar in enumerate(found):
        y = TOP + at * (BAR + GAP)
        length = max(1.0, bar.value / longest * room)
        text, colour = y + BAR * 0.72, OURS if bar.ours else THEIRS
        lines += [
            f'<text x="{LABEL - GAP}" y="{text:.1f}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>',
            f'<text x="{LABEL + length + GAP:.1f}" y="{text:.1f}">{number(bar.value)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
