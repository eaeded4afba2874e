"""A network on one machine, from nothing to running: servers, parties, topics, directory, processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from manara import keys
from manara.administration import Administrator
from manara.deployment import parties, processes
from manara.deployment.home import Home, settings_file
from manara.deployment.servers import Servers
from manara.directory import publish
from manara.directory_file import DirectoryDraft, load_yaml
from manara.errors import ManaraError
from manara.settings import Settings
from manara.stores import lock
from manara.supervisor import State, Supervisor
from schemas.models import CertifiedKey
from schemas.signature import SigningKey

HOPELESS: Final = 5
"""A process that had to be started again so often will not come up by another try."""
TAIL_LINES: Final = 8
SIGNALS: Final = 192
"""Exit codes from here on are a guard's word for a signal: 256 less its number."""

Step = Callable[[str], object]
More = Callable[[parties.Issuer, DirectoryDraft, dict[str, SigningKey]], list[CertifiedKey]]
"""Makes further keys for the directory; the demo's expired one, for example."""


def no_more(_issuer: parties.Issuer, _draft: DirectoryDraft, _roots: dict[str, SigningKey]) -> list[CertifiedKey]:
    """No further keys."""
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
    _noted: dict[str, int | None] = field(default_factory=dict)

    @classmethod
    def start(
        cls, folder: Path, directory: Path, step: Step, *, more: More = no_more, apart: Collection[str] = frozenset()
    ) -> Self:
        """Start a network in `folder` for the members and agencies of a directory file.

        `step` is told what is being done. The edges of members `apart` can be switched off.
        Raises `ManaraError` in words; nothing is left running then.
        """
        home = Home(folder.absolute())
        for place in (home.root, home.logs, home.secrets):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = load_yaml(directory)
        with ExitStack() as stack:
            stack.enter_context(lock(home.running, purpose="the running of a network"))
            step("Starting Apache Kafka and PostgreSQL")
            servers = stack.enter_context(Servers(home))
            step("Making keys, settings and databases of all parties")
            databases = servers.databases(draft.members)
            complete = _introduce(home, draft, servers, databases, more)
            step("Making topics, users and rights from the catalogue")
            _administer(home, servers, complete)
            step("Starting the hub, the members' edges and the agencies' relays")
            children = processes.children(home, draft.members, draft.agencies, apart)
            supervisor = stack.enter_context(Supervisor(children))
            network = cls(home, complete, servers, databases, supervisor, stack)
            network.look()
            network._stack = stack.pop_all()
            return network

    def look(self) -> None:
        """Note the process ids of now in the home, for people and tests. Call it now and then.

        Raises `ManaraError` with the end of its log where a process dies again and again.
        """
        servers = {"kafka": self.servers.kafka.pid, "postgres": self.servers.postgres.pid}
        states = self.supervisor.states()
        pids = {**servers, **{state.name: state.pid for state in states}}
        if pids != self._noted:
            processes.write(self.home.processes, pids)
            self._noted = pids
        for state in states:
            if state.restarts >= HOPELESS:
                raise _hopeless(self.home, state, self.supervisor.log_tail(state.name))

    def switch_off(self, member: str) -> None:
        """End the edge of a member that is hosted apart, and leave it so."""
        self.supervisor.pause(processes.edge_apart(member))

    def switch_on(self, member: str) -> None:
        """Start it again."""
        self.supervisor.resume(processes.edge_apart(member))

    def stop(self) -> None:
        """Stop the processes, then the servers."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _hopeless(home: Home, state: State, said: str) -> ManaraError:
    log, last = home.logs / f"{state.name}.log", "\n".join(f"  {line}" for line in said.splitlines()[-TAIL_LINES:])
    how = f"exit code {state.code}" if (state.code or 0) < SIGNALS else f"killed by signal {256 - (state.code or 0)}"
    return ManaraError(
        f"The process {state.name} has died {state.restarts} times ({how}). The end of its log, {log}:\n{last}",
        "If that does not say what to do, run `manara doctor`; --home FOLDER keeps the logs of a demo.",
    )


def _introduce(
    home: Home, draft: DirectoryDraft, servers: Servers, databases: Mapping[str, str], more: More
) -> DirectoryDraft:
    """Make what each party needs and does not have yet; the directory that names them all, also written down."""
    issuer = parties.Issuer(home, _now())
    roots = issuer.roots(draft)
    known = known_keys(home)
    made = [] if known.keys else more(issuer, draft, roots)
    kept = issuer.renewed(draft, roots, known.keys)
    certified = [*kept, *issuer.certified(draft, roots, known.holders), *made]
    complete = parties.write_directory(home, replace(draft, seq=known.seq + 1), roots, certified)
    parties.write_settings(home, draft, servers.kafka, databases)
    return complete


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
    """Topics, users and rights from catalogue and directory, then the directory itself for everybody to read."""
    settings = Settings.load(parties.write_admin_settings(home, servers.kafka))
    administrator = Administrator(settings, home.secrets)
    administrator.apply(administrator.plan(draft.directory()))
    publish(Settings.load(settings_file(home.operator)), draft.record(draft.seq, _now()))


def _now() -> int:
    return time.time_ns() // 1000
