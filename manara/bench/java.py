"""Java for the benchmark: jars from a lock file, fetched once and checked like the broker's own; compiled by ECJ.

The JRE that comes with the project has no compiler, so Eclipse's is among the jars.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from manara.bench.errors import CannotRunError
from manara.embedded.errors import EmbeddedError
from manara.embedded.jars import digest, ensure_jars, jar_folder, locked_jars
from manara.embedded.java import find_java

COMPILER: Final = "ecj"
SECONDS: Final = 120


def compiled(source: Path, lock: Path, folder: Path) -> list[str]:
    """Compile one Java file into `folder`; the start of a command line that runs its class.

    CannotRunError where the jars, the network or a Java is missing.
    """
    try:
        jars = [*ensure_jars(), *_fetched(lock)]
        java = str(find_java().path)
    except EmbeddedError as error:
        raise CannotRunError(f"Kafka Streams cannot be compiled: {error.message}", error.remedy) from error
    compiler = next(jar for jar in jars if jar.name.startswith(f"{COMPILER}-"))
    classes = folder / "classes"
    path = os.pathsep.join(str(jar) for jar in jars if jar != compiler)
    command = [java, "-jar", str(compiler), "-17", "-proc:none", "-nowarn", "-cp", path, "-d", str(classes)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise CannotRunError(f"{source.name} does not compile:\n{done.stderr[-800:]}", "This is a defect: report it.")
    return [java, "-cp", os.pathsep.join([str(classes), path])]


def _fetched(lock: Path) -> list[Path]:
    """The jars of the lock file, in a folder beside the broker's; what is missing or damaged is fetched."""
    folder = jar_folder().with_name(f"bench-{digest(lock)[:12]}")
    jars = locked_jars(lock)
    missing = [jar for jar in jars if not _sound(folder / jar.file_name, jar.sha256)]
    if missing:
        from manara.embedded.fetch import fetch_jars  # noqa: PLC0415 - a filled cache must not pay for the resolver

        folder.mkdir(parents=True, exist_ok=True)
        fetch_jars(missing, folder, progress=True)
    return [folder / jar.file_name for jar in jars]


def _sound(path: Path, sha256: str) -> bool:
    return path.exists() and digest(path) == sha256
