"""Faults in a whole network under load, from agencies to national databases: whatever is killed, nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from manara.kafka import producer
from schemas.topics import Names
from tests.support.evidence import PLACES, Watch, collect, only, settle, slowest, strangers
from tests.support.history import Counter, History
from tests.support.load import Load
from tests.support.shaken import EDGE, KINDS, Shaken, until
from tests.support.totals import Judge, full

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900 if full() else 600)]

RATE = 60.0 if full() else 20.0
PAUSE = 30.0 if full() else 2.5
"""How long something is stopped or away; at full length longer than a session of the group."""
AROUND = 10.0 if full() else 1.5
"""Seconds of alerts before and after each fault."""
SETTLE = 180.0 if full() else 60.0
IN_TIME = 60.0
"""The clock of a FLASH alert."""
Figure = Callable[[str], None]


@dataclass
class Stage:
    """The network of this module and what has happened on it."""

    net: Shaken
    judge: Judge | None = None
    figure: Figure | None = None
    past: list[History] = field(default_factory=list)
    anew: list[Counter] = field(default_factory=list)

    @contextmanager
    def scene(self, name: str, *, anew: bool = False) -> Iterator[History]:
        """Alerts flow before, during and after what happens in the block; then all of it is judged.

        `anew`: the hub meets all earlier alerts again, so its counters are held against everything at the very end.
        """
        assert self.judge is not None
        history = History(name, PLACES)
        watch = Watch(self.net)
        watch.begin()
        with Load(self.net, history, RATE).running():
            time.sleep(AROUND)
            yield history
            time.sleep(AROUND)
        settle(self.net, history, SETTLE)
        collect(self.net, history)
        watch.end(history)
        if anew:
            self.anew = [each for each in history.counters if each.name in ("admitted", "refused")]
            history.counters = [each for each in history.counters if each not in self.anew]
        judged = only(history, self.past)
        self.past.append(history)
        assert self.figure is not None
        self.figure(f"{name}: the slowest delivery took {slowest(judged):.1f} s")
        self.judge(judged)


@pytest.fixture(scope="module", params=("faust", "loop") if full() else ("faust",))
def shaken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One network for all scenarios, each of which starts where the last one has left it; route on either runner."""
    with Shaken.running(tmp_path_factory.mktemp("shaken"), request.param) as net:
        until("every process is ready", net.ready, 240)
        yield Stage(net)


@pytest.fixture
def stage(shaken: Stage, judge: Judge, figure: Figure) -> Stage:
    """The network, at rest and ready."""
    until("every process is ready", shaken.net.ready, 180)
    shaken.judge, shaken.figure = judge, figure
    return shaken


def test_without_a_fault_every_counter_says_what_happened(stage: Stage) -> None:
    """The scenario that all others are measured against."""
    with stage.scene("no fault"):
        time.sleep(1)


@pytest.mark.parametrize("name", KINDS if full() else ("all",))
def test_kill_9_under_load_loses_and_doubles_nothing(stage: Stage, name: str) -> None:
    """Each kind of process; in the short form one after another in one run."""
    with stage.scene(f"kill -9 {name}"):
        for each in KINDS if name == "all" else (name, name, name):
            stage.net.kill(each)
            time.sleep(3.0 if full() else 0.7)


@pytest.mark.full
@pytest.mark.parametrize("name", KINDS if full() else ("all",))
def test_a_process_that_stood_still_loses_and_doubles_nothing(stage: Stage, name: str) -> None:
    """SIGSTOP and SIGCONT; at full length for longer than its session, so that it wakes as a zombie."""
    with stage.scene(f"SIGSTOP {name}"):
        for each in KINDS if name == "all" else (name,):
            with stage.net.stopped(each):
                time.sleep(PAUSE if full() else 1.0)


@pytest.mark.full
def test_a_broker_killed_and_started_again_loses_nothing(stage: Stage) -> None:
    """Agencies go on accepting meanwhile."""
    with stage.scene("broker killed"), stage.net.broker_down():
        time.sleep(PAUSE)


@pytest.mark.full
def test_a_database_killed_and_started_again_has_every_alert_once(stage: Stage) -> None:
    """Batches in work are rolled back and delivered again, none twice."""
    with stage.scene("PostgreSQL killed"), stage.net.database_down():
        time.sleep(PAUSE)


@pytest.mark.full
def test_an_edge_that_was_away_catches_up(stage: Stage) -> None:
    """The feeds hold what came meanwhile."""
    with stage.scene("edge off"), stage.net.off(EDGE):
        time.sleep(PAUSE * 2)


@pytest.mark.full
def test_one_agency_s_flood_of_poison_does_not_hold_up_the_others(stage: Stage) -> None:
    """Thousands of broken messages in one inlet: each is refused, and the others' alerts arrive in time."""
    number = 50_000 if full() else 3_000
    with stage.scene("flood of poison") as history:
        settings = stage.net.settings(stage.net.home.agency("eg-customs"))
        client = producer(settings.kafka)
        for count in range(number):
            key = b"eg-customs/poison-%d" % count
            client.produce(Names().inlet("eg-customs"), b"\x00\x00\x00\x27\x74poison", key, 0, headers=[("sig", b"no")])
            client.poll(0)
        assert client.flush(60) == 0
        until("each is judged", lambda: strangers(stage.net, "eg-customs") >= number, SETTLE)
    assert strangers(stage.net, "eg-customs") == number
    assert slowest(history) < IN_TIME


@pytest.mark.full
def test_a_broker_that_lost_everything_is_filled_again_from_the_outboxes(stage: Stage) -> None:
    """All data deleted: outboxes send again, edges notice the new topic ids, and every database ends right."""
    with stage.scene("broker data deleted", anew=True), stage.net.broker_down(wipe=True):
        time.sleep(PAUSE)


def test_after_all_of_it_every_database_holds_every_alert_once(stage: Stage) -> None:
    """All scenarios as one history: nothing of an earlier one was doubled or lost by a later one."""
    together = History("all of it together", PLACES, counters=stage.anew)
    for past in stage.past:
        together.submissions += past.submissions
    settle(stage.net, together, SETTLE)
    collect(stage.net, together)
    assert stage.judge is not None
    stage.judge(together)
