"""What a matcher is worth, in numbers: figures over scored pairs, over groups of mentions, and over alerts on a stream.

The definitions are the usual ones, written out here once; `tests/unit/test_quality.py` holds them against values
computed by hand.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

THRESHOLDS = tuple(hundredths / 100 for hundredths in range(30, 101))
"""Where thresholds are looked for."""
_CUSTOMARY = 0.7
"""Of equally good thresholds the one nearest to this is taken."""

Pair = tuple[str, str]


class Shares(NamedTuple):
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float
    f1: float


def shares(right: int, claimed: int, wanted: int) -> Shares:
    """The three from counts: claims that are right, claims made, things to be found. No claim is no false claim."""
    precision = right / claimed if claimed else 1.0
    recall = right / wanted if wanted else 0.0
    both = precision + recall
    return Shares(precision, recall, 2 * precision * recall / both if both else 0.0)


def at_threshold(scores: Sequence[float], labels: Sequence[int], threshold: float) -> Shares:
    """The shares when every pair from the threshold on is called a match."""
    claimed = [label for score, label in zip(scores, labels, strict=True) if score >= threshold]
    return shares(sum(claimed), len(claimed), sum(labels))


def best_threshold(scores: Sequence[float], labels: Sequence[int]) -> float:
    """The threshold of the best F1."""
    return max(THRESHOLDS, key=lambda t: (at_threshold(scores, labels, t).f1, -abs(t - _CUSTOMARY), t))


def average_precision(scores: Sequence[float], labels: Sequence[int]) -> float:
    """The area under the curve of precision over recall, in steps; equal scores count as one step."""
    wanted, right, seen, area = sum(labels), 0, 0, 0.0
    by_score: dict[float, list[int]] = defaultdict(list)
    for score, label in zip(scores, labels, strict=True):
        by_score[score].append(label)
    for score in sorted(by_score, reverse=True):
        found = sum(by_score[score])
        right, seen = right + found, seen + len(by_score[score])
        area += found / wanted * right / seen if wanted else 0.0
    return area


def recall_at_false_positives(scores: Sequence[float], labels: Sequence[int], rate: float) -> float:
    """The recall at the threshold that lets at most this share of the false pairs through."""
    false = sorted((score for score, label in zip(scores, labels, strict=True) if not label), reverse=True)
    true = [score for score, label in zip(scores, labels, strict=True) if label]
    allowed = int(rate * len(false))
    bar = false[allowed] if allowed < len(false) else 0.0
    return sum(score > bar for score in true) / len(true) if true else 0.0


def grouped(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """The members of each group."""
    groups: dict[str, list[str]] = defaultdict(list)
    for member, group in labels.items():
        groups[group].append(member)
    return dict(groups)


def pairs_of(labels: Mapping[str, str]) -> set[Pair]:
    """All pairs that are in one group."""
    return {pair for members in grouped(labels).values() for pair in combinations(sorted(members), 2)}


def pairwise(truth: Mapping[str, str], made: Mapping[str, str]) -> Shares:
    """The shares over pairs that a grouping puts together."""
    wanted, claimed = pairs_of(truth), pairs_of(made)
    return shares(len(wanted & claimed), len(claimed), len(wanted))


def b_cubed(truth: Mapping[str, str], made: Mapping[str, str]) -> Shares:
    """The shares of each mention's group, averaged over mentions."""
    wanted, claimed = grouped(truth), grouped(made)
    precision = recall = 0.0
    for mention in truth:
        own, given = set(wanted[truth[mention]]), set(claimed[made[mention]])
        precision += len(own & given) / len(given)
        recall += len(own & given) / len(own)
    precision, recall = precision / len(truth), recall / len(truth)
    return Shares(precision, recall, 2 * precision * recall / (precision + recall))


class Attempt(NamedTuple):
    """A labelled attempt: what it is and its transfers."""

    typology: str
    transactions: frozenset[str]


class Merged(NamedTuple):
    """Alerts of one typology that grew into each other: their transfers and the moments they were raised at."""

    typology: str
    transactions: set[str]
    raised: list[tuple[str, frozenset[str]]]


class OnStream(NamedTuple):
    """What a detector's alerts are worth."""

    transfer: Shares
    attempt: Shares
    typed: float
    """The share of found attempts whose alert names a typology of the right family."""
    delay: float
    """The mean share of an attempt's transfers that were past when its first right alert was raised."""
    alerts: int
    by_typology: Mapping[str, tuple[float, int]]
    """Recall and number of attempts, by typology."""


