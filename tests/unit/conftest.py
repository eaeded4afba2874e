"""Unit tests are values in, values out: a socket here is a test in the wrong folder."""

from __future__ import annotations

import socket
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting or listening fails, whoever tries."""

    def refuse(_self: socket.socket, address: object) -> NoReturn:
        pytest.fail(f"a unit test opened a socket to {address}: it belongs in tests/integration")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
