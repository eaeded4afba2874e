"""The doctor on a real broker: all is well, or the one thing that is not is named with its fix."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manara import kafka as clients
from manara import keys
from manara.administration import password_path
from manara.directory import publish
from schemas import message, registry
from tests.support.directories import key_of
from tests.support.kafka import Broker
from tests.support.site import Site

pytestmark = pytest.mark.integration
SECOND = 1_000_000


@pytest.fixture(scope="module")
def site(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with a directory whose keys are valid today."""
    made = Site(kafka, tmp_path_factory.mktemp("site"))
    now = int(time.time() * SECOND)
    draft = made.draft(start=now)
    made.apply(draft)
    publish(made.settings("operator"), draft.record(1, now))
    return made


@contextmanager
def beating(site: Site) -> Iterator[None]:
    """The hub gives signs of life meanwhile."""
    stop = threading.Event()

    def beat() -> None:
        client = clients.producer(site.kafka("hub.clock"))
        sequence = 0
        while not stop.wait(0.2):
            sequence += 1
            record = {"at": int(time.time() * SECOND), "sequence": sequence}
            value, headers = message.sign_record(registry.by_name("heartbeat"), record, key_of("hub.clock"))
            client.produce(site.names.heartbeat, value, headers=list(headers), partition=0)
            client.poll(0)
        client.flush(5)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def party(site: Site, folder: Path, user: str, **changes: str) -> Path:
    """The settings file of a principal, with its key."""
    folder.mkdir(exist_ok=True)
    if not (folder / "key.pem").exists():
        keys.save(folder / "key.pem", key_of(user))
    kafka = {
        "bootstrap": site.broker.bootstrap,
        "ca": str(site.broker.ca),
        "username": user,
        "password_file": str(password_path(site.secrets, user)),
        **changes,
    }
    lines = [
        'folder = "."', 'key = "key.pem"', "lanes = 2", f'topic_prefix = "{site.prefix}"',
        "[roots]", *(f'{name} = "{pin}"' for name, pin in site.pins.items()),
        "[kafka]", *(f"{name} = {json.dumps(value)}" for name, value in kafka.items()),
    ]  # fmt: skip
    path = folder / "manara.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def examine(config: Path) -> tuple[int, dict[str, dict[str, str]]]:
    """The doctor's exit code and findings by name."""
    argv = [sys.executable, "-m", "manara.cli", "--config", str(config), "doctor", "--json"]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert shown.stderr == ""
    report = json.loads(shown.stdout)
    return shown.returncode, {finding["name"]: finding for finding in report["findings"]}


@pytest.mark.parametrize("user", ["agency", "edge.qa", "hub.gate"])
def test_a_party_that_is_well_is_told_so(site: Site, tmp_path: Path, user: str) -> None:
    """Every line of the cluster is ok."""
    config = party(site, tmp_path / "party", site.agency("QA") if user == "agency" else user)
    with beating(site):
        code, found = examine(config)
    for name in ("settings", "folder", "key file", "tls", "login", "directory", "rights", "keys", "heartbeat", "clock"):
        assert found[name]["state"] == "ok", found[name]
    assert code == 0


def test_a_silent_hub_is_a_warning(site: Site, tmp_path: Path) -> None:
    """Alerts can be accepted all the same."""
    elsewhere = Site(site.broker, tmp_path / "silent")
    now = int(time.time() * SECOND)
    draft = elsewhere.draft(start=now)
    elsewhere.apply(draft)
    publish(elsewhere.settings("operator"), draft.record(1, now))
    code, found = examine(party(elsewhere, tmp_path / "party", elsewhere.agency("QA")))
    assert found["heartbeat"]["state"] == "warn"
    assert "never" in found["heartbeat"]["text"]
    assert code == 0
    elsewhere.administrator()  # its users were made anew: the other site's passwords hold no longer
    for name in ("edge.qa", "edge.qb", "hub.gate", "hub.route", "hub.receipts", "hub.clock", "operator"):
        password_path(site.secrets, name).write_text(password_path(elsewhere.secrets, name).read_text())


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"username": "nobody"}, "login", "does not accept the user nobody"),
        ({"bootstrap": "127.0.0.1:1"}, "login", "the connection is refused"),
        ({"ca": "/etc/hostname"}, "tls", ""),
    ],
)
def test_what_is_wrong_is_named_and_all_else_is_examined(
    site: Site, tmp_path: Path, changes: dict[str, str], name: str, said: str
) -> None:
    """Exit code 1; what depends on it is skipped, not failed again."""
    code, found = examine(party(site, tmp_path / "party", "edge.qa", **changes))
    assert code == 1
    assert found[name]["state"] == "fail"
    assert said in found[name]["text"]
    assert found[name]["fix"]
    assert found["rights"]["state"] == found["heartbeat"]["state"] == "skip"
    assert found["folder"]["state"] == "ok"


def test_a_missing_right_is_named(site: Site, tmp_path: Path) -> None:
    """By principal, operation and topic."""
    suspended = site.draft(standing="SUSPENDED").directory()
    administrator = site.administrator()
    plan = administrator.plan(suspended)
    administrator.prune(plan)
    config = party(site, tmp_path / "party", "edge.qb")
    _, found = examine(config)
    assert found["directory"]["state"] == "fail"  # it may not even read that any more
    assert "edge.qb has no right to the topic" in found["directory"]["text"]
    site.apply()
