"""What becomes of one authentic message: a pure function over the message, its register entry and one directory."""

from __future__ import annotations

import re
from typing import NamedTuple

from schemas import lifecycle, message, rules
from schemas.directory import Directory
from schemas.message import Headers, Opened
from schemas.models import Admitted, FieldError, HubHeader, RegisterEntry
from schemas.reasons import Refusal
from streams import policy
from streams.engine.contract import Record
from streams.gate.register import absorb

NO_READERS = "RULE_AUDIENCE_EMPTY"
_TRACEPARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Judgement(NamedTuple):
    """Admitted: `item` is what the block says of it and `entry` its register entry; both None if it was `again`."""

    item: Admitted | None = None
    entry: RegisterEntry | None = None

    @property
    def again(self) -> bool:
        """Whether it had been admitted before."""
        return self.item is None


def judge(
    record: Record,
    opened: Opened,
    hub: HubHeader,
    entry: RegisterEntry | None,
    directory: Directory,
    memo: policy.Memo,
) -> Judgement:
    """Admit a message or raise `Refusal`; time is the record's own log time, so that a replay judges the same.

    Order: life cycle (identity, version, ownership; a re-send ends here), publication rules with expiry, readers.
    """
    header = opened.header
    step = lifecycle.transition(entry, header, opened.kind, opened.digest, record.partition)
    if step.outcome == "REFUSED":
        raise Refusal(step.reason, _life(entry, opened))
    if step.again:
        return Judgement()
    _check_rules(opened, hub, directory, record.time)
    readers = memo.readers(policy.facts(opened.kind, header), policy.audience(hub), directory)
    if not readers.deliver:
        raise Refusal(
            NO_READERS, "no member of the audience may read it", (FieldError(path="audience", rule=NO_READERS),)
        )
    item = _item(record, opened, readers, entry, directory.seq)
    return Judgement(item, absorb(entry, item))


def _life(entry: RegisterEntry | None, opened: Opened) -> str:
    """Where message and register disagree, for whoever looks into the refusal."""
    known = f"version {entry['version']} ({entry['state']}) in partition {entry['partition']}" if entry else "nothing"
    return f"{opened.header['message']} version {opened.header['version']}; the register has {known}"


def _check_rules(opened: Opened, hub: HubHeader, directory: Directory, at: int) -> None:
    violations = rules.check(opened.kind, opened.record, hub, directory, at)
    if violations:
        errors = tuple(FieldError(path=found.path, rule=found.rule) for found in violations)
        raise Refusal(violations[0].rule, f"rules violated: {len(violations)}", errors)


def _item(
    record: Record, opened: Opened, readers: policy.Readers, entry: RegisterEntry | None, directory_seq: int
) -> Admitted:
    header = opened.header
    reached = entry["reached"] if entry else []
    return {
        "agency": header["agency"],
        "alert_id": header["alert_id"],
        "kind": opened.kind,
        "version": header["version"],
        "message": header["message"],
        "digest": opened.digest,
        "admitted_at": record.time,
        "expires_at": header["expires_at"],
        "precedence": header["precedence"],
        "directory_seq": directory_seq,
        "partition": record.partition,
        "offset": record.offset,
        "deliver": list(readers.deliver),
        "leave": [member for member in reached if member not in readers.deliver],
        "rules": list(readers.rules),
        "trace": _trace(record.headers),
        "hub": _header(record.headers, message.HUB),
        "signature": _header(record.headers, message.SIG),
        "value": record.value or b"",
    }


def _header(headers: Headers, name: str) -> bytes:
    """The value of a header that is known to be there once."""
    return next(value for key, value in headers if key == name and value is not None)


def _trace(headers: Headers) -> str:
    """The W3C traceparent, if there is a well-formed one: it is only a claim, so anything else is left out."""
    for key, value in headers:
        if key == message.TRACE and value is not None and _TRACEPARENT.fullmatch(value):
            return value.decode()
    return ""
