"""The answer to a search: candidates by their keys, each compared with the record in the inbox, the best by urgency.

Nothing is found by a key alone: the signed record of every candidate is read, and what agrees in it is the evidence.
The work is bounded whatever is asked: so many entries a key, so many candidates, so many persons.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from consumers import standing
from consumers.entry import Entry, urgency
from consumers.inbox import Inbox
from consumers.search import numbers, words
from consumers.search.comparing import Person as Sought
from consumers.search.content import Content, Number, content
from consumers.search.index import Index, Listed
from consumers.search.query import Query, name_keys
from manara.matching import identifiers

BANDS: Final = ("STRONG", "PROBABLE", "POSSIBLE")
"""Strongest first."""
RARE: Final = 300
"""A key with more live alerts than this tells little: it counts beside others, or its newest alerts alone do."""
PAIRED: Final = 1_000
"""The same for a key of two parts of a name: all under it are weighed, the best are read."""
CANDIDATES: Final = 150
"""Alerts whose records are read for a name."""
COMPARED: Final = 3_000
"""Persons that a name is compared with in all."""
_LIKE, _NEARLY = 0.95, 0.80


class Found(NamedTuple):
    """What agrees between the question and one alert."""

    score: float
    band: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Hit:
    """An alert that was found. `marks` are what stands against acting on it."""

    entry: Entry
    state: str
    marks: Sequence[str]
    found: Found


@dataclass(frozen=True)
class Answer:
    """What was found, the most urgent first; among how many alerts; and whether there may be more, in words."""

    hits: Sequence[Hit]
    more: Sequence[str]
    now: int


def find(index: Index, inbox: Inbox, query: Query, now: int) -> Answer:
    """Search; `now` is the network's time, by which an alert has expired or not."""
    return _Search(index, inbox, query, now).answer()


class _Search:
    def __init__(self, index: Index, inbox: Inbox, query: Query, now: int) -> None:
        self.index, self.inbox, self.query, self.now = index, inbox, query, now
        self.asked = query.asked()
        self.sought = Sought(query) if query.name else None
        self.left = COMPARED
        self.more: list[str] = []

    def answer(self) -> Answer:
        listed = {one.number: one for one in self._by_number()}
        listed |= {one.number: one for one in self._by_name()}
        hits = [hit for one in listed.values() if (hit := self._judge(one)) is not None]
        hits.sort(key=lambda hit: (-hit[1].score, urgency(hit[0].precedence), -hit[0].number))
        if len(hits) > self.query.limit:
            self.more.append(f"{len(hits) - self.query.limit} weaker ones are not shown: see --limit")
        shown = [self._whole(*hit, listed[hit[0].number]) for hit in hits[: self.query.limit]]
        shown.sort(key=lambda hit: (urgency(hit.entry.precedence), -hit.found.score, -hit.entry.number))
        return Answer(shown, list(dict.fromkeys(self.more)), self.now)

    def _newest(self, key: str, most: int) -> list[Listed]:
        return self.index.newest(key, most, kinds=self.query.kinds, now=self.now, ended=self.query.ended)

    def _by_number(self) -> Iterator[Listed]:
        for key in self.asked:
            found = self._newest(key, RARE + 1)
            if len(found) > RARE:
                self.more.append(f"more than {RARE} alerts have this number: only the newest were looked at")
            yield from found[:RARE]

    def _by_name(self) -> list[Listed]:
        """The most promising candidates: those that share the rarest keys, and most of them."""
        keys = name_keys(self.query)
        votes: dict[int, float] = defaultdict(float)
        listed: dict[int, Listed] = {}
        common: list[list[Listed]] = []
        for key in keys:
            most = PAIRED if key.startswith("t:") else RARE
            found = self._newest(key, most + 1)
            if len(found) > most:
                common.append(found)
                continue
            _vote(votes, listed, found)
        if not votes or all(key.startswith("w") for key in keys):
            for found in common[:4]:
                _vote(votes, listed, found[:RARE])
        if common and len(listed) >= RARE:
            self.more.append("the name is common: only the newest alerts were compared; add --born or another part")
        chosen = sorted(listed.values(), key=lambda one: (-votes[one.number], -one.number))
        return chosen[:CANDIDATES]

    def _judge(self, one: Listed) -> tuple[Entry, Found] | None:
        entry = self.inbox.entry(one.number)
        if entry is None or entry.bare or not entry.intact:
            return None
        searchable = content(entry.kind, entry.record())
        found = [*self._numbers(searchable), *self._persons(searchable), *self._things(searchable)]
        if not found:
            return None
        found.sort(key=lambda each: -each.score)
        sentences = list(dict.fromkeys(text for each in found[:3] for text in each.evidence))
        if self.sought is not None:
            sentences += self.sought.warnings(searchable.others)
        return entry, Found(found[0].score, found[0].band, tuple(sentences))

    def _numbers(self, searchable: Content) -> Iterator[Found]:
        for number in searchable.numbers if self.asked else ():
            shared = [key for key in numbers.keys(number.type, number.value, number.country) if key in self.asked]
            if shared:
                yield same_number(number, shared, self.query.country)

    def _persons(self, searchable: Content) -> Iterator[Found]:
        if self.sought is None:
            return
        for person in searchable.persons:
            self.left -= 1
            if self.left < 0:
                self.more.append(f"more than {COMPARED} persons came near: not all were compared")
                return
            score, band, evidence = self.sought.compare(person.record)
            if band in BANDS:
                yield Found(score, band, (f"{person.role}: {person.record['name']}", *evidence))

    def _things(self, searchable: Content) -> Iterator[Found]:
        if self.sought is None:
            return
        for thing in searchable.things:
            if thing.what == "code":
                if words.code_key(thing.name) and words.code_key(thing.name) == words.code_key(self.query.name):
                    yield Found(0.9, "PROBABLE", (f"the route passes {thing.name}",))
                continue
            like = words.likeness(self.query.name, thing.name)
            if like >= _NEARLY:
                band = "PROBABLE" if like >= _LIKE else "POSSIBLE"
                yield Found(round(0.9 * like, 4), band, (f"{thing.what} {thing.name}: alike to {like:.0%}",))

    def _whole(self, entry: Entry, found: Found, listed: Listed) -> Hit:
        marks = standing.marks(entry, self.inbox.held(entry.agency, entry.alert_id), self.now)
        return Hit(entry, listed.state, marks, found)


def _vote(votes: dict[int, float], listed: dict[int, Listed], found: Sequence[Listed]) -> None:
    """One key's word for each alert listed under it: the rarer the key, the more it counts."""
    for one in found:
        votes[one.number] += 1 / math.log2(2 + len(found))
        listed[one.number] = one


def same_number(number: Number, shared: Iterable[str], country: str) -> Found:
    """What the same number is worth: all, unless it is weak, cut short, or given by another state."""
    said = f"{number.type} {number.value}" + f" ({number.country})" * bool(number.country) + f" of {number.owner}"
    if all(key.startswith("n:phone-tail:") for key in shared):
        return Found(0.5, "POSSIBLE", (f"{said}: the last {numbers.TAIL} digits agree",))
    if country and number.country and country.upper() != number.country.upper():
        return Found(0.5, "POSSIBLE", (f"{said}: the same number, but of {number.country} and not of {country}",))
    judged = identifiers.judge(number.type, number.value, number.country)
    if judged.strong:
        return Found(1.0, "STRONG", (f"{said}: the number asked for, {judged.reason}",))
    return Found(0.8, "PROBABLE", (f"{said}: the number asked for, but a weak one: {judged.reason}",))
