"""The life cycle from the author's side: next versions, ends, the lock on the version, what the dry run says."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from manara.settings import Settings
from manara.stores import transaction
from producers import differences, versions
from producers.errors import AuthorError, FaultyError, LifeError, StaleVersionError
from producers.outbox import BULK, SAID, Accepted, Outbox
from producers.publisher import Publisher
from producers.relay import now_micros
from producers.validity import LOG_TIME
from schemas import codec, registry
from schemas.lifecycle import ENDS, transition
from schemas.models import RegisterEntry
from tests.support.agency import AGENCY, settings_for, verdict, wanted
from tests.support.directories import DAY, Network, network
from tests.unit.test_agency_commands import Run, Said, remember, run  # noqa: F401 - fixtures
from tests.unit.test_outbox import check_laws, take

AUDIENCE = ["EG", "MA", "TR"]


@pytest.fixture
def net() -> Network:
    """A directory of today."""
    return network(now=now_micros())


@pytest.fixture
def settings(tmp_path: Path, net: Network) -> Settings:
    """An agency without a broker; `manara.toml` says so."""
    made = settings_for(tmp_path, None, "", net)
    pins = "\n".join(f'{name} = "{pin}"' for name, pin in net.pins.items())
    (tmp_path / "manara.toml").write_text(
        f'folder = "{tmp_path}"\nagency = "{AGENCY}"\nkey = "key.pem"\n'
        f'[kafka]\nbootstrap = "127.0.0.1:9"\nsecurity = "PLAINTEXT"\n[roots]\n{pins}\n'
    )
    return made


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the directory for a moment only."""
    monkeypatch.setattr("producers.commands.saying.DIRECTORY_SECONDS", 0.2)


@pytest.fixture
def publisher(settings: Settings) -> Any:
    """A publisher without a network."""
    with Publisher.open(settings) as made:
        yield made


def published(publisher: Publisher, **changes: Any) -> Accepted:
    """An alert to three members."""
    return publisher.publish("person", wanted(national_ref="R-1", **changes), audience=AUDIENCE)


def messages(outbox: Outbox) -> list[tuple[str, dict[str, Any], int]]:
    """What the outbox would send: kind, record and partition, in order of number."""
    rows = outbox.db.execute("select kind, message, value, partition from messages order by number").fetchall()
    return [
        (
            str(kind),
            codec.decode(registry.by_name("end" if said in ENDS else str(kind)), codec.unframe(bytes(value))[1]),  # type: ignore[arg-type]
            int(str(partition)),
        )
        for kind, said, value, partition in rows
    ]


STEPS: tuple[Callable[[Publisher, str], Accepted], ...] = (
    lambda p, a: p.update(a, wanted(national_ref="R-1", sex="MALE")),
    lambda p, a: p.suspend(a),
    lambda p, a: p.resume(a),
    lambda p, a: p.extend(a, until="+120d"),
    lambda p, a: p.withdraw(a, note="An error."),
)


def test_a_whole_life_is_what_the_gate_admits(publisher: Publisher) -> None:
    """Every message of it, in order, moves the gate's own register entry, and its signatures and chain hold."""
    alert = published(publisher).alert_id
    for version, step in enumerate(STEPS, 2):
        assert step(publisher, alert).version == version
    check_laws(publisher.outbox)
    entry: RegisterEntry | None = None
    said = []
    for number, (kind, record, partition) in enumerate(messages(publisher.outbox)):
        done = transition(entry, record["header"], kind, f"{number:064}", partition, at=now_micros())
        assert done.outcome == "ADMITTED", done.reason
        entry = done.entry
        said.append(record["header"]["message"])
    assert said == ["ALERT", "UPDATE", "SUSPEND", "RESUME", "EXTEND", "WITHDRAW"]
    assert entry is not None
    assert entry["state"] == "WITHDRAWN"


def test_every_living_message_is_a_full_snapshot_and_an_end_holds_no_content(publisher: Publisher) -> None:
    """What an update says is in the versions after it; dates and audience stay where they are not said."""
    alert = published(publisher).alert_id
    for step in STEPS:
        step(publisher, alert)
    first, updated, suspended, resumed, extended, ended = (record for _, record, _ in messages(publisher.outbox))
    assert updated["sex"] == suspended["sex"] == resumed["sex"] == extended["sex"] == "MALE"
    assert updated["header"]["expires_at"] >= first["header"]["expires_at"]
    assert updated["header"]["effective_at"] == first["header"]["effective_at"]
    assert extended["header"]["expires_at"] > resumed["header"]["expires_at"]
    assert set(ended) == {"header", "kind", "reason", "note"}
    assert ended["header"]["narrative"] == []
    assert "Tural" not in json.dumps(ended)


