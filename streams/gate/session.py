"""One batch of one lane at work in the gate: what each record comes to, collected until the batch is through."""

from __future__ import annotations

from collections.abc import Mapping

from schemas import message, signature
from schemas.directory import Directory
from schemas.errors import ContractError
from schemas.message import Opened
from schemas.models import HubHeader, RegisterEntry
from schemas.reasons import Reason, Refusal
from schemas.signature import SigningKey
from schemas.topics import Names
from streams.engine.contract import Emit, Output, Put, Record
from streams.gate import quarantine, register
from streams.gate.blocks import BlockWriter
from streams.gate.judge import judge
from streams.gate.register import Chain
from streams.gate.tally import Tally
from streams.gate.verdicts import Facts, Mail
from streams.gate.verify import Verified
from streams.policy import Memo

_KEY_REASONS = frozenset({Reason.UNKNOWN_KEY, Reason.KEY_NOT_VALID})
_BODY_START = 5


class Session:
    """Give it every record of the batch in order (`take`), then ask for the answer (`finish`)."""

    def __init__(self, names: Names, directory: Directory, memo: Memo, lane: int, state: Mapping[bytes, bytes]) -> None:
        self.tally = Tally()
        self._names = names
        self._directory = directory
        self._memo = memo
        self._lane = lane
        self._state = state
        self._puts: dict[bytes, Put] = {}
        self._chains: dict[tuple[str, int], Chain] = {}
        self._blocks = BlockWriter(lane)
        self._mail = Mail(directory.seq)
        self._quarantined: list[Emit] = []

    def take(self, record: Record, found: Verified) -> None:
        """Deal with one record. Whatever it is, it is admitted or refused, and the next one is none the worse."""
        agency = self._names.agency_of(record.topic)
        facts = Facts()
        try:
            if isinstance(found, Exception):
                raise found
            facts = Facts(found.digest)
            opened = message.interpret(found, record.key or b"")
            header = opened.header
            facts = Facts(found.digest, opened.kind, header["alert_id"], header["version"])
            self._admit(record, agency, opened, facts)
        except Refusal as refusal:
            self._refuse(record, agency, facts, refusal)
        except Exception as error:  # noqa: BLE001 - a defect met by one record must not stop or lose any other
            self._refuse(record, agency, facts, _unexpected(error))
        self._blocks.cover(record, self._chain(agency, record.partition))

    def finish(self, signer: SigningKey) -> Output:
        """The answer of the whole batch: quarantine, signed verdicts and notices; blocks; changes of the register."""
        key = b"%d" % self._lane
        closed = self._blocks.finish()
        self.tally.blocks = [(block.messages, len(block.value)) for block in closed]
        return Output(
            emits=self._quarantined + self._mail.send(self._names, signer),
            puts=list(self._puts.values()),
            commits=[Emit(self._names.admitted, key, block.value, None, self._lane) for block in closed],
        )

    def _admit(self, record: Record, agency: str, opened: Opened, facts: Facts) -> None:
        if opened.header["agency"] != agency:
            raise Refusal(Reason.WRONG_AGENCY, "signed by another agency than the one whose inlet it stood in")
        hub = message.open_audience(record.headers, opened.header)
        self._follow(record, agency, hub, opened.digest)
        key = message.identity(agency, opened.header["alert_id"])
        judgement = judge(record, opened, hub, self._entry(key), self._directory, self._memo)
        if judgement.item is None or judgement.entry is None:
            self._again(record, agency, facts)
            return
        value = register.write(judgement.entry)
        self._blocks.add(judgement.item)
        self._puts[key] = Put(key, value, record)
        self._mail.admitted(record, agency, facts)
        self.tally.admitted[opened.kind, judgement.item["precedence"]] += 1
        self.tally.judged[agency, "admitted"] += 1

    def _again(self, record: Record, agency: str, facts: Facts) -> None:
        self._mail.admitted(record, agency, facts, again=True)
        self.tally.again[facts.kind] += 1
        self.tally.judged[agency, "admitted"] += 1

    def _refuse(self, record: Record, agency: str, facts: Facts, refusal: Refusal) -> None:
        digest = facts.digest or refusal.digest or _digest(record)
        if refusal.reason in _KEY_REASONS:
            known = self._admitted_before(record, agency, digest)
            if known is not None:
                self._again(record, agency, known)
                return
        kept = quarantine.write(record, agency, refusal, self._directory.seq)
        coordinates = quarantine.coordinates(record.topic, record.partition, record.offset)
        self._quarantined.append(Emit(self._names.quarantine, coordinates.encode(), kept))
        self._mail.refused(record, agency, facts._replace(digest=digest), refusal)
        self.tally.refused[refusal.reason] += 1
        self.tally.judged[agency, "refused"] += 1

    def _admitted_before(self, record: Record, agency: str, digest: str) -> Facts | None:
        """What is known of a message that was admitted before its key ran out: it is admitted still (contract 5)."""
        key = record.key or b""
        if not digest or not key.startswith(message.identity(agency, "")):
            return None
        entry = self._entry(key)
        if entry is None or digest not in entry["digests"]:
            return None
        return Facts(digest, entry["kind"], entry["alert_id"], entry["digests"].index(digest) + 1)

    def _follow(self, record: Record, agency: str, hub: HubHeader, digest: str) -> None:
        """Move the agency's chain on. Its author hears of numbers that were left out; they are no ground to refuse."""
        chain = self._chain(agency, record.partition)
        number = hub["sequence"]
        if number <= chain.sequence:
            return  # it came again
        if number > chain.sequence + 1:
            self._gap(record, agency, chain.sequence + 1, number - 1)
        elif hub["previous"] != chain.previous:
            self._gap(record, agency, chain.sequence, chain.sequence)
        after = self._chains[agency, record.partition] = Chain(number, digest)
        key = register.source(agency, record.partition)
        self._puts[key] = Put(key, register.write_chain(after), record)

    def _gap(self, record: Record, agency: str, first: int, last: int) -> None:
        self._mail.gap(record, agency, first, last)
        self.tally.gaps[agency] += 1

    def _chain(self, agency: str, partition: int) -> Chain:
        known = self._chains.get((agency, partition))
        if known is None:
            stored = self._state.get(register.source(agency, partition))
            known = self._chains[agency, partition] = register.read_chain(stored)
        return known

    def _entry(self, key: bytes) -> RegisterEntry | None:
        put = self._puts.get(key)
        return register.read(put.value if put else self._state.get(key))


def _unexpected(error: Exception) -> Refusal:
    """A defect of ours, as a refusal. Its text stays out: it may quote the message."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    line = f" at {trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else ""
    return Refusal(Reason.UNREADABLE, f"unexpected {type(error).__name__}{line}")


def _digest(record: Record) -> str:
    """The digest of a message that was refused before it was computed, if protected map and body are there."""
    sig = [value for name, value in record.headers[: message.MAX_HEADERS] if name == message.SIG]
    if record.value is None or len(record.value) < _BODY_START or len(sig) != 1 or sig[0] is None:
        return ""
    try:
        return signature.digest(signature.read(sig[0]).protected, record.value[_BODY_START:])
    except ContractError:
        return ""
