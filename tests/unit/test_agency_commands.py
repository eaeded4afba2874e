"""The agency's commands as a person types them: what they print, their exit codes, every error a sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from manara import cli
from manara.settings import Settings
from manara.stores import transaction
from producers.outbox import Outbox
from producers.publisher import Publisher
from producers.relay import now_micros
from schemas import codec
from schemas.registry import by_name
from tests.support.agency import AGENCY, settings_for, wanted
from tests.support.directories import DAY, Network, network


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command in the agency's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MANARA_CONFIG", raising=False)

    def typed(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["manara", *words])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        code = caught.value.code
        return Said(code if isinstance(code, int) else 0, said.out, said.err)

    return typed


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


def remember(settings: Settings, net: Network) -> None:
    """The outbox has seen this directory, as after a day with the hub."""
    outbox = Outbox.open(settings.folder, settings.agency)
    schema = by_name("directory")
    value = codec.frame(schema, codec.encode(schema, net.record))
    with transaction(outbox.db) as db:
        db.executemany(
            "insert or replace into facts values (?, ?)", [("directory", value), ("directory_seq", net.directory.seq)]
        )
    outbox.close()


def alert_file(folder: Path, name: str = "a.yaml", **changes: Any) -> str:
    """An alert file."""
    written = {"kind": "person", "audience": "ALL", "national_ref": "R-1", **wanted(**changes)}
    (folder / name).write_text(yaml.safe_dump(written, allow_unicode=True))
    return name


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the directory for a moment only."""
    monkeypatch.setattr("producers.commands.saying.DIRECTORY_SECONDS", 0.2)


def test_new_writes_a_template_and_knows_the_kinds(run: Run) -> None:
    """`manara new persn` is helped."""
    assert "kind: route" in run("new", "route").out
    said = run("new", "persn")
    assert (said.code, "Did you mean person?" in said.err) == (2, True)
    assert run("new", "person", "-o", "a.yaml").code == 0
    assert "exists already" in run("new", "person", "-o", "a.yaml").err


def test_check_says_all_errors_with_file_and_line_and_exits_2(run: Run, tmp_path: Path) -> None:
    """Without settings, key or network."""
    name = alert_file(tmp_path, status="EXCERCISE", sex="X", births=["1984-02-31"])
    said = run("check", name)
    assert said.code == 2
    lines = (tmp_path / name).read_text().splitlines()
    for field, rule in (
        ("status", "FORM_NOT_IN_LIST"),
        ("sex", "FORM_NOT_IN_LIST"),
        ("births[0].date", "FORM_NOT_A_DATE"),
    ):
        line = next(number for number, text in enumerate(lines, 1) if text.startswith(field.split("[")[0])) + (
            "[" in field
        )
        assert f"{name}:{line}: {field}" in said.out
        assert rule in said.out
    assert "1 alert, 3 errors." in said.out


def test_check_json_is_for_machines(run: Run, tmp_path: Path) -> None:
    """One document with every error."""
    said = run("check", alert_file(tmp_path, sex="X"), "--json")
    found = json.loads(said.out)
    assert (said.code, found["alerts"], [error["path"] for error in found["errors"]]) == (2, 1, ["sex"])
    assert found["errors"][0].keys() == {"path", "rule", "value", "remedy", "line", "file"}


def test_check_of_a_good_file_exits_0_also_away_from_its_agency(run: Run, tmp_path: Path) -> None:
    """And says so."""
    assert run("check", alert_file(tmp_path, agency="tr-fiu")).code == 0
    said = run("check", alert_file(tmp_path))
    assert (said.code, "1 alert, no errors." in said.out) == (0, True)


