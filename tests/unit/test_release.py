"""Release: what authors are told of a match, when names are told, and which answers are refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, message, registry
from schemas.models import Answer, Link, Notice
from schemas.topics import Names
from streams.correlate import linking
from streams.correlate.scoring import Found
from streams.engine.contract import Headers, Output, Record
from streams.engine.errors import Stop
from streams.engine.store import Source as Place
from streams.release import rules
from streams.release.stage import Release
from streams.release.store import Releases
from tests.support.directories import DAY, NOW, key_of, network

NAMES, NET = Names(), network()
FOUND = Found("PERSON", 0.9, "PROBABLE", ("BIRTH_DATE", "NAME"), ("secret words",), ("persons/1",))
LEFT, RIGHT = "eg-police", "ma-police"


def link(
    *agencies: str, found: Found = FOUND, number: int = 1, versions: tuple[int, ...] = (1, 1), at: int = NOW
) -> Link:
    """A live link between alerts of these agencies; the last one's came last."""
    sides: list[Any] = [
        {
            "agency": agency, "alert_id": f"alert-{number}", "member": agency[:2].upper(), "kind": "person",
            "version": version, "precedence": "ROUTINE", "reference": f"REF-{agency}", "admitted_at": at + place,
            "expires_at": at + DAY,
        }
        for place, (agency, version) in enumerate(zip(agencies or (LEFT, RIGHT), versions, strict=False))
    ]  # fmt: skip
    blank = linking.over("", 0, max(side["admitted_at"] for side in sides))
    names = [linking.identity(side) for side in sides]
    made: Any = {**blank, "link_id": linking.link_id(found.class_, names), "class": found.class_, "state": "LIVE"}
    return cast(
        "Link", {**made, "band": found.band, "evidence": list(found.kinds), "words": list(found.words), "sides": sides}
    )


def stronger() -> Found:
    """The same with better evidence."""
    return FOUND._replace(band="STRONG", kinds=("DOCUMENT_NUMBER", "NAME"))


