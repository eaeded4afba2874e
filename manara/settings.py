"""The settings of one process, and the one place that turns them into parameters of a Kafka client.

Three sources, the first wins: options of the command line, variables of the environment (`MANARA_KAFKA__BOOTSTRAP`), a
TOML file (`--config FILE` or `MANARA_CONFIG`). Paths in the file are relative to the file. Making a `Settings` from
values reads no environment; only `Settings.load` does.
"""

from __future__ import annotations

import os
import re
import ssl
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from manara.errors import InputError, SettingsError, in_words

PREFIX = "MANARA_"
NESTING = "__"
PATHS = (
    *("folder", "key", "roots_file", "filedrop", "exclusions", "syslog.tls_ca"),
    *("kafka.ca", "kafka.certificate", "kafka.key", "kafka.password_file"),
)
"""The settings that are paths: relative ones in a file are meant from the file's own folder."""


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Fingerprint = Annotated[str, BeforeValidator(_lower), StringConstraints(pattern=r"^[0-9a-f]{64}$")]
AgencyId = Annotated[str, StringConstraints(pattern=r"^([a-z]{2}-[a-z0-9]{2,16})?$")]
MemberCode = Annotated[str, BeforeValidator(_upper), StringConstraints(pattern=r"^([A-Z]{2})?$")]


class Security(StrEnum):
    """How a client and the broker speak; the names are Kafka's own."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_SSL = "SASL_SSL"


class KafkaSettings(BaseModel):
    """Where the cluster is and who we are there. No `repr`, dump or log of it shows the password."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap: str = Field(default="", description="host:port of one or more brokers, with commas between")
    security: Security = Field(default=Security.SASL_SSL, description="PLAINTEXT, SSL or SASL_SSL")
    ca: Path | None = Field(default=None, description="PEM file of the authority that signed the brokers' certificates")
    certificate: Path | None = Field(default=None, description="PEM file of our own certificate, for mutual TLS")
    key: Path | None = Field(default=None, description="PEM file of that certificate's private key")
    username: str = Field(default="", description="our principal, for example az-customs, edge.az or hub.gate")
    password: SecretStr | None = Field(default=None, description="its SCRAM password; a file is better")
    password_file: Path | None = Field(default=None, description="a file, readable by us alone, that holds it")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or neither")
        if self.password is not None and self.password_file is not None:
            raise ValueError("give password or password_file, not both")
        return self

    def secret(self) -> str:
        """The password itself, from the setting or its file.

        Raises `SettingsError` where there is none or others can read it.
        """
        if self.password is not None:
            return self.password.get_secret_value()
        if self.password_file is None:
            raise SettingsError(
                f"The cluster at {self.bootstrap} wants a password and none is set.",
                "Set MANARA_KAFKA__PASSWORD_FILE (or kafka.password_file), or MANARA_KAFKA__SECURITY if it wants none.",
            )
        return read_private(self.password_file).strip()

    def librdkafka(self) -> dict[str, object]:
        """The parameters of a confluent-kafka client. They hold the password: hand them to a client, never to a log."""
        self._require()
        wanted: dict[str, object] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security.value.lower(),
            "client.id": self.username or "manara",
        }
        if self.security is not Security.PLAINTEXT:
            files = {
                "ssl.ca.location": self.ca,
                "ssl.certificate.location": self.certificate,
                "ssl.key.location": self.key,
            }
            wanted |= {name: str(path) for name, path in files.items() if path is not None}
        if self.security is Security.SASL_SSL:
            wanted |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": self.username}
            wanted["sasl.password"] = self.secret()
        return wanted

    def aiokafka(self) -> dict[str, object]:
        """The parameters of an aiokafka client (Faust's). They hold the password, too."""
        self._require()
        wanted: dict[str, object] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security.value,
            "client_id": self.username or "manara",
        }
        if self.security is not Security.PLAINTEXT:
            wanted["ssl_context"] = self._tls()
        if self.security is Security.SASL_SSL:
            wanted |= {"sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": self.username}
            wanted["sasl_plain_password"] = self.secret()
        return wanted

    def _require(self) -> None:
        if not self.bootstrap:
            raise SettingsError(
                "No Kafka cluster is named.",
                "Set MANARA_KAFKA__BOOTSTRAP=host:port, or `bootstrap` under [kafka] in the file given by --config. "
                "`manara broker` starts a cluster of your own.",
            )
        if self.security is Security.SASL_SSL and not self.username:
            raise SettingsError(
                "No user name for Kafka is set.",
                "Set MANARA_KAFKA__USERNAME to your principal, for example az-customs, edge.az or operator.",
            )
        for path in (self.ca, self.certificate, self.key):
            if path is not None and self.security is not Security.PLAINTEXT and not path.is_file():
                raise SettingsError(
                    f"{path}: there is no such file.", "It is named in the settings under kafka: correct it."
                )

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (ssl.SSLError, OSError) as error:
            raise SettingsError(
                f"The certificates for Kafka cannot be used: {error.strerror or error}.",
                "kafka.ca, kafka.certificate and kafka.key must be PEM files.",
            ) from error
        return context


