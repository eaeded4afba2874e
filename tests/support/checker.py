"""The one judge of fault scenarios: nine invariants over a recorded history, and totals that add up.

    no loss            every accepted message reached every entitled member, or was refused, superseded or expired
    one effect         one row per (agency, alert id, version) in each inbox and each national system
    no leak            marks occur in nothing that somebody without a right received
    order              the versions of an alert reach each member upwards
    no phantom         whatever arrived was submitted and not refused
    authentic          each inbox row verifies offline, from its own bytes
    receipted          what is stored is receipted to its author, and nothing else is
    accounted          every accepted message has ended in exactly one way, with a reason where it was turned away
    truthful metrics   counters say what the history says

`INVARIANTS` names the functions; each gives sentences about what is wrong. What a scenario does not record (an engine
without receipts) it leaves out by name, so nothing is passed over in silence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from schemas import message
from schemas.errors import ContractError
from schemas.reasons import REMEDY
from tests.support.history import Delivery, History, Place, Submission

REFUSED, EXPIRED, SUPERSEDED, DELIVERED, LOST = "refused", "expired", "superseded", "delivered", "lost"
SHOWN = 5
"""Sentences shown of each invariant."""

Identity = tuple[str, str, int]


@dataclass(frozen=True)
class Totals:
    """One line a scenario. `repeats` are copies on a log, which have no effect; the last four must be 0."""

    scenario: str
    accepted: int = 0
    delivered: int = 0
    refused: int = 0
    superseded: int = 0
    expired: int = 0
    repeats: int = 0
    lost: int = 0
    doubled: int = 0
    leaked: int = 0
    out_of_order: int = 0


@dataclass
class Report:
    """The judgement: totals, and what is wrong by invariant (empty where all is well)."""

    totals: Totals
    broken: Mapping[str, list[str]] = field(default_factory=dict)

    def words(self) -> str:
        """What is wrong, for people; "" where nothing is."""
        lines = []
        for name, said in self.broken.items():
            lines += [f"{name}: {len(said)} x", *(f"  {sentence}" for sentence in said[:SHOWN])]
        return "\n".join([f"{self.totals.scenario}: {self.totals}", *lines]) if lines else ""


class Facts:
    """A history, indexed for the questions that the invariants ask."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.by_digest = {each.digest: each for each in history.submissions}
        self.by_mark = {each.mark: each for each in history.submissions if each.mark}

    @cached_property
    def by_identity(self) -> dict[Identity, Submission]:
        """Identity to what was submitted under it."""
        return {(each.agency, each.alert_id, each.version): each for each in self.history.submissions}

    @cached_property
    def outcomes(self) -> dict[str, set[tuple[str, str]]]:
        """Digest to all (outcome, reason) that the hub ever said."""
        found = defaultdict[str, set[tuple[str, str]]](set)
        for verdict in self.history.verdicts:
            found[verdict.digest].add((verdict.outcome, verdict.reason))
        return found

    @cached_property
    def held(self) -> dict[tuple[str, Place], dict[tuple[str, str], set[int]]]:
        """(member, place) to identities to versions."""
        found: dict[tuple[str, Place], dict[tuple[str, str], set[int]]] = defaultdict(lambda: defaultdict(set))
        for each in self.history.deliveries:
            found[each.member, each.place][each.agency, each.alert_id].add(each.version)
        return found

    def refusal(self, digest: str) -> str | None:
        """The reason why the hub turned a message away; None where it did not."""
        reasons = [reason for outcome, reason in self.outcomes.get(digest, ()) if outcome == "REFUSED"]
        return reasons[0] if reasons else None

    def fate(self, sent: Submission, member: str, place: Place) -> str:
        """How a message ended for one of its readers."""
        reason = self.refusal(sent.digest)
        if reason is not None:
            return EXPIRED if reason == "EXPIRED" else REFUSED
        versions = self.held.get((member, place), {}).get((sent.agency, sent.alert_id), set())
        if sent.version in versions:
            return DELIVERED
        return SUPERSEDED if any(version > sent.version for version in versions) else LOST

    def fates(self, sent: Submission) -> Iterator[tuple[str, Place, str]]:
        """How it ended for each reader in each place."""
        for member in sorted(sent.readers):
            for place in self.history.places:
                yield member, place, self.fate(sent, member, place)

    def ended(self, sent: Submission) -> str:
        """How it ended over all readers: the worst."""
        found = {fate for _, _, fate in self.fates(sent)}
        if not found:
            reason = self.refusal(sent.digest)
            return DELIVERED if reason is None else EXPIRED if reason == "EXPIRED" else REFUSED
        return next(fate for fate in (LOST, REFUSED, EXPIRED, SUPERSEDED, DELIVERED) if fate in found)

    @property
    def accepted(self) -> list[Submission]:
        """What authors were told is safe."""
        return [each for each in self.history.submissions if each.accepted]

    @property
    def single(self) -> list[Delivery]:
        """Deliveries in places that hold each message once."""
        return [each for each in self.history.deliveries if each.place is not Place.LOG]


