"""Several edges in one process: a thread each, and nothing shared. One that fails is started again; the others do not
notice.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog
from rich.progress import Progress

from consumers.edge import Edge
from consumers.errors import EdgeError
from manara.errors import ManaraError, in_words
from manara.health import Check, Health
from manara.process import Context
from manara.settings import Settings

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
FAR_BEHIND: Final = 5_000
"""Messages that wait: from here on a terminal shows how the edge catches up."""
STEADY_SECONDS: Final = 60.0
"""An edge that ran as long as this had recovered: its next failure counts as the first."""


def settings_of(first: Settings, further: Sequence[Path]) -> list[Settings]:
    """The settings of every edge to host. Raises `SettingsError`, or `EdgeError` where two would share a folder."""
    found = [first, *(Settings.load(path) for path in (*first.inboxes, *further))]
    folders = [settings.folder.resolve() for settings in found]
    twice = {folder for folder in folders if folders.count(folder) > 1}
    if twice:
        raise EdgeError(
            f"Two edges would use the folder {min(twice)}.", "Give each its own `folder` in its settings file."
        )
    return found


class Host:
    """The edges of one process."""

    def __init__(self, settings: Sequence[Settings], *, resync: bool = False) -> None:
        self._hosted = [Hosted(one, resync=resync) for one in settings]

    def show(self, progress: Progress) -> None:
        """Show on a terminal how an edge that is far behind catches up."""
        for hosted in self._hosted:
            hosted.show(progress)

    @property
    def checks(self) -> Mapping[str, Check]:
        """For /ready: one sentence an edge, "" when it works."""
        return {f"edge {hosted.edge.member}": hosted.unready for hosted in self._hosted}

    def run(self, context: Context) -> int:
        """Work until the process is asked to stop. A single edge's failure is the process's; among several it is its
        own.
        """
        if len(self._hosted) == 1:
            self._hosted[0].once(context.stop, context.health)
            return 0
        threads = [
            threading.Thread(target=hosted.keep, args=(context.stop, context.health), name=hosted.edge.member)
            for hosted in self._hosted
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():  # in slices: a bare join would keep the main thread from its signals
                thread.join(0.5)
        return 0


class Hosted:
    """One edge under guard."""

    def __init__(
        self, settings: Settings, *, resync: bool = False, chance: Callable[[], float] = random.random
    ) -> None:
        self.edge = Edge(settings, resync=resync)
        self._health = Health()
        self._chance = chance
        self._problem = ""

    def show(self, progress: Progress) -> None:
        """A bar while more than `FAR_BEHIND` messages wait, until none does."""
        task = progress.add_task(f"{self.edge.member} catches up", total=None, visible=False)

        def advanced(taken: int, waiting: int) -> None:
            shown = waiting > FAR_BEHIND or (waiting > 0 and progress.tasks[task].visible)
            progress.update(task, completed=taken, total=taken + waiting, visible=shown)

        self.edge.advanced = advanced

    def unready(self) -> str:
        """Why this edge does not work; "" when it does."""
        return self._problem or self._health.unready()

    def once(self, stop: threading.Event, process: Health) -> None:
        """Run the edge until `stop` or its failure, which is raised."""

        def turned() -> None:
            self._health.progress()
            process.progress()
            self._problem = ""

        self.edge.turned = turned
        self.edge.run(stop)

    def keep(self, stop: threading.Event, process: Health) -> None:
        """Run the edge, and start it again after every failure, until `stop`."""
        failures = 0
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.once(stop, process)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this edge's alone
                failures = 1 if time.monotonic() - began > STEADY_SECONDS else failures + 1
                self._say(error, failures)
                process.alive()
                stop.wait(min(FIRST_PAUSE * 2.0 ** min(failures - 1, 8), LONGEST_PAUSE) * (0.5 + self._chance() / 2))

    def _say(self, error: Exception, failures: int) -> None:
        log = structlog.get_logger().bind(member=self.edge.member, failures=failures)
        said = in_words(error) if isinstance(error, OSError) else error
        if isinstance(said, ManaraError):
            self._problem = str(said)
            log.error("Edge failed and is started again", problem=said.message, remedy=said.remedy)
            return
        self._problem = f"It failed unexpectedly ({type(error).__name__})."
        log.error("Edge failed unexpectedly and is started again", exc_info=error)