class WebhookSettings(BaseModel):
    """A receiver of signed batches over HTTPS (Standard Webhooks)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(pattern=r"^https?://[^\s@/]+(/\S*)?$", description="https://host[:port]/path, without credentials")
    secrets_files: tuple[Path, ...] = Field(
        min_length=1, description="files (0600) with one `whsec_...` each; several during a rotation"
    )
    allow_private: bool = Field(default=False, description="allow private, loopback and link-local addresses, and http")
    timeout: float = Field(default=10.0, gt=0, le=60, description="seconds to wait for the receiver")


class SyslogSettings(BaseModel):
    """A collector of CEF events by syslog over TCP (RFC 5424, octet counting)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(pattern=r"^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:.]+\]:\d{1,5}$", description="host:port")
    tls_ca: Path | None = Field(default=None, description="PEM file of the collector's authority; TLS where it is set")
    content: bool = Field(default=False, description="also who or what the alert is about, and its narrative")
    timeout: float = Field(default=10.0, gt=0, le=60, description="seconds to wait for the collector")


class Settings(BaseSettings):
    """Everything one process of one party is told."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=NESTING, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    folder: Path = Field(
        default=Path(".manara"), description="the durable state of this party: spools, stores, secrets"
    )
    roots: dict[str, Fingerprint] = Field(
        default_factory=dict, description="pins: member or `operator` -> SHA-256 of its root"
    )
    roots_file: Path | None = Field(default=None, description="a TOML file of pins; those under roots win over it")
    agency: AgencyId = Field(default="", description="the agency that publishes here, for example az-customs")
    member: MemberCode = Field(default="", description="the member whose edge this is, for example AZ")
    key: Path | None = Field(default=None, description="this party's signing key, a PEM file")
    topic_prefix: str = Field(default="", pattern=r"^[a-z0-9.-]*$", description="before every topic's name; for tests")
    lanes: int = Field(default=8, ge=1, le=1024, description="partitions of admitted.v1 and register.v1")
    replication: int = Field(default=1, ge=1, le=9, description="copies of each partition; 3 in production")
    postgres: SecretStr | None = Field(default=None, description="the national database: a PostgreSQL address")
    filedrop: Path | None = Field(default=None, description="a folder that the file drop sink delivers into")
    webhook: WebhookSettings | None = Field(default=None, description="a receiver of signed batches over HTTPS")
    syslog: SyslogSettings | None = Field(default=None, description="a collector of CEF events by syslog")
    retention_days: int = Field(
        default=90, ge=1, description="days after an alert's end that an edge keeps its content, and refused messages"
    )
    inboxes: tuple[Path, ...] = Field(
        default=(), description="configuration files of further edges to host in this process"
    )
    memory_limit: int = Field(
        default=2048,
        ge=0,
        description="MiB of data that the gate may hold: a hostile batch ends the process, not the machine; 0 is off",
    )
    exclusions: Path | None = Field(
        default=None, description="a TOML file of values that everybody has; correlation passes them over"
    )
    match_quota: int = Field(default=200, ge=1, description="offers of matches that one agency's alerts cause in a day")
    http_port: int = Field(
        default=0, ge=0, le=65535, description="serves /metrics, /live, /ready on 127.0.0.1; 0 is off"
    )
    log_format: Literal["auto", "json", "console"] = Field(default="auto", description="auto is JSON unless a terminal")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """A `Settings` is made of the values given: `load` alone looks elsewhere."""
        return (init_settings,)

    @model_validator(mode="after")
    def _pin_codes(self) -> Self:
        pins = {name: pin for name, pin in self.roots.items() if not re.fullmatch(r"[A-Z]{2}|operator", name)}
        if pins:
            raise ValueError(f"roots: {', '.join(sorted(pins))} is neither a member's two letters nor `operator`")
        return self

    @classmethod
    def load(cls, config: Path | None = None, **overrides: object) -> Self:
        """Read the file and the environment.

        Raises `SettingsError` that names the variable or line and says what to write.
        """
        chosen = config or (Path(os.environ["MANARA_CONFIG"]) if os.environ.get("MANARA_CONFIG") else None)
        text, file = read_file(chosen)
        env = _environment(cls)
        merged = _merge(_merge(file, env), overrides)
        merged["roots"] = _pins(merged)
        try:
            return cls(**merged)
        except ValidationError as error:
            raise _explain(error, env, chosen, text) from error


def read_file(path: Path | None) -> tuple[str, dict[str, Any]]:
    """The text of a settings file and its values, paths made absolute; empty where there is no file."""
    if path is None:
        return "", {}
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(
            f"The settings file cannot be read: {in_words(error).message}", "Correct --config or MANARA_CONFIG."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} is not TOML: {error}.", 'A line looks like  bootstrap = "127.0.0.1:9092".'
        ) from error
    for dotted in PATHS:
        _absolute(values, dotted.split("."), path.absolute().parent)
    if isinstance(values.get("inboxes"), list):
        values["inboxes"] = [str(path.absolute().parent / name) for name in values["inboxes"]]
    webhook = values.get("webhook")
    if isinstance(webhook, dict) and isinstance(webhook.get("secrets_files"), list):
        webhook["secrets_files"] = [str(path.absolute().parent / name) for name in webhook["secrets_files"]]
    return text, values


def read_private(path: Path) -> str:
    """The text of a file that holds a secret. Raises `SettingsError` where it is missing or others may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"{path} holds a secret and others can read it.", f"Run: chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"The secret cannot be read: {in_words(error).message}", "Check the path and its owner."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not text.", "It must hold one password and nothing else.") from error


