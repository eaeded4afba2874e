"""Index, correlate and links as processes behind a real gate: from two states' alerts to two authors who agree."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from schemas import codec, message, registry
from schemas.notices import MATCHES
from schemas.reasons import Refusal
from tests.support.alerts import Author
from tests.support.bad_inputs import sent
from tests.support.correlation import wanted
from tests.support.directories import network
from tests.support.hub import Hub, now, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration
ARABIC, LATIN = "محمد حسن الخطيب", "Mohamed Hassan El Khatib"
START = 60.0
"""Seconds for five processes that all start at once, on a machine with other work."""
STAGES = (("gate",), ("index", "--runner", "loop"), ("correlate",), ("links",))


@pytest.fixture(scope="module")
def hub(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The stages that correlation needs, at work."""
    made = Hub.build(kafka, tmp_path_factory.mktemp("correlation"), network(now=now()))
    for stage, *options in STAGES:
        made.start(stage, *(options if stage != "index" else ()))  # on Faust here, on the loop where it is killed
    made.start("clock", "--every", "0.5")
    yield made
    made.close()


def links(hub: Hub) -> dict[str, Any]:
    """The last word of links.v1, by link id."""
    found = {}
    for read in hub.read(hub.names.links):
        _, body = codec.unframe(read.value or b"")
        found[(read.key or b"").decode()] = codec.decode(registry.by_name("link"), body)
    return found


def told(hub: Hub, agency: str, type_: str) -> list[Any]:
    """What hub.links has told an agency about matches, read and verified by the agency."""
    assert type_ in MATCHES
    found = []
    for read in hub.read(hub.names.status(agency), agency):
        try:
            schema, record, _ = message.open_record(
                read.value, read.headers, directory=hub.net.directory, at=read.time, holders={"hub.links"}
            )
        except Refusal:
            continue
        found += [record] if schema.name == "notice" and record["type"] == type_ else []
    return found


def answer(hub: Hub, agency: str, offer: Any, said: str, *, signer: str = "", **changes: Any) -> None:
    """An agency's answer on its own topic."""
    record = {
        "agency": agency,
        "link_id": offer["link_id"],
        "alert_id": offer["alert_id"],
        "version": offer["version"],
        "answer": said,
        "reason": "UNKNOWN",
        "band": offer["band"],
        "evidence": offer["evidence"],
        "at": now(),
        **changes,
    }
    value, headers = message.sign_record(registry.by_name("answer"), record, hub.net.key(signer or agency))
    client = hub.producer(agency)
    client.produce(hub.names.answers(agency), value, record["link_id"].encode(), headers=list(headers))
    assert client.flush(20) == 0


def offers(hub: Hub, agency: str, alert_id: str) -> list[Any]:
    """Offers about one alert."""
    return [offer for offer in told(hub, agency, "MATCH_OFFERED") if offer["alert_id"] == alert_id]


def pair(hub: Hub, name: str, other: str, **more: Any) -> tuple[Author, Any, Author, Any]:
    """Two states' alerts about one person, written in two ways."""
    time, writers = now(), (Author.of("eg-police"), Author.of("ma-police"))
    for writer in writers:
        writer.written = hash(name) % 10_000
    sealed = [
        writer.write(now=time, national_ref=f"REF-{writer.agency}", record=wanted(full, "1979-03-14", "EG", **more))
        for writer, full in zip(writers, (name, other), strict=True)
    ]
    hub.send(sent(one) for one in sealed)
    return writers[0], sealed[0], writers[1], sealed[1]


def test_two_states_are_told_of_a_match_and_of_each_other_when_both_accept(hub: Hub) -> None:
    """Nobody learns a name before; a withdrawal ends it."""
    author, mine, _, theirs = pair(hub, ARABIC, LATIN)

    def both() -> bool:
        return bool(offers(hub, "eg-police", mine.alert_id) and offers(hub, "ma-police", theirs.alert_id))

    until("both are told", both, START)
    (offer,) = offers(hub, "eg-police", mine.alert_id)
    (theirs_offer,) = offers(hub, "ma-police", theirs.alert_id)
    assert (offer["version"], offer["kind"], offer["link_id"]) == (1, "person", theirs_offer["link_id"])
    assert "NAME" in offer["evidence"]
    said = repr({**offer, "alert_id": "", "agency": ""})
    assert "ma-police" not in said
    assert theirs.alert_id not in said
    assert LATIN not in said
    answer(hub, "eg-police", offer, "ACKNOWLEDGED")
    answer(hub, "eg-police", offer, "ACCEPTED")
    answer(hub, "ma-police", theirs_offer, "ACCEPTED")
    until("they agree", lambda: told(hub, "eg-police", "MATCH_AGREED") and told(hub, "ma-police", "MATCH_AGREED"))
    (agreed,) = told(hub, "eg-police", "MATCH_AGREED")
    other = [agreed[f"other_{part}"] for part in ("agency", "member", "alert", "reference")]
    assert other == ["ma-police", "MA", theirs.alert_id, "REF-ma-police"]
    hub.send([sent(author.follow(mine, "WITHDRAW", now=now()))])
    until("it ends", lambda: told(hub, "ma-police", "MATCH_ENDED"))
    (ended,) = told(hub, "ma-police", "MATCH_ENDED")
    assert (ended["link_id"], ended["other_agency"]) == (offer["link_id"], "")
    assert links(hub)[offer["link_id"]]["state"] == "ENDED"


