"""The directory file: read back as written, every fault at once with its line, keys appended without harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from manara import keys
from manara.commands.directory import differences, next_record, unpinned
from manara.directory_file import DirectoryDraft, append_key, dump_yaml, key_lines, load_yaml, parse
from manara.errors import DirectoryFileError, InputError
from schemas.signature import SigningKey
from tests.support.directories import DAY, NOW, Network, key_of, network

DEMO = Path(__file__).parents[2] / "deploy" / "demo" / "directory.yaml"
FAULTS = """\
directory_seq: x
members:
  - {code: az, name: Azerbaijan, standing: OK, tlp: RED, handling: [H9], subscriptions: [person, cars]}
  - {code: NO, name: Norway, standing: GOOD, tlp: RED, handling: [], subscriptions: [], colour: red}
  - {code: NO, name: Norway, standing: GOOD, tlp: RED, handling: [], subscriptions: []}
agencies:
  - {id: tr-x, member: TR, kinds: person}
keys:
  - {entry: "?", certificate: ""}
"""
ROOTS = ("operator", "AE", "AZ", "EG", "KZ", "MA", "TR")


def draft_of(net: Network) -> DirectoryDraft:
    """The file behind a network."""
    return DirectoryDraft(
        net.directory.members, net.directory.agencies, tuple(net.record["keys"]), net.record["operator_root"], 1
    )


def problems(text: str) -> tuple[str, ...]:
    """What is said about a file."""
    with pytest.raises(DirectoryFileError) as caught:
        parse(text.encode())
    return caught.value.problems


def test_a_directory_is_read_back_as_it_was_written() -> None:
    """Members, agencies, keys, roots and number."""
    draft = draft_of(network())
    assert parse(dump_yaml(draft).encode()) == draft


def test_the_demos_directory_is_good() -> None:
    """It has no keys: the demo makes them."""
    draft = load_yaml(DEMO)
    assert set(draft.members) == {"AE", "AZ", "EG", "KZ", "MA", "TR"}
    assert not draft.keys


def test_every_fault_is_said_at_once_with_its_line() -> None:
    """In the order of the file."""
    said = problems(FAULTS)
    expected = [
        ("line 1", "directory_seq"),
        ("line 3", "members[1].code"),
        ("line 3", "members[1].handling[1]"),
        ("line 3", "members[1].standing"),
        ("line 3", "members[1].subscriptions[2]"),
        ("line 4", "members[2].colour"),
        ("line 5", "NO stands there twice"),
        ("line 7", "agencies[1].id"),
        ("line 7", "agencies[1].kinds"),
        ("line 7", "agencies[1].member"),
        ("line 7", "agencies[1].name"),
        ("line 9", "keys[1].certificate"),
        ("line 9", "keys[1].entry"),
    ]
    assert len(said) == len(expected)
    for sentence, (line, field) in zip(said, expected, strict=True):
        assert sentence.startswith(f"{line}: ")
        assert field in sentence


def test_norway_is_a_country() -> None:
    """YAML's ideas of yes and no do not apply."""
    norway = "{code: NO, name: Norway, standing: GOOD, tlp: RED, handling: [], subscriptions: []}"
    assert set(parse(f"members:\n  - {norway}\nagencies: []\n".encode()).members) == {"NO"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("members: [", "line 1"),
        ("a: &x [1]\nb: *x\n", "anchors"),
        ("members: []\nmembers: []\nagencies: []\n", "twice"),
        ("- 1\n", "has no fields"),
        ("", "has no fields"),
    ],
)
def test_what_is_not_a_directory_is_said(text: str, said: str) -> None:
    """Whatever the bytes are, sentences come out."""
    if not text:
        with pytest.raises(DirectoryFileError, match="is missing"):
            parse(b"")
        return
    assert said in " ".join(problems(text))


def test_bytes_that_are_no_text_are_said() -> None:
    """No traceback."""
    with pytest.raises(DirectoryFileError, match="not YAML"):
        parse(b"\xff\xfe\x00")


def test_a_huge_file_is_not_read() -> None:
    """It cannot be a directory."""
    with pytest.raises(DirectoryFileError, match="larger than 4 MB"):
        parse(b"#" * 4_000_001)


