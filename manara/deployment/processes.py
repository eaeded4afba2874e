"""The processes of a network on one machine: the hub's stages, one edge process for all members but
those apart, a relay an agency.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from manara.deployment.home import Home, settings_file
from manara.embedded.files import write_private
from manara.supervisor import Child
from schemas.directory import HUB_STAGES

EDGE: Final = "edge"


def command(config: Path, *words: str) -> list[str]:
    """A command line of `manara` with the settings of one party."""
    return [sys.executable, "-m", "manara.cli", "--config", str(config), *words]


def environment() -> dict[str, str]:
    """Our own environment without settings that would reach into other parties."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MANARA_")}


def children(
    home: Home, members: Iterable[str], agencies: Iterable[str], apart: Collection[str] = frozenset()
) -> list[Child]:
    """All of them, in the order to start: what others wait for first."""
    return [*hub(home), *edges(home, members, apart), *relays(home, agencies)]


def write(path: Path, pids: Mapping[str, int | None]) -> None:
    """Name to process id as one JSON object, null for what does not run just now; readers never see half a file."""
    write_private(path, (json.dumps(pids, indent=2) + "\n").encode())


def hub(home: Home) -> list[Child]:
    """The stages of the hub."""
    return [_child(home, f"hub.{stage}", command(settings_file(home.hub(stage)), "hub", stage)) for stage in HUB_STAGES]


def edges(home: Home, members: Iterable[str], apart: Collection[str] = frozenset()) -> list[Child]:
    """One process that hosts the edges of all members, each isolated from the others; those `apart` have their own."""
    hosted = [code for code in sorted(members) if code not in apart]
    alone = [_child(home, edge_apart(code), _edge(home, [code])) for code in sorted(members) if code in apart]
    return [_child(home, EDGE, _edge(home, hosted)), *alone] if hosted else alone


def edge_apart(code: str) -> str:
    """The name of the process of a member's edge that is hosted apart."""
    return f"{EDGE}.{code.lower()}"


def _edge(home: Home, codes: Iterable[str]) -> list[str]:
    words = [word for code in codes for word in ("--config", str(settings_file(home.member(code))))]
    return [sys.executable, "-m", "manara.cli", EDGE, *words]


def relays(home: Home, agencies: Iterable[str]) -> list[Child]:
    """A relay for each agency."""
    return [
        _child(home, f"relay.{agency}", command(settings_file(home.agency(agency)), "relay"))
        for agency in sorted(agencies)
    ]


def _child(home: Home, name: str, argv: list[str]) -> Child:
    return Child(name, tuple(argv), environment(), home.logs / f"{name}.log")
