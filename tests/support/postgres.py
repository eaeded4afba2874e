"""The PostgreSQL of a test run: one server for all tests; each test makes a member (role and database) of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from manara.embedded.postgres import EmbeddedPostgres
from manara.embedded.scratch import ScratchFolder


@dataclass(frozen=True)
class Database:
    """The run's PostgreSQL, as tests see it."""

    server: EmbeddedPostgres

    @property
    def version(self) -> str:
        """The version of PostgreSQL."""
        return self.server.version

    def create_member(self, member: str) -> str:
        """Role and database of a member; the connection string."""
        return self.server.create_member(member)

    def superuser_dsn(self) -> str:
        """The superuser's connection string."""
        return self.server.superuser_dsn()

    def fresh(self) -> str:
        """An empty database that no other test has; the connection string of its owner."""
        return self.server.create_member(f"t{secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Database]:
    """A real PostgreSQL that lives as long as the run."""
    with ScratchFolder() as folder, EmbeddedPostgres(folder / "postgres") as server:
        yield Database(server)
