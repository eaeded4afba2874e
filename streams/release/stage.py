"""Links: what correlate has found and what authors answer in, signed notices to the authors out.

Answers are strangers' words: verified before they are decoded, and an agency is believed on its own topic alone.
Nothing that an agency writes ends the process. Logs hold ids alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

import structlog

from manara import metrics
from schemas import codec, message, registry
from schemas.directory import Directory
from schemas.errors import ContractError
from schemas.models import Answer, Link, Notice
from schemas.notices import notice
from schemas.reasons import Reason, Refusal
from schemas.signature import SigningKey
from schemas.topics import Names
from streams.engine.contract import Emit, Headers, Output, Record
from streams.engine.errors import Exit, Stop
from streams.release import rules
from streams.release.rules import DAY, Turn
from streams.release.store import Releases

MAX_ANSWER: Final = 16 * 1024
OFFERS, REFUSALS = "offers", "refusals"


class Release:
    """The stage. `quota` bounds the offers, and the refusals, that one agency's alerts and answers cause in a day."""

    def __init__(
        self, names: Names, store: Releases, directory: Callable[[], Directory], signer: SigningKey, quota: int
    ) -> None:
        self._names = names
        self._store = store
        self._directory = directory
        self._signer = signer
        self._quota = quota
        self._day = 0
        self._log = structlog.get_logger()

    def process(self, partition: int, batch: Sequence[Record], state: Mapping[bytes, bytes], now: int) -> Output:
        """Work some links and answers, in the order in which they came."""
        self._store.begin()
        output = Output()
        for record in batch:
            for turn in self._turns(record):
                output.emits += self._told(turn, record.time)
        return output

    def _turns(self, record: Record) -> Iterable[Turn]:
        if record.time // DAY > self._day:
            self._day = record.time // DAY
            yield from self._new_day(record.time)
        if record.topic == self._names.links:
            yield self._link(record)
        elif record.topic != self._names.heartbeat:
            yield self._answer(record)

    # ------------------------------------------------------------------ links

    def _link(self, record: Record) -> Turn:
        link = _read_link(record)
        known = self._store.get(link["link_id"])
        turn = rules.linked(known, link, record.time, room=self._room(rules.charged(link), record.time))
        if turn.held:
            metrics.match_quota.labels(rules.charged(link)).inc()
            self._log.warning(
                "An agency's offers of today are used up; the match waits",
                agency=rules.charged(link),
                link_id=link["link_id"],
            )
        return turn

    def _room(self, agency: str, at: int) -> bool:
        return self._store.used(agency, at // DAY, OFFERS) < self._quota

    def _new_day(self, at: int) -> Iterable[Turn]:
        """Offers that were held back go out now, as far as the new day reaches."""
        for release in self._store.held(self._quota):
            if self._room(release["charged"], at):
                yield rules.unheld(release, at)

    # ------------------------------------------------------------------ answers

    def _answer(self, record: Record) -> Turn:
        agency = self._names.agency_of(record.topic)
        try:
            answer = opened(record, agency, self._directory())
        except Refusal as refusal:
            return self._not_believed(agency, record, refusal)
        turn = rules.answered(self._store.get(answer["link_id"]), answer, record.time)
        refused = any(each["type"] == "MATCH_REFUSED" for each in turn.notices)
        metrics.match_answers.labels("again" if turn.again else "refused" if refused else "taken").inc()
        if refused:
            self._log.warning(
                "An answer was refused", agency=agency, link_id=answer["link_id"], reason=answer["answer"]
            )
        return turn

    def _not_believed(self, agency: str, record: Record, refusal: Refusal) -> Turn:
        metrics.match_answers.labels("refused").inc()
        self._log.warning(
            "An answer was not believed", agency=agency, reason=refusal.reason, topic=record.topic, offset=record.offset
        )
        text = f"An answer on your topic was not believed: {refusal.reason}."
        return Turn(notices=(notice("MATCH_REFUSED", agency, record.time, text),))

    # ------------------------------------------------------------------ effects

    def _told(self, turn: Turn, at: int) -> list[Emit]:
        """What a turn sends. A refusal above the day's quota is not sent: it would only feed whoever floods."""
        emits = []
        if turn.release is not None:
            schema = registry.by_name("release")
            value = codec.frame(schema, self._store.put(turn.release))
            emits.append(Emit(self._names.releases, turn.release["link_id"].encode(), value))
            if turn.offered:
                self._store.use(turn.release["charged"], at // DAY, OFFERS)
        return emits + [emit for said in turn.notices for emit in self._notice(said, at)]

    def _notice(self, said: Notice, at: int) -> list[Emit]:
        agency = said["agency"]
        if agency not in self._directory().agencies:
            return []  # it has left: nobody reads there any more
        if said["type"] == "MATCH_REFUSED":
            if self._store.used(agency, at // DAY, REFUSALS) >= self._quota:
                return []
            self._store.use(agency, at // DAY, REFUSALS)
        metrics.match_notices.labels(said["type"]).inc()
        value, headers = message.sign_record(registry.by_name("notice"), said, self._signer)
        return [Emit(self._names.status(agency), agency.encode(), value, cast("Headers", headers))]


def opened(record: Record, agency: str, directory: Directory) -> Answer:
    """The answer in a record of `answers.v1.<agency>`, if it is that agency's own word. Raises `Refusal`."""
    try:
        schema, said, _key = message.open_record(
            record.value, record.headers, directory=directory, at=record.time, holders=(agency,), limit=MAX_ANSWER
        )
    except Refusal:
        raise
    except ContractError as error:
        raise Refusal(Reason.UNDECODABLE, type(error).__name__) from error
    if schema.name != "answer":
        raise Refusal(Reason.SCHEMA_MISMATCH, f"a {schema.name} record stands where answers belong")
    if said["agency"] != agency or record.key != said["link_id"].encode():
        raise Refusal(Reason.WRONG_AGENCY, "the answer names another agency or match than its topic and key")
    return cast("Answer", said)


def _read_link(record: Record) -> Link:
    schema = registry.by_name("link")
    try:
        schema_id, body = codec.unframe(record.value or b"")
        found = registry.by_id(schema_id)
        if found.name != "link":
            raise Stop(Exit.BROKEN_BLOCK, f"{record.topic}/{record.partition}/{record.offset} holds a {found.name}")
        return cast("Link", codec.decode(schema, body) if found is schema else codec.resolve(body, found, schema))
    except ContractError as error:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        raise Stop(Exit.BROKEN_BLOCK, f"{place} is no link: {error}") from error
