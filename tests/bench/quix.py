"""S4, Quix Streams, in an environment of its own. `python -m tests.bench.quix FILE`."""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application
from quixstreams.kafka.configuration import ConnectionConfig
from quixstreams.models.serializers import SerializationContext, Serializer

from tests.bench.job import COMMIT_SECONDS, CONSUMER, PRODUCER, Given, Job


class Second(Serializer):  # type: ignore[misc]  # it comes from an environment of its own
    """Of (topic, bytes) the bytes: how a value carries its topic."""

    def __call__(self, value: tuple[str, bytes], ctx: SerializationContext) -> bytes:
        """The bytes to send."""
        return value[1]


def build(given: Given) -> Any:
    """The application: one message in, one or three out, with the signature as a header."""
    app = Application(
        broker_address=ConnectionConfig.from_librdkafka_dict(given.client, ignore_extras=True),
        consumer_group=given.group,
        auto_offset_reset="earliest",
        commit_interval=COMMIT_SECONDS,
        auto_create_topics=False,
        loglevel="ERROR",
        producer_extra_config=dict(PRODUCER),
        consumer_extra_config=dict(CONSUMER),
    )
    job = Job(given)
    source = app.topic(given.source, key_deserializer="bytes", value_deserializer="bytes")
    members = ("all",) if given.job == "pass" else ("AE", "AZ", "EG", "KZ", "MA", "TR")
    sinks = {
        name: app.topic(name, key_serializer="bytes", value_serializer=Second())
        for name in (f"{given.sink}.{member}" for member in members)
    }

    def work(value: bytes, _key: object, _time: int, headers: Any) -> list[tuple[str, bytes]]:
        found = dict(headers)
        return [(topic, value) for topic in job.topics(value, found["sig"], found["hub"])]

    frame = app.dataframe(source).apply(work, metadata=True, expand=True)
    frame = frame.set_headers(lambda _value, _key, _time, headers: [h for h in headers if h[0] == "sig"])
    frame.to_topic(lambda value, _key, _time, _headers: sinks[value[0]])
    return app


def main() -> None:
    """Work until SIGTERM."""
    build(Given.load(sys.argv[1])).run()


if __name__ == "__main__":
    main()
