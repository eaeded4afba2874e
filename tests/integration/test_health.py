"""The listener of a process: metrics, and whether it lives and is ready."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from manara import metrics
from manara.errors import ManaraError
from manara.health import Health, serve

pytestmark = pytest.mark.integration


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def ask(port: int, path: str) -> tuple[int, Any]:
    """Status and body."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_ready_means_recent_success() -> None:
    """Not merely running: not before the first, not long after the last."""
    clock = Clock()
    health = Health(clock=clock)
    with serve(0, health) as server:
        status, body = ask(server.port, "/ready")
        assert (status, json.loads(body)["problems"]) == (503, {"loop": "It has not begun to work yet."})
        health.progress()
        assert ask(server.port, "/ready")[0] == 200
        clock.now += 31
        status, body = ask(server.port, "/ready")
        assert (status, json.loads(body)["problems"]) == (503, {"loop": "The last success was 31 s ago."})


def test_live_means_that_the_loop_turns() -> None:
    """Also while the cluster is away and nothing succeeds."""
    clock = Clock()
    health = Health(clock=clock)
    with serve(0, health) as server:
        clock.now += 50
        health.alive()
        clock.now += 50
        assert ask(server.port, "/live")[0] == 200
        clock.now += 50
        assert ask(server.port, "/live")[0] == 503


def test_further_checks_are_part_of_ready() -> None:
    """Each by its name."""
    health = Health()
    health.progress()
    said = {"text": "The disk is nearly full."}
    with serve(0, health, {"disk": lambda: said["text"]}) as server:
        status, body = ask(server.port, "/ready")
        assert (status, json.loads(body)["problems"]) == (503, {"disk": "The disk is nearly full."})
        said["text"] = ""
        assert ask(server.port, "/ready")[0] == 200


def test_metrics_are_read_by_prometheus() -> None:
    """Every metric of the catalogue."""
    metrics.start()
    with serve(0, Health()) as server:
        status, body = ask(server.port, "/metrics")
    families = {family.name for family in text_string_to_metric_families(body)}
    assert status == 200
    assert {name for name, _, _ in metrics.catalogue()} <= families


def test_anything_else_is_not_there() -> None:
    """With what is."""
    with serve(0, Health()) as server:
        assert ask(server.port, "/")[0] == 404


def test_it_listens_on_this_machine_alone() -> None:
    """Nothing on other addresses."""
    with serve(0, Health()) as server, socket.socket() as outside:
        outside.settimeout(2)
        outside.bind(("127.0.0.2", 0))
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", server.port), timeout=2)


def test_a_taken_port_is_said_in_words() -> None:
    """With what to set."""
    with serve(0, Health()) as server, pytest.raises(ManaraError) as caught:
        serve(server.port, Health())
    assert f"Port {server.port}" in caught.value.message
    assert "MANARA_HTTP_PORT" in caught.value.remedy
