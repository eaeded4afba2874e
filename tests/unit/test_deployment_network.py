"""A network on one machine without its servers: who gets which keys and settings, what is noted, what is given up."""

from __future__ import annotations

import json
import stat
import tomllib
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from manara import keys
from manara.deployment import parties, processes, running
from manara.deployment.home import Home, settings_file
from manara.deployment.network import HOPELESS, Network, known_keys
from manara.deployment.servers import Servers
from manara.directory_file import DirectoryDraft, load_yaml
from manara.embedded.kafka import EmbeddedKafka
from manara.errors import ManaraError
from manara.supervisor import State
from schemas import directory as rules
from schemas.directory import HUB_STAGES
from schemas.signature import SigningKey

STORY = Path(__file__).parents[2] / "deploy" / "demo"
NOW = 1_795_521_600_000_000


class Children:
    """A supervisor that says what it is told to."""

    def __init__(self, *states: State, said: str = "") -> None:
        self.now, self.said = list(states), said

    def states(self) -> list[State]:
        """As it is now."""
        return self.now

    def log_tail(self, name: str) -> str:
        """The same for all."""
        return f"{name}: {self.said}"


def network(folder: Path, children: Children) -> Network:
    """A network of these children, with servers that only have process ids."""
    servers = SimpleNamespace(kafka=SimpleNamespace(pid=11), postgres=SimpleNamespace(pid=12))
    return Network(Home(folder), draft(), cast("Any", servers), {}, cast("Any", children), ExitStack())


def draft() -> DirectoryDraft:
    """The demo's directory file."""
    return load_yaml(STORY / "directory.yaml")


def made(home: Home, now: int = NOW) -> DirectoryDraft:
    """The directory with keys, made and written as a start does it."""
    known, issuer = known_keys(home), parties.Issuer(home, now)
    roots = issuer.roots(draft())
    kept = issuer.renewed(draft(), roots, known.keys)
    certified = [*kept, *issuer.certified(draft(), roots, known.holders)]
    return parties.write_directory(home, draft(), roots, certified)


def test_process_ids_are_noted_and_follow_a_restart(tmp_path: Path) -> None:
    """Servers and children by name; null for what does not run just now."""
    children = Children(State("hub.gate", 21, 0, None), State("edge", None, 1, -9))
    running_now = network(tmp_path, children)
    running_now.look()
    path = Home(tmp_path).processes
    assert json.loads(path.read_text()) == {"kafka": 11, "postgres": 12, "hub.gate": 21, "edge": None}
    children.now[1] = State("edge", 31, 1, -9)
    running_now.look()
    assert json.loads(path.read_text())["edge"] == 31


def test_a_process_that_dies_again_and_again_ends_the_network_with_the_end_of_its_log(tmp_path: Path) -> None:
    """Named, with its log and what the log says; not before it has had its tries."""
    children = Children(State("hub.gate", None, HOPELESS - 1, 1), said="no such key")
    running_now = network(tmp_path, children)
    running_now.look()
    children.now[0] = State("hub.gate", None, HOPELESS, 1)
    with pytest.raises(ManaraError, match=r"(?s)hub\.gate has died 5 times.*exit code 1.*no such key") as caught:
        running_now.look()
    assert str(tmp_path / "logs" / "hub.gate.log") in caught.value.message


def test_a_process_that_is_killed_again_and_again_is_said_to_be(tmp_path: Path) -> None:
    """A guard gives a signal as an exit code; people are told the signal."""
    children = Children(State("edge", None, HOPELESS, 247))
    with pytest.raises(ManaraError, match="killed by signal 9"):
        network(tmp_path, children).look()


def test_everybody_who_signs_has_a_key_that_the_directory_knows(tmp_path: Path) -> None:
    """Agencies, edges and stages of the hub, each certified by the root that its member pins."""
    home = Home(tmp_path)
    complete = made(home)
    read, refused = rules.read(complete.record(1, NOW), complete.pins())
    assert not refused
    for holder, folder in parties.holders(home, draft()):
        assert read.keys[keys.load(folder / "key.pem").kid].holder == holder
        assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600


def test_keys_stay_the_same_from_start_to_start(tmp_path: Path) -> None:
    """A second start certifies nobody anew, or everybody would have to be told."""
    home = Home(tmp_path)
    first, second = made(home), made(home)
    assert first.keys == second.keys
    assert first.operator_root == second.operator_root


@pytest.mark.parametrize("days", [parties.VALID_DAYS - parties.RENEW_DAYS, 2 * parties.VALID_DAYS])
def test_keys_that_end_soon_or_have_ended_get_another_term(tmp_path: Path, days: int) -> None:
    """The same keys in newer entries, which everybody believes who has seen the older ones; a day before, nothing."""
    home, later = Home(tmp_path), NOW + days * keys.DAY
    first = made(home)
    if days < parties.VALID_DAYS:
        assert made(home, later - keys.DAY).keys == first.keys
    before, _ = rules.read(first.record(1, NOW), first.pins())
    second = made(home, later)
    after, refused = rules.read(second.record(2, later), second.pins(), before)
    assert not refused
    assert after.keys.keys() == before.keys.keys()
    for kid, key in after.keys.items():
        assert (key.sequence, key.valid_until) == (before.keys[kid].sequence + 1, later + parties.VALID_DAYS * keys.DAY)
        assert rules.judge_key(key, later) is None
        assert rules.judge_key(key, NOW) is None  # what was signed in the first term stays good


