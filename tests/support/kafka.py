"""The broker of a test run: one for all tests of a process, real and secured; each test keeps to names of its own.

`MANARA_TEST_KAFKA=embedded` (the default) starts the one that `manara up` starts, `container` the one of `make image`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from manara.embedded.kafka import EmbeddedKafka
from manara.embedded.scratch import ScratchFolder

PROVIDER = "MANARA_TEST_KAFKA"


class Provider(Protocol):
    """What an embedded and a container broker have in common."""

    @property
    def version(self) -> str:
        """The version of Kafka."""
        ...

    @property
    def ca(self) -> Path:
        """PEM of the authority that clients trust."""
        ...

    @property
    def admin_username(self) -> str:
        """The super user's name."""
        ...

    @property
    def admin_password(self) -> str:
        """The super user's password."""
        ...

    @property
    def bootstrap(self) -> str:
        """Where clients connect, as host:port."""
        ...

    def client(self) -> dict[str, object]:
        """librdkafka's settings for the super user."""
        ...


@dataclass(frozen=True)
class Broker:
    """The run's broker, as tests see it."""

    provider: Provider

    @property
    def bootstrap(self) -> str:
        """Where clients connect, as host:port."""
        return self.provider.bootstrap

    @property
    def ca(self) -> Path:
        """PEM of the authority that clients trust."""
        return self.provider.ca

    @property
    def version(self) -> str:
        """The version of Kafka."""
        return self.provider.version

    @property
    def admin_username(self) -> str:
        """The super user's name."""
        return self.provider.admin_username

    @property
    def admin_password(self) -> str:
        """The super user's password."""
        return self.provider.admin_password

    def client(self) -> dict[str, object]:
        """librdkafka's settings for the super user."""
        return self.provider.client()

    @staticmethod
    def unique(name: str = "t") -> str:
        """A name for a topic, group, user or prefix that no other test has; lower case."""
        return f"{name}-{secrets.token_hex(4)}"


def _provider(folder: Path) -> AbstractContextManager[Provider]:
    chosen = os.environ.get(PROVIDER, "embedded")
    if chosen == "embedded":
        return EmbeddedKafka(folder)
    if chosen == "container":
        # needs a container engine's client, which the embedded run does without
        from tests.support.container_kafka import ContainerKafka

        return ContainerKafka(folder)
    raise pytest.UsageError(f"{PROVIDER} is {chosen!r}: set it to embedded or container")


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """A real, secured broker that lives as long as the run; each process of a run spread over several has its own.

    Topics, groups and rights are apart by their names on one broker, the users of a hub are not: their names are fixed.
    """
    with ScratchFolder() as folder, _provider(folder / "kafka") as provider:
        yield Broker(provider)