def no_loss(facts: Facts) -> Iterator[str]:
    """Accepted, and missing with a reader."""
    for sent in facts.accepted:
        for member, place, fate in facts.fates(sent):
            if fate == LOST:
                yield f"{member} has no {_name(sent)} in its {place}"


def one_effect(facts: Facts) -> Iterator[str]:
    """More than one row under one key."""
    counted = Counter((d.member, d.place, d.agency, d.alert_id, d.version) for d in facts.single)
    for (member, place, agency, alert_id, version), number in counted.items():
        if number > 1:
            yield f"{member} has {agency}/{alert_id} version {version} {number} times in its {place}"


def no_leak(facts: Facts) -> Iterator[str]:
    """A mark, or a row, with somebody who has no right to it."""
    for holder, marks in facts.history.observed.items():
        for mark in sorted(marks):
            sent = facts.by_mark.get(mark)
            if sent is not None and holder not in sent.readers:
                yield f"{holder} holds the mark of {_name(sent)}"
    for each in facts.history.deliveries:
        sent = facts.by_identity.get((each.agency, each.alert_id, each.version))
        if sent is not None and each.member not in sent.readers:
            yield f"{each.member} holds {_name(sent)} in its {each.place}"


def order(facts: Facts) -> Iterator[str]:
    """A version that came first after a higher one."""
    highest: dict[tuple[str, Place, str, str], int] = {}
    seen: set[tuple[str, Place, str, str, int]] = set()
    for each in sorted(facts.history.deliveries, key=lambda delivery: delivery.order):
        key = (each.member, each.place, each.agency, each.alert_id)
        if (*key, each.version) in seen:
            continue
        seen.add((*key, each.version))
        if each.version < highest.get(key, 0):
            yield f"{each.member}: version {each.version} of {each.agency}/{each.alert_id} came after {highest[key]}"
        highest[key] = max(each.version, highest.get(key, 0))


def no_phantom(facts: Facts) -> Iterator[str]:
    """Arrived, but nobody sent it so, or the hub had refused it."""
    for each in facts.history.deliveries:
        name = f"{each.agency}/{each.alert_id} version {each.version}"
        sent = facts.by_identity.get((each.agency, each.alert_id, each.version))
        if sent is None:
            yield f"{each.member} holds {name}, which nobody submitted"
        elif each.digest and each.digest != sent.digest:
            yield f"{each.member} holds {name} with other content than was submitted"
        elif facts.refusal(sent.digest) is not None:
            yield f"{each.member} holds {name}, which the hub refused"
    for holder, marks in facts.history.observed.items():
        for mark in sorted(marks - facts.by_mark.keys()):
            yield f"{holder} holds {mark}, which nobody submitted"


def authentic(facts: Facts) -> Iterator[str]:
    """An inbox row whose bytes do not prove who wrote it and what it is."""
    directory = facts.history.directory
    for each in facts.history.deliveries:
        if each.place is not Place.INBOX:
            continue
        name = f"{each.member}: {each.agency}/{each.alert_id} version {each.version}"
        if each.sealed is None or directory is None:
            yield f"{name} comes without its signed bytes"
            continue
        sealed = each.sealed
        headers: list[tuple[str, bytes | None]] = [(message.SIG, sealed.sig)]
        try:
            found = message.authenticate(sealed.key, sealed.value, headers, directory=directory, at=sealed.at)
            opened = message.interpret(found, sealed.key)
        except ContractError as error:
            yield f"{name} does not verify: {error}"
            continue
        header = opened.header
        said = (header["agency"], header["alert_id"], header["version"], opened.digest)
        if said != (each.agency, each.alert_id, each.version, each.digest):
            yield f"{name} is kept under another name than its signed bytes have"


