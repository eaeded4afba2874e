"""The codec: strict on the way out, suspicious on the way in, one encoding for each record."""

# Over 400 lines because every way to break one encoding stands beside the others: a gap is seen at once.
from __future__ import annotations

import copy
import io
import struct
import tracemalloc
from typing import Any

import fastavro
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas import codec
from schemas.checker import checker_of
from schemas.errors import EncodeError, MalformedError, NotCanonicalError, UndecodableError
from schemas.generate_reader import HOT
from schemas.registry import NUMBERS, Schema, by_name
from schemas.vectors.network import inputs
from tests.support import samples, spellings, strategies
from tests.support.spellings import number

SCHEMAS = [by_name(name) for name in NUMBERS]
PERSON = by_name("person")
drawn = st.sampled_from(SCHEMAS).flatmap(lambda schema: st.tuples(st.just(schema), strategies.records(schema)))


@given(drawn)
def test_any_record_comes_back_as_it_went(pair: tuple[Schema, dict[str, Any]]) -> None:
    """Every schema, every valid record, in canonical bytes."""
    schema, record = pair
    body = codec.encode(schema, record)
    assert codec.decode(schema, body) == record
    assert codec.canonical(schema, codec.decode(schema, body), body)
    assert codec.unframe(codec.frame(schema, body)) == (schema.id, body)


@given(drawn, st.data())
def test_no_other_bytes_are_canonical(pair: tuple[Schema, dict[str, Any]], data: st.DataObject) -> None:
    """Any change to the bytes is undecodable, not canonical, or another record."""
    schema, record = pair
    body = codec.encode(schema, record)
    place = data.draw(st.integers(0, len(body)))
    cut = data.draw(st.integers(0, 4))
    other = body[:place] + data.draw(st.binary(max_size=4)) + body[place + cut :]
    assume(other != body)
    try:
        found = codec.decode(schema, other)
    except UndecodableError:
        return
    assert not codec.canonical(schema, found, other) or repr(found) != repr(record)


