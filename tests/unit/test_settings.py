"""Settings: three sources, the client parameters made of them, what is said when they are wrong, secrets kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manara.errors import SettingsError
from manara.settings import KafkaSettings, Security, Settings

SECRET = "correct horse battery"
PIN = "ab" * 32


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of ours from outside."""
    for name in os.environ:
        if name.startswith("MANARA_"):
            monkeypatch.delenv(name)


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """A file that stands for an authority."""
    path = tmp_path / "ca.pem"
    path.write_text("PEM")
    return path


def test_scram_settings_become_the_parameters_of_librdkafka(ca: Path) -> None:
    """Every parameter, and no other."""
    kafka = KafkaSettings(bootstrap="h:9", username="az-customs", password=SECRET, ca=ca)
    assert kafka.librdkafka() == {
        "bootstrap.servers": "h:9",
        "security.protocol": "sasl_ssl",
        "client.id": "az-customs",
        "ssl.ca.location": str(ca),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "az-customs",
        "sasl.password": SECRET,
    }


def test_mutual_tls_needs_no_password(ca: Path) -> None:
    """The certificate speaks for us."""
    kafka = KafkaSettings(bootstrap="h:9", security=Security.SSL, ca=ca, certificate=ca, key=ca)
    made = kafka.librdkafka()
    assert made["ssl.certificate.location"] == made["ssl.key.location"] == str(ca)
    assert not [name for name in made if name.startswith("sasl")]


def test_plaintext_settings_name_no_file_and_no_user() -> None:
    """Nothing of TLS or SASL is left in."""
    kafka = KafkaSettings(bootstrap="h:9", security=Security.PLAINTEXT, username="x", password=SECRET)
    assert kafka.librdkafka() == {"bootstrap.servers": "h:9", "security.protocol": "plaintext", "client.id": "x"}
    assert "ssl_context" not in kafka.aiokafka()


def test_a_certificate_without_its_key_is_refused() -> None:
    """They belong together."""
    with pytest.raises(SettingsError, match="belong together"):
        Settings.load(kafka={"certificate": "x.pem"})


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({}, "MANARA_KAFKA__BOOTSTRAP"),
        ({"bootstrap": "h:9"}, "MANARA_KAFKA__USERNAME"),
        ({"bootstrap": "h:9", "username": "u"}, "MANARA_KAFKA__PASSWORD_FILE"),
        ({"bootstrap": "h:9", "username": "u", "password": "p", "ca": "/nonexistent"}, "/nonexistent"),
    ],
)
def test_what_is_missing_for_a_client_is_named(given_: dict[str, Any], said: str) -> None:
    """The sentence holds the variable to set."""
    with pytest.raises(SettingsError) as caught:
        KafkaSettings(**given_).librdkafka()
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_options_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value by value, inside sections too."""
    file = tmp_path / "manara.toml"
    file.write_text('agency = "az-customs"\nlanes = 2\nhttp_port = 1\n[kafka]\nbootstrap = "file:1"\nusername = "u"\n')
    monkeypatch.setenv("MANARA_LANES", "3")
    monkeypatch.setenv("MANARA_HTTP_PORT", "2")
    monkeypatch.setenv("MANARA_KAFKA__BOOTSTRAP", "env:1")
    settings = Settings.load(file, http_port=3)
    assert (settings.agency, settings.lanes, settings.http_port) == ("az-customs", 3, 3)
    assert (settings.kafka.bootstrap, settings.kafka.username) == ("env:1", "u")


def test_the_file_can_be_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MANARA_CONFIG is --config."""
    (tmp_path / "m.toml").write_text('member = "az"\n')
    monkeypatch.setenv("MANARA_CONFIG", str(tmp_path / "m.toml"))
    assert Settings.load().member == "AZ"


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A party's folder can be moved, and used from anywhere."""
    (tmp_path / "manara.toml").write_text(
        'folder = "."\nkey = "key.pem"\ninboxes = ["b/manara.toml"]\n[kafka]\nca = "../ca.pem"\n'
    )
    monkeypatch.chdir("/")
    settings = Settings.load(tmp_path / "manara.toml")
    assert settings.folder.resolve() == tmp_path
    assert settings.key == tmp_path / "key.pem"
    assert settings.inboxes == (tmp_path / "b" / "manara.toml",)
    assert settings.kafka.ca is not None
    assert settings.kafka.ca.resolve() == tmp_path.parent / "ca.pem"


def test_pins_come_from_a_file_and_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file of pins serves many parties; what is given directly wins."""
    (tmp_path / "roots.toml").write_text(f'AZ = "{PIN}"\noperator = "{PIN}"\n')
    (tmp_path / "manara.toml").write_text('roots_file = "roots.toml"\n')
    monkeypatch.setenv("MANARA_ROOTS__AZ", "cd" * 32)
    assert Settings.load(tmp_path / "manara.toml").roots == {"AZ": "cd" * 32, "operator": PIN}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('lanes = "many"\n', "line 1"),
        ('\n\nagency = "AZ"\n', "line 3"),
        ('[kafka]\nbootstrap = "h:1"\nsecurity = "TLS"\n', "line 3"),
        ('colour = "red"\n', "the settings are kafka"),
        (f'[roots]\nXX1 = "{PIN}"\n', "XX1"),
        ('[roots]\nAZ = "short"\n', "roots.AZ"),
        ("not toml", "is not TOML"),
        ("a = 1\na = 2\n", "line 2"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    """The sentence says where, and the exit code is that of wrong input."""
    file = tmp_path / "manara.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        Settings.load(file)
    assert said in str(caught.value)
    assert caught.value.remedy


def test_a_wrong_variable_is_named_and_its_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value may be a secret that landed in the wrong variable."""
    monkeypatch.setenv("MANARA_LANES", SECRET)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert "MANARA_LANES" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_misspelt_kafka_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence would mean a default that nobody wanted."""
    monkeypatch.setenv("MANARA_KAFKA__BOOTSTRP", "h:1")
    with pytest.raises(SettingsError, match="MANARA_KAFKA__BOOTSTRP"):
        Settings.load()


def test_a_missing_settings_file_is_said() -> None:
    """No traceback, no default."""
    with pytest.raises(SettingsError, match="cannot be read"):
        Settings.load(Path("/nonexistent.toml"))


def test_a_password_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The remedy is the command that mends it."""
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o640)
    kafka = KafkaSettings(bootstrap="h:1", username="u", password_file=file)
    with pytest.raises(SettingsError, match=f"chmod 600 {file}"):
        kafka.secret()
    file.chmod(0o600)
    assert kafka.secret() == SECRET


@given(st.text(st.characters(codec="utf-8"), min_size=12).map("~~".__add__))
def test_secrets_show_in_no_form_of_the_settings(secret: str) -> None:
    """repr, str, JSON and dump alike."""
    settings = Settings(kafka=KafkaSettings(bootstrap="h:1", username="u", password=secret), postgres=secret)
    shown = [
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        repr(settings.model_dump()),
        f"{settings.kafka}",
    ]
    for form in shown:
        assert secret not in form
        assert json.dumps(secret)[1:-1] not in form


def test_making_settings_from_values_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only `load` looks around."""
    monkeypatch.setenv("MANARA_LANES", "3")
    assert Settings().lanes == 8
