"""What the demo measured, and whether every expectation held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from manara.demo.expectations import Delivery


@dataclass
class Found:
    """What lies in the national databases: who holds what, how often it was written, how long it took."""

    deliveries: Counter[Delivery] = field(default_factory=Counter)
    """Rows of `alerts`, by member and national reference."""
    effects: Counter[tuple[str, str, str, int]] = field(default_factory=Counter)
    """Rows of the append-only `effects`: (member, agency, alert id, version) to how often."""
    committed: list[tuple[str, str, int]] = field(default_factory=list)
    """(agency, alert id, time of the commit in microseconds), one a delivery."""


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


def latencies(found: Found, accepted: Mapping[tuple[str, str], int]) -> list[float]:
    """Seconds from acceptance in the author's outbox to the commit in a member's database, one a delivery.

    `accepted` is (agency, alert id) to microseconds. Alerts that went past an outbox have no such time and are left
    out.
    """
    return [
        (at - accepted[agency, alert_id]) / 1e6
        for agency, alert_id, at in found.committed
        if (agency, alert_id) in accepted
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


def failures(report: Report, expected_refusals: Mapping[str, int], expected_accepted: int) -> list[str]:
    """A sentence for each expectation that did not hold; none when all is well."""
    wrong = [
        f"{count} deliveries {name}" for name in ("missing", "doubled", "leaked") if (count := getattr(report, name))
    ]
    expected = {
        "accepted by the agencies": (report.accepted, expected_accepted),
        "admitted by the hub": (report.admitted, expected_accepted + 1),
        "stored by the members": (report.stored, report.expected_deliveries),
    }
    wrong += [
        f"{found} alerts {what}, expected {wanted}" for what, (found, wanted) in expected.items() if found != wanted
    ]
    for reason in sorted({*report.refused, *expected_refusals}):
        found, wanted = report.refused.get(reason, 0), expected_refusals.get(reason, 0)
        if found != wanted:
            wrong.append(f"{found} messages refused for {reason}, expected {wanted}")
    # everything that the broker took is one of these, or nobody knows what became of it
    told = report.admitted + report.again + sum(report.refused.values())
    if report.published != told:
        wrong.append(f"{report.published} messages published, but verdicts on {told}")
    if report.again < 1:
        wrong.append("the message sent again was not recognised")
    if report.refused_by_broker < 1:
        wrong.append("the broker let one agency write to another's topic")
    return wrong
