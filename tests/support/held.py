"""One broker for tests that run in several processes: their parent starts it when the first of them asks, and ends it.

The two sides meet in a folder of the parent: `wanted` is a worker's question, `broker.json` (mode 0600) the answer,
`failed` the reason why there is none.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from manara.embedded.scratch import ScratchFolder

if TYPE_CHECKING:
    from tests.support.kafka import Provider

HELD = "manara_broker"
"""Under this name the parent tells its workers the folder."""
PATIENCE = 110.0
"""Seconds that a worker waits: a first start fetches the broker's jars."""


@dataclass(frozen=True)
class HeldBroker:
    """A broker that another process has started: what a client must know of it."""

    version: str
    ca: Path
    admin_username: str
    admin_password: str
    bootstrap: str
    settings: dict[str, object]

    def client(self) -> dict[str, object]:
        """librdkafka's settings for the super user."""
        return dict(self.settings)


@dataclass(frozen=True)
class Shared:
    """A worker's side."""

    folder: Path

    def wait(self) -> HeldBroker:
        """Ask for the broker and wait until it is there; fails with the parent's reason."""
        (self.folder / "wanted").touch()
        deadline = time.monotonic() + PATIENCE
        answer, failed = self.folder / "broker.json", self.folder / "failed"
        while time.monotonic() < deadline:
            if answer.exists():
                found = json.loads(answer.read_text("utf-8"))
                return HeldBroker(**found | {"ca": Path(found["ca"])})
            if failed.exists():
                pytest.fail(failed.read_text("utf-8"), pytrace=False)
            time.sleep(0.05)
        pytest.fail(f"no broker after {PATIENCE} s", pytrace=False)


def held_by(config: pytest.Config) -> Shared | None:
    """Where this worker finds the shared broker; None in a run of one process."""
    told = cast("dict[str, str]", getattr(config, "workerinput", {})).get(HELD)
    return Shared(Path(told)) if told else None


class Holder:
    """The parent's side: a thread that waits for the first question, and keeps the broker until `close`.

    The broker dies with the thread that started it (the kernel's death signal is a thread's), so it starts and ends in
    one that lives as long as the run.
    """

    def __init__(self, provider: Callable[[Path], AbstractContextManager[Provider]]) -> None:
        self._provider = provider
        self._scratch = ScratchFolder()
        self.folder = self._scratch.__enter__()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hold, name="broker of the run", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the broker, where there is one, and take the folder away."""
        self._ended.set()
        self._thread.join()
        self._scratch.__exit__(None, None, None)

    def _hold(self) -> None:
        while not (self.folder / "wanted").exists():
            if self._ended.wait(0.05):
                return
        try:
            with self._provider(self.folder / "kafka") as provider:
                _publish(self.folder / "broker.json", json.dumps(asdict(_held(provider)), default=str))
                self._ended.wait()
        except Exception as error:  # noqa: BLE001 - whatever it is, the workers must hear it rather than wait
            _publish(self.folder / "failed", f"the broker of the run did not start: {error}")


def _held(provider: Provider) -> HeldBroker:
    return HeldBroker(
        version=provider.version,
        ca=provider.ca,
        admin_username=provider.admin_username,
        admin_password=provider.admin_password,
        bootstrap=provider.bootstrap,
        settings=provider.client(),
    )


def _publish(path: Path, text: str) -> None:
    """Whole or not at all, for its owner alone."""
    being_made = path.with_suffix(".new")
    with os.fdopen(os.open(being_made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    being_made.rename(path)