@given(st.sampled_from(SCHEMAS), st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(schema: Schema, body: bytes) -> None:
    """Nothing but UndecodableError leaves the decoder; what decodes can be judged."""
    try:
        record = codec.decode(schema, body)
    except UndecodableError:
        return
    codec.canonical(schema, record, body)


def text(value: str) -> bytes:
    """A text as Avro writes it."""
    return number(len(value.encode())) + value.encode()


def hub(members: bytes, mode: bytes = number(1)) -> bytes:
    """A HubHeader's body with the bytes of its list as given."""
    return mode + members + number(1) + text("") + text("salt")


A, B = text("AE"), text("AZ")
CANONICAL = hub(number(2) + A + B + number(0))
OTHER_SPELLINGS = {
    "two blocks": hub(number(1) + A + number(1) + B + number(0)),
    "negative count with size": hub(number(-2) + number(len(A + B)) + A + B + number(0)),
    "negative count with false size": hub(number(-2) + number(99) + A + B + number(0)),
    "padded count": hub(b"\x84\x00" + A + B + number(0)),
    "padded text length": hub(number(2) + b"\x84\x00AE" + B + number(0)),
    "padded end of the list": hub(number(2) + A + B + b"\x80\x00"),
    "padded enum": hub(number(2) + A + B + number(0), mode=b"\x82\x00"),
    "twenty bytes of padding": hub(number(2) + A + B + number(0), mode=b"\x82" + b"\x80" * 18 + b"\x00"),
    "enum from the end": hub(number(2) + A + B + number(0), mode=number(-3)),
    "trailing byte": CANONICAL + b"\x00",
    "itself twice": CANONICAL * 2,
}


def test_the_spelling_by_hand_is_the_canonical_one() -> None:
    """So the others differ from it by what their names say alone."""
    record = {"mode": "ALL", "members": ["AE", "AZ"], "sequence": 1, "previous": "", "salt": "salt"}
    assert codec.encode(by_name("hub"), record) == CANONICAL


@pytest.mark.parametrize("body", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS.keys())
def test_another_spelling_of_the_record_is_not_canonical(body: bytes) -> None:
    """The Avro library reads them; a signature over them would be a second message with the same meaning."""
    schema = by_name("hub")
    try:
        record = codec.decode(schema, body)
    except UndecodableError:
        return
    assert not codec.canonical(schema, record, body)


HOSTILE = {
    "empty": b"",
    "truncated": CANONICAL[:-1],
    "count of 2^31": hub(number(2**31))[:8],
    "count of 2^63-1": number(1) + number(2**63 - 1),
    "count of -2^63": number(1) + number(-(2**63)) + number(0),
    "text length of 2^40": number(1) + number(1) + number(2**40) + b"AE",
    "negative text length": number(1) + number(1) + number(-5) + b"AE",
    "enum index out of range": hub(number(0), mode=number(40)),
    "not UTF-8": hub(number(1) + number(2) + b"\xff\xfe" + number(0)),
    "endless varint": b"\xff" * 100,
    "all zeroes but short": b"\x00" * 3,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bytes_are_undecodable_and_cost_little(body: bytes) -> None:
    """Whatever count or length they claim."""
    tracemalloc.start()
    try:
        with pytest.raises(UndecodableError):
            codec.decode(by_name("hub"), body)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_union_branch_out_of_range_is_not_taken() -> None:
    """Neither past the end nor from the end."""
    schema = by_name("route")
    body = codec.encode(schema, samples.route())
    marker = codec.encode(schema, samples.route())[body.index(b"KZSCO") + 5 :][:2]  # code type, then the branch of lat
    assert marker[1:] == number(1)
    at = body.index(b"KZSCO") + 6
    for branch in (2, -1, -2, 2**40):
        other = body[:at] + number(branch) + body[at + 1 :]
        try:
            record = codec.decode(schema, other)
        except UndecodableError:
            continue
        assert not codec.canonical(schema, record, other)


def test_a_body_over_the_limit_is_not_looked_at() -> None:
    """The caller sets the limit."""
    body = codec.encode(PERSON, samples.person())
    assert codec.decode(PERSON, body, limit=len(body))
    with pytest.raises(UndecodableError, match="at most"):
        codec.decode(PERSON, body, limit=len(body) - 1)


def test_a_body_full_of_small_items_stays_within_bounds() -> None:
    """The worst that 64 KiB can do: a list of empty texts, one byte each."""
    body = number(1) + number(65_000) + b"\x00" * 65_000 + number(0) + number(1) + text("") + text("")
    tracemalloc.start()
    codec.decode(by_name("hub"), body)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


class Surprise(str):
    """Text that is not quite `str`: an enum's member, for example."""

    __slots__ = ()


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("person", {"unknown": 1}, "unknown"),
    ("person", {"names": None}, "names"),
    ("person", {"names": ({},)}, "names"),
    ("person", {"names": [{"full": "x"}]}, "names[0].parts"),
    ("person", {"description": 5}, "description"),
    ("person", {"description": b"x"}, "description"),
    ("person", {"description": None}, "description"),
    ("person", {"description": "\ud800"}, "description"),
    ("person", {"births": [{"date": "", "place": "x\udfff", "country": ""}]}, "births[0].place"),
    ("person", {"sex": "male"}, "sex"),
    ("person", {"sex": 1}, "sex"),
    ("person", {"warnings": ["ARMED", "DANGEROUS"]}, "warnings[1]"),
    ("person", {"header": samples.header(version=2**31)}, "header.version"),
    ("person", {"header": samples.header(version=True)}, "header.version"),
    ("person", {"header": samples.header(version=1.0)}, "header.version"),
    ("person", {"header": samples.header(version="1")}, "header.version"),
    ("person", {"header": samples.header(sent_at=2**63)}, "header.sent_at"),
    ("person", {"header": samples.header(extra="")}, "header.extra"),
    ("person", {"header": []}, "header"),
    ("route", {"waypoints": [samples.waypoint("A", "", "", lat=float("nan"))]}, "waypoints[0].lat"),
    ("route", {"waypoints": [samples.waypoint("A", "", "", lat=float("inf"))]}, "waypoints[0].lat"),
    ("route", {"waypoints": [samples.waypoint("A", "", "", lat="1")]}, "waypoints[0].lat"),
    ("route", {"waypoints": [samples.waypoint("A", "", "", lat=True)]}, "waypoints[0].lat"),
    ("transfer", {"transfers": [samples.payment(amount=9.5)]}, "transfers[0].amount"),
]


@pytest.mark.parametrize(("kind", "change", "path"), BROKEN)
def test_a_misfit_is_not_encoded(kind: str, change: dict[str, Any], path: str) -> None:
    """The library would write most of these; the error names the field."""
    with pytest.raises(EncodeError) as found:
        codec.encode(by_name(kind), samples.alert(kind, **change))
    assert found.value.path == path
    assert path in str(found.value)


def test_a_missing_field_is_named() -> None:
    """The library would fill in a default, once there are some."""
    record = samples.person()
    del record["sex"]
    with pytest.raises(EncodeError, match=r"^sex: is missing"):
        codec.encode(PERSON, record)


def test_a_subclass_of_text_is_text() -> None:
    """Reasons are members of an enum and travel as text."""
    plain = codec.encode(PERSON, samples.person(description="x"))
    assert codec.encode(PERSON, samples.person(description=Surprise("x"))) == plain


def test_whole_degrees_are_a_number() -> None:
    """An author writes 41 for 41.0."""
    waypoints = [samples.waypoint("A", "", "", lat=41, lon=49), samples.waypoint("B", "", "")]
    record = codec.decode(by_name("route"), codec.encode(by_name("route"), samples.route(waypoints=waypoints)))
    assert record["waypoints"][0]["lat"] == 41.0


def test_times_stay_numbers() -> None:
    """Microseconds, not datetimes: the parsed schemas have no logical types."""
    record = codec.decode(PERSON, codec.encode(PERSON, samples.person()))
    assert type(record["header"]["sent_at"]) is int


@pytest.mark.parametrize("value", [b"", b"\x00\x00\x00", b"\x01\x00\x00\x00\x00\x00", b"\x00\x00\x00\x27"])
def test_a_value_without_our_prefix_is_malformed(value: bytes) -> None:
    """Too short, or of another magic."""
    with pytest.raises(MalformedError):
        codec.unframe(value)


@given(drawn)
def test_another_avro_library_writes_the_same_bytes(pair: tuple[Schema, dict[str, Any]]) -> None:
    """The pure Python writer of the same project shares no code with the compiled one."""
    schema, record = pair
    from fastavro._write_py import schemaless_writer

    buffer = io.BytesIO()
    schemaless_writer(buffer, fastavro.parse_schema(schema.parsed), record)
    assert buffer.getvalue() == codec.encode(schema, record)


def judged_by_the_library(schema: Schema, body: bytes) -> object:
    """What the Avro library alone makes of the bytes: the record of canonical ones, else what is wrong."""
    try:
        record = codec._decode(schema, body, codec.MAX_BODY)
    except UndecodableError:
        return UndecodableError
    return record if codec.canonical(schema, record, body) else NotCanonicalError


def judged(schema: Schema, body: bytes) -> object:
    """What `read` makes of them."""
    try:
        return codec.read(schema, body)
    except (UndecodableError, NotCanonicalError) as error:
        return type(error)


@given(drawn)
def test_generated_code_reads_what_the_library_reads(pair: tuple[Schema, dict[str, Any]]) -> None:
    """And does it alone: valid records do not fall back."""
    schema, record = pair
    body = codec.encode(schema, record)
    assert judged(schema, body) == judged_by_the_library(schema, body) == record
    if schema.name in HOT:
        assert codec._read_canonical(schema, body) == record


@given(drawn, st.data())
def test_generated_code_takes_nothing_that_the_library_would_not(
    pair: tuple[Schema, dict[str, Any]], data: st.DataObject
) -> None:
    """Bytes altered at random: the same judgement, so the fast way lets nothing slip."""
    schema, record = pair
    body = codec.encode(schema, record)
    place = data.draw(st.integers(0, len(body)))
    other = body[:place] + data.draw(st.binary(max_size=3)) + body[place + data.draw(st.integers(0, 3)) :]
    assert repr(judged(schema, other)) == repr(judged_by_the_library(schema, other))


@given(st.sampled_from(SCHEMAS), st.binary(max_size=120))
def test_generated_code_judges_random_bytes_as_the_library_does(schema: Schema, body: bytes) -> None:
    """The same for bytes that never were a record."""
    assert repr(judged(schema, body)) == repr(judged_by_the_library(schema, body))


@pytest.mark.parametrize("body", [*OTHER_SPELLINGS.values(), *HOSTILE.values()])
def test_generated_code_does_not_take_another_spelling(body: bytes) -> None:
    """Each trick by name."""
    assert codec._read_canonical(by_name("hub"), body) is None


def test_numbers_that_are_not_of_the_type_are_not_read() -> None:
    """The library reads an int of 40 bits and writes it again; whoever re-encodes it would fail there."""
    schema = by_name("person")
    body = codec.encode(schema, samples.person())
    at = body.index(b"\x02\x02\x02")  # category WNT, version 1, message ALERT: each a zigzag 1
    assert codec.read(schema, body[: at + 1] + number(2**31 - 1) + body[at + 2 :])["header"]["version"] == 2**31 - 1
    large = body[: at + 1] + number(2**31) + body[at + 2 :]
    assert judged(schema, large) is NotCanonicalError


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_position_that_is_no_number_is_not_read(number: str) -> None:
    """Comparisons with it would be false both ways."""
    schema = by_name("route")
    body = codec.encode(schema, samples.route())
    other = body.replace(struct.pack("<d", 43.6), struct.pack("<d", float(number)))
    assert other != body
    assert judged(schema, other) is NotCanonicalError


@given(drawn)
def test_generated_code_writes_what_the_library_writes(pair: tuple[Schema, dict[str, Any]]) -> None:
    """And does it alone: valid records do not fall back."""
    schema, record = pair
    assert codec.encode(schema, record) == codec._write(schema, record)
    if schema.name in HOT:
        assert codec._write_fitting(schema, record) == codec._write(schema, record)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key (or index) in a record, where something else can be put."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [found for key in keys for found in [(value, key), *places(value[key])]]


odd: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    float("nan"),
    2**31,
    -(2**31) - 1,
    2**63,
    -(2**63) - 1,
    "x",
    "\ud800",
    b"x",
    [],
    {},
    (),
)
SAMPLES: list[tuple[str, dict[str, Any]]] = [
    *((name, inputs()[name]) for name in ("person", "route", "transfer", "end", "verdict", "receipt")),
    ("hub", inputs()["audience"]["listed"]),
]


