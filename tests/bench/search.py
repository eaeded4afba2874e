"""A member's search over a synthetic inbox, measured. `python -m tests.bench.search JSON`, the figures as JSON.

The JSON names an empty folder, how many alerts (`count`), exact and fuzzy questions. All persons are invented: given
names of many regions by a steep curve (a few are borne by very many), family names made of syllables by a flat one, a
third with a second spelling, births and passports. One alert in ten is a route, one in twenty a transfer. They are
sealed and kept in a real inbox, each with its own content; what is measured is what `manara search` does behind its
start: index kept up, question read, candidates, comparison with the signed record, marks.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from consumers.entry import Arrival
from consumers.inbox import Inbox
from consumers.judging import Accepted, Message
from consumers.search import index as indexing
from consumers.search.finding import find
from consumers.search.index import Index
from consumers.search.query import query
from manara.bench.alerts import person
from manara.bench.results import percentile
from schemas import message, registry
from schemas.models import HubHeader
from schemas.signature import SigningKey
from tests.support.alerts import route, transfer

BATCH: Final = 5_000
FAMILIES: Final = 40_000
_GIVEN: Final = (
    "Mohammed Ahmed Ali Fatima Hassan Hussein Omar Ibrahim Khalid Abdullah Yusuf Mustafa Aisha Maryam Mahmoud Hamza "
    "Samir Karim Youssef Rachid Djamel Hocine Mamadou Ousmane Amadou Ibrahima Moussa Aminata Mehmet Ayse Emre Elif "
    "Murat Zeynep Burak Tural Leyla Rashad Aigerim Nursultan Yerlan Dana Sergei Olga Ivan Natalia Dmitri Rustam Timur "
    "Reza Zahra Hossein Mehdi Parisa Imran Asif Bilal Sana Nurul Siti Azman Hakim Farid Nadia"
)
_SYLLABLES: Final = (
    "ba be bu da di do fa ga gu ha hi ja ka ke ki kho la li lu ma me mi mo na ni nu ra re ri ro sa se shi ta te ti to "
    "va vi ya yo za ze zi zhu qa ghu cha rda nto lka mbe"
)
GIVEN: Final = _GIVEN.split()
SYLLABLES: Final = _SYLLABLES.split()
ARABIC: Final = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
ENDS: Final = ("", "", "ov", "i", "oglu", "zade", "ani", "ev", "ou", "yan")
VOWELS: Final = {"a": "e", "e": "a", "i": "y", "o": "u", "u": "o"}


@dataclass
class World:
    """Who lives in the inbox."""

    seed: int
    now: int
    dice: random.Random = field(init=False)
    families: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        made: dict[str, None] = {}
        while len(made) < FAMILIES:
            made["".join(self.dice.choices(SYLLABLES, k=self.dice.choice((2, 3, 3, 4)))) + self.dice.choice(ENDS)] = (
                None
            )
        self.families = [name.capitalize() for name in made]

    def name(self) -> str:
        """A full name: one or two given names, one or two family names."""
        given = [GIVEN[int(len(GIVEN) * self.dice.random() ** 3)] for _ in range(self.dice.choice((1, 1, 2)))]
        family = [
            self.families[int(FAMILIES * self.dice.random() ** 1.5)] for _ in range(self.dice.choice((1, 1, 1, 2)))
        ]
        return " ".join([*given, *family])

    def misspelled(self, name: str) -> str:
        """The same name as another clerk writes it: a vowel changed, a letter doubled."""
        words = name.split()
        at = self.dice.randrange(len(words))
        word = words[at]
        vowels = [place for place in range(1, len(word)) if word[place] in VOWELS]
        if vowels and self.dice.random() < 0.7:
            place = self.dice.choice(vowels)
            word = word[:place] + VOWELS[word[place]] + word[place + 1 :]
        else:
            place = self.dice.randrange(1, len(word))
            word = word[:place] + word[place] + word[place:]
        words[at] = word
        return " ".join(words)

    def record(self, number: int) -> tuple[str, dict[str, Any]]:
        """The number-th alert."""
        base = person("az-police", self.now, self.dice)
        header = {**base["header"], "status": "ACTUAL"}
        if number % 20 == 7:
            side = {"account": f"KZ{self.dice.randrange(10**18):018}", "institution": "Invented Bank", "country": "KZ"}
            made = transfer()
            made["header"] = {**header, "category": "STR", "action": "ANALYSE"}
            made["transfers"][0]["from"] = {**side, "holder": self.name()}
            return "transfer", made
        if number % 10 == 3:
            made = route()
            made["header"] = {**header, "category": "TRF", "action": "CONTROL_CONSIGNMENT"}
            made["persons"] = [{"name": self.name(), "role": "driver", "identifiers": []}]
            made["conveyances"][0]["identifier"]["value"] = f"CSQU{self.dice.randrange(10**7):07}"
            return "route", made
        name = self.name()
        names = [name, self.misspelled(name)] if self.dice.random() < 0.3 else [name]
        full = [{"full": one, "parts": [], "script": "Latn", "lang": "", "kind": "BIRTH"} for one in names]
        passport = {"type": "PASSPORT", "value": f"P{number:08}", "country": "AZ"}
        return "person", {**base, "header": header, "names": full, "identifiers": [passport]}


def arrivals(world: World, count: int) -> Iterator[Accepted]:
    """Sealed alerts as the edge has verified them."""
    key = SigningKey.generate()
    hub_time_only = False
    hub: HubHeader = {"mode": "ALL", "members": [], "sequence": 1, "previous": "", "salt": "5a" * 32}
    for number in range(count):
        kind, record = world.record(number)
        sealed = message.seal(registry.by_name(kind), record, hub, key)
        header = record["header"]
        yield Accepted(
            Message(f"feeds.v1.tr.{kind}", "ab" * 16, 0, number, world.now, sealed.key, sealed.value, ()),
            Arrival(
                "ALERT", "az-police", sealed.alert_id, 1, kind, "ALERT", "ACTUAL", header["precedence"],
                header["expires_at"], world.now, hub_time_only, world.now, sealed.digest, key.kid.hex(), "",
                sealed.value, dict(sealed.headers)[message.SIG],
            ),
        )  # fmt: skip


def fill(inbox: Inbox, made: Iterator[Accepted], now: int) -> None:
    """Into the inbox, as the edge does it."""
    batch: list[Accepted] = []
    for one in made:
        batch.append(one)
        if len(batch) == BATCH:
            inbox.take(batch, now=now)
            batch.clear()
    inbox.take(batch, now=now)


def timed(questions: list[Callable[[], bool]]) -> dict[str, Any]:
    """Ask them all: CPU-seconds and seconds of each, and how many found what they had to."""
    cpu, wall, right = [], [], 0
    for ask in questions:
        began, ran = time.perf_counter(), time.process_time()
        right += ask()
        cpu.append(time.process_time() - ran)
        wall.append(time.perf_counter() - began)
    return {
        "questions": len(cpu), "right": right, "cpu": sum(cpu), "wall": sum(wall),
        "cpu_p50_ms": percentile(cpu, 0.5) * 1000, "cpu_p95_ms": percentile(cpu, 0.95) * 1000,
        "p50_ms": percentile(wall, 0.5) * 1000, "p95_ms": percentile(wall, 0.95) * 1000, "most_ms": max(wall) * 1000,
    }  # fmt: skip


class Desk:
    """Whoever asks."""

    def __init__(self, world: World, inbox: Inbox, index: Index) -> None:
        self.world, self.inbox, self.index = world, inbox, index
        tip = inbox.tip().number
        persons = (n for n in iter(lambda: world.dice.randint(1, tip), 0) if n % 20 != 8 and n % 10 != 4)
        self._numbers = persons

    def exact(self, kind: str) -> Callable[[], bool]:
        """By a passport's number, written as a scanner or a clerk does."""
        number = next(self._numbers)
        typed = (
            f"p {number - 1:08}".translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
            if number % 2
            else f"P-{number - 1:08}"
        )
        return lambda: number in self._ask("" if kind else typed, {kind: typed} if kind else {}, "")

    def fuzzy(self) -> Callable[[], bool]:
        """By a full name misspelled, half of them with the year of birth."""
        number = next(self._numbers)
        record = self._record(number)
        name = self.world.misspelled(record["names"][0]["full"])
        born = record["births"][0]["date"][:4] if self.world.dice.random() < 0.5 else ""
        return lambda: number in self._ask("", {}, name, born)

    def part(self) -> Callable[[], bool]:
        """By the last name alone: hundreds may bear it, so that some are found is all that can be asked."""
        name = self._record(next(self._numbers))["names"][0]["full"].split()[-1]
        return lambda: bool(self._ask("", {}, name))

    def _record(self, number: int) -> dict[str, Any]:
        entry = self.inbox.entry(number)
        return entry.record() if entry else {}

    def _ask(self, text: str, numbers: dict[str, str], name: str, born: str = "") -> set[int]:
        self.index.catch_up(self.inbox)
        asked = query(text, numbers, name=name, born=born)
        return {hit.entry.number for hit in find(self.index, self.inbox, asked, self.world.now).hits}


