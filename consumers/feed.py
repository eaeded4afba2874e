"""A feed to read in six lines: the alerts of an inbox as they come, the most urgent first among what is waiting.

    from consumers import Feed

    for alert in Feed.open("members/az/manara.toml"):
        print(alert.precedence, alert.agency, alert.title)
        if alert.exercise:
            continue

It reads the inbox that the edge fills, on the same machine, and can be stopped and started at will: nothing is
consumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from consumers import standing, summary
from consumers.entry import Entry, urgency
from consumers.errors import EdgeError
from consumers.heartbeat import disconnected_since
from consumers.inbox import FILE_NAME, Inbox
from consumers.view import document
from manara.settings import Settings
from schemas import recipient

POLL_SECONDS = 0.2
AT_ONCE = 200


@dataclass(frozen=True)
class Alert:
    """One message of the inbox. What is not here is in `record`, as `schemas/avsc` has it."""

    entry: Entry

    @property
    def number(self) -> int:
        """Its place in the inbox: 1, 2, …"""
        return self.entry.number

    @property
    def agency(self) -> str:
        """Its author."""
        return self.entry.agency

    @property
    def alert_id(self) -> str:
        """Its id; only together with the agency it names one alert."""
        return self.entry.alert_id

    @property
    def version(self) -> int:
        """Its version: 1, 2, …"""
        return self.entry.version

    @property
    def kind(self) -> str:
        """What it is about: person, route or transfer."""
        return self.entry.kind

    @property
    def precedence(self) -> str:
        """FLASH, IMMEDIATE, PRIORITY or ROUTINE."""
        return self.entry.precedence

    @property
    def exercise(self) -> bool:
        """True unless it may be acted upon (status ACTUAL)."""
        return self.entry.status != "ACTUAL"

    @property
    def notice(self) -> bool:
        """True for the hub's word that an alert is no longer addressed to us."""
        return self.entry.type == "NOTICE"

    @property
    def title(self) -> str:
        """Who or what it is about, in a line that is safe to print."""
        return summary.title(self.entry)

    @cached_property
    def record(self) -> dict[str, Any]:
        """The decoded record; {} where the content was purged."""
        return {} if self.entry.bare else self.entry.record()

    def as_json(self) -> dict[str, Any]:
        """The document that `manara feed` writes into pipes."""
        return document(self.entry)


@dataclass(frozen=True)
class Connection:
    """The way to the hub: `since` is when it was lost (our clock, microseconds; 0: never had), None while it stands."""

    since: int | None


class Feed:
    """The alerts of one inbox. Iterating waits for new ones, unless `follow` is False."""

    def __init__(
        self,
        inbox: Inbox,
        *,
        after: int = 0,
        kinds: Collection[str] = (),
        follow: bool = True,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._inbox, self._number, self._kinds, self._follow = inbox, after, frozenset(kinds), follow
        self._clock = clock
        self._connection: Connection | None = None

    @classmethod
    def open(
        cls,
        config: Path | str | Settings | None = None,
        *,
        since: int | None = None,
        kinds: Collection[str] = (),
        follow: bool = True,
    ) -> Self:
        """The feed of the edge that these settings describe (a file, or `MANARA_CONFIG`).

        `since` (microseconds) begins with what came at or after that time; without it, following begins now, and not
        following at the beginning. Raises `EdgeError` where no edge has made an inbox yet.
        """
        settings = config if isinstance(config, Settings) else Settings.load(Path(config) if config else None)
        inbox = open_inbox(settings)
        after = inbox.since(since) if since is not None else inbox.tip().number if follow else 0
        return cls(inbox, after=after, kinds=kinds, follow=follow)

    def __iter__(self) -> Iterator[Alert]:
        """Alerts alone; notices and the state of the connection are in `events`."""
        return (event for event in self.events() if isinstance(event, Alert) and not event.notice)

    def events(self) -> Iterator[Alert | Connection]:
        """Everything that happens: alerts, notices, and when the way to the hub is lost or found."""
        while True:
            waiting = self._inbox.after(self._number, AT_ONCE)
            if waiting:
                self._number = waiting[-1].number
                yield from self._sorted(waiting)
            change = self._look()
            if change is not None:
                yield change
            if waiting:
                continue
            if not self._follow:
                return
            time.sleep(POLL_SECONDS)

    def expired(self, alert: Alert) -> bool:
        """Whether it no longer holds by the network's time: the latest heartbeat, or our clock before the first."""
        return bool(alert.entry.expires_at) and recipient.expired(alert.entry.expires_at, self.now())

    def marks(self, alert: Alert) -> list[str]:
        """What stands against acting on it, by all that has reached us: ended, suspended, replaced, left out, expired,
        its review due."""
        return standing.marks(alert.entry, self._inbox.held(alert.agency, alert.alert_id), self.now())

    def now(self) -> int:
        """The network's time by the latest heartbeat; our clock before the first."""
        return int(self._inbox.meta("heartbeat_at") or 0) or self._clock()

    def close(self) -> None:
        """Let go of the inbox."""
        self._inbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def _sorted(self, waiting: list[Entry]) -> Iterator[Alert]:
        chosen = [
            entry
            for entry in waiting
            if (not self._kinds or entry.kind in self._kinds) and (not entry.bare or entry.message == "WITHDRAW")
        ]  # a withdrawn alert's content is no news, the order is
        return (Alert(entry) for entry in sorted(chosen, key=lambda entry: urgency(entry.precedence)))

    def _look(self) -> Connection | None:
        """The connection's state where it is another than before; a standing one at the start is no news."""
        seen = [int(self._inbox.meta(name) or 0) for name in ("edge_seen", "heartbeat_seen")]
        found = Connection(disconnected_since(seen[0], seen[1], self._clock()))
        before, self._connection = self._connection, found
        if before is None:
            return found if found.since is not None else None
        return found if (before.since is None) != (found.since is None) else None


def open_inbox(settings: Settings) -> Inbox:
    """The inbox of an edge that has run. Raises `EdgeError` where there is none."""
    if not (settings.folder / FILE_NAME).is_file():
        raise EdgeError(
            f"There is no inbox in {settings.folder}.",
            "Start `manara edge` with these settings first, or correct `folder` (MANARA_FOLDER).",
        )
    return Inbox.open(settings.folder, thorough=False)
