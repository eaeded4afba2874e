"""An agency and the real hub, each principal with the rights of the catalogue alone: what is promised beforehand is
what happens.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.agency import wanted
from tests.support.hub import Hub, until
from tests.support.kafka import Broker

pytestmark = pytest.mark.integration
AGENCY = "az-police"


@pytest.fixture
def hub(kafka: Broker, tmp_path: Path) -> Iterator[Hub]:
    """A hub with gate and route."""
    made = Hub.build(kafka, tmp_path)
    made.start("gate")
    made.start("route")
    yield made
    made.close()


def agency(hub: Hub, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the agency."""
    hub.config(AGENCY, agency=AGENCY)
    command = ["--config", str(hub.folder / AGENCY / "manara.toml"), *words]

    return subprocess.run(
        [sys.executable, "-m", "manara.cli", *command], capture_output=True, text=True, timeout=90, check=False
    )


def written(hub: Hub, **changes: Any) -> str:
    """An alert file."""
    path = hub.folder / "alert.yaml"
    path.write_text(yaml.safe_dump({"kind": "person", "national_ref": "R-1", **wanted(**changes)}))
    return str(path)


def test_an_alert_goes_to_those_that_the_dry_run_named(hub: Hub) -> None:
    """Admitted by the gate, routed into as many feeds as the preview said, and the status says both."""
    name = written(hub, audience={"all_but": ["KZ"]})
    dry = json.loads(agency(hub, "publish", name, "--json").stdout)
    foreseen = dry["alerts"][0]["readers"]["receives"]
    assert foreseen
    assert "KZ" not in foreseen
    sent = agency(hub, "publish", name, "--send", "--wait", "--json")
    assert sent.returncode == 0, sent.stderr
    (said,) = json.loads(sent.stdout)["alerts"]
    assert said["outcome"] == "ADMITTED"

    def routed() -> dict[str, Any] | None:
        # --wait of a second publishing carries what has come meanwhile
        agency(hub, "publish", written(hub, audience="ALL", sex="MALE"), "--send", "--wait", "--again", "--json")
        (found,) = json.loads(agency(hub, "status", said["alert_id"], "--json").stdout)
        return dict(found) if found["routed_at"] else None

    found = until("the alert is routed", routed, 60)
    assert found["feeds"] == len(foreseen)
    for member in hub.net.directory.members:
        read = hub.read(hub.names.feed(member, "person"), f"edge.{member.lower()}")
        got = [item for item in read if (item.key or b"").endswith(said["alert_id"].encode())]
        assert bool(got) == (member in foreseen), member


def test_an_imported_table_is_admitted_from_the_bulk_partition(hub: Hub) -> None:
    """Import, relay, verdicts: each row of the table ends as an admitted alert; the relay stops when it is told to."""
    constants = {name: value for name, value in wanted().items() if name != "names"}
    fields = {"national_ref": "ref", "names[0].full": "name"}
    mapping = {"kind": "person", "audience": ["EG"], "constants": constants, "fields": fields}
    (hub.folder / "m.yaml").write_text(yaml.safe_dump(mapping))
    rows = "".join(f"{number},Person {number}\n" for number in range(120))
    (hub.folder / "p.csv").write_text(f"ref,name\n{rows}")
    done = agency(hub, "import", str(hub.folder / "p.csv"), "--map", str(hub.folder / "m.yaml"), "--send", "--json")
    assert json.loads(done.stdout)["accepted"] == 120, done.stderr

    config = str(hub.folder / AGENCY / "manara.toml")
    relay = subprocess.Popen([sys.executable, "-m", "manara.cli", "--config", config, "relay"], stderr=subprocess.PIPE)
    try:
        until("all are admitted", lambda: _totals(hub).get("ADMITTED") == 120, 60)
    finally:
        relay.terminate()
        relay.communicate(timeout=30)
    assert relay.returncode == 0
    assert _totals(hub) == {"ADMITTED": 120, "STRANGERS": 0}


def _totals(hub: Hub) -> dict[str, int]:
    found: dict[str, int] = json.loads(agency(hub, "status", "--json").stdout)["totals"]
    return found
