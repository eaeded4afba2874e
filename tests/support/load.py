"""Agencies at work: a constant rate of alerts through the public Python door, each with a mark, each noted.

Who is entitled to an alert stands here in the open, written by hand for each case, so that the policy's own code is not
asked about itself.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from producers import Publisher
from producers.publisher import new_id
from tests.support.alerts import BUILDERS
from tests.support.history import History, Submission, mark, now
from tests.support.shaken import Shaken

SECOND = 1_000_000
REFUSED_EACH, EXPIRED_EACH, CHANGED_EACH = 29, 31, 7


class Case(NamedTuple):
    """What an agency publishes, and who must get it under `shaken.DIRECTORY`."""

    agency: str
    kind: str
    audience: Any
    readers: str
    tlp: str = "AMBER"
    codes: tuple[str, ...] = ()


CASES = (
    Case("az-police", "person", "ALL", "EG KZ TR"),
    Case("tr-customs", "route", "ALL", "AZ KZ", codes=("H2",)),  # EG is not cleared for H2
    Case("az-police", "person", ["EG"], "EG"),
    Case("kz-fiu", "transfer", "ALL", "AZ TR"),  # EG does not subscribe to transfers
    Case("az-police", "person", ["KZ", "TR"], "TR", tlp="RED"),  # KZ is cleared up to AMBER_STRICT
    Case("tr-customs", "route", {"all_but": ["KZ"]}, "AZ EG"),
)
"""eg-customs publishes nothing: it is the one that misbehaves."""


@dataclass
class Load:
    """Publishes into a history. `rate` alerts a second, open loop: what is late is not left out."""

    net: Shaken
    history: History
    rate: float
    _stop: threading.Event = field(default_factory=threading.Event)
    _error: list[BaseException] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Alerts come as long as the block lasts."""
        thread = threading.Thread(target=self._run, name="load", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(60)
        assert not self._error, self._error

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                pens = {
                    agency: stack.enter_context(Publisher.open(self.net.settings(self.net.home.agency(agency))))
                    for agency in {case.agency for case in CASES}
                }
                due = time.monotonic()
                for number in itertools.count(1):
                    if self._stop.wait(max(0.0, due - time.monotonic())):
                        return
                    due += 1 / self.rate
                    case = CASES[number % len(CASES)]
                    self._publish(pens[case.agency], case, number)
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits
            self._error.append(error)

    def _publish(self, pen: Publisher, case: Case, number: int) -> None:
        alert = _record(case, new_id())
        header = alert["header"]
        if number % REFUSED_EACH == 0:
            header["legal_basis"] = {**header["legal_basis"], "decision_ref": ""}
        if number % EXPIRED_EACH == 0:
            header["effective_at"], header["expires_at"] = now() - 3600 * SECOND, now() - SECOND
        self._accept(pen, case, alert)
        if number % CHANGED_EACH == 0 and number % REFUSED_EACH and number % EXPIRED_EACH:
            self._accept(pen, case, _record(case, header["alert_id"], version=2, message="UPDATE"))

    def _accept(self, pen: Publisher, case: Case, alert: dict[str, Any]) -> None:
        mine, header = mark(), alert["header"]
        header["narrative"] = [{"lang": "en", "text": f"Invented for a test, {mine}."}]
        began = now()
        # judged: some are wrong on purpose, and it is the hub that has to refuse them
        (accepted,) = pen.accept([pen.draft(case.kind, alert, case.audience)], judged=True)
        identity = (case.agency, header["alert_id"], header["version"])
        readers = frozenset(case.readers.split())
        self.history.submissions.append(
            Submission(accepted.digest, *identity, mine, readers, began, message=header["message"])
        )


def _record(case: Case, alert_id: str, **header: Any) -> dict[str, Any]:
    at = now()
    handling = {"codes": list(case.codes), "note": "", "tlp": case.tlp, "onward": "NONE"}
    return BUILDERS[case.kind](case.agency, now=at, alert_id=alert_id, handling=handling, **header)
