"""The local copy of what authors were told: a fold of releases.v1 in SQLite, with progress and the day's quotas."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final, cast

import apsw

from manara.stores import open_store
from schemas import codec, registry
from schemas.models import Release
from streams.engine.store import Source as Place

VERSION: Final = 1
SCHEMA: Final = """
create table places(topic text, part integer, id text not null, next integer not null, primary key(topic, part))
    without rowid;
create table releases(id text primary key, state text not null, charged text not null, at integer not null,
    value blob not null) without rowid;
create index held on releases(charged, at) where state = 'HELD';
create table quotas(agency text, day integer, what text, used integer not null, primary key(agency, day, what))
    without rowid;
"""


class Releases:
    """State and progress of the release of matches. Everything since the last `commit` is one transaction."""

    def __init__(self, path: Path) -> None:
        self.db: apsw.Connection = open_store(path, SCHEMA, version=VERSION, thorough=False)
        self._places = {
            (topic, part): Place(topic, id_, part, next_)
            for topic, part, id_, next_ in self.db.execute("select topic, part, id, next from places")
        }

    def empty(self) -> bool:
        """Whether it holds nothing yet: then releases.v1 has to be taken over first."""
        return not self._places and not next(iter(self.db.execute("select count(*) from releases")))[0]

    def load(self, values: Iterable[bytes]) -> int:
        """Take over what releases.v1 holds, and the day's quotas as far as they can be seen from it."""
        count = 0
        self.begin()
        for value in values:
            release = cast("Release", codec.decode(registry.by_name("release"), value))
            self.put(release)
            if release["state"] != "HELD":
                self.use(release["charged"], release["day"], "offers")
            count += 1
        self.commit(())
        return count

    def get(self, link_id: str) -> Release | None:
        """How far a match has been released."""
        row = next(iter(self.db.execute("select value from releases where id = ?", (link_id,))), None)
        return None if row is None else _release(row[0])

    def put(self, release: Release) -> bytes:
        """Take over a release; gives its value for releases.v1."""
        value = codec.encode(registry.by_name("release"), release)
        row = (release["link_id"], release["state"], release["charged"], release["at"], value)
        self.db.execute("insert or replace into releases values(?, ?, ?, ?, ?)", row)
        return value

    def held(self, most: int) -> list[Release]:
        """Releases that wait for a new day, the oldest first."""
        rows = self.db.execute("select value from releases where state = 'HELD' order by at, id limit ?", (most,))
        return [_release(row[0]) for row in rows.fetchall()]

    def used(self, agency: str, day: int, what: str) -> int:
        """How much of an agency's day is used up."""
        query = "select used from quotas where agency = ? and day = ? and what = ?"
        row = next(iter(self.db.execute(query, (agency, day, what))), None)
        return 0 if row is None else int(row[0])

    def use(self, agency: str, day: int, what: str) -> None:
        """One more is used."""
        self.db.execute(
            "insert into quotas values(?, ?, ?, 1) on conflict do update set used = used + 1", (agency, day, what)
        )
        self.db.execute("delete from quotas where day < ?", (day - 7,))

    def position(self, topic: str, topic_id: str, partition: int) -> int | None:
        """Where to read on in a topic; None under another id of it."""
        place = self._places.get((topic, partition))
        return place.next_offset if place is not None and place.topic_id == topic_id else None

    def commit(self, places: Collection[Place]) -> None:
        """Make everything durable."""
        self.begin()
        self.db.executemany(
            "insert or replace into places values(?, ?, ?, ?)",
            [(place.topic, place.partition, place.topic_id, place.next_offset) for place in places],
        )
        self.db.execute("commit")
        self._places.update({(place.topic, place.partition): place for place in places})

    def begin(self) -> None:
        """Open the transaction that the next commit ends."""
        if not self.db.in_transaction:
            self.db.execute("begin immediate")

    def close(self) -> None:
        """Close the file; what is not committed is dropped."""
        if self.db.in_transaction:
            self.db.execute("rollback")
        self.db.close()


def _release(value: object) -> Release:
    return cast("Release", codec.decode(registry.by_name("release"), cast("bytes", value)))