HALF = 0.5
_EVIDENT = 2
"""Transfers of an attempt that an alert must hold before it counts as having raised it."""


def merged(alerts: Iterable[Mapping[str, Any]], known: Collection[str]) -> list[Merged]:
    """Alerts of one typology whose transfers overlap by half or more of the smaller, joined in order."""
    groups: list[Merged] = []
    holders: dict[tuple[str, str], set[int]] = defaultdict(set)
    for alert in alerts:
        held, kind = set(alert["transactions"]) & set(known), str(alert["typology"])
        if not held:
            continue
        overlap = Counter(group for transfer in sorted(held) for group in sorted(holders[kind, transfer]))
        into = _joins(overlap, held, groups)
        groups[into].transactions.update(held) if into < len(groups) else groups.append(Merged(kind, set(held), []))
        groups[into].raised.append((str(alert.get("at", "")), frozenset(held)))
        for transfer in held:
            holders[kind, transfer].add(into)
    return groups


def _joins(overlap: Counter[int], held: set[str], groups: list[Merged]) -> int:
    """The group that an alert joins: the one it overlaps most, if by half; else a new one at the end."""
    for group, shared in overlap.most_common(1):
        if shared >= HALF * min(len(held), len(groups[group].transactions)):
            return group
    return len(groups)


class _Tally:
    """What is counted while groups of alerts are held against the attempts."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self.owners: dict[str, list[int]] = defaultdict(list)
        for number, attempt in enumerate(attempts):
            for transfer in attempt.transactions:
                self.owners[transfer].append(number)
        self.attempts = attempts
        self.right = 0
        self.typed: set[int] = set()
        self.found: set[int] = set()
        self.delays: dict[int, float] = {}
        """By attempt that was found, where the moment is known."""

    def count(self, group: Merged, order: Mapping[str, int], names: Collection[str]) -> None:
        """Hold one group against the attempts; `names` are the typologies it may stand for."""
        held = Counter(owner for transfer in group.transactions for owner in self.owners.get(transfer, ()))
        self.right += bool(held) and held.most_common(1)[0][1] >= HALF * len(group.transactions)
        for number, shared in held.items():
            attempt = self.attempts[number]
            if shared >= HALF * len(attempt.transactions):
                self.typed.update({number} if attempt.typology in names else ())
                self.found.add(number)
                late = _delay(group, attempt, order)
                if late is not None:
                    self.delays[number] = min(self.delays.get(number, 1.0), late)


def on_stream(
    alerts: Iterable[Mapping[str, Any]],
    attempts: Sequence[Attempt],
    order: Mapping[str, int],
    families: Mapping[str, frozenset[str]],
) -> OnStream:
    """The worth of alerts on a stream whose transfers come in `order`.

    A transfer is found when any alert holds it. An attempt is found when one alert holds half of its transfers; an
    alert is right when half of its transfers belong to one attempt. `families`: what an alert's typology may stand for.
    """
    groups, tally = merged(alerts, order.keys()), _Tally(attempts)
    for group in groups:
        tally.count(group, order, families.get(group.typology, frozenset({group.typology})))
    flagged = {transfer for group in groups for transfer in group.transactions}
    found, delays = tally.found, tally.delays
    by_typology = {
        kind: (sum(number in found for number in numbers) / len(numbers), len(numbers))
        for kind, numbers in _by_kind(attempts).items()
    }
    return OnStream(
        transfer=shares(len(flagged & tally.owners.keys()), len(flagged), len(tally.owners)),
        attempt=_of_rates(tally.right / len(groups) if groups else 1.0, len(found) / max(1, len(attempts))),
        typed=len(tally.typed) / max(1, len(found)),
        delay=sum(delays.values()) / max(1, len(delays)),
        alerts=len(groups),
        by_typology=by_typology,
    )


def _by_kind(attempts: Sequence[Attempt]) -> dict[str, list[int]]:
    kinds: dict[str, list[int]] = defaultdict(list)
    for number, attempt in enumerate(attempts):
        kinds[attempt.typology].append(number)
    return dict(sorted(kinds.items()))


def _of_rates(precision: float, recall: float) -> Shares:
    both = precision + recall
    return Shares(precision, recall, 2 * precision * recall / both if both else 0.0)


def _delay(group: Merged, attempt: Attempt, order: Mapping[str, int]) -> float | None:
    """The share of the attempt past when the group first held two of its transfers; None where that is unknown."""
    for at, held in group.raised:
        if at in order and len(held & attempt.transactions) >= _EVIDENT:
            return sum(order[t] <= order[at] for t in attempt.transactions) / len(attempt.transactions)
    return None
