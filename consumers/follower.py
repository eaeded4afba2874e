"""The directory as one edge believes it: followed live, kept in the inbox, and watched for changes to our own keys."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from consumers.inbox import Inbox
from consumers.keywatch import own_changes, remembered
from manara.directory import DirectoryReader, open_record
from manara.settings import Settings
from schemas import codec
from schemas import directory as rules
from schemas.directory import Directory
from schemas.registry import by_name


class Follower:
    """One member's view of `sys.directory`. `latest` may be read by any thread."""

    def __init__(self, settings: Settings, member: str, inbox: Inbox, clock: Callable[[], int]) -> None:
        self._settings, self._member, self._inbox, self._clock = settings, member, inbox, clock
        self._reader = DirectoryReader(settings)
        kept = inbox.directory()
        self.latest: Directory | None = None if kept is None else rules.read(open_record(kept), settings.roots)[0]
        self._known = -1
        self._log = structlog.get_logger().bind(member=member)

    def open(self, stop: Callable[[], bool]) -> Directory:
        """Wait for a directory. Raises `BrokerError` or `DirectoryError` in words."""
        self._reader.wait(stop=stop)
        return self.poll()

    def poll(self) -> Directory:
        """The newest directory: a new one is taken over, and what it changes for us is said."""
        found = self._reader.poll()
        if found.seq != self._known or self.latest is None:
            self._known = found.seq
            self.latest = self._take(found)
        return self.latest

    def close(self) -> None:
        """Stop following."""
        self._reader.close()

    def _take(self, found: Directory) -> Directory:
        record, before = self._reader.record, self.latest
        if record is None:
            return found
        # with what we kept over restarts: an entry older than one that we have seen is refused
        directory, refused = rules.read(record, self._settings.roots, before)
        for sentence in refused:
            self._log.warning("The directory holds what is not believed", problem=sentence, directory_seq=found.seq)
        alarms = own_changes(before, directory, self._member)
        for alarm in alarms:
            self._log.error(
                "A key of our own has changed in the directory",
                holder=alarm.holder,
                kid=alarm.kid,
                state=alarm.event,
                changed=alarm.detail,
                remedy="If your state did not order this, tell the operator now.",
            )
        kept = self._inbox.directory()
        if kept is not None and before is not None:
            record = remembered(open_record(kept), before, record)
        schema = by_name("directory")
        value = codec.frame(schema, codec.encode(schema, record))
        self._inbox.keep_directory(directory.seq, value, alarms, self._clock())
        self._log.info("Directory in use", directory_seq=directory.seq, keys=len(directory.keys))
        return directory