def test_an_update_keeps_audience_and_expiry_that_it_does_not_say(publisher: Publisher) -> None:
    """The file has the content; whom it is for, and until when, was said before."""
    alert = published(publisher).alert_id
    content = {name: value for name, value in wanted(sex="MALE").items() if name != "expires_at"}
    publisher.update(alert, content)
    first, second = (record for _, record, _ in messages(publisher.outbox))
    assert second["header"]["expires_at"] == first["header"]["expires_at"]
    assert versions.current(publisher.outbox, alert).last.audience["members"] == AUDIENCE
    publisher.update(alert, content, audience=["KZ"])
    assert versions.current(publisher.outbox, alert).last.audience["members"] == ["KZ"]


def test_an_alert_stays_in_its_partition(publisher: Publisher) -> None:
    """What was imported in bulk is withdrawn in bulk: the gate refuses any other partition."""
    (one,) = publisher.publish_many([("person", wanted(), AUDIENCE)], bulk=True)
    publisher.withdraw(one.alert_id)
    assert [partition for _, _, partition in messages(publisher.outbox)] == [BULK, BULK]


def test_the_lock_refuses_a_version_that_is_not_the_current_one(publisher: Publisher) -> None:
    """In a sentence that says what to do."""
    alert = published(publisher).alert_id
    publisher.suspend(alert, version=1)
    with pytest.raises(StaleVersionError, match="at version 2 by now, not at 1") as caught:
        publisher.resume(alert, version=1)
    assert "manara status" in caught.value.remedy


def test_of_two_writers_at_once_exactly_one_wins(settings: Settings, publisher: Publisher) -> None:
    """Both have read version 1; the second to commit is refused, and numbers and chain have no gap."""
    alert = published(publisher).alert_id
    ready = threading.Barrier(4)
    results: list[object] = []

    def write(sex: str) -> None:
        with Publisher.open(settings) as other:
            now_at = versions.current(other.outbox, alert)
            draft = other.updated(now_at, wanted(national_ref="R-1", description=sex))
            ready.wait(20)
            try:
                results.append(other.accept([draft]).pop().again)
            except StaleVersionError:
                results.append("stale")

    writers = [threading.Thread(target=write, args=(f"seen {number}",)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert sorted(results, key=str) == [False, "stale", "stale", "stale"]
    assert versions.current(publisher.outbox, alert).version == 2
    check_laws(publisher.outbox)


def test_a_refused_version_is_corrected_under_the_same_version(publisher: Publisher) -> None:
    """It was never said; what was written on top of it must wait for its own refusal."""
    alert = published(publisher).alert_id
    second = publisher.update(alert, wanted(national_ref="R-1", sex="MALE"))
    third = publisher.suspend(alert)
    refuse(publisher, second.digest)
    with pytest.raises(LifeError, match=r"Version 2 .* was refused, and version 3 still waits"):
        publisher.suspend(alert)
    refuse(publisher, third.digest)
    assert publisher.update(alert, wanted(national_ref="R-1", sex="FEMALE")).version == 2
    assert versions.current(publisher.outbox, alert).state == "ACTIVE"
    check_laws(publisher.outbox)


def refuse(publisher: Publisher, digest: str) -> None:
    """The hub refuses a message."""
    take(publisher.outbox, [verdict(digest, outcome="REFUSED", reason="RULE_TRANSITION")])


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ([], lambda p, a: p.resume(a), "is ACTIVE: RESUME is not possible"),
        (["suspend"], lambda p, a: p.suspend(a), "is SUSPENDED: SUSPEND is not possible"),
        (["suspend"], lambda p, a: p.extend(a, until="+120d"), "is SUSPENDED: EXTEND is not possible"),
        (["withdraw"], lambda p, a: p.update(a, wanted()), "is WITHDRAWN: UPDATE is not possible"),
        (["cancel"], lambda p, a: p.withdraw(a), "is CANCELLED: WITHDRAW is not possible"),
        (["fulfil"], lambda p, a: p.cancel(a), "is FULFILLED: CANCEL is not possible"),
        ([], lambda p, a: p.cancel(a, reason="tired"), "no reason to cancel"),
        ([], lambda p, a: p.extend(a, until="soon"), "is not a date"),
        ([], lambda p, a: p.extend(a, until="+1d"), "later than the alert does now"),
        ([], lambda p, _: p.suspend("nobody's"), "No alert of ours"),
    ],
)
def test_what_a_life_does_not_allow_is_said(
    publisher: Publisher, before: list[str], after: Callable[[Publisher, str], Accepted], why: str
) -> None:
    """A sentence, and nothing is added."""
    alert = published(publisher).alert_id
    for step in before:
        getattr(publisher, step)(alert)
    count = len(messages(publisher.outbox))
    with pytest.raises(AuthorError, match=why):
        after(publisher, alert)
    assert len(messages(publisher.outbox)) == count