@pytest.mark.usefixtures("offline")
def test_a_dry_run_says_who_would_receive_it_and_why_and_sends_nothing(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    """By the policy that the hub applies, from the directory remembered; each decision with its rule."""
    net = network(2, now=now_micros(), members={"EG": {"tlp": "GREEN"}, "MA": {"subscriptions": ["route"]}})
    remember(settings, net)
    said = run("--config", "manara.toml", "publish", alert_file(tmp_path, "b.yaml"))
    assert said.code == 0, said
    assert "would go to AE, KZ, TR" in said.out
    for rule in ("TLP_CLEARANCE", "NOT_SUBSCRIBED", "OWN_ALERT", "AUDIENCE_ALL"):
        assert f"[{rule}]" in said.out
    assert "nothing was sent" in said.out
    assert "No directory from the hub, so the last one known (number 2) is used" in said.err
    outbox = Outbox.open(settings.folder, AGENCY)
    assert outbox.waiting() == (0, 0)
    outbox.close()


@pytest.mark.usefixtures("offline")
def test_send_accepts_without_a_network_and_says_what_looks_like_one_sent_before(
    run: Run, settings: Settings, net: Network, tmp_path: Path
) -> None:
    """Accepted means durable here; the second time the dry run warns."""
    remember(settings, net)
    name = alert_file(tmp_path)
    said = run("--config", "manara.toml", "publish", name, "--send", "--yes")
    assert (said.code, "accepted " in said.out, "number 1" in said.out) == (0, True, True)
    said = run("--config", "manara.toml", "publish", name)
    assert "looks like one sent before" in said.out
    assert "same content" in said.out
    again = run("--config", "manara.toml", "publish", name, "--send", "--yes")
    assert (again.code, "was sent before" in again.err, "--again" in again.err) == (2, True, True)
    assert run("--config", "manara.toml", "publish", name, "--send", "--yes", "--again").code == 0
    status = json.loads(run("--config", "manara.toml", "status", "--json").out)
    assert (status["totals"]["ACCEPTED"], status["latest"][0]["national_ref"]) == (2, "R-1")
    assert "waits in the outbox" in run("--config", "manara.toml", "status", "R-1").out
    steps = json.loads(run("--config", "manara.toml", "trace", "R-1", "--json").out)["steps"]
    assert [step["stage"] for step in steps] == ["ACCEPTED", "ACCEPTED"]


@pytest.mark.usefixtures("offline")
def test_what_breaks_a_rule_of_the_network_is_refused_before_it_is_sent(
    run: Run, settings: Settings, net: Network, tmp_path: Path
) -> None:
    """Exit code 2, and nothing in the outbox."""
    remember(settings, net)
    said = run(
        "--config", "manara.toml", "publish", alert_file(tmp_path, audience={"listed": ["EG", "FR"]}), "--send", "--yes"
    )
    assert (said.code, "RULE_AUDIENCE_UNKNOWN_MEMBER" in said.out, "nothing was sent" in said.out) == (2, True, True)


@pytest.mark.usefixtures("offline")
def test_no_key_and_a_key_that_is_expired_or_unknown_are_said(run: Run, settings: Settings, tmp_path: Path) -> None:
    """Each with what to do; nothing is accepted."""
    name = alert_file(tmp_path)
    before = now_micros() - DAY
    for keys, said_of_it in (
        ({AGENCY: {"valid_until": before}}, "is not valid now"),
        ({AGENCY: None}, "is not in the directory"),
    ):
        remember(settings, network(2 if "not valid" in said_of_it else 3, now=now_micros(), keys=keys))
        said = run("--config", "manara.toml", "publish", name, "--send", "--yes")
        assert (said.code, said_of_it in said.err, "manara keys new" in said.err) == (2, True, True), said
    (tmp_path / "key.pem").unlink()
    said = run("--config", "manara.toml", "publish", name, "--send", "--yes")
    assert (said.code, "The key cannot be read" in said.err) == (2, True)
    outbox = Outbox.open(settings.folder, AGENCY)
    assert outbox.waiting() == (0, 0)
    outbox.close()


@pytest.mark.usefixtures("offline")
def test_no_broker_is_said_and_what_was_accepted_is_kept(
    run: Run, settings: Settings, net: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--wait` without a broker: a sentence, exit code 1, and the alert is in the outbox."""
    monkeypatch.setattr("producers.relay.REACH_SECONDS", 0.5)
    remember(settings, net)
    said = run("--config", "manara.toml", "publish", alert_file(tmp_path), "--send", "--yes", "--wait")
    assert (said.code, "No Kafka broker can be reached" in said.err, "Nothing is lost" in said.err) == (
        1,
        True,
        True,
    ), said
    with Publisher.open(settings) as publisher:
        assert publisher.outbox.waiting() == (1, 0)


def test_no_agency_in_the_settings_is_said(run: Run) -> None:
    """Before anything is read."""
    said = run("publish", "a.yaml")
    assert (said.code, "No agency is named" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.yaml", None, "cannot be read"),
        ("bad.yaml", "a: [", "FORM_NOT_YAML"),
        ("bad.json", "{", "FORM_NOT_JSON"),
        ("kind.yaml", "kind: vessel\n", "FORM_KIND"),
    ],
)
def test_a_file_that_is_no_alert_is_said(run: Run, tmp_path: Path, name: str, content: str | None, said: str) -> None:
    """Unreadable, broken, of an unknown kind: exit code 2."""
    if content is not None:
        (tmp_path / name).write_text(content)
    found = run("check", name)
    assert (found.code, said in found.out + found.err) == (2, True)


def test_alerts_one_a_line_are_read_and_a_fault_names_its_line(run: Run, tmp_path: Path) -> None:
    """NDJSON, as other systems write alerts."""
    good = {"kind": "person", "audience": "ALL", **wanted()}
    (tmp_path / "a.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in (good, {**good, "sex": "X"})))
    said = run("check", "a.ndjson")
    assert (said.code, "a.ndjson:2: sex" in said.out, "2 alerts, 1 error." in said.out) == (2, True, True)


MAP = """
kind: person
audience: ALL
constants:
  category: WNT
  status: EXERCISE
  action: LOCATE
  crimes: DRUGS
  expires_at: +90d
  legal_basis: {instrument: Code, decision_ref: D, authority: Court, decided_on: 2026-10-01, max_penalty_months: 60}
  handling: {tlp: AMBER}
  evaluation: {scheme: 4x4, source: A, information: 1}
  narrative: Invented.
fields: {national_ref: ref, "names[0].full": name, "births[0].date": born}
"""


@pytest.mark.usefixtures("offline")
def test_import_is_a_dry_run_then_sends_the_good_rows_and_leaves_a_reject_file(
    run: Run, settings: Settings, net: Network, tmp_path: Path
) -> None:
    """Exit code 2 where a row was rejected; the second time nothing is added."""
    remember(settings, net)
    (tmp_path / "m.yaml").write_text(MAP)
    (tmp_path / "p.csv").write_bytes("ref;name;born\n1;Иван;1984\n2;;1985\n3;Пётр;1986\n".encode("cp1251"))
    words = ("--config", "manara.toml", "import", "p.csv", "--kind", "person", "--map", "m.yaml")
    dry = run(*words)
    assert (dry.code, "2 of 3 rows would be sent" in dry.out, "AE would receive 2" in dry.out) == (2, True, True), dry
    assert "taken as Windows-1251" in dry.err
    assert "row:3: name" in dry.out
    said = run(*words, "--send", "--json")
    assert said.code == 2, said
    sent = json.loads(said.out)
    assert (sent["accepted"], sent["rejected"], sent["rows"]) == (2, 1, 3)
    assert Path(sent["rejects"]).read_text("utf-8-sig").count("\n") == 2
    assert json.loads(run(*words, "--send", "--json").out)["accepted"] == 0


@pytest.mark.usefixtures("offline")
def test_import_says_unknown_columns_kinds_and_missing_files(run: Run, settings: Settings, tmp_path: Path) -> None:
    """Exit code 2, no traceback, nothing begun."""
    (tmp_path / "m.yaml").write_text(MAP)
    (tmp_path / "p.csv").write_text("ref,nome,born\n1,A,1984\n")
    base = ("--config", "manara.toml", "import")
    said = run(*base, "p.csv", "--map", "m.yaml")
    assert (said.code, "MAP_UNKNOWN_COLUMN" in said.err, "did you mean `nome`?" in said.err) == (2, True, True)
    assert "cannot be read" in run(*base, "none.csv", "--map", "m.yaml").err
    assert "cannot be read" in run(*base, "p.csv", "--map", "none.yaml").err
    assert run(*base, "p.csv", "--map", "m.yaml", "--kind", "vessel").code == 2


@pytest.mark.parametrize("command", ["new", "check", "publish", "import", "status", "relay", "trace"])
def test_every_command_teaches_with_an_example(
    run: Run, settings: Settings, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--help` shows how it is used."""
    monkeypatch.setenv("COLUMNS", "200")
    said = run("--config", "manara.toml", command, "--help")
    assert said.code == 0
    assert f"manara {command}" in said.out or f"manara.toml {command}" in said.out
