"""The broker of the run is the one that MANARA_TEST_KAFKA asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manara.embedded.kafka import EmbeddedKafka
from tests.support.kafka import PROVIDER, Broker

pytestmark = pytest.mark.integration


@pytest.mark.skipif(os.environ.get(PROVIDER) == "container", reason="this run has a container broker")
def test_an_embedded_run_talks_to_a_process_of_this_machine(kafka: Broker) -> None:
    """The process that serves the run's port is Kafka, and it is ours."""
    assert isinstance(kafka.provider, EmbeddedKafka)
    command = Path(f"/proc/{kafka.provider.pid}/cmdline").read_bytes().split(b"\0")
    assert b"kafka.Kafka" in command


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
