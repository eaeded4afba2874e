"""The command line: help without any role, every error a sentence with its exit code, never a traceback."""

from __future__ import annotations

import errno
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from manara import cli
from manara.errors import DirectoryFileError, InputError, ManaraError

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MANARA_")} | {"COLUMNS": "100"}


def manara(
    *words: str, code: str = "from manara.cli import main; main()", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    argv = [sys.executable, "-c", f"import sys; sys.argv = ['manara', *sys.argv[1:]]; {code}", *words]
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT | more,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


BLOCK = (
    "import sys\nclass Gone:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.split('.')[0] in {names}: raise ModuleNotFoundError('No module named ' + name, name=name)\n"
    "sys.meta_path.insert(0, Gone())\nfrom manara.cli import main; main()"
)
ROLES = "('producers', 'streams', 'consumers', 'faust', 'aiokafka', 'psycopg', 'jgo')"


def without(names: str) -> str:
    """A program that runs the command line where these packages are not installed."""
    return f"exec({BLOCK.replace('{names}', names)!r})"


def test_help_lists_every_command_even_where_no_role_is_installed() -> None:
    """An agency's install has no hub."""
    shown = manara("--help", code=without(ROLES))
    assert shown.returncode == 0
    for name in cli.COMMANDS:
        assert f" {name} " in shown.stdout
    assert shown.stderr == ""


def test_a_command_whose_extra_is_missing_says_which_to_install() -> None:
    """And nothing else."""
    shown = manara("hub", "route", code=without("('faust', 'aiokafka', 'mode', 'streams')"))
    assert shown.returncode == 1
    assert "error: `manara hub`" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_missing_package_is_told_from_a_broken_release() -> None:
    """The first is mended by pip, the second by installing again."""
    entry = cli.COMMANDS["edge"]
    absent = ModuleNotFoundError("No module named 'psycopg'", name="psycopg")
    assert cli._missing("edge", entry, entry.modules[0], absent).remedy == "Run: pip install 'manara[edge]'"
    broken = ModuleNotFoundError("No module named 'consumers.commands'", name="consumers.commands")
    assert "Install the whole release" in cli._missing("edge", entry, entry.modules[0], broken).remedy


def test_starting_up_loads_no_role_and_no_client() -> None:
    """`--help` answers at once."""
    code = "import sys, manara.cli; manara.cli.build(); print(sorted(sys.modules))"
    loaded = manara(code=code).stdout
    for heavy in (
        "confluent_kafka",
        "faust",
        "producers",
        "streams",
        "consumers",
        "psycopg",
        "jgo",
        "prometheus_client",
    ):
        assert f"'{heavy}'" not in loaded, heavy


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_in_the_list_exists_and_explains_itself(name: str) -> None:
    """Its help teaches by an example, in itself or in its subcommands."""
    command = cli.load(name)
    subcommands = list(getattr(command, "commands", {}).values()) or [command]
    for each in subcommands:
        text = f"{each.help or ''} {each.epilog or ''} {command.help or ''}"
        assert "manara" in text, f"{name} {each.name} has no example"


def test_every_command_that_a_role_offers_is_in_the_list() -> None:
    """Else nobody would find it."""
    modules = {module for entry in cli.COMMANDS.values() for module in entry.modules}
    for module in modules:
        app = typer.Typer()
        importlib.import_module(module).register(app)
        for name in typer.main.get_group(app).commands:
            assert name in cli.COMMANDS, f"{module} offers {name}"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ManaraError("It is broken.", "Mend it."), 1, "error: It is broken.\nwhat to do: Mend it.\n"),
        (InputError("It is wrong.", "Correct it."), 2, "error: It is wrong.\nwhat to do: Correct it.\n"),
        (
            DirectoryFileError("d.yaml is wrong:", ["line 1: [x]", "line 2: y"]),
            2,
            "error: d.yaml is wrong:\n  line 1: [x]\n  line 2: y\n",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "error: /x: the disk is full.\n"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"),
            2,
            "error: /x: no such file or directory.\n",
        ),
    ],
)
def test_an_error_is_a_sentence_with_its_exit_code(
    error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong input is 2, failure 1; brackets in it are no markup."""
    with pytest.raises(SystemExit) as caught, cli.sentences():
        raise error
    assert caught.value.code == code
    assert capsys.readouterr().err.startswith(said)


def test_a_defect_says_where_it_is_and_not_what_it_choked_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The text of a foreign exception may quote personal data."""
    with pytest.raises(SystemExit) as caught, cli.sentences():
        int("Ivan Ivanov")
    shown = capsys.readouterr().err
    assert caught.value.code == 1
    assert "ValueError at test_front_door.py:" in shown
    assert "Ivan" not in shown
    assert "Traceback" not in shown


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 130, no word."""
    with pytest.raises(SystemExit) as caught, cli.sentences():
        raise KeyboardInterrupt
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no-such-command"], 2, "No such command"),
        (["keys", "show", "/nonexistent.pem"], 2, "what to do:"),
        (["keys", "show"], 2, "MANARA_KEY"),
        (["directory", "check", "/nonexistent.yaml"], 2, "no such file"),
        (["directory", "show"], 2, "MANARA_KAFKA__BOOTSTRAP"),
        (["--config", "/nonexistent.toml", "directory", "show"], 2, "settings file cannot be read"),
        (["topics", "apply", "--directory", "deploy/demo/directory.yaml"], 2, "MANARA_KAFKA__BOOTSTRAP"),
    ],
)
def test_wrong_input_ends_with_two_and_a_sentence(words: list[str], code: int, said: str) -> None:
    """Through the whole command line."""
    shown = manara(*words)
    assert shown.returncode == code
    assert said in shown.stderr
    assert "Traceback" not in shown.stderr
    assert shown.stdout == ""


def test_the_version_is_told() -> None:
    """For a report of a defect."""
    assert manara("--version").stdout.startswith("manara ")


def test_the_catalogue_is_listed_for_machines_without_a_cluster() -> None:
    """One JSON document."""
    shown = manara("topics", "list", "--directory", "deploy/demo/directory.yaml", "--json")
    topics = {topic["name"]: topic for topic in json.loads(shown.stdout)}
    assert topics["alerts.v1.az-customs"]["writers"] == ["az-customs"]


def test_a_directory_is_checked_for_machines(tmp_path: Path) -> None:
    """Exit code 2 and every problem."""
    file = tmp_path / "d.yaml"
    file.write_text("members: []\nagencies: [{id: x}]\n")
    shown = manara("directory", "check", str(file), "--json")
    assert shown.returncode == 2
    report = json.loads(shown.stdout)
    assert report["ok"] is False
    assert len(report["problems"]) == 4
