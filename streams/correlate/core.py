"""Correlation's decisions: what a mention changes, who may be compared, which links hold. No Kafka, no clock.

The set of links that hold at the end does not depend on how the partitions' records were mixed: a token's holders and
its budget follow the order of its own partition alone, two alerts are compared only where both partitions' words are
of the versions that count, and a link says the same whenever it is found.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from schemas.models import Link, LinkEnd, Mention
from streams.correlate import linking
from streams.correlate.entry import Entry, Held, hint_of, linkable, token_number, worth
from streams.correlate.scoring import Found, judge
from streams.correlate.store import BUDGET, Store
from streams.correlate.substance import Prepared

REMEMBERED: Final = 100_000
"""Pairs whose comparison is remembered: those that share several tokens meet more than once."""

Judge = Callable[[Prepared, Prepared], list[Found]]


@dataclass(slots=True)
class Tally:
    """What was done, for metrics."""

    compared: int = 0
    failed: int = 0
    excluded: int = 0


class Correlation:
    """Folds mentions into the store and gives the links that changed.

    `lanes` is the number of partitions of mentions.v1, `exclusions` are tokens that say nothing (a hotline's number).
    """

    def __init__(
        self, store: Store, lanes: int, exclusions: Collection[str] = (), *, scorer: Judge = judge, budget: int = BUDGET
    ) -> None:
        self.store = store
        self.tally = Tally()
        self.behind = False  # more may be over than one look has taken out
        self._lanes = lanes
        self._excluded = frozenset(exclusions)
        self._judge = scorer
        self._budget = budget
        self._met: OrderedDict[tuple[int, int, int, int], bool] = OrderedDict()

    def fold(self, mention: Mention, part: int, at: int) -> list[Link]:
        """One mention of one partition, at log time `at`; the links that it changed."""
        identity = f"{mention['agency']}/{mention['alert_id']}"
        entry = self.store.entry(identity) or self.store.add(identity)
        changed: list[Link] = []
        if mention["version"] > entry.version:
            changed += self._renew(entry, mention)
        told = entry.held.get(part)
        if told and told.version >= mention["version"]:
            return changed  # the same again
        if mention["version"] == entry.version:
            entry.learn(mention)
        changed += self._repost(entry, part, mention, at)
        self.store.touch(entry)
        if entry.version > 1 and entry.lives and entry.whole(self._lanes):
            changed += self._end(entry, "SIDE_CHANGED", entry.admitted_at, keep=entry.version)
        return changed

    def expire(self, now: int) -> list[Link]:
        """Take out the alerts whose time is over at `now`, so many at a time; the links that ended."""
        changed: list[Link] = []
        due = self.store.due(now)
        self.behind = bool(due)
        for entry in due:
            changed += self._end(entry, "EXPIRED", entry.expires_at)
            entry.expired = True
            changed += self._leave(entry)
        return changed

    def _renew(self, entry: Entry, mention: Mention) -> list[Link]:
        """A newer version counts; where none does, its links end at once, and its tokens go as the partitions tell."""
        entry.renew(mention)
        self.store.touch(entry)
        return [] if entry.lives else self._end(entry, "SIDE_LEFT", mention["admitted_at"])

    def _leave(self, entry: Entry) -> list[Link]:
        """Nobody finds the alert any more."""
        held = [token for told in entry.held.values() for token in told.tokens]
        entry.held = {part: told._replace(tokens=()) for part, told in entry.held.items()}
        self.store.touch(entry)
        return self._unpost(entry, held)

    def _unpost(self, entry: Entry, tokens: Iterable[int]) -> list[Link]:
        """It no longer holds these tokens; a value that nobody holds any more is not too common either."""
        gone = [text for token in tokens if (text := self.store.unpost(token, entry.number))]
        at = entry.admitted_at
        over = [linking.ended(linking.over(text, 0, at), "SIDE_LEFT", at) for text in gone]
        return [changed for link in over for changed in self._put(link)]

    def _repost(self, entry: Entry, part: int, mention: Mention, at: int) -> list[Link]:
        """Its tokens in this partition are these from now on; meet whoever holds one of them.

        An older version is posted too, and meets nobody: a budget follows the order of its own partition alone.
        """
        current = mention["version"] == entry.version and entry.lives
        tokens = mention["tokens"] if current or mention["version"] < entry.version else []
        known, hint = entry.held.get(part), hint_of(mention)
        numbers = {token_number(token): token for token in tokens if not self._exclude(token)}
        changed: list[Link] = []
        before = known.tokens if known else ()
        if before:  # what is kept is posted anew, where its hint is another
            kept = numbers if known and known.hint == hint else ()
            changed += self._unpost(entry, [token for token in before if token not in kept])
            before = tuple(token for token in before if token in kept)
        entry.held[part] = Held(mention["version"], hint, tuple(numbers))
        crowded = self.store.crowded
        holders = self.store.holders([number for number in numbers if number not in crowded])
        others: set[int] = set()
        for number, token in numbers.items():
            if number in crowded:
                if number not in before:
                    self.store.join_crowd(number)
                continue
            held = holders[number]
            if number in before or self._admit(entry, number, token, held, hint, at, changed):
                others.update(other for other, theirs in held.items() if worth(token, hint, theirs))
        for other in sorted(others) if current else ():
            changed += self._meet(entry, self.store.numbered(other), part, at)
        return changed

    def _admit(
        self, entry: Entry, number: int, token: str, holders: dict[int, int], hint: int, at: int, changed: list[Link]
    ) -> bool:
        """Post the alert under a token, unless its budget is used up by living alerts; then say so, once."""
        if len(holders) >= self._budget:
            living = [holder for holder in holders if self.store.numbered(holder).expires_at > at]
            if len(living) >= self._budget:
                self.store.crowd(number, token, len(holders) + 1)
                changed += self._put(linking.over(token, len(holders) + 1, at))
                return False
        self.store.post(number, entry.number, hint)
        return True

    def _exclude(self, token: str) -> bool:
        hit = token in self._excluded
        self.tally.excluded += hit
        return hit

    def _meet(self, entry: Entry, other: Entry, part: int, at: int) -> list[Link]:
        """Compare two that share a token of this partition, once for each pair of versions."""
        if not other.told(part) or not linkable(entry, other) or min(entry.expires_at, other.expires_at) <= at:
            return []
        first, second = sorted((entry, other), key=lambda each: each.identity)
        pair = (first.number, second.number, first.version, second.version)
        if pair in self._met:
            return []
        self._met[pair] = True
        if len(self._met) > REMEMBERED:
            self._met.popitem(last=False)
        return [link for found in self._compare(first, second) for link in self._put(_linked(found, first, second))]

    def _compare(self, first: Entry, second: Entry) -> list[Found]:
        self.tally.compared += 1
        try:
            return self._judge(first.prepared(), second.prepared())
        except Exception:  # noqa: BLE001 - what strangers wrote must not stop everybody's correlation
            self.tally.failed += 1
            return []

    def _end(self, entry: Entry, why: LinkEnd, at: int, keep: int = 0) -> list[Link]:
        """End the links of an alert; with `keep` only those that were not found again with this version."""
        return [
            changed
            for link in self.store.links_of(entry.identity)
            if link["state"] == "LIVE" and not (keep and _speaks_of(link, entry.identity, keep))
            for changed in self._put(linking.ended(link, why, at))
        ]

    def _put(self, link: Link) -> Iterator[Link]:
        if self.store.put(link):
            yield link


def _linked(found: Found, first: Entry, second: Entry) -> Link:
    return linking.pair(found, (first.side(), second.side()))


def _speaks_of(link: Link, identity: str, version: int) -> bool:
    """Whether the link was found with this version of the alert. A pattern goes with the transfers, not the version."""
    return link["class"] == "PATTERN" or any(
        linking.identity(side) == identity and side["version"] == version for side in link["sides"]
    )
