"""Money patterns that span members: the detector's findings as links between the alerts that reported the transfers.

The detector keeps its windows in memory, so transfers.v1 is read from its beginning at each start. What it finds there
again is held until everything has been read, and the last word about each pattern counts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from manara import metrics
from schemas.currencies import EXPONENTS
from schemas.models import Flow, Link, LinkSide, Transfer
from streams.correlate import linking
from streams.correlate.store import Store
from streams.matching.transfers import RULES, Detection, Detector

REMEMBERED: Final = 500_000
"""Transfers whose reports are remembered: those that patterns can still grow from."""
TOLD: Final = 2.0
"""A pattern has to be so many powers of ten rarer than chance before the authors in several states hear of it."""
STRONG: Final = 3.0
"""A pattern so many powers of ten rarer than chance is strong evidence."""
KINDS: Final = "PATTERN_"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class Patterns:
    """Folds flows, and gives the links of the patterns in them that are of more than one member."""

    def __init__(self, store: Store, detector: Detector | None = None) -> None:
        self._store = store
        self._detector = detector or Detector()
        self._sides: OrderedDict[str, tuple[str, LinkSide]] = OrderedDict()
        self._held: dict[str, Link] | None = {}

    def fold(self, flow: Flow) -> list[Link]:
        """The transfers of one version of an alert; the links that changed."""
        changed: list[Link] = []
        for detection in self._detections(flow):
            link = self._link(detection)
            if link is None:
                continue
            if self._held is None:
                changed += self._settle(link)
            else:
                self._held[link["link_id"]] = link
        return changed

    def caught_up(self) -> list[Link]:
        """Everything that was there has been read: the links that changed by it."""
        held, self._held = self._held or {}, None
        return [link for found in held.values() for link in self._settle(found)]

    @property
    def waiting(self) -> bool:
        """Whether what is found is still held."""
        return self._held is not None

    def _detections(self, flow: Flow) -> Iterator[Detection]:
        identity, side = f"{flow['agency']}/{flow['alert_id']}", _side(flow)
        for transfer in sorted(flow["transfers"], key=lambda one: (one["at"], one["ref"])):
            id_ = f"{identity}#{transfer['ref']}"
            if id_ in self._sides:  # an update tells of it again
                continue
            self._sides[id_] = (flow["status"], side)
            if len(self._sides) > REMEMBERED:
                self._sides.popitem(last=False)
            yield from self._add(id_, transfer)

    def _add(self, id_: str, transfer: Transfer) -> list[Detection]:
        try:
            return self._detector.add(_plain(id_, transfer))
        except Exception as error:  # noqa: BLE001 - what strangers report must not stop everybody's correlation
            metrics.uncompared.inc()
            structlog.get_logger().warning("A transfer could not be looked at", cause=type(error).__name__)
            return []

    def _link(self, detection: Detection) -> Link | None:
        """The link of a pattern: one side an agency, by its alert that was admitted last. None within one member, nor
        where chance may have made it.
        """
        if detection.score < TOLD:
            return None
        known = [self._sides[id_] for id_ in detection.transactions if id_ in self._sides]
        if len({side["member"] for _status, side in known}) < 2 or len({status for status, _side in known}) != 1:  # noqa: PLR2004
            return None
        latest: dict[str, LinkSide] = {}
        for _status, side in sorted(known, key=lambda each: (each[1]["admitted_at"], each[1]["alert_id"])):
            latest[side["agency"]] = side
        sides = [latest[agency] for agency in sorted(latest)]
        blank = linking.over("", 0, max(side["admitted_at"] for side in sides))
        return {
            **blank,
            "link_id": linking.link_id("PATTERN", (detection.typology, detection.pattern)),
            "class": "PATTERN",
            "state": "LIVE",
            "score": round(max(0.0, 1.0 - 10.0 ** -max(0.0, detection.score)), 6),
            "band": "STRONG" if detection.score >= STRONG else "PROBABLE",
            "evidence": [KINDS + detection.typology.upper()],
            "words": list(detection.evidence),
            "rules": [detection.rule, RULES],
            "sides": sides,
            "transfers": sorted(detection.transactions),
        }

    def _settle(self, link: Link) -> list[Link]:
        """Put the link, as ended where one of its sides does not count any more."""
        gone = [side for side in link["sides"] if not self._counts(side)]
        if gone:
            link = linking.ended(link, "SIDE_LEFT", max(side["admitted_at"] for side in gone))
            if self._store.link(link["link_id"]) is None:
                return []
        return [link] if self._store.put(link) else []

    def _counts(self, side: LinkSide) -> bool:
        """An alert that correlation knows nothing of has no tokens, and has not ended."""
        entry = self._store.entry(linking.identity(side))
        return entry is None or entry.lives


def _side(flow: Flow) -> LinkSide:
    return {
        "agency": flow["agency"],
        "alert_id": flow["alert_id"],
        "member": flow["member"],
        "kind": "transfer",
        "version": flow["version"],
        "precedence": flow["precedence"],
        "reference": flow["reference"],
        "admitted_at": flow["admitted_at"],
        "expires_at": flow["expires_at"],
    }


def _plain(id_: str, transfer: Transfer) -> dict[str, object]:
    """A transfer as the detector takes it: amounts in the currency's own units."""
    payer, payee, currency = transfer["from"], transfer["to"], transfer["currency"]
    return {
        "id": id_,
        "timestamp": _EPOCH + timedelta(microseconds=transfer["at"]),
        "from_account": payer["account"],
        "to_account": payee["account"],
        "amount": transfer["amount"] / 10 ** EXPONENTS.get(currency, 2),
        "currency": currency,
        "channel": transfer["channel"].lower(),
        "jurisdiction": payer["country"],
    }
