"""Where a benchmark runs: one real broker, one real database server, one directory; a scene of its own for each run.

A scene is a set of topics under a prefix, with the catalogue's rights, and folders and databases that no other run
has. The product's processes are started in it by their public commands, on chosen cores, under a supervisor.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from manara.administration import Administrator, password_path
from manara.bench.errors import BenchError
from manara.deployment import parties
from manara.deployment.home import Home
from manara.deployment.processes import command, environment
from manara.directory import publish
from manara.directory_file import DirectoryDraft, load_yaml
from manara.embedded.files import write_private
from manara.embedded.kafka import EmbeddedKafka
from manara.embedded.postgres import EmbeddedPostgres
from manara.settings import KafkaSettings, Settings
from manara.supervisor import Child, State, Supervisor
from schemas.signature import SigningKey
from schemas.topics import Names

DIRECTORY: Final = Path(__file__).with_name("directory.yaml")
JVM: Final = ("-XX:TieredStopAtLevel=4", "-Xms512m", "-Xmx1g")
"""A broker under load is worth its compiler: C2, and a gigabyte."""
ADMIN: Final = "admin"
LAST_LINES: Final = 6


@dataclass(frozen=True)
class Cores:
    """Which cores run what; on one core, all share it."""

    ours: frozenset[int]
    rest: frozenset[int]

    @classmethod
    def of_machine(cls) -> Self:
        """The first core that we may use for what is measured, the others for the broker and the measuring."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(frozenset(usable[:1]), frozenset(usable[1:] or usable))

    @property
    def all(self) -> frozenset[int]:
        """Every core."""
        return self.ours | self.rest


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """What is started inside stays on these cores: a new process inherits them from the thread that starts it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass
class Stand:
    """The servers and the parties of a benchmark. Use it as a context manager."""

    home: Home
    kafka: EmbeddedKafka
    postgres: EmbeddedPostgres
    draft: DirectoryDraft
    keys: Mapping[str, SigningKey] = field(repr=False)
    cores: Cores
    ready_seconds: float
    _stack: ExitStack
    _scenes: int = 0

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Start both servers and make the parties. Raises `ManaraError` in words."""
        home, cores = Home(folder), Cores.of_machine()
        home.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        began = time.monotonic()
        with ExitStack() as stack:
            with pinned(cores.rest):
                kafka = stack.enter_context(EmbeddedKafka(home.kafka, jvm=JVM))
                postgres = stack.enter_context(EmbeddedPostgres(home.postgres))
            seconds = time.monotonic() - began
            draft, keys = _introduce(home)
            write_private(home.password(ADMIN), kafka.admin_password.encode())
            return cls(home, kafka, postgres, draft, keys, cores, seconds, stack.pop_all())

    def scene(self, *, lanes: int = 8) -> Scene:
        """Topics, rights and directory of a new run."""
        self._scenes += 1
        made = Scene(self, f"b{self._scenes}", lanes)
        made.prepare()
        return made

    def bare(self, folder: Path) -> Scene:
        """A scene without topics of ours, for processes that are not ours."""
        self._scenes += 1
        made = Scene(self, f"b{self._scenes}", 1)
        made.folder = folder
        return made

    def kafka_settings(self, principal: str) -> KafkaSettings:
        """How a principal connects; `admin` is the super user."""
        path = self.home.password(ADMIN) if principal == ADMIN else password_path(self.home.secrets, principal)
        return KafkaSettings(bootstrap=self.kafka.bootstrap, ca=self.kafka.ca, username=principal, password_file=path)

    def close(self) -> None:
        """Stop the servers."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _introduce(home: Home) -> tuple[DirectoryDraft, dict[str, SigningKey]]:
    """The directory with fresh keys of everybody."""
    draft = load_yaml(DIRECTORY)
    issuer = parties.Issuer(home, time.time_ns() // 1000)
    roots = issuer.roots(draft)
    complete = parties.write_directory(home, draft, roots, list(issuer.certified(draft, roots, ())))
    from manara import keys  # noqa: PLC0415

    return complete, {holder: keys.load(folder / "key.pem") for holder, folder in parties.holders(home, draft)}


class Scene:
    """One run's topics, folders and databases."""

    def __init__(self, stand: Stand, name: str, lanes: int) -> None:
        """Nothing is made yet."""
        self.stand, self.name, self.lanes = stand, name, lanes
        self.folder = stand.home.root / "scenes" / name
        self.names = Names(f"{name}.")
        self.databases: dict[str, str] = {}

    def prepare(self) -> None:
        """Make the topics and rights, publish the directory."""
        self.folder.mkdir(mode=0o700, parents=True)
        administrator = Administrator(self.settings(ADMIN), self.stand.home.secrets)
        administrator.apply(administrator.plan(self.stand.draft.directory()))
        record = self.stand.draft.record(self.stand.draft.seq, time.time_ns() // 1000)
        publish(self.settings("operator"), record)

    def settings(self, principal: str) -> Settings:
        """The settings of a principal in this scene."""
        return Settings(
            kafka=self.stand.kafka_settings(principal),
            topic_prefix=self.names.prefix,
            lanes=self.lanes,
            roots=self.stand.draft.pins(),
        )

    def config(self, principal: str, *, slot: str = "", database: bool = False) -> Path:
        """The settings of a principal as a file, for `manara --config`; `slot` sets a second worker's folder apart."""
        home = self.folder / f"{principal}{slot}"
        home.mkdir(mode=0o700, exist_ok=True)
        top = {"folder": str(home), "roots_file": str(self.stand.home.roots), "log_format": "json"}
        top |= {"topic_prefix": self.names.prefix, **self._party(principal, database=database)}
        kafka = self.stand.kafka_settings(principal)
        inner = {
            "bootstrap": kafka.bootstrap,
            "ca": str(kafka.ca),
            "username": principal,
            "password_file": str(kafka.password_file),
        }
        lines = [f"lanes = {self.lanes}", *(f"{name} = {json.dumps(value)}" for name, value in top.items())]
        lines += ["", "[kafka]", *(f"{name} = {json.dumps(value)}" for name, value in inner.items())]
        path = home / "manara.toml"
        write_private(path, ("\n".join(lines) + "\n").encode())
        return path

    def _party(self, principal: str, *, database: bool) -> dict[str, str]:
        home, special = self.stand.home, dict[str, str]()
        if principal.startswith("edge."):
            code = principal.removeprefix("edge.").upper()
            special = {"member": code, "key": str(home.member(code) / "key.pem")}
            if database:
                special["postgres"] = self.database(code)
        elif principal.startswith("hub."):
            special = {"key": str(home.hub(principal.removeprefix("hub.")) / "key.pem")}
        elif principal in self.stand.draft.agencies:
            key = str(home.agency(principal) / "key.pem")
            special = {"agency": principal, "member": principal[:2].upper(), "key": key}
        return special

    def database(self, code: str) -> str:
        """A database of this scene alone for a member; its connection string."""
        if code not in self.databases:
            self.databases[code] = self.stand.postgres.create_member(f"{self.name}_{code.lower()}")
        return self.databases[code]

    def role(self, name: str, config: Path, *words: str) -> Child:
        """A process of the product, by its public command."""
        return Child(name, tuple(command(config, *words)), environment(), self.log(name))

    def edges(self, codes: Sequence[str]) -> Child:
        """One edge process that hosts these members."""
        configs = [self.config(f"edge.{code.lower()}", database=True) for code in codes]
        words = [word for config in configs for word in ("--config", str(config))]
        argv = (sys.executable, "-m", "manara.cli", "edge", *words)
        return Child("edge", argv, environment(), self.log("edge"))

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.folder / f"{name}.log"

    @contextmanager
    def running(
        self, children: Sequence[Child], cores: frozenset[int], *, deaths: bool = False
    ) -> Iterator[Supervisor]:
        """These processes at work on these cores. BenchError where one had to be started again, unless `deaths`."""
        supervisor = Supervisor(children)
        with pinned(cores):
            supervisor.start()
        try:
            yield supervisor
            died = [state for state in supervisor.states() if state.restarts]
            if died and not deaths:
                raise _died(died[0], self.log(died[0].name))
        finally:
            supervisor.stop()


def _died(state: State, log: Path) -> BenchError:
    """What a process said at its first end: the lines before it was started again."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    starts = [number for number, line in enumerate(lines) if '"Process started"' in line]
    end = starts[1] if len(starts) > 1 else len(lines)
    said = "\n".join(lines[max(0, end - LAST_LINES) : end])
    return BenchError(
        f"{state.name} died {state.restarts} times (exit code {state.code}). Before that it said:\n{said}",
        "Its exit code and its log say why; --keep FOLDER keeps all logs.",
    )
