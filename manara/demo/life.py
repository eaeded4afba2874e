"""What becomes of alerts later: one is updated so that a state is left out, one is withdrawn and every state that had
it proves that it has forgotten it. Everything by the commands that an agency uses.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from manara.demo import asking, marks, outboxes
from manara.demo.databases import Counts
from manara.demo.expectations import PROOF, read_expected
from manara.demo.screen import Screen
from manara.demo.waiting import until
from manara.deployment.network import Network

FOLDER: Final = "life"
MARK: Final = "{mark}"
SEND: Final = ("--send", "--yes", "--wait")
AT_ONCE: Final = 2
"""Commands that run side by side."""


@dataclass
class Result:
    """What was done: messages accepted, alerts withdrawn, members proven to have purged, places of the content."""

    messages: int = 0
    withdrawn: int = 0
    purged: int = 0
    content: dict[str, int] = field(default_factory=dict)


class Subject(NamedTuple):
    """An alert that something happens to, and its author's reference."""

    alert_id: str
    ref: str


class Life:
    """The steps over a network at work. `story` is the demo's folder; without `life/` in it there is nothing to do."""

    def __init__(self, network: Network, story: Path, screen: Screen, counts: Counts, patience: float) -> None:
        """Nothing is published yet."""
        self._network = network
        self._folder = story / FOLDER
        self._screen = screen
        self._counts = counts
        self._patience = patience
        self.result = Result()
        self.expected = read_expected(self._folder / "expected.csv") if self._folder.is_dir() else []
        self._agency = network.home.agency(self.expected[0].agency if self.expected else "")

    @property
    def messages(self) -> int:
        """How many the agency is to send: one a version of each alert."""
        return len({(row.agency, row.national_ref, row.version) for row in self.expected})

    def tell(self) -> Result:
        """Publish, update, withdraw, prove. Raises `ManaraError` where a step does not come about in time."""
        if not self.expected:
            return self.result
        mark = secrets.token_hex(8)
        self._step("Two more alerts, all the way to the databases")
        changing, leaving = self._publish(mark)
        self._step("One of them updated; the state that it leaves out is told so")
        said = self._ask("update", str(self._folder / "route-updated.yaml"), changing.alert_id, *SEND)
        self._until(lambda: self._arrived(changing, 2), changing, "update")
        self._step("")
        self._screen.quote(said)
        self._step("The other withdrawn; every state that had it purges and signs")
        said = self._withdraw(leaving, mark)
        self._step("")
        self._screen.quote(said)
        return self.result

    def _publish(self, mark: str) -> list[Subject]:
        """Both alerts, once all who are to have them have them: the one that changes, the one that is withdrawn."""
        marked = self._agency / "withdrawn.yaml"
        text = (self._folder / "withdrawn.yaml").read_text(encoding="utf-8")
        marked.write_text(text.replace(MARK, mark), encoding="utf-8")
        files = (str(self._folder / "route.yaml"), str(marked))
        sent = asking.document(self._agency, "publish", *files, *SEND)["alerts"]
        self.result.messages += len(sent)
        refs = sorted({row.national_ref for row in self.expected})
        made = [Subject(str(one["alert_id"]), ref) for one, ref in zip(sent, refs, strict=True)]
        for subject in made:
            self._until(lambda subject=subject: self._arrived(subject, 1), subject, "alert")  # type: ignore[misc]
        return made

    def _withdraw(self, subject: Subject, mark: str) -> str:
        """Withdraw, wait for what the states sign, look for what is left, and prove it; the proof in words."""
        states = {row.member for row in self.expected if row.national_ref == subject.ref and row.holds == PROOF}
        before = marks.places(mark, self._network.databases, self._edges())
        self._ask("withdraw", subject.alert_id, *SEND)
        self.result.withdrawn += 1
        self._until(lambda: self._arrived(subject, 2), subject, "withdrawal")
        self._until(lambda: states <= outboxes.purged(self._agency, subject.alert_id), subject, "word on the purge")
        after = marks.places(mark, self._network.databases, self._edges())
        self.result.content = {"before": marks.holders(before), "after": marks.holders(after)}
        proof = self._agency / "purge-proof.json"
        said = asking.said(self._agency, "purge-proof", subject.alert_id, "--out", str(proof))
        # checked by somebody who has only the file and the roots' fingerprints
        checked = asking.document(self._network.home.operator, "purge-proof", "--verify", str(proof))
        self.result.purged += len(checked["purged"])
        return said

    def _ask(self, *words: str) -> str:
        said = asking.said(self._agency, *words)
        self.result.messages += 1
        return said

    def _arrived(self, subject: Subject, version: int) -> bool:
        """Whether a version, or word of it, lies in every database that it is for."""
        wanted = {
            (row.member, version) for row in self.expected if (row.national_ref, row.version) == (subject.ref, version)
        }
        return wanted <= self._counts.of(subject.alert_id)

    def _until(self, there: Callable[[], bool], subject: Subject, what: str) -> None:
        problem = f"The {what} of {subject.ref} has not come from everywhere within {self._patience:.0f} s."
        until(self._network, there, self._patience, problem)

    def _edges(self) -> dict[str, Path]:
        return {member: self._network.home.member(member) for member in self._network.databases}

    def _step(self, doing: str) -> None:
        self._screen.steps.say(doing)


def outstanding(agencies: Iterable[Path]) -> dict[Path, int]:
    """How many answers of members are still to come, by the report that each agency itself would call for.

    Agencies to whom nobody owes anything are left out, as are those that never accepted anything.
    """
    asked = [folder for folder in agencies if outboxes.used(folder)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {folder: owed for folder, owed in zip(asked, pool.map(_outstanding, asked), strict=True) if owed}


def _outstanding(agency: Path) -> int:
    said = asking.document(agency, "status", "--outstanding", codes=(0, 1))  # 1 where it is past its clock
    return len(said["outstanding"]) + int(said["unknown"])
