"""Errors of Kafka and of the operating system become sentences that say what to do."""

from __future__ import annotations

import errno
import os

import pytest
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from manara import kafka
from manara.errors import BrokerError, Cause, InputError, StoreError, in_words
from manara.kafka import Problem
from manara.settings import KafkaSettings, Security

SETTINGS = KafkaSettings(bootstrap="broker:9092", username="az-customs", password="hidden-pass")
CODES = sorted(
    {code for name in dir(KafkaError) if name.isupper() and isinstance(code := getattr(KafkaError, name), int)}
)


@pytest.mark.parametrize(
    ("code", "cause", "said"),
    [
        (KafkaError._AUTHENTICATION, Cause.LOGIN, "does not accept the user az-customs"),
        (KafkaError._SSL, Cause.TLS, "certificate that we do not trust"),
        (KafkaError._ALL_BROKERS_DOWN, Cause.UNREACHABLE, "broker:9092"),
        (KafkaError._RESOLVE, Cause.UNREACHABLE, "broker:9092"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Cause.RIGHTS, "no right to the topic alerts.v1.x"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, Cause.RIGHTS, "no right to the consumer group"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, Cause.RIGHTS, "administer"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, Cause.TOPIC, "does not exist"),
        (KafkaError.UNSUPPORTED_VERSION, Cause.VERSION, "too old"),
        (KafkaError._UNSUPPORTED_FEATURE, Cause.VERSION, "too old"),
        (KafkaError.MSG_SIZE_TOO_LARGE, Cause.REFUSED, "larger"),
    ],
)
def test_each_refusal_of_kafka_has_a_sentence_and_a_remedy(code: int, cause: Cause, said: str) -> None:
    """The cause is a label of a metric, the sentence is for people."""
    error = kafka.words(KafkaError(code, "raw text"), SETTINGS, what="alerts.v1.x")
    assert error.cause is cause
    assert said in error.message
    assert error.remedy
    assert "raw text" not in str(error)


@given(st.sampled_from(CODES), st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_no_code_of_kafka_is_without_words(code: int, raw: str) -> None:
    """Also one that nobody has thought of; the library's text, which may hold data, is never repeated."""
    raw = f"Private {raw}"
    error = kafka.words(KafkaError(code, raw), SETTINGS)
    assert error.message
    assert error.remedy
    assert raw not in str(error)
    assert "hidden-pass" not in str(error)


def test_a_certificate_alert_of_tls_1_3_is_a_matter_of_certificates() -> None:
    """It arrives as a transport error after the client believed all was well."""
    raw = "ssl://h:1: Disconnected: tlsv13 alert certificate required: SSL alert number 116"
    assert kafka.words(KafkaError(KafkaError._TRANSPORT, raw), SETTINGS).cause is Cause.TLS


def test_the_true_cause_outlives_the_complaint_that_follows_it() -> None:
    """librdkafka says "all brokers down" after each refused login."""
    problem = Problem(SETTINGS)
    problem(KafkaError(KafkaError._AUTHENTICATION, "x"))
    problem(KafkaError(KafkaError._ALL_BROKERS_DOWN, "x"))
    with pytest.raises(BrokerError, match="does not accept the user"):
        problem.raise_if_fatal()
    assert problem.after(5).cause is Cause.LOGIN


def test_a_refused_connection_says_more_than_all_brokers_down() -> None:
    """In whichever order they come."""
    problem = Problem(SETTINGS)
    problem(KafkaError(KafkaError._ALL_BROKERS_DOWN, "2/2 brokers are down"))
    problem(KafkaError(KafkaError._TRANSPORT, "Connect to ipv4#127.0.0.1:9 failed: Connection refused"))
    problem(KafkaError(KafkaError._ALL_BROKERS_DOWN, "2/2 brokers are down"))
    assert "the connection is refused" in problem.after(5).message


def test_an_absent_broker_is_worth_waiting_for() -> None:
    """It ends no process: a broker that restarts comes back."""
    problem = Problem(SETTINGS)
    problem(KafkaError(KafkaError._ALL_BROKERS_DOWN, "x"))
    problem.raise_if_fatal()
    problem.clear()
    assert problem.error is None


def test_a_group_that_was_never_joined_is_noise() -> None:
    """A reader that assigns is not ended by it."""
    error = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED, "x")
    problem = Problem(SETTINGS)
    problem(error)
    assert kafka.is_noise(error)
    assert problem.error is None


def test_silence_is_explained_by_what_it_can_be() -> None:
    """SSL to a SASL port says nothing at all."""
    said = Problem(SETTINGS).after(5)
    assert "no answer within 5 s" in said.message
    assert "MANARA_KAFKA__SECURITY" in said.remedy


def test_extra_parameters_are_named_with_underscores() -> None:
    """Callbacks keep their names."""
    made = kafka._parameters(
        SETTINGS.model_copy(update={"security": Security.PLAINTEXT}),
        {"linger.ms": 1},
        None,
        {"linger_ms": 5, "on_delivery": print},
    )
    assert made["linger.ms"] == 5
    assert made["on_delivery"] is print


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [
        (errno.ENOSPC, StoreError, "disk is full"),
        (errno.ENOENT, InputError, "no such file"),
        (errno.EACCES, Exception, "permission denied"),
        (errno.EADDRINUSE, Exception, "taken by another program"),
        (errno.EIO, Exception, "input/output error"),
    ],
)
def test_the_operating_systems_refusals_are_sentences(number: int, kind: type[Exception], said: str) -> None:
    """With the path that it is about."""
    said_ = in_words(OSError(number, os.strerror(number), "/some/place"))
    assert isinstance(said_, kind)
    assert said in said_.message
    assert said_.remedy


def test_a_login_that_broke_off_on_our_side_is_no_wrong_password() -> None:
    """On a busy machine a connection ends in the middle of the login: worth another try, not fatal."""
    problem = Problem(SETTINGS)
    problem(
        KafkaError(
            KafkaError._AUTHENTICATION,
            "sasl_ssl://127.0.0.1:28161/1: SASL authentication error: SaslAuthenticateRequest failed: "
            "Local: Timed out in queue (after 0ms in state DOWN)",
        )
    )
    problem.raise_if_fatal()
    assert problem.error is not None
    assert problem.error.cause is Cause.UNREACHABLE
    problem(KafkaError(KafkaError._AUTHENTICATION, "SASL authentication error: Authentication failed"))
    with pytest.raises(BrokerError, match="password"):
        problem.raise_if_fatal()
