"""What the gate counted over one batch, and how it becomes metrics: once a batch, never once an alert."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from manara import metrics


@dataclass(slots=True)
class Tally:
    """Counts of one batch. `judged` counts (agency, result), where result is admitted or refused."""

    admitted: Counter[tuple[str, str]] = field(default_factory=Counter)  # (kind, precedence)
    again: Counter[str] = field(default_factory=Counter)  # kind
    refused: Counter[str] = field(default_factory=Counter)  # reason
    judged: Counter[tuple[str, str]] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)  # agency
    blocks: list[tuple[int, int]] = field(default_factory=list)  # (messages, bytes)
    verify_seconds: float = 0.0


def report(tally: Tally) -> None:
    """Add a batch to this process's metrics."""
    for (kind, precedence), number in tally.admitted.items():
        metrics.admitted.labels(kind, precedence).inc(number)
    for kind, number in tally.again.items():
        metrics.admitted_again.labels(kind).inc(number)
    for reason, number in tally.refused.items():
        metrics.refused.labels(metrics.reason_label(reason)).inc(number)
    for (agency, result), number in tally.judged.items():
        metrics.agency_messages.labels(agency, result).inc(number)
    for agency, number in tally.gaps.items():
        metrics.agency_gaps.labels(agency).inc(number)
    for messages, size in tally.blocks:
        metrics.block_messages.observe(messages)
        metrics.block_bytes.inc(size)
    metrics.quarantined.inc(tally.refused.total())
    metrics.verify_seconds.observe(tally.verify_seconds)
