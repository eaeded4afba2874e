"""A network on one machine, from nothing to running: servers, parties, topics, directory, processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from manara import keys
from manara.administration import Administrator
from manara.deployment import parties, processes
from manara.deployment.home import Home, settings_file
from manara.deployment.servers import Servers
from manara.directory import publish
from manara.directory_file import DirectoryDraft, load_yaml
from manara.settings import Settings
from manara.supervisor import Supervisor
from schemas.models import CertifiedKey
from schemas.signature import SigningKey

Step = Callable[[str], object]
More = Callable[[parties.Issuer, DirectoryDraft, dict[str, SigningKey]], list[CertifiedKey]]
"""Makes further keys for the directory; the demo's expired one, for example."""


def _none(_issuer: parties.Issuer, _draft: DirectoryDraft, _roots: dict[str, SigningKey]) -> list[CertifiedKey]:
    return []


@dataclass
class Network:
    """Everything that runs. Use it as a context manager: leaving it stops all of it."""

    home: Home
    draft: DirectoryDraft
    servers: Servers
    databases: dict[str, str] = field(repr=False)
    supervisor: Supervisor
    _stack: ExitStack

    @classmethod
    def start(cls, folder: Path, directory: Path, step: Step, *, more: More = _none) -> Self:
        """Start a network in `folder` for the members and agencies of a directory file.

        `step` is told what is being done. Raises `ManaraError` in words; nothing is left running then.
        """
        home, now = Home(folder.absolute()), time.time_ns() // 1000
        home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (home.logs, home.secrets):
            folder.mkdir(mode=0o700, exist_ok=True)
        draft = load_yaml(directory)
        with ExitStack() as stack:
            step("Starting Apache Kafka and PostgreSQL")
            servers = stack.enter_context(Servers(home))
            step("Making keys, certificates and databases of all parties")
            databases = servers.databases(draft.members)
            issuer = parties.Issuer(home, now)
            roots = issuer.roots(draft)
            known = known_keys(home)
            made = [] if known.keys else more(issuer, draft, roots)
            certified = [*known.keys, *issuer.certified(draft, roots, known.holders), *made]
            complete = parties.write_directory(home, replace(draft, seq=known.seq + 1), roots, certified)
            parties.write_settings(home, draft, servers.kafka, databases)
            step("Making topics, users and rights from the catalogue")
            _administer(home, servers, complete)
            publish(Settings.load(settings_file(home.operator)), complete.record(complete.seq, now))
            step("Starting the hub, the members' edges and the agencies' relays")
            children = [
                *processes.hub(home),
                *processes.edges(home, draft.members),
                *processes.relays(home, draft.agencies),
            ]
            supervisor = stack.enter_context(Supervisor(children))
            return cls(home, complete, servers, databases, supervisor, stack.pop_all())

    def stop(self) -> None:
        """Stop the processes, then the servers."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True)
class Known:
    """What the runtime copy of an earlier start says: its number, its certified keys and whose they are."""

    seq: int = 0
    keys: tuple[CertifiedKey, ...] = ()
    holders: frozenset[str] = frozenset()


def known_keys(home: Home) -> Known:
    """The keys of an earlier start in this folder: they are kept, for everybody knows them already."""
    if not home.directory.exists():
        return Known()
    before = load_yaml(home.directory)
    return Known(before.seq, before.keys, frozenset(keys.entry_of(key)["holder"] for key in before.keys))


def _administer(home: Home, servers: Servers, draft: DirectoryDraft) -> None:
    settings = Settings.load(parties.write_admin_settings(home, servers.kafka))
    administrator = Administrator(settings, home.secrets)
    administrator.apply(administrator.plan(draft.directory()))
