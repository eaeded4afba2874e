"""Kafka and PostgreSQL for a network on one machine, started side by side."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from manara.deployment.home import Home
from manara.embedded.kafka import EmbeddedKafka
from manara.embedded.postgres import EmbeddedPostgres


class Servers:
    """Both servers; they end with this process, whatever becomes of it."""

    def __init__(self, home: Home) -> None:
        """Nothing is started yet."""
        self.kafka = EmbeddedKafka(home.kafka)
        self.postgres = EmbeddedPostgres(home.postgres)

    def start(self) -> Self:
        """Start both and wait until both answer. Raises `EmbeddedError`; nothing is left running then."""
        try:
            with ThreadPoolExecutor(1) as pool:
                other = pool.submit(self.postgres.start)
                self.kafka.start()  # the long one, with a download the first time: here, so that Ctrl-C ends it
            other.result()
        except BaseException:
            self.stop()
            raise
        return self

    def databases(self, members: Iterable[str]) -> dict[str, str]:
        """A role and a database for each member; code to connection string."""
        return {code: self.postgres.create_member(code) for code in members}

    def stop(self) -> None:
        """Stop both, side by side."""
        with ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(server.stop) for server in (self.kafka, self.postgres)]:
                future.result()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
