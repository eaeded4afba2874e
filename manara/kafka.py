"""Kafka clients, made one way, and what they report turned into sentences.

An authentication failure never reaches a delivery report (which says "timed out") nor a call (which says "transport"):
it reaches the `error_cb` alone. So every client made here has a `Problem` as its `error_cb`; whoever waits for
something asks it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from typing import Any

import confluent_kafka.admin
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AdminClient

from manara import metrics
from manara.errors import BrokerError, Cause
from manara.settings import KafkaSettings

_kafka: Any = confluent_kafka.admin  # its stubs hide most of what it exports
LIBRDKAFKA_LOG = "librdkafka"
REPEAT_SECONDS = 30.0
"""The same complaint of a client is logged once in this time: librdkafka repeats it many times a second."""
PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "zstd",
    "partitioner": "murmur2_random",
    "linger.ms": 1,
    "batch.size": 262_144,
    "message.max.bytes": 1_000_000,
    "delivery.timeout.ms": 120_000,
    "request.timeout.ms": 15_000,
}
CONSUMER = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # never start silently in the middle or at the end: the owner of a position says what a lost one means
    "auto.offset.reset": "error",
    # an inflated batch above this is refused, not swallowed: a 15 KB bomb inflates to 500 MB
    "receive.message.max.bytes": 8_000_000,
    "fetch.max.bytes": 4_000_000,
    # the default of a second makes the fetcher sleep whenever its queue is full
    "fetch.queue.backoff.ms": 10,
    "allow.auto.create.topics": False,
    "enable.partition.eof": False,
}
OBJECTS = frozenset({"error_cb", "log_cb", "stats_cb", "throttle_cb", "on_delivery", "logger", "log_level", "oauth_cb"})
"""Parameters of the binding itself, whose names keep their underscores."""


class Problem:
    """The `error_cb` of a client: remembers what went wrong, in words.

    One object may serve several clients to the same cluster. `error` is the last complaint that an answer has not
    disproved.
    """

    def __init__(self, kafka: KafkaSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.error: BrokerError | None = None
        self.fatal = False
        self._kafka = kafka
        self._clock = clock
        self._logged: tuple[str, float] = ("", 0.0)

    def __call__(self, error: KafkaError) -> None:
        """Take a complaint from the client; called by its `poll`."""
        if is_noise(error):
            return
        said = words(error, self._kafka)
        if self.error is None or said.cause is not Cause.UNREACHABLE or self._says_more(error):
            self.error = said
        self.fatal = self.fatal or error.fatal() or said.cause in (Cause.LOGIN, Cause.TLS, Cause.VERSION)
        metrics.broker_errors.labels(cause=said.cause.value).inc()
        self._log(said, error)

    def raise_if_fatal(self) -> None:
        """Raise the `BrokerError` that no waiting will cure: wrong password, unknown authority, fenced client."""
        if self.fatal and self.error is not None:
            raise self.error

    def after(self, seconds: float) -> BrokerError:
        """What to say when nothing has answered for `seconds`."""
        return self.error or unreachable(self._kafka, f"no answer within {seconds:.0f} s")

    def clear(self) -> None:
        """The cluster has answered: what was said before no longer holds."""
        if not self.fatal:
            self.error = None

    def _says_more(self, error: KafkaError) -> bool:
        """ "All brokers down" follows the true cause and says less than it."""
        known = self.error is not None and self.error.cause is not Cause.UNREACHABLE
        return not known and error.code() != KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001

    def _log(self, said: BrokerError, error: KafkaError) -> None:
        text, at = self._logged
        if text != said.message or self._clock() - at > REPEAT_SECONDS:
            self._logged = (said.message, self._clock())
            structlog.get_logger().warning(
                "The Kafka client complains",
                problem=said.message,
                remedy=said.remedy,
                code=error.name(),
                cause=said.cause.value,
            )


def producer(kafka: KafkaSettings, *, problem: Problem | None = None, **extra: object) -> Producer:
    """A producer that loses nothing by itself: acks=all, idempotent, zstd, the partitioner of Java.

    `extra` names parameters with underscores for dots: `linger_ms=5`.
    """
    return Producer(_parameters(kafka, PRODUCER, problem, extra))


def consumer(kafka: KafkaSettings, group: str = "", *, problem: Problem | None = None, **extra: object) -> Consumer:
    """A consumer that commits nothing by itself and refuses batches that inflate too far.

    Without a group it is for `assign` alone; librdkafka wants a name even then, which never reaches the broker.
    """
    return Consumer(_parameters(kafka, CONSUMER | {"group.id": group or "unused"}, problem, extra))


def admin(kafka: KafkaSettings, *, problem: Problem | None = None, **extra: object) -> AdminClient:
    """A client for administration. Keep it until its futures are done: they die with it."""
    return AdminClient(_parameters(kafka, {}, problem, extra))  # type: ignore[arg-type]  # its stub forgets callbacks


def reach(client: Producer | Consumer | AdminClient, problem: Problem, timeout: float = 10.0) -> None:
    """Wait until the cluster answers this client.

    Raises `BrokerError` as soon as the cause is known, else after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            client.list_topics(timeout=min(1.0, timeout))
        except KafkaException as error:
            cause = error.args[0]
            if cause.code() not in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):  # noqa: SLF001
                problem(cause)
        else:
            problem.clear()
            return
        _serve(client)
        problem.raise_if_fatal()
        if time.monotonic() >= deadline:
            raise problem.after(timeout)


