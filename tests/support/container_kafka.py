"""The same secured broker as the embedded one, but in a container of the image that `make image` builds."""

from __future__ import annotations

import secrets
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

import docker
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from manara.embedded.broker import ADMIN, BROKER, Listeners, broker_properties, cluster_id, render, scram_credential
from manara.embedded.certificates import Tls, ensure_certificates
from manara.embedded.jars import kafka_version
from manara.embedded.ports import HOST, free_ports

CONFIG = PurePosixPath("/etc/kafka")
CLIENT_PORT, INTERNAL_PORT, CONTROLLER_PORT = 9092, 9093, 9094
"""Ports inside the container; only the first is reachable from outside."""
START_SECONDS = 60


class ContainerKafka:
    """A broker in a container: the same names, settings, users and rights as `manara.embedded.kafka.EmbeddedKafka`."""

    def __init__(self, folder: Path, *, image: str = "") -> None:
        """Nothing is started yet; `folder` will hold the certificates that clients need."""
        self.folder = folder
        self.image = image or f"manara/kafka:{kafka_version()}"
        self.version = kafka_version()
        self.admin_username = ADMIN
        self.admin_password = secrets.token_urlsafe(24)
        self.port = 0
        self.ca = folder / "tls" / "ca.pem"
        self._container: DockerContainer | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect, as host:port."""
        return f"{HOST}:{self.port}"

    def client(self) -> dict[str, object]:
        """librdkafka's settings for the super user."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": self.admin_username,
            "sasl.password": self.admin_password,
            "ssl.ca.location": str(self.ca),
        }

    def start(self) -> Self:
        """Start the broker and wait until it says that it is up; fails without an engine or without the image."""
        _require_image(self.image)
        # Its cleaner is an image of a registry; our own clean-up is `stop`, and the engine's end.
        testcontainers_config.ryuk_disabled = True
        (self.port,) = free_ports(1)
        tls = ensure_certificates(self.folder / "tls", BROKER)
        container = DockerContainer(self.image)
        # `with_bind_ports` would listen on every interface; the engine takes an address too, whatever the type says.
        container.ports[f"{CLIENT_PORT}/tcp"] = (HOST, self.port)  # type: ignore[assignment]
        for name, content in self._files(tls).items():
            # Readable inside the container, which holds nobody but the broker.
            container.with_copy_into_container(content, str(CONFIG / name), 0o444)
        container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(START_SECONDS))
        self._container = container
        try:
            container.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Remove the container and what it stored. Does nothing when there is none."""
        container, self._container = self._container, None
        if container is not None:
            container.stop()
            container.get_docker_client().client.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _files(self, tls: Tls) -> dict[str, bytes]:
        """What the image reads (deploy/images/kafka/README.md), by name."""
        at = Listeners(CLIENT_PORT, INTERNAL_PORT, CONTROLLER_PORT, bind="0.0.0.0", advertised=self.bootstrap)
        data = PurePosixPath("/var/lib/kafka/data")
        settings = broker_properties(at, data=data, keystore=CONFIG / "server.pem", ca=CONFIG / "ca.pem")
        user = scram_credential(self.admin_username, self.admin_password, secrets.token_bytes(24))
        arguments = ["--cluster-id", cluster_id(secrets.token_bytes(16)), "--add-scram", user]
        return {
            "server.properties": render(settings).encode("ascii"),
            "server.pem": tls.keystore.read_bytes(),
            "ca.pem": tls.ca.read_bytes(),
            "format.args": "".join(f"{argument}\n" for argument in arguments).encode(),
        }


def _require_image(image: str) -> None:
    """Say plainly what is missing: the engine's own words speak of a registry that nobody meant to ask."""
    try:
        client = docker.from_env()
    except DockerException as error:
        message = (
            f"MANARA_TEST_KAFKA=container, but no container engine answers: {error}. Start one or set DOCKER_HOST."
        )
        raise RuntimeError(message) from error
    try:
        client.images.get(image)
    except ImageNotFound as error:
        raise RuntimeError(f"the image {image} is not there: run `make image`") from error
    finally:
        client.close()
