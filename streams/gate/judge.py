"""What becomes of one authentic message: a pure function over the message, its register entry and one directory."""

from __future__ import annotations

import re
from typing import NamedTuple

from schemas import lifecycle, message, rules
from schemas.directory import Directory
from schemas.message import Opened
from schemas.models import Admitted, FieldError, HubHeader, RegisterEntry
from schemas.reasons import Refusal
from streams import policy
from streams.engine.contract import Record
from streams.gate.register import absorb

NO_READERS = "RULE_AUDIENCE_EMPTY"
REACHED = "REACHED"
"""The rule of an end: it goes to every member that any version went to, past the policy."""
GONE = policy.Rule.READER_UNKNOWN.value
"""Beside it: one of those members has left the directory, so there is nobody to deliver to."""
MAX_ERRORS = 100
"""Violations that are kept of one message: 64 KiB can hold tens of thousands, more than quarantine could take."""
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
    step = lifecycle.transition(entry, header, opened.kind, opened.digest, record.partition, at=record.time)
    if step.outcome == "REFUSED":
        named = (FieldError(path="header.message", rule=step.reason),) if step.reason.startswith("RULE_") else ()
        raise Refusal(step.reason, _life(entry, opened), named)
    if step.again:
        return Judgement()
    _check_rules(opened, hub, directory, record.time)
    if entry is not None and header["message"] in lifecycle.ENDS:
        readers = _reached(entry, directory)
    else:
        readers = _addressed(opened, hub, directory, memo)
    item = _item(record, opened, readers, entry, directory)
    return Judgement(item, absorb(entry, item))


def _reached(entry: RegisterEntry, directory: Directory) -> policy.Readers:
    """Readers of an end: who has it must hear of it, whatever standing, clearance and audience say today."""
    known = tuple(member for member in entry["reached"] if member in directory.members)
    return policy.Readers(known, (REACHED,) if len(known) == len(entry["reached"]) else (GONE, REACHED))


def _addressed(opened: Opened, hub: HubHeader, directory: Directory, memo: policy.Memo) -> policy.Readers:
    """Readers of a living message, which has at least one."""
    readers = memo.readers(policy.facts(opened.kind, opened.header), policy.audience(hub), directory)
    if not readers.deliver:
        raise Refusal(
            NO_READERS, "no member of the audience may read it", (FieldError(path="audience", rule=NO_READERS),)
        )
    return readers


def _leave(entry: RegisterEntry | None, readers: policy.Readers, directory: Directory) -> list[str]:
    """Members that have the alert and are left out now. Who was told before, and got nothing since, is not told again:
    a second notice would say that the alert lives on.
    """
    if entry is None:
        return []
    settled = {*readers.deliver, *entry["left"]}
    return [member for member in entry["reached"] if member not in settled and member in directory.members]


def _life(entry: RegisterEntry | None, opened: Opened) -> str:
    """Where message and register disagree, for whoever looks into the refusal."""
    known = f"version {entry['version']} ({entry['state']}) in partition {entry['partition']}" if entry else "nothing"
    return f"{opened.header['message']} version {opened.header['version']}; the register has {known}"


def _check_rules(opened: Opened, hub: HubHeader, directory: Directory, at: int) -> None:
    violations = rules.check(opened.kind, opened.record, hub, directory, at)
    if violations:
        errors = tuple(FieldError(path=found.path, rule=found.rule) for found in violations[:MAX_ERRORS])
        raise Refusal(violations[0].rule, f"rules violated: {len(violations)}", errors)


def _item(
    record: Record, opened: Opened, readers: policy.Readers, entry: RegisterEntry | None, directory: Directory
) -> Admitted:
    header = opened.header
    ended = entry is not None and header["message"] in lifecycle.ENDS
    headers = dict(record.headers)  # `sig` and `hub` are known to be there once
    return {
        "agency": header["agency"],
        "alert_id": header["alert_id"],
        "kind": opened.kind,
        "version": header["version"],
        "message": header["message"],
        "digest": opened.digest,
        "admitted_at": record.time,
        "expires_at": entry["expires_at"] if entry is not None and ended else header["expires_at"],
        "precedence": header["precedence"],
        "directory_seq": directory.seq,
        "partition": record.partition,
        "offset": record.offset,
        "deliver": list(readers.deliver),
        "leave": [] if ended else _leave(entry, readers, directory),
        "rules": list(readers.rules),
        "trace": _trace(headers.get(message.TRACE)),
        "hub": headers[message.HUB] or b"",
        "signature": headers[message.SIG] or b"",
        "value": record.value or b"",
    }


def _trace(value: bytes | None) -> str:
    """The W3C traceparent, if it is well formed: it is only a claim, so anything else is left out."""
    return value.decode() if value is not None and _TRACEPARENT.fullmatch(value) else ""
