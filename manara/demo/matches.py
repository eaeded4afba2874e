"""What correlation finds between alerts of different states: both halves of a picture published by two that cannot know
of each other, the match offered to both authors, one accepted and shared, one declined. All by the agencies' commands.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from manara.demo import asking, outboxes
from manara.demo.databases import Counts
from manara.demo.expectations import Delivery, read_expected
from manara.demo.outboxes import Offer, Side
from manara.demo.screen import Screen
from manara.demo.waiting import until
from manara.deployment.network import Network
from manara.errors import InputError, ManaraError

FOLDER: Final = "links"
AT_ONCE: Final = 3
"""Agencies that publish side by side."""
SHARED, DECLINED = "SHARED", "DECLINED"


@dataclass(frozen=True)
class Match:
    """What has to be found: the alerts of a picture, and what their authors then do. The first one acts first."""

    name: str
    then: str
    sides: tuple[Side, ...]


@dataclass
class Result:
    """Matches that had to be found, that were offered to every author of theirs, and that nobody expected; what the
    authors did; messages that were accepted on the way.
    """

    expected: int = 0
    found: int = 0
    false: int = 0
    shared: int = 0
    declined: int = 0
    messages: int = 0


class Matches:
    """The steps over a network at work. `story` is the demo's folder; without `links/` in it there is nothing to do."""

    def __init__(self, network: Network, story: Path, screen: Screen, counts: Counts, patience: float) -> None:
        """Nothing is published yet."""
        self._network = network
        self._folder = story / FOLDER
        self._screen = screen
        self._counts = counts
        self._patience = patience
        there = self._folder.is_dir()
        self.expected: list[Delivery] = read_expected(self._folder / "expected.csv") if there else []
        self._matches = read_matches(self._folder / "matches.csv") if there else []
        self._agencies = sorted({side.agency for match in self._matches for side in match.sides})
        self.result = Result(expected=len(self._matches))

    @property
    def messages(self) -> int:
        """How many the agencies are to send: one a version of each alert."""
        return len({(row.agency, row.national_ref, row.version) for row in self.expected})

    @property
    def wanted(self) -> tuple[int, int]:
        """How many matches have to be shared, how many declined."""
        then = [match.then for match in self._matches]
        return then.count(SHARED), then.count(DECLINED)

    def tell(self) -> Result:
        """Publish, wait for the offers, answer them. Raises `ManaraError` where a step does not come about in time."""
        if not self._matches:
            return self.result
        self._step("Halves of four pictures published; nobody can read the other half")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            self.result.messages += sum(pool.map(self._publish, self._agencies))
        self._step("The hub finds what belongs together and tells each author alone")
        self._until(lambda: self._wanted() <= self._told(), "The offers of all matches")
        for match in self._matches:
            if match.then == SHARED:
                self._share(match)
            elif match.then == DECLINED:
                self._decline(match)
        self._step("")
        return self.result

    def judge(self) -> None:
        """Count what has been found by now: to be called when nothing more comes."""
        wanted, found = self._wanted(), [frozenset(offer.sides) for offer in self._offers()]
        self.result.found = len(wanted & set(found))
        self.result.false = sum(sides not in wanted for sides in found)

    def _publish(self, agency: str) -> int:
        """How many messages the agency accepted."""
        path = self._folder / f"{agency}.yaml"
        sent = asking.document(self._network.home.agency(agency), "publish", str(path), "--send", "--yes")["alerts"]
        return len(sent)

    def _share(self, match: Match) -> None:
        """Both accept; then the first one widens its own alert, and the other state's database holds it."""
        one, other = match.sides
        link = self._found(match)
        self._step("One match seen by a person, accepted by both sides, and shared by an update of the author's own")
        seen = self._ask(one, "links", "show", link)
        self._ask(one, "links", "accept", link, "--yes")
        self._ask(other, "links", "accept", link, "--yes")
        self._until(lambda: self._states(link) == {"AGREED"}, f"The agreement on {match.name}")
        self._ask(one, "links", "share", link, "--send", "--yes")
        self.result.messages += 1
        wanted = {row.member for row in self.expected if row.national_ref == one.national_ref and row.version > 1}
        alert = self._alert(one, link)
        self._until(
            lambda: wanted <= {member for member, version in self._counts.of(alert) if version > 1}, "The share"
        )
        self.result.shared += 1
        self._step("")
        self._screen.quote(seen)

    def _decline(self, match: Match) -> None:
        """The first side says that it is somebody else; the other hears that there is no match."""
        link = self._found(match)
        self._step("Another match declined by a person: a namesake")
        self._ask(match.sides[0], "links", "decline", link, "--reason", "MISTAKEN_IDENTITY")
        self._until(lambda: self._states(link) == {"DECLINED"}, f"Word that {match.name} is none")
        self.result.declined += 1

    def _ask(self, side: Side, *words: str) -> str:
        return asking.said(self._network.home.agency(side.agency), *words)

    def _offers(self) -> list[Offer]:
        return outboxes.offers([self._network.home.agency(agency) for agency in self._network.draft.agencies])

    def _wanted(self) -> set[frozenset[Side]]:
        return {frozenset(match.sides) for match in self._matches}

    def _told(self) -> set[frozenset[Side]]:
        """Who was told of something together."""
        return {frozenset(offer.sides) for offer in self._offers()}

    def _found(self, match: Match) -> str:
        """The id of the match as it was offered to all its authors."""
        for offer in self._offers():
            if set(offer.sides) == set(match.sides):
                return offer.link_id
        raise ManaraError(f"{match.name}: the match is not there any more.", "Look into the hub's logs.")

    def _states(self, link: str) -> set[str]:
        return {state for offer in self._offers() if offer.link_id == link for state in offer.sides.values()}

    def _alert(self, side: Side, link: str) -> str:
        return outboxes.alert_of(self._network.home.agency(side.agency), link)

    def _until(self, there: Callable[[], bool], what: str) -> None:
        until(self._network, there, self._patience, f"{what} did not come about within {self._patience:.0f} s.")

    def _step(self, doing: str) -> None:
        self._screen.steps.say(doing)


def read_matches(path: Path) -> list[Match]:
    """What has to be found, in the order of the file. `InputError` where it is not there or has other columns."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _grouped(csv.DictReader(file))
    except (OSError, KeyError) as error:
        raise InputError(
            f"The matches to be found cannot be read from {path}.",
            "Run the demo from a clone of the repository, or give its folder with --story.",
        ) from error


def _grouped(rows: Iterable[dict[str, str]]) -> list[Match]:
    sides: dict[tuple[str, str], list[Side]] = defaultdict(list)
    for row in rows:
        sides[row["match"], row["then"]].append(Side(row["agency"], row["national_ref"]))
    return [Match(name, then, tuple(each)) for (name, then), each in sides.items()]