def _absolute(values: dict[str, Any], path: list[str], base: Path) -> None:
    for name in path[:-1]:
        inner = values.get(name)
        if not isinstance(inner, dict):
            return
        values = inner
    if isinstance(values.get(path[-1]), str):
        values[path[-1]] = str(base / Path(values[path[-1]]).expanduser())


def _environment(cls: type[BaseSettings]) -> dict[str, Any]:
    try:
        found = EnvSettingsSource(cls, env_prefix=PREFIX, env_nested_delimiter=NESTING)()
    except SourceError as error:
        raise SettingsError(
            f"A variable of the environment is wrong: {error}.", "Lists are written as JSON."
        ) from error
    roots = found.get("roots")
    if isinstance(roots, dict):  # variables come in lower case
        found["roots"] = {name if name == "operator" else name.upper(): pin for name, pin in roots.items()}
    return found


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        inner = merged.get(name)
        merged[name] = _merge(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return merged


def _pins(merged: Mapping[str, Any]) -> dict[str, Any]:
    """The pins of the file named by `roots_file`, under those given directly."""
    named = merged.get("roots_file")
    _text, values = read_file(Path(named) if named else None)
    inner = values.get("roots", values)
    return _merge(inner, merged.get("roots") or {})


def _explain(error: ValidationError, env: Mapping[str, Any], config: Path | None, text: str) -> SettingsError:
    """Every fault with the variable or the line it comes from. The wrong value is not repeated: it may be a secret."""
    sentences = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        path = [str(step) for step in fault["loc"]]
        said = fault["msg"].removeprefix("Value error, ")
        field = Settings.model_fields.get(path[0]) if len(path) == 1 else None
        meant = f" ({field.description})" if field and field.description else ""
        sentences.append(f"{_whence(path, env, config, text)}: {said[:1].lower()}{said[1:]}{meant}")
    known = ", ".join(Settings.model_fields) if any("extra" in f["type"].lower() for f in error.errors()) else ""
    remedy = "Correct it" + (f"; the settings are {known}." if known else ", or leave it out.")
    return SettingsError("The settings are wrong. " + ". ".join(sentences) + ".", remedy)


def _whence(path: list[str], env: Mapping[str, Any], config: Path | None, text: str) -> str:
    value: Any = env
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if path and value is not None:
        return PREFIX + NESTING.join(path).upper()
    name = ".".join(path) or "settings"
    if config is None:
        return name
    hit = re.search(rf"^[ \t]*\"?{re.escape(path[-1] if path else '')}\"?[ \t]*=", text, re.MULTILINE) if path else None
    return f"{name} ({config}, line {text.count(chr(10), 0, hit.start()) + 1})" if hit else f"{name} ({config})"


def require(settings: Settings, name: Literal["agency", "member", "key"]) -> str:
    """A setting that this command cannot do without, as text. Raises `SettingsError` that names its variable."""
    value = getattr(settings, name)
    if not value:
        described = Settings.model_fields[name].description
        raise SettingsError(
            f"This command needs the setting `{name}`: {described}.",
            f"Set {PREFIX}{name.upper()}, or `{name}` in the file given by --config.",
        )
    return str(value)


__all__ = [
    "InputError",
    "KafkaSettings",
    "Security",
    "Settings",
    "SettingsError",
    "SyslogSettings",
    "WebhookSettings",
    "read_file",
    "read_private",
    "require",
]
