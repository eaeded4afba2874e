"""What the demo measured, and whether every expectation held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

from manara.demo.expectations import PROOF, Delivery

PLACES: Final = 2
"""Where a member keeps what it was told: its database, its edge's files."""


class Committed(NamedTuple):
    """When a member's server committed a version of an alert, and when the hub had admitted it, in microseconds."""

    member: str
    agency: str
    alert_id: str
    version: int
    at: int
    admitted: int = 0


@dataclass
class Found:
    """What lies in the national databases: who holds what, how often it was written, how long it took."""

    deliveries: Counter[Delivery] = field(default_factory=Counter)
    """Rows of `alerts` and `notices`, by member and national reference."""
    effects: Counter[tuple[str, str, str, int]] = field(default_factory=Counter)
    """Rows of the append-only `effects`: (member, agency, alert id, version) to how often."""
    committed: list[Committed] = field(default_factory=list)
    """One a delivery whose content is there."""


@dataclass
class Report:
    """The figures of one run; see `failures` for what must hold."""

    published: int = 0
    accepted: int = 0
    admitted: int = 0
    again: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    refused_by_broker: int = 0
    expected_deliveries: int = 0
    stored: int = 0
    missing: int = 0
    doubled: int = 0
    leaked: int = 0
    caught_up: dict[str, int] = field(default_factory=dict)
    """Rows that a member holds and that the hub had admitted while its edge was switched off."""
    withdrawn: int = 0
    purged: int = 0
    """Members whose signed word that they have purged is in the author's hands, over all withdrawn alerts."""
    content: dict[str, int] = field(default_factory=dict)
    """Places (a member's database, its edge's files) that held withdrawn content, before and after."""
    receipts_outstanding: int = 0
    links_expected: int = 0
    links_found: int = 0
    """Expected matches that were offered to every author of theirs."""
    links_false: int = 0
    """Matches that were offered and that nobody expected."""
    links_shared: int = 0
    links_declined: int = 0
    latency_ms: dict[str, float] = field(default_factory=dict)
    kafka: dict[str, Any] = field(default_factory=dict)
    postgres: dict[str, Any] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        return asdict(self)


def compare(expected: Sequence[Delivery], found: Found) -> dict[str, int]:
    """Deliveries that are missing, that nobody was entitled to, and that took effect more than once."""
    wanted = Counter(expected)
    return {
        "expected_deliveries": sum(wanted.values()),
        "stored": sum(found.deliveries.values()),
        "missing": sum((wanted - found.deliveries).values()),
        "leaked": sum((found.deliveries - wanted).values()),
        "doubled": sum(count - 1 for count in found.effects.values() if count > 1),
    }


def latencies(
    found: Found, accepted: Mapping[tuple[str, str, int], int], away: Collection[str] = frozenset()
) -> list[float]:
    """Seconds from acceptance in the author's outbox to the commit in a member's database, one a delivery.

    `accepted` is (agency, alert id, version) to microseconds. Alerts that went past an outbox have no such time and
    are left out, as are members whose edge was switched off: what they waited for is not the network.
    """
    return [
        (row.at - accepted[row[1:4]]) / 1e6
        for row in found.committed
        if row.member not in away and row[1:4] in accepted
    ]


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds (nearest rank); empty where nothing was measured."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {
        name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)
        for name, share in (("p50", 0.50), ("p99", 0.99))
    }


def life(expected: Sequence[Delivery]) -> tuple[int, int]:
    """How many alerts are withdrawn, and how many members must have purged one, by the expectations."""
    purged = {row[:4] for row in expected if row.holds == PROOF}
    return len({row[:3] for row in purged}), len(purged)


@dataclass(frozen=True)
class Wanted:
    """What must come out, apart from deliveries: refusals by reason, how much the agencies accept, what is purged."""

    refusals: Mapping[str, int]
    accepted: int
    withdrawn: int = 0
    purged: int = 0
    away: Collection[str] = frozenset()
    shared: int = 0
    declined: int = 0


def failures(report: Report, wanted: Wanted) -> list[str]:
    """A sentence for each expectation that did not hold; none when all is well."""
    wrong = [
        f"{count} deliveries {name}" for name in ("missing", "doubled", "leaked") if (count := getattr(report, name))
    ]
    expected = {
        "accepted by the agencies": (report.accepted, wanted.accepted),
        "admitted by the hub": (report.admitted, wanted.accepted + 1),
        "stored by the members": (report.stored, report.expected_deliveries),
    }
    wrong += [f"{found} alerts {what}, expected {right}" for what, (found, right) in expected.items() if found != right]
    for reason in sorted({*report.refused, *wanted.refusals}):
        found, right = report.refused.get(reason, 0), wanted.refusals.get(reason, 0)
        if found != right:
            wrong.append(f"{found} messages refused for {reason}, expected {right}")
    # everything that the broker took is one of these, or nobody knows what became of it
    told = report.admitted + report.again + sum(report.refused.values())
    if report.published != told:
        wrong.append(f"{report.published} messages published, but verdicts on {told}")
    if report.again < 1:
        wrong.append("the message sent again was not recognised")
    if report.refused_by_broker < 1:
        wrong.append("the broker let one agency write to another's topic")
    return [*wrong, *_life_failures(report, wanted), *_link_failures(report, wanted)]


def _link_failures(report: Report, wanted: Wanted) -> Iterator[str]:
    """Of what correlation finds, and what people make of it."""
    if report.links_found != report.links_expected:
        yield f"{report.links_found} matches found, expected {report.links_expected}"
    if report.links_false:
        yield f"{report.links_false} matches offered that are none"
    if report.links_shared != wanted.shared:
        yield f"{report.links_shared} matches shared, expected {wanted.shared}"
    if report.links_declined != wanted.declined:
        yield f"{report.links_declined} matches declined, expected {wanted.declined}"


def _life_failures(report: Report, wanted: Wanted) -> Iterator[str]:
    """Of what comes after publication: a state away, a withdrawal, the receipts."""
    for member in sorted(wanted.away):
        if report.caught_up.get(member, 0) < 1:
            yield f"{member} was switched off and had nothing to have caught_up with"
    if report.withdrawn != wanted.withdrawn:
        yield f"{report.withdrawn} alerts withdrawn, expected {wanted.withdrawn}"
    if report.purged != wanted.purged:
        yield f"{report.purged} members have proven that they purged, expected {wanted.purged}"
    before, after = (report.content.get(when, 0) for when in ("before", "after"))
    if before != PLACES * wanted.purged:
        yield f"content to withdraw was in {before} places, expected {PLACES * wanted.purged}"
    if after:
        yield f"content that was withdrawn is still in {after} places"
    if report.receipts_outstanding:
        yield f"receipts_outstanding: {report.receipts_outstanding}, expected none"