def test_answers_that_do_not_fit_are_refused_in_words_and_stop_nobody(hub: Hub) -> None:
    """Forged, of another's match, repeated, garbage; the same words for what is unknown and what is foreign."""
    _, mine, _, _ = pair(hub, "Tarlan Quliyev Rashidoglu", "Tarlan Guliyev Rashidoglu")
    until("it is offered", lambda: offers(hub, "eg-police", mine.alert_id))
    (offer,) = offers(hub, "eg-police", mine.alert_id)
    before = len(told(hub, "kz-border", "MATCH_REFUSED"))
    answer(hub, "kz-border", offer, "ACCEPTED")
    answer(hub, "kz-border", {**offer, "link_id": "0" * 32}, "ACCEPTED")
    answer(hub, "kz-border", offer, "ACCEPTED", signer="eg-police")
    client = hub.producer("kz-border")
    client.produce(hub.names.answers("kz-border"), b"\x00garbage", b"x")
    client.produce(hub.names.answers("kz-border"), b"", b"y")
    assert client.flush(20) == 0
    until("each is refused", lambda: len(told(hub, "kz-border", "MATCH_REFUSED")) == before + 5)
    first, second, *_ = told(hub, "kz-border", "MATCH_REFUSED")[before:]
    assert first["text"] == second["text"]
    answer(hub, "eg-police", offer, "ACCEPTED")
    answer(hub, "eg-police", offer, "ACKNOWLEDGED")
    until("less after more is refused", lambda: told(hub, "eg-police", "MATCH_REFUSED"))
    answer(hub, "eg-police", offer, "DECLINED", reason="MISTAKEN_IDENTITY")
    until("the other side hears", lambda: told(hub, "ma-police", "MATCH_DECLINED"))
    (declined,) = [each for each in told(hub, "ma-police", "MATCH_DECLINED") if each["link_id"] == offer["link_id"]]
    assert "MISTAKEN_IDENTITY" in declined["text"]
    assert "eg-police" not in declined["text"]


def test_kills_of_index_correlate_and_links_neither_lose_nor_double_a_link(kafka: Broker, tmp_path: Path) -> None:
    """Kill -9 of all three while pairs come in; every pair is one link, and offered to each side."""
    hub = Hub.build(kafka, tmp_path, network(now=now()))
    try:
        for stage, *options in STAGES:
            hub.start(stage, *options)
        authors, time = (Author.of("eg-police"), Author.of("ma-police")), now()
        numbers = [f"P{index:03d}7654{index:03d}" for index in range(60)]
        sealed = [
            author.write(
                now=time, record=wanted(_name(), identifiers=[{"type": "PASSPORT", "value": n, "country": "EG"}])
            )
            for n in numbers
            for author in authors
        ]
        for start in range(0, len(sealed), 40):
            hub.send(sent(one) for one in sealed[start : start + 40])
            until("some are linked", partial(_live, hub, start // 2 + 1), START)
            for stage, *options in STAGES[1:] if start else ():
                hub.kill(stage)
                hub.start(stage, *options)
        until("all are linked", partial(_live, hub, len(numbers)))
        found = {id_: link for id_, link in links(hub).items() if link["class"] == "IDENTIFIER"}
        assert len(found) == len(numbers)
        assert {link["state"] for link in found.values()} == {"LIVE"}
        sides = {(one.alert_id, other.alert_id) for one, other in zip(sealed[::2], sealed[1::2], strict=True)}
        assert {tuple(side["alert_id"] for side in link["sides"]) for link in found.values()} == sides
        for agency, own in (("eg-police", sealed[::2]), ("ma-police", sealed[1::2])):
            until("each is offered", partial(_offered, hub, agency, {one.alert_id for one in own}))
    finally:
        hub.close()


def _name() -> str:
    """A name that nobody has."""
    return " ".join("".join(random.choices("bdfgklmnrstvz", k=7)).title() for _ in range(2))


def _live(hub: Hub, number: int) -> bool:
    found = [link for link in links(hub).values() if link["class"] == "IDENTIFIER"]
    return len(found) >= number


def _offered(hub: Hub, agency: str, alerts: set[str]) -> bool:
    return {offer["alert_id"] for offer in told(hub, agency, "MATCH_OFFERED")} == alerts