def receipted(facts: Facts) -> Iterator[str]:
    """Stored without a receipt at its author, or a receipt for what is not stored."""
    stored = {(each.digest, each.member) for each in facts.history.receipts if each.stage == "STORED"}
    there = set()
    for each in facts.history.deliveries:
        sent = facts.by_identity.get((each.agency, each.alert_id, each.version))
        if each.place is Place.DATABASE and sent is not None:
            there.add((sent.digest, each.member))
    for digest, member in sorted(there - stored):
        yield f"{member} has stored {digest[:12]}, and its author does not know"
    for digest, member in sorted(stored - there):
        yield f"{member} has signed for {digest[:12]}, and does not have it"
    for sent in facts.accepted:
        if sent.digest not in facts.outcomes:
            yield f"{_name(sent)} has no verdict"


def accounted(facts: Facts) -> Iterator[str]:
    """An end that contradicts another, or a refusal without a reason from the closed list."""
    ends = Counter(facts.ended(sent) for sent in facts.accepted)
    if ends[DELIVERED] + ends[REFUSED] + ends[EXPIRED] + ends[SUPERSEDED] != len(facts.accepted):
        yield f"{len(facts.accepted)} accepted, but {dict(ends)}"
    for digest, said in facts.outcomes.items():
        if len({outcome for outcome, _ in said}) > 1:
            yield f"the hub both admitted and refused {digest[:12]}"
        for outcome, reason in said:
            if (outcome == "REFUSED") != bool(reason) or (reason and reason not in REMEDY):
                yield f"{digest[:12]} was {outcome} for the reason {reason!r}"


def truthful_metrics(facts: Facts) -> Iterator[str]:
    """A counter that differs from what happened; one whose process died may only have counted less."""
    expected = _expected(facts)
    for counter in facts.history.counters:
        true = expected.get((counter.name, counter.label), 0)
        if counter.value > true or (counter.since and counter.value != true):
            yield f"{counter.name}{{{counter.label}}} says {counter.value}, the history says {true}"


INVARIANTS: Mapping[str, Callable[[Facts], Iterator[str]]] = {
    "no loss": no_loss,
    "one effect": one_effect,
    "no leak": no_leak,
    "order": order,
    "no phantom": no_phantom,
    "authentic": authentic,
    "receipted": receipted,
    "accounted": accounted,
    "truthful metrics": truthful_metrics,
}
ENGINE_LEAVES_OUT = ("authentic", "receipted", "truthful metrics")
"""What a runner between two topics cannot show: it signs nothing, confirms nothing, and is scraped elsewhere."""


def check(history: History, leave_out: Collection[str] = ()) -> Report:
    """Judge a history. A history in which nothing was accepted proves nothing and is an error."""
    facts = Facts(history)
    if not facts.accepted:
        raise AssertionError(f"{history.scenario}: nothing was accepted, so nothing is proven")
    broken = {name: list(judge(facts)) for name, judge in INVARIANTS.items() if name not in leave_out}
    return Report(_totals(facts), {name: said for name, said in broken.items() if said})


def _totals(facts: Facts) -> Totals:
    ends = Counter(facts.ended(sent) for sent in facts.accepted)
    logged = Counter(
        (d.member, d.agency, d.alert_id, d.version) for d in facts.history.deliveries if d.place is Place.LOG
    )
    return Totals(
        facts.history.scenario,
        accepted=len(facts.accepted),
        delivered=ends[DELIVERED],
        refused=ends[REFUSED],
        superseded=ends[SUPERSEDED],
        expired=ends[EXPIRED],
        repeats=sum(logged.values()) - len(logged),
        lost=ends[LOST],
        doubled=len(list(one_effect(facts))),
        leaked=len(list(no_leak(facts))),
        out_of_order=len(list(order(facts))),
    )


def _expected(facts: Facts) -> dict[tuple[str, str], int]:
    """Counters as the history has them."""
    found: Counter[tuple[str, str]] = Counter()
    for said in facts.outcomes.values():
        for outcome, reason in said:
            found["admitted" if outcome == "ADMITTED" else "refused", reason] += 1
    for each in facts.history.deliveries:
        found[f"{each.place}", each.member] += 1
    return found


def _name(sent: Submission) -> str:
    return f"{sent.agency}/{sent.alert_id} version {sent.version}"
