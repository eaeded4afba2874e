"""S4, Faust as it comes: one record at a time, `topic.send`, no hardening. `python -m tests.bench.stock_faust FILE`."""

from __future__ import annotations

import logging
import ssl
import sys
from typing import Any

import faust

from tests.bench.job import COMMIT_SECONDS, PRODUCER, Given, Job


# Over 40 lines because it is what users write: one function with the agent inside, as in the documentation of Faust.
def build(given: Given) -> Any:
    """The application, with the settings that the others have, as far as Faust has them."""
    client = given.client
    context = ssl.create_default_context(cafile=client["ssl.ca.location"])
    app = faust.App(
        given.group,
        broker=f"kafka://{client['bootstrap.servers']}",
        broker_credentials=faust.SASLCredentials(
            username=client["sasl.username"],
            password=client["sasl.password"],
            mechanism=client["sasl.mechanism"],
            ssl_context=context,
        ),
        datadir=given.folder,
        store="memory://",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_commit_interval=COMMIT_SECONDS,
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_batch_size=PRODUCER["batch.size"],
        producer_compression_type="zstd",
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    job = Job(given)
    raw: dict[str, Any] = {"key_serializer": "raw", "value_serializer": "raw"}
    topics: dict[str, Any] = {}

    async def work(stream: Any) -> None:
        async for event in stream.events():
            headers = dict(event.headers)
            for name in job.topics(event.value, headers["sig"], headers["hub"]):
                topic = topics.get(name)
                if topic is None:
                    topic = topics[name] = app.topic(name, **raw)
                await topic.send(key=event.key, value=event.value, headers={"sig": headers["sig"]})

    app.agent(app.topic(given.source, **raw), name="work")(work)
    return app


def main() -> None:
    """Work until SIGTERM."""
    given = Given.load(sys.argv[1])
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.argv = ["stock_faust", "worker", "-l", "error", "--without-web"]
    build(given).main()


if __name__ == "__main__":
    main()
