"""Logs: one line an event, no text under a key that nobody listed, no value in a traceback."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from manara.errors import StoreError
from manara.telemetry import KEYS, WITHHELD, configure_logging, configure_quiet, guard, places


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What a process has logged."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    out = io.StringIO()
    configure_logging("gate", "auto", "info", out)
    yield out
    structlog.reset_defaults()
    root.handlers, root.level = before


def only(out: io.StringIO) -> dict[str, Any]:
    """The one line there is."""
    [line] = out.getvalue().splitlines()
    value: dict[str, Any] = json.loads(line)
    return value


def test_a_line_is_json_with_time_process_event_and_level(lines: io.StringIO) -> None:
    """In that order, so that a person finds it, too."""
    structlog.get_logger().info("Batch done", topic="alerts.v1.az-customs", messages=3)
    line = only(lines)
    assert list(line)[:3] == ["at", "process", "event"]
    assert (line["process"], line["event"], line["level"]) == ("gate", "Batch done", "info")
    assert (line["topic"], line["messages"]) == ("alerts.v1.az-customs", 3)
    assert line["at"].endswith("Z")


@given(
    st.dictionaries(
        st.text(min_size=1), st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.lists(st.text()))
    )
)
def test_a_text_passes_under_a_listed_key_alone(event: dict[str, Any]) -> None:
    """Numbers and yes/no pass under any."""
    for key, value in dict(guard(None, "info", dict(event))).items():
        if key in KEYS or isinstance(event[key], (int, type(None))):
            assert value == event[key]
        else:
            assert value == WITHHELD


def test_no_key_for_persons_is_listed() -> None:
    """The list would be worth nothing."""
    assert not KEYS & {
        "name",
        "names",
        "full",
        "narrative",
        "text",
        "value",
        "password",
        "secret",
        "record",
        "identifier",
    }


def test_a_traceback_keeps_places_and_no_values(lines: io.StringIO) -> None:
    """The message of a foreign exception may quote what it choked on."""
    try:
        int("Ivan Ivanov")
    except ValueError:
        structlog.get_logger().exception("It failed")
    line = only(lines)
    assert "Ivan" not in lines.getvalue()
    assert line["error"] == "ValueError"
    assert line["where"][0].startswith("test_telemetry.py:")


def test_our_own_errors_keep_their_sentences(lines: io.StringIO) -> None:
    """They are written for people and hold no data."""
    try:
        raise StoreError("The disk is full.", "Free some space.")
    except StoreError as error:
        structlog.get_logger().error("It failed", exc_info=error)
    line = only(lines)
    assert (line["problem"], line["remedy"]) == ("The disk is full.", "Free some space.")


def test_a_librarys_line_comes_through_once(lines: io.StringIO) -> None:
    """librdkafka says the same thing many times a second."""
    for _ in range(100):
        logging.getLogger("librdkafka").warning("FAIL %s", "connection refused")
    line = only(lines)
    assert (line["event"], line["logger"], line["message"]) == (
        "A library reports",
        "librdkafka",
        "FAIL connection refused",
    )


def test_a_librarys_chatter_does_not_come_through(lines: io.StringIO) -> None:
    """Only warnings and worse."""
    logging.getLogger("aiokafka").info("fetching")
    assert lines.getvalue() == ""


def test_a_command_is_silent_but_for_its_sentences(capfd: pytest.CaptureFixture[str]) -> None:
    """Its log would only repeat them."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    configure_quiet(debug=False)
    structlog.get_logger().warning("The Kafka client complains", problem="x")
    logging.getLogger("librdkafka").error("FAIL")
    structlog.reset_defaults()
    root.handlers, root.level = before
    assert capfd.readouterr() == ("", "")


def test_places_name_file_line_and_function() -> None:
    """Outermost first."""
    with pytest.raises(ZeroDivisionError) as caught:
        _inner()
    found = places(caught.value.__traceback__)
    assert [place.split()[1] for place in found] == ["test_places_name_file_line_and_function", "_inner"]


def _inner() -> None:
    _ = 1 / 0
