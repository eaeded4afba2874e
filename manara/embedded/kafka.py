"""A real Apache Kafka broker in a folder, secured from its first second."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from manara.embedded.broker import (
    ADMIN,
    BROKER,
    LOG4J,
    Listeners,
    broker_properties,
    cluster_id,
    java_arguments,
    render,
    scram_credential,
)
from manara.embedded.certificates import Tls, ensure_certificates
from manara.embedded.errors import PasswordError
from manara.embedded.files import keep_password, write_private
from manara.embedded.jars import Progress, ensure_jars, kafka_version
from manara.embedded.java import find_java, flags
from manara.embedded.ports import HOST
from manara.embedded.process import Server

ANSWER_SECONDS = 1.0
ANSWER_TRIES = 5
"""So often the same client may ask anew: on a busy machine one login can take longer than a second."""
_quiet = logging.getLogger(f"{__name__}.client")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class EmbeddedKafka(Server):
    """One Kafka node (broker and controller) on 127.0.0.1: TLS 1.3, SCRAM-SHA-512, no right without an ACL.

    Everything it keeps is in its folder; started again there, it has the same data, users and certificates.
    """

    title: ClassVar[str] = "Apache Kafka"
    log_name: ClassVar[str] = "kafka.log"
    ports_needed: ClassVar[int] = 3
    stop_signal: ClassVar[int] = signal.SIGTERM
    death_signal: ClassVar[int] = signal.SIGKILL
    grace: ClassVar[float] = 20.0

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        admin_password: str | None = None,
        cache: Path | None = None,
        progress: Progress = True,
        patience: float = 60.0,
        jvm: Sequence[str] = (),
    ) -> None:
        """`admin_password` counts on the first start in a folder; a random one is made when it is left out.

        `cache` and `progress` are those of `ensure_jars`. `jvm` are further flags of the JVM: the later one wins.
        """
        super().__init__(folder, port=port, patience=patience)
        self.admin_username = ADMIN
        self.admin_password_file = self.folder / "admin.password"
        self.ca = self.folder / "tls" / "ca.pem"
        self._given = admin_password
        self._cache = cache
        self._progress = progress
        self._jvm = tuple(jvm)
        self._data = self.folder / "data"
        self._properties = self.folder / "kafka.properties"
        self._formatted = self.folder / "formatted"

    @property
    def version(self) -> str:
        """The version of Kafka."""
        return kafka_version()

    @property
    def bootstrap(self) -> str:
        """Where clients connect, as host:port."""
        return f"{HOST}:{self.port}"

    @property
    def admin_password(self) -> str:
        """The super user's password, kept in the folder (mode 0600)."""
        return keep_password(self.admin_password_file, self._given)

    def client(self) -> dict[str, object]:
        """librdkafka's settings for the super user."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": self.admin_username,
            "sasl.password": self.admin_password,
            "ssl.ca.location": str(self.ca),
        }

    def _prepare(self) -> None:
        ensure_jars(self._cache, self._progress)
        tls = ensure_certificates(self.folder / "tls", BROKER)
        (self.folder / "tmp").mkdir(mode=0o700, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(LOG4J)
        write_private(self._properties, render(self._settings(tls)).encode("ascii"))
        if not self._formatted.exists():
            self._format()

    def _settings(self, tls: Tls) -> dict[str, str]:
        client, internal, controller = self._ports
        return broker_properties(
            Listeners(client, internal, controller), data=self._data, keystore=tls.keystore, ca=tls.ca
        )

    def _command(self) -> Sequence[str]:
        return [*self._java(), "kafka.Kafka", str(self._properties)]

    def _java(self) -> list[str]:
        java = find_java()
        jars = ensure_jars(self._cache, self._progress)
        return [
            str(java.path),
            *flags(java.version),
            *self._jvm,
            # native libraries are unpacked there; a killed JVM would leave them in the system's folder
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp",
            os.pathsep.join(map(str, jars)),
        ]

    def _format(self) -> None:
        """Make the data folder and in it the super user; done once, noted by a file when it was done to the end."""
        shutil.rmtree(self._data, ignore_errors=True)
        user = scram_credential(self.admin_username, self.admin_password, secrets.token_bytes(24))
        tool = ["kafka.tools.StorageTool", "format", "-c", str(self._properties), "--add-scram", user]
        command = [*self._java(), *tool, "-t", cluster_id(secrets.token_bytes(16))]
        hidden = self.folder / "format.arguments"
        write_private(hidden, java_arguments(command[1:]).encode())
        try:
            self._run([command[0], f"@{hidden}"], "its data folder could not be made")
        finally:
            hidden.unlink(missing_ok=True)
        self._formatted.touch()

    def _answers(self) -> bool:
        """Whether the super user can log in and is told of the broker."""
        refused: list[str] = []

        def on_error(error: KafkaError) -> None:
            if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 - the library's name for it
                refused.append(error.str())

        settings: Any = {**self.client(), "error_cb": on_error, "log_level": 0, "logger": _quiet}
        admin = AdminClient(settings)
        for _ in range(ANSWER_TRIES):
            if _brokers(admin) > 0:
                return True
            admin.poll(0)  # what is said to `on_error` is said here
            if refused:
                raise PasswordError(self.title, self.admin_password_file)
        return False


def _brokers(admin: AdminClient) -> int:
    """How many brokers the cluster has; 0 when it does not say in time."""
    ask: Callable[..., object] = admin.list_topics
    try:
        metadata = ask(timeout=ANSWER_SECONDS)
    except KafkaException:
        return 0
    return len(getattr(metadata, "brokers", {}))
