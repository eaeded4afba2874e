"""Where everything of a network on one machine lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The folder of one network; a party is a folder in it with a `manara.toml`."""

    root: Path

    @property
    def kafka(self) -> Path:
        """The embedded broker's folder."""
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        """The embedded database server's folder."""
        return self.root / "postgres"

    @property
    def secrets(self) -> Path:
        """Kafka passwords, `<principal>.password`, mode 0600."""
        return self.root / "secrets"

    @property
    def roots(self) -> Path:
        """The pins that every party holds: member or `operator` to the fingerprint of its root."""
        return self.root / "roots.toml"

    @property
    def directory(self) -> Path:
        """The runtime copy of the directory, with keys."""
        return self.root / "directory.yaml"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.root / "logs"

    @property
    def processes(self) -> Path:
        """Process ids by name, as they are now; see `processes.write`."""
        return self.root / "processes.json"

    @property
    def running(self) -> Path:
        """Locked by the process that runs this network; holds its process id."""
        return self.root / "up.pid"

    @property
    def admin(self) -> Path:
        """The super user's settings, for `topics apply` alone."""
        return self.root / "admin"

    @property
    def operator(self) -> Path:
        """The operator's folder."""
        return self.root / "operator"

    def hub(self, stage: str) -> Path:
        """The folder of one stage of the hub."""
        return self.root / "hub" / stage

    def agency(self, agency: str) -> Path:
        """The folder of one agency: key, outbox, settings."""
        return self.root / "agencies" / agency

    def member(self, code: str) -> Path:
        """The folder of one member's edge: key, inbox, settings."""
        return self.root / "members" / code.lower()

    def password(self, principal: str) -> Path:
        """The file with the Kafka password of a principal."""
        return self.secrets / f"{principal}.password"


def settings_file(folder: Path) -> Path:
    """The settings of the party that lives in a folder."""
    return folder / "manara.toml"
