"""Waiting for an outcome while a network is at work: it looks after its processes meanwhile, and gives up in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from manara.deployment.network import Network
from manara.errors import ManaraError

LOOK_SECONDS: Final = 0.1


def until(network: Network, there: Callable[[], bool], patience: float, problem: str) -> None:
    """Wait until `there()` holds. Raises `ManaraError` with `problem` after `patience` seconds, or where a process of
    the network is given up.
    """
    deadline = time.monotonic() + patience
    while not there():
        network.look()
        if time.monotonic() > deadline:
            raise ManaraError(problem, f"Look at {network.home.logs}; --home FOLDER keeps the logs of a demo.")
        time.sleep(LOOK_SECONDS)
