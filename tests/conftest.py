"""What every test shares: hypothesis' profiles, and the doors to the real servers in `tests/support`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

LONG = os.environ.get("MANARA_LONG", "") not in {"", "0"}
"""Whether this is `make test-long`."""

# Two cores shared with a broker are no place for a deadline by the clock: a value breaks a law, a slow run does not.
# At full length laws are tried more often.
settings.register_profile(
    "manara", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=500 if LONG else 100
)
settings.load_profile("manara")

SERVERS = ("e2e/test_demo.py", "faults", "e2e", "integration")
"""Tests that start servers, the longest first; two whole networks at once would be slower than one after the other."""

# One broker and one database a process of the run, started when the first test asks for them.
pytest_plugins = ["tests.support.kafka", "tests.support.postgres", "tests.support.totals"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked `full` to `make test-long`, and on the container's broker what asks for no broker at all."""
    left_out = [item for item in items if _left_out(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    order = {path: place for place, path in enumerate(_mixed(dict.fromkeys(item.path for item in items)))}
    items.sort(key=lambda item: order[item.path])


def _mixed(files: Iterable[Path]) -> list[Path]:
    """The order in which workers side by side take files: among those that start servers, some that only compute.

    The longest first, so that no worker is left alone with one at the end; never servers alone, which would start all
    at once and then wait for each other.
    """
    known = {path: _rank(path) for path in files}
    servers = sorted((path for path, rank in known.items() if rank < len(SERVERS)), key=lambda path: known[path])
    others = [path for path, rank in known.items() if rank == len(SERVERS)]
    share = len(others) // max(1, len(servers)) + 1
    mixed: list[Path] = []
    while servers or others:
        mixed += [*servers[:1], *others[:share]]
        servers, others = servers[1:], others[share:]
    return mixed


def _rank(path: Path) -> int:
    return next((rank for rank, part in enumerate(SERVERS) if f"tests/{part}" in path.as_posix()), len(SERVERS))


def _left_out(item: pytest.Item) -> bool:
    if not LONG and item.get_closest_marker("full"):
        return True
    return os.environ.get("MANARA_TEST_KAFKA") == "container" and "kafka" not in getattr(item, "fixturenames", ())