def test_an_update_that_changes_nothing_is_refused(publisher: Publisher) -> None:
    """Sending the same file twice must not make a version."""
    alert = published(publisher).alert_id
    content = {name: value for name, value in wanted(national_ref="R-1").items() if name != "expires_at"}
    with pytest.raises(LifeError, match="Nothing would change"):
        publisher.update(alert, content)


def test_an_update_obeys_the_publication_rules_and_is_of_the_same_alert(publisher: Publisher) -> None:
    """All faults at once, as at the first publication."""
    alert = published(publisher).alert_id
    with pytest.raises(FaultyError) as caught:
        publisher.update(alert, wanted(action="LOCATE_AND_DETAIN", sex="X", legal_basis={"max_penalty_months": 1}))
    assert {fault.rule for fault in caught.value.faults} >= {"FORM_NOT_IN_LIST", "RULE_PENALTY_THRESHOLD"}
    other = "019ab5c1-0000-7000-8000-000000000000"
    with pytest.raises(FaultyError) as caught:
        publisher.update(alert, wanted(alert_id=other))
    assert [fault.rule for fault in caught.value.faults] == ["FORM_ANOTHER_ALERT"]


def test_an_expired_alert_can_only_be_ended(publisher: Publisher) -> None:
    """Expired by log time, not by our own clock."""
    alert = published(publisher).alert_id
    with transaction(publisher.outbox.db) as db:
        db.execute("insert into facts values (?, ?)", (LOG_TIME, now_micros() + 91 * DAY))
    with pytest.raises(LifeError, match="has expired: it can be ended"):
        publisher.extend(alert, until="+120d")
    assert publisher.withdraw(alert).version == 2


def test_an_extension_that_follows_a_review_settles_it(publisher: Publisher) -> None:
    """Whoever extends has looked; a new date can be given."""
    review = now_micros() - DAY
    effective = "2026-01-01T00:00:00Z"
    alert = published(publisher, effective_at=effective).alert_id
    record = versions.current(publisher.outbox, alert).last.record
    record["header"]["review_at"] = review
    publisher.update(alert, record)
    publisher.extend(alert, until="+100d")
    assert versions.current(publisher.outbox, alert).last.record["header"]["review_at"] == 0
    publisher.extend(alert, until="+120d", review="+60d")
    assert versions.current(publisher.outbox, alert).last.record["header"]["review_at"] > now_micros()


def test_a_difference_is_said_field_by_field() -> None:
    """Times as times, lists by place, nothing about what changes with every message."""
    old = {"header": {"sent_at": 1, "expires_at": 0, "version": 1}, "names": [{"full": "A"}], "sex": "MALE"}
    new = {
        "header": {"sent_at": 2, "expires_at": 86_400_000_000, "version": 2},
        "names": [{"full": "B"}, {"full": "C"}],
    }
    everybody, some = {"mode": "ALL", "members": []}, {"mode": "ALL_BUT", "members": ["KZ"]}
    found = [(one.path, one.old, one.new) for one in differences.changes(old, new, everybody, some)]
    assert found == [
        ("audience", "ALL", "all but KZ"),
        ("expires_at", "", "1970-01-02T00:00:00Z"),
        ("names[0].full", "A", "B"),
        ("names[1]", "", '{"full": "C"}'),
        ("sex", "MALE", ""),
    ]
    assert differences.changes(old, old, some, some) == []


def test_who_an_end_goes_to_is_everybody_that_was_reached(publisher: Publisher, net: Network) -> None:
    """A member that was left out once is told of the end; it is not told twice that it was left out."""
    alert = published(publisher).alert_id
    publisher.update(alert, wanted(national_ref="R-1", sex="MALE"), audience=["EG", "KZ"])
    publisher.update(alert, wanted(national_ref="R-1", sex="FEMALE"), audience=["EG", "MA"])
    now_at = versions.current(publisher.outbox, alert)
    reach = versions.reach(now_at, net.directory)
    assert (reach.holding, reach.left) == (frozenset({"EG", "MA"}), frozenset({"TR", "KZ"}))
    assert reach.all == frozenset({"EG", "MA", "TR", "KZ"})