def test_a_compromised_key_and_one_that_nobody_signs_with_are_not_renewed(tmp_path: Path) -> None:
    """The demo's expired key stays expired."""
    home, issuer = Home(tmp_path), parties.Issuer(Home(tmp_path), NOW)
    roots = issuer.roots(draft())
    (holder, folder), *_ = parties.holders(home, draft())
    certified = next(iter(issuer.certified(draft(), roots, ())))
    revoked = keys.revoke(keys.entry_of(certified), roots[keys.root_name(holder)], since=NOW)
    foreign = issuer.certify(holder, SigningKey.generate(), roots, since_days=60, days=-30)
    assert keys.load(folder / "key.pem").public.hex() == keys.entry_of(revoked)["public_key"]
    later = parties.Issuer(home, NOW + 2 * parties.VALID_DAYS * keys.DAY)
    assert later.renewed(draft(), roots, [revoked, foreign]) == [revoked, foreign]


def test_each_partys_settings_name_its_own_user_and_are_private(tmp_path: Path) -> None:
    """No party's file holds another's password, and only a member's edge knows its database."""
    home = Home(tmp_path)
    kafka = SimpleNamespace(bootstrap="127.0.0.1:1", ca=tmp_path / "ca.pem")
    addresses = {code: f"host=127.0.0.1 dbname=manara_{code.lower()}" for code in draft().members}
    parties.write_settings(home, draft(), cast("EmbeddedKafka", kafka), addresses)
    folders = {
        "operator": home.operator,
        **{f"hub.{stage}": home.hub(stage) for stage in HUB_STAGES},
        **{agency: home.agency(agency) for agency in draft().agencies},
        **{f"edge.{code.lower()}": home.member(code) for code in draft().members},
    }
    for user, folder in folders.items():
        path = settings_file(folder)
        told = tomllib.loads(path.read_text("utf-8"))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert told["kafka"]["username"] == user
        assert ("postgres" in told) == user.startswith("edge.")


def test_every_party_has_its_process_and_no_secret_stands_in_a_command_line(tmp_path: Path) -> None:
    """The hub's stages, one edge process for all members, a relay an agency; each with a settings file and a log."""
    children = processes.children(Home(tmp_path), draft().members, draft().agencies)
    names = [child.name for child in children]
    first = [*(f"hub.{stage}" for stage in HUB_STAGES), "edge"]
    assert names[: len(first)] == first
    assert sorted(names[len(first) :]) == [f"relay.{agency}" for agency in sorted(draft().agencies)]
    assert all("--config" in child.argv and "password" not in " ".join(child.argv) for child in children)
    assert len({child.log for child in children}) == len(children)


def test_an_edge_apart_has_its_own_process_and_is_in_no_other(tmp_path: Path) -> None:
    """Every member's edge is hosted exactly once; a name that is no member's hosts nothing."""
    home, members = Home(tmp_path), draft().members
    for apart in ({"MA"}, {"MA", "TR"}, set(members), {"XX"}, set()):
        hosted = processes.edges(home, members, apart)
        files = [word for child in hosted for word in child.argv if word.endswith(".toml")]
        assert sorted(files) == sorted(str(settings_file(home.member(code))) for code in members)
        for code in apart & set(members):
            (own,) = [child for child in hosted if child.name == processes.edge_apart(code)]
            assert own.argv.count("--config") == 1


def test_what_is_printed_to_try_works_on_files_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished alert is published where it can be found; elsewhere nothing is said of it."""
    home = Home(tmp_path)
    for folder in (home.operator, home.agency("tr-customs")):
        folder.mkdir(parents=True)
    made = network(tmp_path, Children())
    monkeypatch.chdir(STORY.parents[1])
    assert any(f"publish {running.EXAMPLE} --send" in line for line in running.things_to_try(made))
    monkeypatch.chdir(tmp_path)
    said = list(running.things_to_try(made))
    assert any("top" in line for line in said)
    assert not any(str(running.EXAMPLE) in line for line in said)


def test_settings_of_other_parties_do_not_reach_into_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """MANARA_ variables of whoever runs the demo are theirs."""
    monkeypatch.setenv("MANARA_AGENCY", "tr-fiu")
    monkeypatch.setenv("PATH", "/bin")
    told = processes.environment()
    assert "MANARA_AGENCY" not in told
    assert told["PATH"] == "/bin"


class Server:
    """Half of a pair of servers."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.said = error, list[str]()

    def start(self) -> None:
        """Fail where it was told to."""
        self.said.append("start")
        if self.error:
            raise self.error

    def stop(self) -> None:
        """Remember it."""
        self.said.append("stop")


@pytest.fixture(params=["kafka", "postgres"])
def half(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Servers, Server, Server]:
    """Servers of which one cannot be started."""
    servers = Servers(Home(tmp_path))
    bad, good = Server(ManaraError("no room")), Server()
    for name in ("kafka", "postgres"):
        setattr(servers, name, bad if name == request.param else good)
    return servers, good, bad


def test_a_server_is_not_left_alone_when_the_other_cannot_be_started(half: tuple[Servers, Server, Server]) -> None:
    """Whichever fails, both are stopped, and the failure is what is raised."""
    servers, good, bad = half
    with pytest.raises(ManaraError, match="no room"):
        servers.start()
    assert good.said[-1] == bad.said[-1] == "stop"


def test_paths_are_shown_as_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the working folder without it, elsewhere whole."""
    monkeypatch.chdir(tmp_path)
    assert running.shorter(tmp_path / "home") == Path("home")
    assert running.shorter(Path("/etc")) == Path("/etc")
