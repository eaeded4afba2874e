"""The project's frame: the lock, the make targets, the version."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"manara", "schemas", "producers", "streams", "consumers"}
CHECK_LOCK = ROOT / "deploy/check-lock"
GOOD = "foo==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"


def check_lock(path: Path) -> int:
    """The exit code of the lock's judge."""
    return subprocess.run([CHECK_LOCK, path], capture_output=True, check=False).returncode


def test_our_lock_passes_its_judge() -> None:
    """The committed lock is complete in digests and holds no address."""
    assert check_lock(ROOT / "requirements.lock") == 0


@pytest.mark.parametrize(
    ("added", "accepted"),
    [
        ("", True),
        ("    # via bar\n", True),
        ("--index-url example\n", False),
        ("-i example\n", False),
        ("-e .\n", False),
        ("bar @ file:bar.whl\n", False),
        ("# from https://example.org/\n", False),
        ("bar==2.0\n", False),
        ("bar>=2.0 \\\n    --hash=sha256:" + "0" * 64 + "\n", False),
    ],
)
def test_a_lock_with_an_address_or_without_a_digest_is_refused(tmp_path: Path, added: str, *, accepted: bool) -> None:
    """Each way in which a place of download or an unchecked package could slip in is seen."""
    lock = tmp_path / "requirements.lock"
    lock.write_text(GOOD + added)
    assert (check_lock(lock) == 0) is accepted


def test_every_dependency_we_name_is_in_the_lock() -> None:
    """A package that pyproject.toml names and the lock lacks would be missing in every installation."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)}
    locked = re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert {re.split(r"[\[<>=;]", name)[0].lower() for name in named} - {"manara"} <= set(locked)


def test_make_help_explains_every_target() -> None:
    """A target without an explanation is one that nobody finds."""
    shown = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    assert set(targets.group(1).split()) == set(re.findall(r"^  ([a-z-]+) +\S", shown, re.MULTILINE))


def test_the_installed_version_is_the_declared_one() -> None:
    """What `pip` installed is this project, not an older copy of it."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert metadata.version("manara") == declared


def test_a_wheel_holds_what_the_program_needs_and_nothing_else(tmp_path: Path) -> None:
    """Schemas, migrations and the jar lock travel with the code; tests and deploy stay behind."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    data = {
        str(path.relative_to(ROOT))
        for suffix in ("*.avsc", "*.lock", "*.sql", "*.csv", "*.yaml", "py.typed")
        for package in PACKAGES
        for path in (ROOT / package).rglob(suffix)
    }
    assert {name.split("/")[0] for name in inside} == PACKAGES
    assert data <= inside
    assert len({name for name in data if name.endswith(".avsc")}) > len(PACKAGES)