def main(given: dict[str, Any]) -> dict[str, Any]:
    """Make the inbox, index it, ask."""
    folder = Path(given["folder"])
    world = World(given.get("seed", 1), time.time_ns() // 1000)
    with Inbox.open(folder) as inbox, Index.open(folder) as index:
        began = time.perf_counter()
        if not inbox.tip().number:  # a folder that was filled before is measured again
            fill(inbox, arrivals(world, given["count"]), world.now)
        filled = time.perf_counter() - began
        began, ran = time.perf_counter(), time.process_time()
        index.catch_up(inbox)
        built, built_cpu = time.perf_counter() - began, time.process_time() - ran
        index.scrub()
        desk = Desk(world, inbox, index)
        named = [desk.exact("document") for _ in range(given["exact"])]
        free = [desk.exact("") for _ in range(given["exact"])]
        fuzzy = [desk.fuzzy() for _ in range(given["fuzzy"])]
        part = [desk.part() for _ in range(given["fuzzy"] // 5)]
        figures = {"exact": timed(named), "free": timed(free), "fuzzy": timed(fuzzy), "part": timed(part)}
        postings = index.count("postings")
    size = sum(file.stat().st_size for file in folder.glob(f"{indexing.FILE_NAME}*"))
    return {
        **figures, "alerts": given["count"], "filled_seconds": filled, "built_seconds": built, "built_cpu": built_cpu,
        "bytes_an_alert": size / given["count"], "postings_an_alert": postings / given["count"],
        "inbox_bytes": sum(file.stat().st_size for file in folder.glob("inbox.db*")),
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))) + "\n")
