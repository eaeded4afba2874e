"""A whole network to break: the deployment's own parts, with doors to kill, stop, wipe and restart each of them.

Every process stands under the product's supervisor, as `manara up` has it, and serves its metrics on a port of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from manara.deployment import network, processes
from manara.deployment.home import Home, settings_file
from manara.deployment.servers import Servers
from manara.directory_file import DirectoryDraft, load_yaml
from manara.embedded.ports import free_ports
from manara.settings import Settings
from manara.stores import lock
from manara.supervisor import Child, Supervisor
from schemas.directory import HUB_STAGES, Directory

DIRECTORY = """
directory_seq: 1
members:
  - {code: AZ, name: Azerbaijan, standing: GOOD, tlp: RED, handling: [H0, H1, H2, H3], subscriptions: [person, route, transfer]}
  - {code: EG, name: Egypt, standing: GOOD, tlp: AMBER, handling: [H0, H1], subscriptions: [person, route]}
  - {code: KZ, name: Kazakhstan, standing: GOOD, tlp: AMBER_STRICT, handling: [H0, H1, H2, H3], subscriptions: [person, route, transfer]}
  - {code: TR, name: Türkiye, standing: GOOD, tlp: RED, handling: [H0, H1, H2, H3], subscriptions: [person, route, transfer]}
agencies:
  - {id: az-police, member: AZ, name: Police, kinds: [person]}
  - {id: eg-customs, member: EG, name: Customs, kinds: [route]}
  - {id: kz-fiu, member: KZ, name: Financial Monitoring Agency, kinds: [transfer]}
  - {id: tr-customs, member: TR, name: Customs Enforcement, kinds: [route]}
"""  # noqa: E501 - a member a line
EDGE = "edge"
KINDS = ("hub.gate", "hub.route", "hub.receipts", "hub.clock", EDGE, "relay.az-police")
"""One process of each kind."""


def until(what: str, ask: object, seconds: float) -> None:
    """Wait for an outcome; an assertion that names it where it does not come in time."""
    assert callable(ask)
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline, f"within {seconds:.0f} s it did not happen that {what}"
        time.sleep(0.1)


@dataclass
class Shaken:
    """The network. `members` are codes; a process is named as the supervisor names it."""

    home: Home
    draft: DirectoryDraft
    servers: Servers
    databases: dict[str, str] = field(repr=False)
    ports: dict[str, int]
    supervisors: dict[str, Supervisor] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def running(cls, folder: Path, runner: str = "faust") -> Iterator[Shaken]:
        """Everything started; stopped at the end, whatever happened. `runner` is that of route."""
        home, given = Home(folder / "home"), folder / "directory.yaml"
        given.write_text(DIRECTORY, encoding="utf-8")
        for place in (home.root, home.logs, home.secrets):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = load_yaml(given)
        with ExitStack() as stack:
            stack.enter_context(lock(home.running))
            servers = stack.enter_context(Servers(home))
            databases = servers.databases(draft.members)
            complete = network._introduce(home, draft, servers, databases, network.no_more)
            network._administer(home, servers, complete)
            children = processes.children(home, draft.members, draft.agencies)
            ports = dict(zip([child.name for child in children], free_ports(len(children)), strict=True))
            made = cls(home, complete, servers, databases, ports)
            for child in children:
                env = {"MANARA_HTTP_PORT": str(ports[child.name]), "MANARA_RUNNER": runner, "MANARA_CLOCK_SECONDS": "1"}
                made.supervisors[child.name] = made._supervise(replace(child, env={**child.env, **env}), stack)
            yield made

    def _supervise(self, child: Child, stack: ExitStack) -> Supervisor:
        supervisor = Supervisor([child])
        stack.callback(supervisor.stop)
        return supervisor.start()

    @property
    def members(self) -> list[str]:
        """Codes of the members."""
        return sorted(self.draft.members)

    @property
    def agencies(self) -> list[str]:
        """Ids of the agencies."""
        return sorted(self.draft.agencies)

    @property
    def directory(self) -> Directory:
        """Who takes part."""
        return self.draft.directory()

    def settings(self, folder: Path) -> Settings:
        """The settings of the party that lives in a folder."""
        return Settings.load(settings_file(folder))

    # ------------------------------------------------------------------ what is done to it

    def pid(self, name: str) -> int:
        """The process id of a process that runs."""
        found = self.supervisors[name].pid(name)
        assert found is not None, f"{name} does not run"
        return found

    def kill(self, name: str) -> None:
        """Kill -9. The supervisor starts it again."""
        before = self.pid(name)
        os.kill(before, signal.SIGKILL)
        until(f"{name} is started again", lambda: self.supervisors[name].pid(name) not in (None, before), 20)

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """SIGSTOP, and SIGCONT at the end."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def off(self, name: str) -> Iterator[None]:
        """Ended politely, and started again at the end."""
        supervisor = self.supervisors[name]
        supervisor.stop()
        try:
            yield
        finally:
            supervisor._stop.clear()
            supervisor.start()

    @contextmanager
    def broker_down(self, *, wipe: bool = False) -> Iterator[None]:
        """The broker killed, and started again at the end; with `wipe` all that it held is gone."""
        kafka = self.servers.kafka
        self._end(kafka.pid)
        until("the broker is gone", lambda: not kafka.running, 20)
        try:
            yield
        finally:
            if wipe:
                shutil.rmtree(kafka._data)
                kafka._formatted.unlink()
            kafka.start()
            if wipe:
                network._administer(self.home, self.servers, self.draft)

    @contextmanager
    def database_down(self) -> Iterator[None]:
        """PostgreSQL killed, all its processes, and started again at the end."""
        postgres = self.servers.postgres
        self._end(postgres.pid)
        until("PostgreSQL is gone", lambda: not postgres.running, 30)
        try:
            yield
        finally:
            postgres.start()

    @staticmethod
    def _end(pid: int | None) -> None:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    # ------------------------------------------------------------------ what it says

    def ready(self) -> bool:
        """Whether every process says that it works."""
        return all(self._get(name, "ready") is not None for name in self.ports)

    def metrics(self, name: str) -> dict[str, float]:
        """The metrics of a process by name and labels, as they are written; none while it does not answer."""
        text = self._get(name, "metrics") or ""
        lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {series: float(value) for series, _, value in lines}

    def said(self) -> list[bytes]:
        """What anybody may come to see: all logs, and the metrics of every process."""
        texts = [(self._get(name, "metrics") or "").encode() for name in self.ports]
        return [*texts, *(path.read_bytes() for path in self.home.logs.iterdir())]

    def _get(self, name: str, what: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/{what}", timeout=3) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return None


__all__ = ["EDGE", "HUB_STAGES", "KINDS", "Shaken", "until"]
