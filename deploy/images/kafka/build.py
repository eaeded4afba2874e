"""Builds the container image `manara/kafka:<version>` from what is on this machine, without asking a registry.

usage: build.py [--tag NAME:TAG]

What goes in: the Java runtime of this environment, the locked jars from the user's cache (fetched there when missing),
a static busybox for the shell, and those of this machine's libraries that the runtime is linked to.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import BuildError, DockerException

from manara.embedded.broker import LOG4J
from manara.embedded.errors import EmbeddedError
from manara.embedded.jars import ensure_jars, kafka_version
from manara.embedded.java import find_java, flags

HERE = Path(__file__).parent
USER = 1001
"""The numeric user of the broker in the container; it owns the data folder and nothing else."""
LOADED_LATER = ("libgcc_s.so.1", "libstdc++.so.6", "libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
"""Needed by the compression libraries inside the jars and by name lookup, which no linked program shows."""
GRAPHICS = re.compile(r"libX|libxcb|libasound|libfreetype|libfontconfig")
"""A broker draws nothing: what the runtime's windowing libraries ask for stays out."""


class ImageError(Exception):
    """The image cannot be built here; the text says why and what to do."""


def main() -> int:
    """Build it; 0 when it is there, 1 and a sentence when not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--tag", default=f"manara/kafka:{kafka_version()}", help="the image's name (default %(default)s)"
    )
    tag = parser.parse_args().tag
    try:
        size = build(tag)
    except (ImageError, EmbeddedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{tag} is built, {size // 1_000_000} MB")
    return 0


def build(tag: str) -> int:
    """Lay out the image's files in a scratch folder and hand them to the engine; gives the image's size in bytes."""
    with tempfile.TemporaryDirectory(prefix="manara-image-") as scratch:
        context = Path(scratch)
        lay_out(context)
        try:
            image, _log = docker.from_env().images.build(path=scratch, tag=tag, rm=True, forcerm=True)
        except BuildError as error:
            raise ImageError(f"the engine could not build {tag}: {error}") from error
        except DockerException as error:
            raise ImageError(
                f"no container engine answers ({error}). Start one, or set DOCKER_HOST to the one that runs; "
                "everything but the container half of the tests works without."
            ) from error
    return int(image.attrs["Size"])


def lay_out(context: Path) -> None:
    """Fill a build context: the Dockerfile, `root` (all that belongs to root), `data` (what the broker may write)."""
    root = context / "root"
    java = find_java()
    home = java.path.resolve().parent.parent
    shutil.copytree(home, root / "opt/jre", symlinks=True)
    (root / "opt/kafka/libs").mkdir(parents=True)
    for jar in ensure_jars():
        shutil.copy(jar, root / "opt/kafka/libs")
    (root / "opt/kafka/bin").mkdir()
    shutil.copy(HERE / "run", root / "opt/kafka/bin")
    (root / "opt/kafka/log4j2.properties").write_text(LOG4J)
    arguments = [
        *flags(java.version),
        "-Dlog4j2.configurationFile=/opt/kafka/log4j2.properties",
        "-cp",
        '"/opt/kafka/libs/*"',
    ]
    (root / "opt/kafka/java.args").write_text("\n".join(arguments) + "\n")
    _add_shell(root)
    _add_libraries(root, home)
    _add_accounts(root)
    (context / "data/var/lib/kafka").mkdir(parents=True)
    (context / "data/etc/kafka").mkdir(parents=True)
    shutil.copy(HERE / "Dockerfile", context)


def _add_shell(root: Path) -> None:
    """Busybox under the names of its programs. It must be the static one: a dynamic one would miss its libraries."""
    busybox = shutil.which("busybox")
    if busybox is None or _linked(Path(busybox)):
        raise ImageError("a static busybox is needed: apt-get install busybox-static")
    (root / "bin").mkdir()
    shutil.copy(busybox, root / "bin/busybox")
    names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")


def _add_libraries(root: Path, home: Path) -> None:
    """Every library of this machine that the runtime is linked to, where the loader will look for it."""
    programs = [home / "bin/java", *home.glob("lib/**/*.so")]
    found = {path for program in programs for path in _linked(program) if not path.is_relative_to(home)}
    folder = next(path.parent for path in found if path.name == "libc.so.6")
    found |= {folder / name for name in LOADED_LATER if (folder / name).exists()}
    # libstdc++ lies elsewhere than the C library on systems that keep /lib and /usr/lib apart
    found |= {path for name in LOADED_LATER if (path := Path("/usr") / folder.relative_to("/") / name).exists()}
    for path in sorted(found):
        if not GRAPHICS.match(path.name):
            target = root / path.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path.resolve(), target)


def _linked(program: Path) -> list[Path]:
    """The files that the loader would load with a program; none for a static one."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)  # noqa: S607 - the system's own
    return list(_paths(listed.stdout))


def _paths(listing: str) -> Iterator[Path]:
    """The paths in what `ldd` says: `libc.so.6 => /lib/…/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`."""
    for line in listing.splitlines():
        if match := re.search(r"(?:=> )?(/\S+) \(0x", line):
            yield Path(match.group(1))


def _add_accounts(root: Path) -> None:
    etc = root / "etc"
    etc.mkdir()
    (etc / "passwd").write_text(f"root:x:0:0::/:/bin/sh\nkafka:x:{USER}:{USER}::/var/lib/kafka:/bin/sh\n")
    (etc / "group").write_text(f"root:x:0:\nkafka:x:{USER}:\n")
    (etc / "nsswitch.conf").write_text("hosts: files dns\n")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)


if __name__ == "__main__":
    sys.exit(main())
