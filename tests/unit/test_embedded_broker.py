"""What a broker is told: properties, escapes, credentials, ids."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from manara.embedded.broker import (
    Listeners,
    broker_properties,
    cluster_id,
    java_arguments,
    render,
    scram_credential,
)
from manara.embedded.jars import kafka_version, locked_jars


def properties(listeners: Listeners) -> dict[str, str]:
    """A broker's properties with some paths."""
    return broker_properties(
        listeners, data=PurePosixPath("/d"), keystore=PurePosixPath("/k.pem"), ca=PurePosixPath("/ca.pem")
    )


def unescape(text: str) -> str:
    """Read the value of a line as java.util.Properties does."""
    units = re.sub(r"\\u([0-9a-f]{4})|\\(.)", lambda m: chr(int(m[1], 16)) if m[1] else m[2], text)
    return units.encode("utf-16", "surrogatepass").decode("utf-16")


def test_every_listener_is_encrypted() -> None:
    """No listener speaks PLAINTEXT, and none is without a check of who comes."""
    made = properties(Listeners(1, 2, 3))
    assert made["listener.security.protocol.map"] == "CLIENT:SASL_SSL,INTERNAL:SSL,CONTROLLER:SSL"
    assert made["listener.name.internal.ssl.client.auth"] == "required"
    assert made["listener.name.controller.ssl.client.auth"] == "required"
    assert made["sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert "PLAINTEXT" not in render(made)


def test_a_listener_is_on_loopback_unless_told() -> None:
    """Only a container binds elsewhere, and only its client listener."""
    assert set(re.findall(r"//([^:]+):", properties(Listeners(1, 2, 3))["listeners"])) == {"127.0.0.1"}
    contained = properties(Listeners(1, 2, 3, bind="0.0.0.0", advertised="127.0.0.1:4000"))
    assert contained["listeners"] == "CLIENT://0.0.0.0:1,INTERNAL://127.0.0.1:2,CONTROLLER://127.0.0.1:3"
    assert contained["advertised.listeners"] == "CLIENT://127.0.0.1:4000,INTERNAL://127.0.0.1:2"


def test_nobody_has_a_right_without_an_acl() -> None:
    """The authorizer is there and closed by default; topics do not make themselves."""
    made = properties(Listeners(1, 2, 3))
    assert made["authorizer.class.name"].endswith("StandardAuthorizer")
    assert made["allow.everyone.if.no.acl.found"] == "false"
    assert made["auto.create.topics.enable"] == "false"
    assert made["super.users"] == "User:manara-broker;User:admin"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text[0] not in " \t\f"))
def test_a_rendered_value_is_read_back_whole(value: str) -> None:
    """Whatever a path holds, Java reads it as it was (a leading blank, which Java drops, is no path of ours)."""
    line = render({"log.dirs": value})
    assert line.isascii()
    assert line.count("\n") == 1
    assert unescape(line.removeprefix("log.dirs=").removesuffix("\n")) == value


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]))))
def test_arguments_are_quoted_one_a_line(arguments: list[str]) -> None:
    """An argument with blanks or quotes stays one argument."""
    lines = java_arguments(arguments).split("\n")[:-1]
    assert [re.sub(r"\\(.)", r"\1", line[1:-1]) for line in lines] == arguments


def test_a_credential_holds_no_clear_password() -> None:
    """SCRAM's salted password is RFC 5802's Hi(): PBKDF2 with HMAC."""
    made = scram_credential("admin", "secret", b"0123456789")
    salted = base64.b64encode(hashlib.pbkdf2_hmac("sha512", b"secret", b"0123456789", 8192)).decode()
    assert made == (f'SCRAM-SHA-512=[name="admin",iterations=8192,salt="MDEyMzQ1Njc4OQ==",saltedpassword="{salted}"]')
    assert "secret" not in made


@given(st.binary(min_size=16, max_size=16))
def test_a_cluster_id_is_one_that_kafkas_tools_take(randomness: bytes) -> None:
    """16 bytes as base64url, 22 characters, and never an option by its first."""
    made = cluster_id(randomness)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", made)
    assert len(base64.urlsafe_b64decode(made + "==")) == 16


def test_the_lock_file_names_each_jar_once_with_its_digest() -> None:
    """33 jars, Kafka itself and the logging without which it would be silent among them."""
    jars = locked_jars()
    names = {jar.artifact for jar in jars}
    assert len(names) == len(jars) == 33
    assert {"kafka_2.13", "kafka-clients", "log4j-slf4j-impl"} <= names
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in jars)
    assert kafka_version() == "4.3.1"
