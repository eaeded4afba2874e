"""What every test shares: hypothesis' profiles, and the doors to the real servers in `tests/support`."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Two cores shared with a broker are no place for a deadline by the clock: a value breaks a law, a slow run does not.
settings.register_profile("manara", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("manara")

# One broker and one database a process of the run, started when the first test asks for them.
pytest_plugins = ["tests.support.kafka", "tests.support.postgres", "tests.support.totals"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked `full` to `make test-long`, and on the container's broker what asks for no broker at all."""
    left_out = [item for item in items if _left_out(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    # workers take file after file in this order: what waits for servers first, what only computes fills the end
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    folder = item.path.relative_to(item.config.rootpath / "tests").parts[0]
    return ("e2e", "faults", "integration").index(folder) if folder in {"e2e", "faults", "integration"} else 3


def _left_out(item: pytest.Item) -> bool:
    if os.environ.get("MANARA_LONG") != "1" and item.get_closest_marker("full"):
        return True
    return os.environ.get("MANARA_TEST_KAFKA") == "container" and "kafka" not in getattr(item, "fixturenames", ())