class Desk:
    """The stage on a store of its own, with a log that counts offsets and time."""

    def __init__(self, folder: Path, quota: int = 100) -> None:
        self.store = Releases(folder / "releases.db")
        self.stage = Release(NAMES, self.store, lambda: NET.directory, key_of("hub.links"), quota)
        self.time, self.offset = NOW, 0
        self.output = Output()

    def put(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> list[Notice]:
        """One record; what agencies are told because of it."""
        self.time, self.offset = self.time + 1_000_000, self.offset + 1
        record = Record(topic, "t", 0, self.offset, self.time, key, value, headers or [])
        self.output = self.stage.process(0, [record], {}, self.time)
        return self.told()

    def link(self, link_: Link) -> list[Notice]:
        """A link as correlate writes it."""
        schema = registry.by_name("link")
        return self.put(NAMES.links, link_["link_id"].encode(), codec.frame(schema, codec.encode(schema, link_)))

    def answer(
        self, agency: str, link_: Link, said: str, *, signer: str = "", topic: str = "", **changes: Any
    ) -> list[Notice]:
        """An answer of an agency."""
        side = next((side for side in link_["sides"] if side["agency"] == agency), link_["sides"][0])
        record = {
            "agency": changes.pop("names", agency), "link_id": link_["link_id"],
            "alert_id": side["alert_id"], "version": side["version"],
            "answer": said, "reason": "UNKNOWN", "band": link_["band"], "evidence": link_["evidence"],
            "at": self.time, **changes,
        }  # fmt: skip
        value, headers = message.sign_record(registry.by_name("answer"), record, key_of(signer or agency))
        return self.put(NAMES.answers(topic or agency), link_["link_id"].encode(), value, cast("Headers", headers))

    def told(self) -> list[Notice]:
        """The notices of the last output, verified as their agencies do, each on its own status topic."""
        found = []
        for emit in self.output.emits:
            if emit.topic == NAMES.releases:
                continue
            _, said, _ = message.open_record(
                emit.value, emit.headers, directory=NET.directory, at=NOW, holders={"hub.links"}
            )
            assert emit.topic == NAMES.status(said["agency"])
            found.append(cast("Notice", said))
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk with an empty store."""
    made = Desk(tmp_path)
    yield made
    made.store.close()


def types(notices: list[Notice]) -> list[tuple[str, str]]:
    """Type and agency of each."""
    return [(said["type"], said["agency"]) for said in notices]


def test_both_authors_are_told_of_a_match_and_nothing_of_the_other(desk: Desk) -> None:
    """Strength and kinds of evidence; no name, no id, no reference, no word of the evidence."""
    told = desk.link(link())
    assert types(told) == [("MATCH_OFFERED", LEFT), ("MATCH_OFFERED", RIGHT)]
    for said, other in zip(told, (RIGHT, LEFT), strict=True):
        assert (said["band"], said["evidence"]) == ("PROBABLE", ["BIRTH_DATE", "NAME"])
        assert other not in repr(said)
        assert f"REF-{other}" not in repr(said)
        assert "secret" not in repr(said)
    assert desk.link(link()) == []


def test_names_are_told_when_all_have_accepted_and_not_before(desk: Desk) -> None:
    """Each learns the other's agency, member, alert and reference."""
    desk.link(link())
    assert desk.answer(LEFT, link(), "ACKNOWLEDGED") == []
    assert desk.answer(LEFT, link(), "ACCEPTED") == []
    told = desk.answer(RIGHT, link(), "ACCEPTED")
    assert types(told) == [("MATCH_AGREED", LEFT), ("MATCH_AGREED", RIGHT)]
    assert [said["other_agency"] for said in told] == [RIGHT, LEFT]
    assert [said["other_reference"] for said in told] == [f"REF-{RIGHT}", f"REF-{LEFT}"]
    assert [said["other_member"] for said in told] == ["MA", "EG"]


def test_of_three_sides_each_learns_of_both_others_once_all_accept(desk: Desk) -> None:
    """A money pattern."""
    three = link("ae-fiu", "kz-fiu", "tr-fiu", versions=(1, 1, 1))
    desk.link(three)
    assert desk.answer("ae-fiu", three, "ACCEPTED") == []
    assert desk.answer("kz-fiu", three, "ACCEPTED") == []
    told = desk.answer("tr-fiu", three, "ACCEPTED")
    assert len(told) == 6
    wanted = set(permutations(("ae-fiu", "kz-fiu", "tr-fiu"), 2))
    assert {(said["agency"], said["other_agency"]) for said in told} == wanted


def test_a_declined_match_is_not_offered_again_for_the_same_evidence(desk: Desk) -> None:
    """Nor when it ends and comes back; with better evidence it is."""
    desk.link(link())
    told = desk.answer(LEFT, link(), "DECLINED", reason="MISTAKEN_IDENTITY")
    assert types(told) == [("MATCH_DECLINED", LEFT), ("MATCH_DECLINED", RIGHT)]
    assert LEFT not in told[1]["text"]
    assert desk.link(link(versions=(2, 1))) == []
    assert desk.link(linking.ended(link(), "SIDE_LEFT", NOW)) == []
    assert desk.link(link(versions=(3, 1))) == []
    assert types(desk.link(link(found=stronger()))) == [("MATCH_OFFERED", LEFT), ("MATCH_OFFERED", RIGHT)]
    assert desk.link(link()) == []


def test_a_match_that_agreed_may_be_declined_later_and_an_update_does_not_undo_it(desk: Desk) -> None:
    """A mistaken identity may be found after all."""
    desk.link(link())
    for agency in (LEFT, RIGHT):
        desk.answer(agency, link(), "ACCEPTED")
    assert desk.link(link(versions=(2, 1))) == []
    assert types(desk.answer(RIGHT, link(), "DECLINED")) == [("MATCH_DECLINED", LEFT), ("MATCH_DECLINED", RIGHT)]


def test_an_end_is_told_to_who_was_offered_and_answers_after_it_are_refused(desk: Desk) -> None:
    """And when it comes back, it is offered anew."""
    desk.link(link())
    assert types(desk.link(linking.ended(link(), "EXPIRED", NOW))) == [("MATCH_ENDED", LEFT), ("MATCH_ENDED", RIGHT)]
    assert desk.link(linking.ended(link(), "EXPIRED", NOW)) == []
    (said,) = desk.answer(LEFT, link(), "ACCEPTED")
    assert (said["type"], "ended" in said["text"]) == ("MATCH_REFUSED", True)
    assert types(desk.link(link())) == [("MATCH_OFFERED", LEFT), ("MATCH_OFFERED", RIGHT)]


def test_an_answer_that_is_no_side_s_tells_nothing_of_the_match(desk: Desk) -> None:
    """The same words as for a match that does not exist."""
    desk.link(link())
    (foreign,) = desk.answer("kz-border", link(), "ACCEPTED")
    (nobody,) = desk.answer("kz-border", {**link(), "link_id": "0" * 32}, "ACCEPTED")
    assert foreign["text"] == nobody["text"]
    assert (foreign["type"], foreign["band"], foreign["evidence"]) == ("MATCH_REFUSED", "", [])


@pytest.mark.parametrize(
    "changes",
    [
        {"signer": RIGHT},
        {"signer": "hub.links"},
        {"signer": "edge.eg"},
        {"names": RIGHT},
        {"names": RIGHT, "signer": RIGHT},
        {"link_id": "1" * 32},
        {"alert_id": "another"},
        {"answer": "UNKNOWN"},
        {"evidence": ["NAME"]},
        {"band": "STRONG"},
    ],
)
def test_a_forged_or_misdirected_answer_has_no_effect_and_its_topic_s_agency_is_told(
    desk: Desk, changes: dict[str, Any]
) -> None:
    """Whoever signed it: only the agency that may write there can have written it."""
    desk.link(link())
    before = desk.store.get(link()["link_id"])
    given_ = {"answer": "ACCEPTED", **changes}
    (said,) = desk.answer(LEFT, link(), given_.pop("answer"), **given_)
    assert (said["type"], said["agency"]) == ("MATCH_REFUSED", LEFT)
    assert desk.store.get(link()["link_id"]) == before


@given(st.binary(max_size=400), st.one_of(st.none(), st.binary(max_size=40)), st.binary(max_size=130))
def test_no_bytes_on_an_answers_topic_stop_the_stage(
    tmp_path_factory: pytest.TempPathFactory, value: bytes, key: bytes | None, sig: bytes
) -> None:
    """They are refused, and the next link is told of as ever."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    (said,) = desk.put(NAMES.answers(LEFT), key, value, [("sig", sig)])
    assert said["type"] == "MATCH_REFUSED"
    assert len(desk.link(link())) == 2
    desk.store.close()


def test_an_answer_that_comes_again_is_silent_and_one_that_says_less_is_refused(desk: Desk) -> None:
    """An agency says its last answers again to a cluster that was made anew."""
    desk.link(link())
    desk.answer(LEFT, link(), "ACCEPTED", at=NOW + 5)
    assert desk.answer(LEFT, link(), "ACCEPTED", at=NOW + 5) == []
    assert desk.answer(LEFT, link(), "ACKNOWLEDGED", at=NOW + 4) == []
    for said in ("ACKNOWLEDGED", "ACCEPTED"):
        assert types(desk.answer(LEFT, link(), said, at=NOW + 6)) == [("MATCH_REFUSED", LEFT)]


def test_who_publishes_bait_gets_no_more_offers_in_a_day_than_the_quota(tmp_path: Path) -> None:
    """It goes on the quota of the alert that came last; the others' quota stays theirs. Held offers wait for a day."""
    desk = Desk(tmp_path, quota=3)
    baits = [link(LEFT, RIGHT, number=number) for number in range(5)]
    assert [len(desk.link(bait)) for bait in baits] == [2, 2, 2, 0, 0]
    assert len(desk.link(link("kz-border", LEFT, number=9))) == 2
    assert desk.answer(RIGHT, baits[3], "ACCEPTED")[0]["text"] == rules.UNKNOWN_MATCH
    desk.time = NOW + DAY
    assert types(desk.put(NAMES.heartbeat, b"hub", b"")) == [("MATCH_OFFERED", LEFT), ("MATCH_OFFERED", RIGHT)] * 2
    desk.store.close()


def test_refusals_have_a_bound_too(tmp_path: Path) -> None:
    """Whoever floods its own topic fills no other."""
    desk = Desk(tmp_path, quota=3)
    told = [desk.put(NAMES.answers(LEFT), b"x", b"junk") for _ in range(6)]
    assert [len(said) for said in told] == [1, 1, 1, 0, 0, 0]
    desk.store.close()


def test_values_that_are_too_common_are_nobody_s_match(desk: Desk) -> None:
    """They are for the operator."""
    assert desk.link(linking.over("id:phone:1", 21, NOW)) == []


def test_a_record_of_links_that_is_none_ends_the_process(desk: Desk) -> None:
    """Only correlate writes there: the hub itself is broken."""
    with pytest.raises(Stop):
        desk.put(NAMES.links, b"x", b"junk")


def test_a_killed_worker_says_the_same_again_and_a_lost_disk_is_taken_over(tmp_path: Path) -> None:
    """What was not committed is worked again; a store made anew from releases.v1 offers nothing twice."""
    desk = Desk(tmp_path)
    desk.link(link())
    first = desk.output
    desk.store.close()  # never committed
    desk = Desk(tmp_path)
    desk.link(link())
    assert [emit.value for emit in desk.output.emits] == [emit.value for emit in first.emits]
    desk.store.commit([Place(NAMES.links, "t", 0, 2)])
    desk.store.close()
    desk = Desk(tmp_path)
    assert desk.store.position(NAMES.links, "t", 0) == 2
    assert desk.store.position(NAMES.links, "other", 0) is None
    assert desk.link(link()) == []
    value = next(emit.value for emit in first.emits if emit.topic == NAMES.releases)
    desk.store.close()
    other = Desk(tmp_path / "other")
    assert other.store.empty()
    assert other.store.load([codec.unframe(value or b"")[1]]) == 1
    assert not other.store.empty()
    assert other.link(link()) == []
    assert other.store.used(RIGHT, NOW // DAY, "offers") == 1
    other.store.close()


@given(
    st.lists(
        st.tuples(st.sampled_from([LEFT, RIGHT]), st.sampled_from(["ACKNOWLEDGED", "ACCEPTED", "DECLINED"])), max_size=6
    )
)
def test_names_are_told_only_after_all_accepted_whatever_the_order(answers: list[tuple[str, str]]) -> None:
    """And never while one side declined."""
    known = rules.linked(None, link(), NOW, room=True).release
    accepted: set[str] = set()
    for step, (agency, said) in enumerate(answers):
        answer: Answer = {
            "agency": agency, "link_id": link()["link_id"], "alert_id": "alert-1", "version": 1, "answer": said,  # type: ignore[typeddict-item]
            "reason": "UNKNOWN", "band": link()["band"], "evidence": link()["evidence"], "at": NOW + step,
        }  # fmt: skip
        turn = rules.answered(known, answer, NOW + step)
        known = turn.release or known
        assert known is not None
        accepted = {side["agency"] for side in known["sides"] if side["answer"] == "ACCEPTED"}
        named = any(notice["other_agency"] for notice in turn.notices)
        assert not named or accepted == {LEFT, RIGHT}
