"""Fetching Kafka's jars through jgo, a Maven resolver in Python that knows where artifacts live."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import truststore

from manara.embedded.errors import JarError, NoNetworkError
from manara.embedded.jars import Jar, Progress, digest

if TYPE_CHECKING:
    from jgo.maven import MavenContext

THREADS = 8
ATTEMPTS = 3
TIMEOUT = 20
"""Seconds without an answer after which one attempt to fetch one jar is given up."""


def fetch_jars(jars: Sequence[Jar], folder: Path, progress: Progress) -> None:
    """Fetch these jars into a folder; each appears there only when its digest is the lock file's.

    What was fetched before a failure stays, so that the next start goes on from there.
    """
    with (
        _system_trust(),
        tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch,
        _shown(progress, sum(jar.size for jar in jars)) as advance,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        context = _context(Path(scratch), advance)
        try:
            list(pool.map(partial(_fetch, context, folder), jars))
        except BaseException:
            # without this, Ctrl-C would wait for all the jars that nobody began to fetch
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(context: MavenContext, folder: Path, jar: Jar) -> None:
    found = _resolve(context, jar)
    if (got := digest(found)) != jar.sha256:
        raise JarError(
            f"{jar.file_name} was fetched but is not the jar that the lock file names (SHA-256 {got} instead of "
            f"{jar.sha256}).",
            "Something between here and the repository changes files: try another network, and report it if it stays.",
        )
    found.replace(folder / jar.file_name)


def _resolve(context: MavenContext, jar: Jar) -> Path:
    """Where jgo has put the jar; a broken attempt is forgotten and tried again."""
    import requests  # noqa: PLC0415 - must come after the system's trust is in place

    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    failure: Exception = RuntimeError("no attempt was made")
    for _ in range(ATTEMPTS):
        try:
            return Path(artifact.resolve())
        except requests.RequestException as error:
            failure = error
        except RuntimeError as error:
            raise JarError(
                f"{jar.file_name} is not to be had from the repository: {error}.",
                "If a proxy stands between, ask its owner to allow Maven repositories.",
            ) from error
        if (half := artifact.cached_path) is not None:
            half.unlink(missing_ok=True)
    raise NoNetworkError(
        "Kafka's jars are not on this machine yet and no network answers "
        f"({type(failure).__name__} at {jar.file_name}).",
        "The first start needs the network once, for 38 MB: connect it, or set HTTPS_PROXY, and start again.",
    ) from failure


def _context(scratch: Path, advance: Callable[[int], None]) -> MavenContext:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - see `requests` above

    @contextmanager
    def one_file(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield advance

    resolver = PythonResolver(progress_callback=one_file)
    return MavenContext(resolver=resolver, repo_cache=scratch, local_repos=[], timeout=TIMEOUT)


@contextmanager
def _system_trust() -> Iterator[None]:
    """Trust the certificates that the machine trusts, so that a company's proxy is no obstacle, and only for now."""
    truststore.inject_into_ssl()
    try:
        yield
    finally:
        truststore.extract_from_ssl()


@contextmanager
def _shown(progress: Progress, total: int) -> Iterator[Callable[[int], None]]:
    """A function to call with the number of bytes just fetched, from any thread."""
    if not callable(progress):
        with _bar(total, visible=progress and sys.stderr.isatty()) as advance:
            yield advance
        return
    done, guard = 0, threading.Lock()

    def advance_function(size: int) -> None:
        nonlocal done
        with guard:
            done += size
            progress(done, total)

    yield advance_function


@contextmanager
def _bar(total: int, *, visible: bool) -> Iterator[Callable[[int], None]]:
    from rich.console import Console  # noqa: PLC0415 - see `requests` above
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not visible) as bar:
        task = bar.add_task("Fetching Apache Kafka, this once", total=total)
        yield lambda size: bar.advance(task, size)