def check_topic(
    client: Producer | Consumer | AdminClient, kafka: KafkaSettings, topic: str, timeout: float = 5.0
) -> None:
    """Raise the `BrokerError` that says why a topic cannot be used; return when it can be seen.

    A reader that assigns a topic without a right to it hears nothing at all, so whoever waits for one asks here.
    """
    try:
        found = client.list_topics(topic, timeout=timeout).topics[topic].error
    except KafkaException as error:
        raise words(error.args[0], kafka, what=topic) from error
    if found is not None:
        raise words(found, kafka, what=topic)


def _serve(client: Producer | Consumer | AdminClient) -> None:
    """Let the client call its `error_cb`. A consumer that has partitions is left alone: its `poll` takes a message."""
    if not isinstance(client, Consumer) or not client.assignment():
        client.poll(0)


def is_noise(error: KafkaError) -> bool:
    """Whether this is what librdkafka says about a group to a consumer that has none.

    A consumer that only assigns looks for its group's coordinator all the same, and a member's principal has no right
    to any group. The complaint comes by `poll` as a message's error: pass over it. Who joins a group hears of a missing
    right by `subscribe`'s topics standing still, and `manara doctor` checks it.
    """
    return bool(error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED)


def topic_ids(client: AdminClient, topics: Collection[str], timeout: float = 10.0) -> dict[str, str]:
    """The id of each topic that exists, 32 hex digits; a topic made anew under its old name has another one."""
    described: dict[str, str] = {}
    if not topics:
        return described
    for name, future in client.describe_topics(TopicCollection(list(topics)), request_timeout=timeout).items():
        try:
            description = future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue
            raise
        described[name] = hex_id(description.topic_id)
    return described


def without_log_time(client: AdminClient, topics: Collection[str], timeout: float = 10.0) -> list[str]:
    """Those topics whose records carry the time of whoever wrote them, not the broker's.

    Topics that are not there (any more), or whose settings we may not see, are left out.
    """
    found: list[str] = []
    if not topics:
        return found
    asked = [_kafka.ConfigResource(_kafka.ConfigResource.Type.TOPIC, name) for name in topics]
    for resource, future in client.describe_configs(asked, request_timeout=timeout).items():
        try:
            settings: Any = future.result()
        except KafkaException as error:
            if error.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED):
                continue
            raise
        if settings["message.timestamp.type"].value != "LogAppendTime":
            found.append(resource.name)
    return sorted(found)


def hex_id(uuid: Any) -> str:
    """Kafka's UUID, which comes as two signed 64-bit halves, as 32 hex digits."""
    mask = (1 << 64) - 1
    return f"{uuid.get_most_significant_bits() & mask:016x}{uuid.get_least_significant_bits() & mask:016x}"


def words(error: KafkaError, kafka: KafkaSettings, *, what: str = "") -> BrokerError:
    """An error of Kafka as a sentence and its remedy. `what` names the topic or thing it is about.

    librdkafka's own text is not repeated: for rights it is an unreadable dump of a request, which may hold data.
    """
    code, text = error.code(), error.str()
    if code == KafkaError._AUTHENTICATION and "failed: Local:" in text:  # noqa: SLF001
        # the client's own end of a connection that broke during the login: the broker has said nothing about us
        return unreachable(kafka, "the connection ended before the login was answered")
    if code in _TABLE:
        cause, sentence, remedy = _TABLE[code]
        return BrokerError(
            sentence.format(at=kafka.bootstrap, who=_who(kafka), what=what or "this"), remedy, cause=cause
        )
    if "alert" in text and "SSL" in text:  # in TLS 1.3 the server refuses after the client believes all is well
        return BrokerError(
            f"The broker at {kafka.bootstrap} refuses our certificate.",
            "Set kafka.certificate and kafka.key to a pair that it trusts and that has not expired.",
            cause=Cause.TLS,
        )
    if code in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT):  # noqa: SLF001
        return unreachable(kafka, _network(text))
    return BrokerError(
        f"Kafka at {kafka.bootstrap} reports {error.name()}.", "See the broker's log.", cause=Cause.CLIENT
    )


