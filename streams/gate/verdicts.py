"""Verdicts and notices for the authors: collected over a batch, then signed, many to a signature.

A verdict goes to the agency whose inlet the message stood in, whoever signed it: nobody can make another agency's
status say something by copying its messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from schemas import message, registry
from schemas.models import FieldError, Notice, Verdict, Verdicts
from schemas.notices import notice
from schemas.reasons import REMEDY, Refusal
from schemas.signature import SigningKey
from schemas.topics import Names
from streams.engine.contract import Emit, Record

MAX_VERDICTS = 500
"""At most so many in one signed record (contract section 7)."""
MAX_BYTES = 160 * 1024
"""And at most about so many bytes: a record of the hub stays below the 256 KiB that agencies' clients take."""
MAX_ERRORS = 20
"""Violated rules that one verdict names; the author's own check names all of them."""
_MAX_PATH = 200

_ERROR = _MAX_PATH + 50  # bytes of a violated rule, at most
_FIXED = 320  # bytes of a verdict beside remedy and errors, at most


class Facts(NamedTuple):
    """What is known of a message for its verdict: "" and 0 for what could not be read."""

    digest: str = ""
    kind: str = ""
    alert_id: str = ""
    version: int = 0


class Mail:
    """What the agencies are to be told about one batch."""

    def __init__(self, directory_seq: int) -> None:
        self._seq = directory_seq
        self._verdicts: dict[str, list[Verdict]] = {}
        self._notices: list[Notice] = []

    def admitted(self, record: Record, agency: str, facts: Facts, *, again: bool = False) -> None:
        """The message was admitted, now or (`again`) before."""
        self._say(record, agency, facts, again=again)

    def refused(self, record: Record, agency: str, facts: Facts, refusal: Refusal) -> None:
        """The message was refused."""
        self._say(record, agency, facts, refusal=refusal)

    def gap(self, record: Record, agency: str, first: int, last: int) -> None:
        """The agency's sequence in this partition jumped: `first` to `last` did not arrive readable before `record`."""
        self._notices.append(
            notice(
                "SEQUENCE_GAP",
                agency,
                record.time,
                f"Sequence numbers {first} to {last} of partition {record.partition} did not arrive readable; "
                "send those messages again or close the gap.",
                partition=record.partition,
                first=first,
                last=last,
            )
        )

    def send(self, names: Names, signer: SigningKey) -> list[Emit]:
        """Everything as signed messages for `status.v1.<agency>`."""
        emits = [
            _signed("verdict", Verdicts(agency=agency, verdicts=part), agency, names, signer)
            for agency, verdicts in self._verdicts.items()
            for part in _parts(verdicts)
        ]
        return emits + [_signed("notice", said, said["agency"], names, signer) for said in self._notices]

    def _say(
        self, record: Record, agency: str, facts: Facts, *, again: bool = False, refusal: Refusal | None = None
    ) -> None:
        verdict: Verdict = {
            "digest": facts.digest,
            "kind": facts.kind,
            "alert_id": facts.alert_id,
            "version": facts.version,
            "outcome": "REFUSED" if refusal else "ADMITTED",
            "again": again,
            "reason": refusal.reason if refusal else "",
            "remedy": REMEDY.get(refusal.reason, "") if refusal else "",
            "errors": _errors(refusal) if refusal else [],
            "source": {
                "topic": record.topic,
                "topic_id": record.topic_id,
                "partition": record.partition,
                "offset": record.offset,
            },
            "at": record.time,
            "directory_seq": self._seq,
        }
        self._verdicts.setdefault(agency, []).append(verdict)


def _errors(refusal: Refusal) -> list[FieldError]:
    return [{"path": error["path"][:_MAX_PATH], "rule": error["rule"]} for error in refusal.errors[:MAX_ERRORS]]


def _parts(verdicts: Sequence[Verdict]) -> Iterator[list[Verdict]]:
    """The verdicts in order, cut so that each part keeps within MAX_VERDICTS and MAX_BYTES."""
    part: list[Verdict] = []
    size = 0
    for verdict in verdicts:
        length = _FIXED + len(verdict["remedy"]) + _ERROR * len(verdict["errors"])
        if part and (len(part) == MAX_VERDICTS or size + length > MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(verdict)
        size += length
    if part:
        yield part


def _signed(schema: str, record: Verdicts | Notice, agency: str, names: Names, signer: SigningKey) -> Emit:
    value, headers = message.sign_record(registry.by_name(schema), record, signer)
    return Emit(names.status(agency), agency.encode(), value, list(headers))
