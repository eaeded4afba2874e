"""The cache of jars, against a Maven repository on this machine: fetched once, checked, repaired, then offline."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from manara.embedded import fetch, jars
from manara.embedded.errors import JarError, NoNetworkError
from manara.embedded.jars import Jar, ensure_jars, jar_folder, unsound_jars

pytestmark = pytest.mark.integration

CONTENT = {"kafka-clients": b"clients" * 9000, "kafka-raft": b"raft" * 9000, "zstd-jni": b"zstd" * 9000}


@dataclass
class Repository:
    """A Maven repository: what it serves by artifact, and what it was asked for."""

    content: dict[str, bytes] = field(default_factory=lambda: dict(CONTENT))
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A repository of three jars, a lock file that names them, and jgo pointed at it."""
    served = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            artifact, _, name = self.path.split("/")[-3:]
            body = served.content.get(artifact) if name.endswith(".jar") else None
            if body is not None:
                served.asked.append(artifact)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    point_at(monkeypatch, server.server_port)
    monkeypatch.setattr(jars, "locked_jars", lambda: tuple(locked(name, body) for name, body in CONTENT.items()))
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def point_at(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Make jgo ask a port of this machine, past any proxy."""
    monkeypatch.setattr("jgo.maven._core.DEFAULT_REMOTE_REPOS", {"local": f"http://127.0.0.1:{port}"})
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def locked(name: str, body: bytes) -> Jar:
    """The line of the lock file for a jar of this content."""
    return Jar("org.example", name, "4.3.1", hashlib.sha256(body).hexdigest(), len(body))


def cut_off(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network from here on: nobody listens where the jars come from."""
    point_at(monkeypatch, 9)
    repository.asked.clear()


def damage(path: Path, *, hide: bool = False) -> None:
    """Change a byte of a file; `hide` keeps its time as it was, as a bad disk would."""
    before = path.stat()
    body = bytearray(path.read_bytes())
    body[100] ^= 1
    path.write_bytes(body)
    if hide:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_empty_cache_is_filled(repository: Repository, tmp_path: Path) -> None:
    """Every jar comes, in the lock file's order, and nothing else stays in the folder."""
    found = ensure_jars(tmp_path, progress=False)
    assert [path.read_bytes() for path in found] == list(CONTENT.values())
    assert {path.name for path in jar_folder(tmp_path).iterdir()} == {path.name for path in found} | {
        "checked",
        ".lock",
    }


def test_progress_counts_every_byte(repository: Repository, tmp_path: Path) -> None:
    """The function is called with bytes fetched and bytes in all, and ends at all of them."""
    calls: list[tuple[int, int]] = []
    ensure_jars(tmp_path, progress=lambda done, total: calls.append((done, total)))
    whole = sum(map(len, CONTENT.values()))
    assert calls[-1] == (whole, whole)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_a_full_cache_needs_no_network(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second start asks nobody."""
    first = ensure_jars(tmp_path, progress=False)
    cut_off(repository, monkeypatch)
    assert ensure_jars(tmp_path, progress=False) == first
    assert repository.asked == []


def test_an_empty_cache_without_network_is_said_in_words(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first start without network says what it needs."""
    cut_off(repository, monkeypatch)
    with pytest.raises(NoNetworkError, match="no network answers") as caught:
        ensure_jars(tmp_path, progress=False)
    assert "needs the network once" in caught.value.remedy


def test_a_damaged_jar_is_fetched_again(repository: Repository, tmp_path: Path) -> None:
    """A jar that changed since it was checked is replaced, and it alone."""
    clients, *_ = ensure_jars(tmp_path, progress=False)
    repository.asked.clear()
    damage(clients)
    ensure_jars(tmp_path, progress=False)
    assert repository.asked == ["kafka-clients"]
    assert clients.read_bytes() == CONTENT["kafka-clients"]


def test_a_damaged_jar_without_network_is_not_used(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better no start than a start with a jar that nobody vouches for."""
    clients, *_ = ensure_jars(tmp_path, progress=False)
    cut_off(repository, monkeypatch)
    damage(clients)
    with pytest.raises(NoNetworkError, match=clients.name):
        ensure_jars(tmp_path, progress=False)


def test_a_thorough_check_finds_hidden_damage(repository: Repository, tmp_path: Path) -> None:
    """Damage that leaves size and time alone is found by reading, which a missing note brings about too."""
    clients, *_ = ensure_jars(tmp_path, progress=False)
    damage(clients, hide=True)
    folder = jar_folder(tmp_path)
    assert [jar.artifact for jar in unsound_jars(folder, thorough=True)] == ["kafka-clients"]
    (folder / "checked").unlink()
    ensure_jars(tmp_path, progress=False)
    assert clients.read_bytes() == CONTENT["kafka-clients"]


def test_a_jar_that_is_not_the_locked_one_is_refused(repository: Repository, tmp_path: Path) -> None:
    """A repository, or somebody before it, that serves another file is found out; the file is not kept."""
    repository.content["kafka-raft"] = b"evil" * 9000
    with pytest.raises(JarError, match="is not the jar that the lock file names") as caught:
        ensure_jars(tmp_path, progress=False)
    assert not isinstance(caught.value, NoNetworkError)
    assert not (jar_folder(tmp_path) / "kafka-raft-4.3.1.jar").exists()


def test_a_jar_that_the_repository_lacks_is_named(repository: Repository, tmp_path: Path) -> None:
    """The answer "not found" is told apart from no answer."""
    del repository.content["zstd-jni"]
    with pytest.raises(JarError, match=r"zstd-jni-4\.3\.1\.jar is not to be had"):
        ensure_jars(tmp_path, progress=False)


def test_what_was_fetched_before_a_failure_stays(repository: Repository, tmp_path: Path) -> None:
    """The next start goes on where the last one was cut off."""
    missing = repository.content.pop("zstd-jni")
    with pytest.raises(JarError):
        ensure_jars(tmp_path, progress=False)
    kept = {path.name for path in jar_folder(tmp_path).glob("*.jar")}
    repository.content["zstd-jni"] = missing
    repository.asked.clear()
    ensure_jars(tmp_path, progress=False)
    assert {f"{name}-4.3.1.jar" for name in repository.asked} == {f"{name}-4.3.1.jar" for name in CONTENT} - kept


def test_several_at_once_fetch_once(repository: Repository, tmp_path: Path) -> None:
    """Whoever comes while another fetches waits, then finds everything there."""
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: ensure_jars(tmp_path, progress=False), range(6)))
    assert all(each == found[0] for each in found)
    assert sorted(repository.asked) == sorted(CONTENT)


def test_a_cache_that_cannot_be_written_is_said_in_words(repository: Repository, tmp_path: Path) -> None:
    """A file where the folder should be: the path is named, with what to do."""
    (tmp_path / "manara").write_text("in the way")
    with pytest.raises(JarError, match="cannot be kept in") as caught:
        ensure_jars(tmp_path, progress=False)
    assert "XDG_CACHE_HOME" in caught.value.remedy


def test_ssl_is_as_before_afterwards(repository: Repository, tmp_path: Path) -> None:
    """Fetching trusts what the machine trusts, and leaves no trace of that in the rest of the program."""
    import ssl

    before = ssl.SSLContext
    ensure_jars(tmp_path, progress=False)
    assert ssl.SSLContext is before
    assert fetch.ATTEMPTS > 1