@pytest.mark.parametrize(("name", "record"), SAMPLES, ids=[name for name, _ in SAMPLES])
def test_generated_code_takes_no_record_that_the_checker_refuses(name: str, record: dict[str, Any]) -> None:
    """Each value replaced by everything odd, and each record with a field more: written only if it fits."""
    schema, record = by_name(name), copy.deepcopy(record)
    for container, key in places(record):
        kept = container[key]
        for value in odd:
            container[key] = value
            fast = codec._write_fitting(schema, record)
            assert (fast is None) == (
                checker_of(schema)(record) is not None or value == "\ud800" or _converts(value, kept)
            )
            assert fast is None or fast == codec._write(schema, record)
        container[key] = kept
        if isinstance(container, dict):
            container["more"] = ""
            assert codec._write_fitting(schema, record) is None
            del container["more"]
    assert codec._write_fitting(schema, record) == spellings.plain(schema, record)


def _converts(value: object, kept: object) -> bool:
    """A whole number for degrees: it fits, but the generated code leaves it to the library."""
    return type(value) is int and isinstance(kept, float)


def doubled(value: Any) -> Any:
    """A record with every item of its lists twice, so that each list can be split."""
    if isinstance(value, dict):
        return {name: doubled(item) for name, item in value.items()}
    return [doubled(item) for item in value for _ in range(2)] if isinstance(value, list) else value


@pytest.mark.parametrize(("name", "record"), SAMPLES, ids=[name for name, _ in SAMPLES])
def test_every_other_spelling_is_caught_wherever_it_stands(name: str, record: dict[str, Any]) -> None:
    """Numbers padded, arrays split, counts negative, indexes from the end: at each place of the record."""
    schema, record = by_name(name), doubled(record)
    assert spellings.plain(schema, record) == codec.encode(schema, record)
    seen = set()
    for deviation, body in spellings.all_of(schema, record):
        seen.add(deviation)
        assert codec._read_canonical(schema, body) is None, deviation
        with pytest.raises((UndecodableError, NotCanonicalError)):
            codec.read(schema, body)
    assert {"padded length", "padded number", "negative count", "padded count", "two blocks"} <= seen


@given(drawn)
def test_the_encoder_of_the_tests_agrees_on_the_canonical_spelling(pair: tuple[Schema, dict[str, Any]]) -> None:
    """A third implementation, from the specification."""
    schema, record = pair
    assert spellings.plain(schema, record) == codec.encode(schema, record)
