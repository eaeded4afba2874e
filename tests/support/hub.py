"""A whole hub for a test on the run's broker: the real processes under the catalogue's own rights, with its own topics.

Users are the cluster's, and the same for all tests; topics and groups carry a prefix that no other test has.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from confluent_kafka import Producer

from manara import keys
from manara.administration import Administrator, password_path
from manara.directory import publish
from manara.kafka import producer
from manara.settings import KafkaSettings, Settings
from schemas.topics import Names
from streams.operate.log import Log, Read
from tests.support.bad_inputs import Sent, bad_network
from tests.support.directories import Network
from tests.support.kafka import Broker

ROOT = Path(__file__).parents[2]
WAIT = 25.0
LANES = 2

_Result = TypeVar("_Result")


def now() -> int:
    """This moment in microseconds."""
    return time.time_ns() // 1000


def until(what: str, ask: Callable[[], _Result | None], seconds: float = WAIT) -> _Result:
    """The first answer that is neither None, False nor empty; an assertion that names `what` if none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = ask()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"within {seconds:.0f} s it did not happen that {what}")


@dataclass
class Hub:
    """Topics, rights, users and directory of one network; `start` starts a stage of the hub."""

    broker: Broker
    folder: Path
    net: Network
    names: Names
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _producers: dict[str, Producer] = field(default_factory=dict)
    _logs: dict[str, Log] = field(default_factory=dict)

    @classmethod
    def build(cls, broker: Broker, folder: Path, net: Network | None = None) -> Hub:
        """Everything but the processes. The network is of this moment: its keys and alerts are valid now."""
        hub = cls(broker, folder, net or bad_network(now()), Names(Broker.unique("hub") + "."))
        administrator = Administrator(hub.settings("admin"), folder / "secrets")
        administrator.apply(administrator.plan(hub.net.directory))
        publish(hub.settings("operator"), hub.net.record)
        return hub

    def settings(self, principal: str, **more: Any) -> Settings:
        """The settings of a principal; `admin` is the broker's super user."""
        if principal == "admin":
            who: dict[str, Any] = {"username": self.broker.admin_username, "password": self.broker.admin_password}
        else:
            who = {"username": principal, "password_file": password_path(self.folder / "secrets", principal)}
        kafka = KafkaSettings(bootstrap=self.broker.bootstrap, ca=self.broker.ca, **who)
        return Settings(kafka=kafka, roots=self.net.pins, topic_prefix=self.names.prefix, lanes=LANES, **more)

    def config(self, principal: str, **more: str) -> Path:
        """The same as a file, for `manara --config`."""
        home = self.folder / principal
        home.mkdir(exist_ok=True)
        lines = [
            f'folder = "{home}"',
            f'topic_prefix = "{self.names.prefix}"',
            f"lanes = {LANES}",
            *(f'{name} = "{value}"' for name, value in more.items()),
        ]
        if principal in self.net.keys:
            path = home / "key.pem"
            if not path.exists():
                keys.save(path, self.net.key(principal))
            lines.append(f'key = "{path}"')
        kafka = self.settings(principal).kafka
        lines += ["[kafka]", f'bootstrap = "{kafka.bootstrap}"', f'ca = "{kafka.ca}"', f'username = "{principal}"']
        lines.append(f'password_file = "{kafka.password_file}"')
        lines += ["[roots]", *(f'{name} = "{pin}"' for name, pin in self.net.pins.items())]
        file = home / "manara.toml"
        file.write_text("\n".join(lines) + "\n")
        return file

    def start(self, stage: str, *options: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start `manara hub <stage>` as the principal of that stage. Its log is `<folder>/hub.<stage>.log`."""
        config = self.config(f"hub.{stage}", **settings)
        command = [sys.executable, "-m", "manara.cli", "--config", str(config), "hub", stage]
        with (self.folder / f"hub.{stage}.log").open("ab") as log:
            process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=log, stderr=log, env=_environment())
        self.processes[stage] = process
        return process

    def kill(self, stage: str) -> None:
        """Kill -9, as the machine would."""
        process = self.processes.pop(stage)
        process.send_signal(signal.SIGKILL)
        process.wait(20)

    def manara(self, principal: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line as a principal."""
        command = [sys.executable, "-m", "manara.cli", "--config", str(self.config(principal)), *arguments]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT, env=_environment(), check=False
        )

    def producer(self, principal: str) -> Producer:
        """The producer of a principal."""
        if principal not in self._producers:
            self._producers[principal] = producer(self.settings(principal).kafka)
        return self._producers[principal]

    def send(self, messages: Iterable[Sent]) -> None:
        """Write messages into their agencies' inlets, all acknowledged at the return."""
        used = set()
        for message in messages:
            self.producer(message.agency).produce(
                self.names.inlet(message.agency),
                message.value,
                message.key,
                message.partition,
                headers=list(message.headers),
            )
            used.add(message.agency)
        for agency in used:
            assert self._producers[agency].flush(20) == 0

    def read(self, topic: str, principal: str = "operator") -> list[Read]:
        """Everything that a topic holds now."""
        log = self._logs.get(principal)
        if log is None:
            log = self._logs[principal] = Log(self.settings(principal))
        return list(log.scan(topic))

    def close(self) -> None:
        """End the processes that were started here."""
        for log in self._logs.values():
            log.close()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def _environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MANARA_")}
    return {**clean, "PYTHONPATH": str(ROOT)}
