"""Correlation's fold over many invented persons: what it costs an alert, and whether every planted pair is found.

Run by `manara bench --only CORRELATE` with one JSON argument, {"folder", "count"}; prints one JSON object. Alerts are
made in chunks, outside the clock; folded with their decoding and commits, inside. The Kafka client is not part of it.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from schemas import codec, registry
from schemas.models import Mention, MentionedIdentifier
from streams.correlate import substance
from streams.correlate.core import Correlation
from streams.correlate.store import Store, collect_seldom
from streams.correlate.substance import Substance
from streams.index import partition_of

LANES, CHUNK, BATCH = 8, 10_000, 1_000
AGENCIES = ("az-police", "tr-fiu", "eg-police", "ma-police", "kz-border", "ae-fiu")
PLANTED = 100
"""One alert in so many names a number that an earlier alert of another state has named."""
SYLLABLES = [
    *("ka", "ri", "mo", "ta", "le", "su", "ba", "no", "vi", "ge", "dra", "shi", "zhu", "pe", "ol", "an", "er", "ul"),
    *("yam", "kha", "fe", "ti", "go", "ru", "ma", "bek", "gul", "nur", "sad", "qa", "ham", "zar", "mur", "din", "var"),
    *("osh", "ilm", "tef", "rak", "hus", "bor", "mel"),
]
NOW = 1_795_521_600_000_000
FOR_EVER = 2 * 10**15


def main(given: dict[str, Any]) -> dict[str, Any]:
    """Fold so many alerts in a folder; the figures."""
    collect_seldom()
    folder, count = Path(given["folder"]), int(given["count"])
    store = Store(folder / "correlate.db", "bench")
    core = Correlation(store, LANES)
    maker = Maker(random.Random(7))
    base = memory()
    spent: list[float] = []
    for first in range(0, count, CHUNK):
        records = list(maker.records(first, min(count, first + CHUNK)))
        began = time.process_time()
        fold(core, store, records)
        spent.append(time.process_time() - began)
    last = spent[-max(1, len(spent) // 10) :]
    store.db.execute("pragma wal_checkpoint(truncate)").fetchall()
    numbers = {link["link_id"] for link in store.live() if link["class"] == "IDENTIFIER"}
    found = {
        "alerts": count,
        "rate": count / sum(spent),
        "last_rate": min(CHUNK, count) * len(last) / sum(last),
        "compared": core.tally.compared,
        "planted": maker.planted,
        "linked": len(numbers),
        "links": len(store.live()),
        "disk": (folder / "correlate.db").stat().st_size / count,
        "memory": max(0, memory() - base) / count,
    }
    store.close()
    return found


def fold(core: Correlation, store: Store, records: list[tuple[int, bytes]]) -> None:
    """Fold encoded mentions in batches, each committed."""
    schema = registry.by_name("mention")
    for start in range(0, len(records), BATCH):
        store.begin()
        for part, body in records[start : start + BATCH]:
            core.fold(cast("Mention", codec.decode(schema, body)), part, NOW)
        store.commit(())


class Maker:
    """Invents wanted persons: names of many syllables, birth dates, a passport for every second."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._given = [self._word(2, 3) for _ in range(3_000)]
        self._families = [self._word(3, 4) for _ in range(200_000)]
        self._known: tuple[str, int] | None = None
        self.planted = 0

    def records(self, first: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Partition and encoded mention of the alerts with these numbers."""
        schema = registry.by_name("mention")
        for number in range(first, end):
            for part, mention in self._alert(number):
                yield part, codec.encode(schema, mention)

    def _alert(self, number: int) -> Iterator[tuple[int, Mention]]:
        agency = AGENCIES[number % len(AGENCIES)]
        said = Substance([self._person(agency)], self._numbers(number), [], [])
        mention: Any = {
            "agency": agency, "alert_id": f"{number:036d}", "member": agency[:2].upper(), "kind": "person",
            "version": 1, "standing": "COUNTS", "status": "ACTUAL", "precedence": "ROUTINE", "reference": "REF",
            "expires_at": FOR_EVER, "admitted_at": NOW + number, **said._asdict(),
        }  # fmt: skip
        shares = defaultdict[int, list[str]](list)
        for token in substance.tokens(substance.prepared(said)):
            shares[partition_of(token, LANES)].append(token)
        for part, share in shares.items():
            yield part, cast("Mention", {**mention, "tokens": share})

    def _person(self, agency: str) -> Any:
        dice = self._dice
        words = [dice.choice(self._given), *dice.sample(self._families, 1 + (dice.random() < 1 / 3))]
        born = f"{dice.randint(1950, 2005)}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
        return {"name": " ".join(words), "aliases": [], "born": [born], "countries": [agency[:2].upper()]}

    def _numbers(self, number: int) -> list[MentionedIdentifier]:
        """A passport that nobody has; or, planted, that of an earlier alert of another state, once."""
        if number % PLANTED == PLANTED - 1 and self._known and (number - self._known[1]) % len(AGENCIES):
            value, self._known = self._known[0], None
            self.planted += 1
        elif number % 2 or number % PLANTED == 0:
            value = f"KX{number:07d}Q"
            self._known = (value, number) if number % PLANTED == 0 else self._known
        else:
            return []
        return [{"type": "PASSPORT", "value": value, "country": ""}]

    def _word(self, least: int, most: int) -> str:
        return "".join(self._dice.choices(SYLLABLES, k=self._dice.randint(least, most))).title()


def memory() -> int:
    """Bytes of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))) + "\n")