def test_the_dry_run_shows_what_changes_and_who_leaves(
    run: Run,  # noqa: F811
    settings: Settings,
    net: Network,
    tmp_path: Path,
    offline: None,
) -> None:
    """For people and for machines; nothing is sent until --send."""
    with Publisher.open(settings) as publisher:
        alert = published(publisher).alert_id
    remember(settings, net)
    content = {"kind": "person", "audience": ["EG", "KZ"], "national_ref": "R-1", **wanted(sex="MALE")}
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(content))
    dry = run("--config", "manara.toml", "update", "new.yaml")
    assert dry.code == 0, dry.err
    for line in ("version 1 becomes 2", "- only EG, MA, TR", "+ only EG, KZ", "for the first time: KZ"):
        assert line in dry.out
    assert "would be told NO_LONGER_ADDRESSED: MA, TR" in dry.out
    assert "nothing was sent" in dry.out
    said = json.loads(run("--config", "manara.toml", "update", "new.yaml", alert, "--json").out)
    assert said["alert"]["no_longer_addressed"] == ["MA", "TR"]
    assert said["alert"]["version"] == 2
    sent = json.loads(run("--config", "manara.toml", "update", "new.yaml", "--send", "--json").out)
    assert sent["alerts"][0]["version"] == 2
    stale = run("--config", "manara.toml", "suspend", alert, "--version", "1", "--send")
    assert (stale.code, "at version 2 by now, not at 1" in stale.err) == (2, True)
    ended = run("--config", "manara.toml", "withdraw", "R-1", "--reason", "issued-in-error")
    assert "would go to EG, KZ, MA, TR" in ended.out
    assert "ISSUED_IN_ERROR" in ended.out


@pytest.mark.parametrize(
    "words",
    [
        ("extend", "R-1", "--until", "+120d"),
        ("suspend", "R-1"),
        ("cancel", "R-1"),
        ("fulfil", "R-1", "--note", "Found."),
        ("withdraw", "R-1"),
    ],
)
def test_each_step_is_sent_from_the_command_line(
    run: Run,  # noqa: F811
    settings: Settings,
    words: tuple[str, ...],
    offline: None,
) -> None:
    """Accepted as version 2, with --send and --yes."""
    with Publisher.open(settings) as publisher:
        published(publisher)
    said: Said = run("--config", "manara.toml", *words, "--send", "--yes")
    assert said.code == 0, said.err
    assert "version 2, number 2" in said.out


def test_a_file_that_does_not_say_which_alert_it_is_is_refused(
    run: Run,  # noqa: F811
    settings: Settings,
    tmp_path: Path,
) -> None:
    """With a sentence, before anything is opened."""
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(dict(wanted())))
    said = run("--config", "manara.toml", "update", "new.yaml")
    assert (said.code, "does not say which alert" in said.err) == (2, True)
    assert settings.agency == AGENCY


def test_a_damaged_version_is_not_built_upon(publisher: Publisher) -> None:
    """An extension of a damaged alert would sign the damage."""
    alert = published(publisher).alert_id
    publisher.outbox.db.execute("update messages set value = zeroblob(length(value))")
    with pytest.raises(LifeError, match="is damaged in the outbox"):
        publisher.extend(alert, until="+120d")


def test_an_outbox_of_the_first_release_is_brought_up(tmp_path: Path) -> None:
    """Its alerts can be extended and warned about: category and review are filled in."""
    script = "import apsw,sys; apsw.Connection(sys.argv[1]).execute(sys.stdin.read())"
    old = (Path(__file__).parents[1] / "data" / "outbox-1.sql").read_text()
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "outbox.db")], input=old, text=True, check=True)
    outbox = Outbox.open(tmp_path, AGENCY)
    assert outbox.db.execute(f"select category, review_at from messages where {SAID}").fetchall() == [("WNT", 0)]
    outbox.close()
    Outbox.open(tmp_path, AGENCY).close()


def test_a_copied_reference_does_not_choose_for_the_author(publisher: Publisher) -> None:
    """Two alerts with one reference: the author names one by its id."""
    published(publisher)
    published(publisher, sex="MALE")
    with pytest.raises(AuthorError, match="2 alerts of ours are called"):
        publisher.suspend("R-1")