def test_two_roots_alike_are_refused() -> None:
    """A member whose root another has could be spoken for."""
    draft = draft_of(network())
    same = draft.with_roots({"AZ": key_of("root.TR").public})
    assert "AZ and TR have the same root" in " ".join(problems(dump_yaml(same)))


def test_a_key_of_a_foreign_root_is_refused() -> None:
    """The file does not fit together."""
    net = network()
    foreign = keys.certify("az-customs", key_of("x").public, key_of("root.TR"), valid_from=NOW, valid_until=NOW + DAY)
    said = problems(dump_yaml(draft_of(net).with_keys([foreign])))
    assert len(said) == 1
    assert "'az-customs'" in said[0]


def test_an_unreadable_file_is_said() -> None:
    """With its path."""
    with pytest.raises(InputError, match="/nonexistent"):
        load_yaml(Path("/nonexistent/directory.yaml"))


@pytest.mark.parametrize("tail", ["", "keys:\n", "keys: []\n", "keys: []\n# the end\n"])
def test_a_certified_key_is_appended_and_nothing_else_changes(tmp_path: Path, tail: str) -> None:
    """Comments, order and the lines of others stay as they are."""
    file = tmp_path / "directory.yaml"
    head = dump_yaml(draft_of(network()).with_keys([])).partition("keys:\n")[0]
    text = f"# who takes part\n{head}"
    file.write_text(text + tail)
    for number in (1, 2):
        new = keys.certify(
            "az-customs", key_of(f"new {number}").public, key_of("root.AZ"), valid_from=NOW, valid_until=NOW + DAY
        )
        append_key(file, new)
        assert load_yaml(file).keys[-1] == new
        assert len(load_yaml(file).keys) == number
    assert file.read_text().startswith(text)
    assert ("# the end" in file.read_text()) == ("# the end" in tail)


def test_a_key_is_appended_to_the_keys_that_are_there(tmp_path: Path) -> None:
    """In the indentation of the file."""
    file = tmp_path / "directory.yaml"
    draft = draft_of(network())
    file.write_text(dump_yaml(draft))
    new = keys.certify("edge.az", key_of("new").public, key_of("root.AZ"), valid_from=NOW, valid_until=NOW + DAY)
    append_key(file, new)
    assert load_yaml(file).keys == (*draft.keys, new)


def test_a_key_that_does_not_hold_is_not_appended(tmp_path: Path) -> None:
    """The file stays as it was."""
    file = tmp_path / "directory.yaml"
    file.write_text(dump_yaml(draft_of(network())))
    before = file.read_bytes()
    wrong = keys.certify("az-customs", key_of("x").public, key_of("root.TR"), valid_from=NOW, valid_until=NOW + DAY)
    with pytest.raises(DirectoryFileError, match="with this key added"):
        append_key(file, wrong)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["directory.yaml"]


def test_keys_are_held_against_the_pinned_roots() -> None:
    """A file that names another root than the pinned one is found out before it is published."""
    net = network()
    assert unpinned(draft_of(net), net.pins) == ()
    said = " ".join(unpinned(draft_of(net), net.pins | {"AZ": "ab" * 32}))
    assert "AZ: the root in the directory is not the pinned one" in said


def test_a_snapshot_has_the_next_number_and_says_what_it_changes() -> None:
    """The same content again changes nothing."""
    net = network()
    draft = draft_of(net)
    first = next_record(draft, None, NOW)
    again = next_record(draft, first, NOW + 1)
    assert (first["directory_seq"], again["directory_seq"]) == (1, 2)
    assert differences(first, again) == []
    fewer = DirectoryDraft(draft.members, {}, draft.keys, draft.operator_root, 1)
    assert differences(first, next_record(fewer, first, NOW))[0] == "- agency ae-fiu"
    new = keys.certify(
        "az-customs", SigningKey.generate().public, key_of("root.AZ"), valid_from=NOW, valid_until=NOW + 1
    )
    [line] = differences(first, next_record(draft.with_keys([new]), first, NOW))
    assert line.startswith("+ key ")
    assert line.endswith("of az-customs, entry 1")
    assert set(key_lines(new)) == {"holder", "entry", "certificate"}