def unreachable(kafka: KafkaSettings, detail: str) -> BrokerError:
    """Nobody answers: the remedy names what it can be, since a dead port and a wrong protocol look alike."""
    return BrokerError(
        f"No Kafka broker can be reached at {kafka.bootstrap}: {detail}.",
        f"Check that one runs there, that the address is right, and that the port speaks {kafka.security.value} "
        "(MANARA_KAFKA__BOOTSTRAP, MANARA_KAFKA__SECURITY).",
    )


def _network(text: str) -> str:
    lowered = text.lower()
    if "refused" in lowered:
        return "the connection is refused"
    if "resolve" in lowered or "name or service" in lowered:
        return "the name is not known"
    if "disconnected" in lowered or "ssl" in lowered:
        return "the broker closes the connection, as it does when client and port speak different protocols"
    return "nobody answers, or not in this protocol"


def _who(kafka: KafkaSettings) -> str:
    return kafka.username or "this client"


def _parameters(
    kafka: KafkaSettings, base: dict[str, object], problem: Problem | None, extra: dict[str, object]
) -> dict[str, object]:
    given = {name if name in OBJECTS else name.replace("_", "."): value for name, value in extra.items()}
    ours: dict[str, object] = {"error_cb": problem or Problem(kafka), "logger": logging.getLogger(LIBRDKAFKA_LOG)}
    return base | kafka.librdkafka() | ours | given


_RIGHTS = "`manara topics apply` gives each principal what the catalogue says; should it have this right, run it."
_TABLE: dict[int, tuple[Cause, str, str]] = {
    KafkaError._AUTHENTICATION: (  # noqa: SLF001
        Cause.LOGIN,
        "The broker at {at} does not accept the user {who} or its password.",
        "Check kafka.username and kafka.password_file; the operator makes a new password with `manara topics apply`.",
    ),
    KafkaError.SASL_AUTHENTICATION_FAILED: (
        Cause.LOGIN,
        "The broker at {at} does not accept the user {who} or its password.",
        "Check kafka.username and kafka.password_file; the operator makes a new password with `manara topics apply`.",
    ),
    KafkaError._SSL: (  # noqa: SLF001
        Cause.TLS,
        "The broker at {at} shows a certificate that we do not trust.",
        "Set kafka.ca (MANARA_KAFKA__CA) to the PEM file of the authority that signed it, and use its name.",
    ),
    KafkaError.TOPIC_AUTHORIZATION_FAILED: (
        Cause.RIGHTS,
        "{who} has no right to the topic {what}, or it does not exist.",
        _RIGHTS,
    ),
    KafkaError.GROUP_AUTHORIZATION_FAILED: (Cause.RIGHTS, "{who} has no right to the consumer group {what}.", _RIGHTS),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: (
        Cause.RIGHTS,
        "{who} has no right to administer the cluster.",
        "Use the broker's administrator for this command.",
    ),
    KafkaError.UNKNOWN_TOPIC_OR_PART: (
        Cause.TOPIC,
        "The topic {what} does not exist at {at}, or {who} may not see it.",
        "Run `manara topics apply` as the broker's administrator.",
    ),
    KafkaError._UNKNOWN_TOPIC: (  # noqa: SLF001
        Cause.TOPIC,
        "The topic {what} does not exist at {at}, or {who} may not see it.",
        "Run `manara topics apply` as the broker's administrator.",
    ),
    KafkaError.UNSUPPORTED_VERSION: (
        Cause.VERSION,
        "The broker at {at} is too old for what this program asks of it.",
        "Use Apache Kafka 4.0 or newer; 4.3 is what it is tested with.",
    ),
    KafkaError._UNSUPPORTED_FEATURE: (  # noqa: SLF001
        Cause.VERSION,
        "The broker at {at} is too old for what this program asks of it.",
        "Use Apache Kafka 4.0 or newer; 4.3 is what it is tested with.",
    ),
    KafkaError.MSG_SIZE_TOO_LARGE: (
        Cause.REFUSED,
        "The message for {what} is larger than the topic allows.",
        "Send less in one.",
    ),
    KafkaError._MSG_TIMED_OUT: (  # noqa: SLF001
        Cause.UNREACHABLE,
        "The broker at {at} did not confirm a message in time.",
        "Check the cluster's health; what was accepted is kept and sent again.",
    ),
    KafkaError._FENCED: (  # noqa: SLF001
        Cause.CLIENT,
        "Another process has taken this one's place.",
        "One process a slot: stop the other, or give it another slot.",
    ),
}
