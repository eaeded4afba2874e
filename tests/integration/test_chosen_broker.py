"""The broker of the run is the one that MANARA_TEST_KAFKA asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kafka import PROVIDER, Broker

pytestmark = pytest.mark.integration


def _settings_of_brokers() -> Iterator[Path]:
    """The settings files that brokers on this machine were started with."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().split(b"\0")
            settings = Path(words[words.index(b"kafka.Kafka") + 1].decode())
            if settings.exists():
                yield settings
        except (OSError, ValueError, IndexError):
            continue  # ended in between, or no broker


@pytest.mark.skipif(os.environ.get(PROVIDER) == "container", reason="this run has a container broker")
def test_an_embedded_run_talks_to_a_process_of_this_machine(kafka: Broker) -> None:
    """A Java process of this machine runs Kafka with settings that name the run's port."""
    assert [path for path in _settings_of_brokers() if kafka.bootstrap in path.read_text("ascii")]


@pytest.mark.skipif(os.environ.get(PROVIDER) != "container", reason="this run has an embedded broker")
def test_a_container_run_talks_to_a_container_of_our_image(kafka: Broker) -> None:
    """The engine itself says which container publishes the run's port, on loopback alone, and of which image."""
    import docker

    client = docker.from_env()
    try:
        published = {
            (binding["HostIp"], binding["HostPort"]): container.image.tags
            for container in client.containers.list()
            for bindings in container.ports.values()
            for binding in bindings or ()
        }
    finally:
        client.close()
    host, _, port = kafka.bootstrap.partition(":")
    assert published.get((host, port)) == [f"manara/kafka:{kafka.version}"]
