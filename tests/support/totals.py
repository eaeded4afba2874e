"""A pytest plugin: the `judge` fixture checks a scenario's history, and the run ends with the totals of all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.support.checker import Report, Totals, check
from tests.support.history import History

LONG = "MANARA_LONG"
_KEY = pytest.StashKey[list[Totals]]()
_WORST = pytest.StashKey[list[str]]()
_HANDED = "manara_totals"


class Judge(Protocol):
    """Checks a history, notes its totals, and fails where an invariant is broken."""

    def __call__(self, history: History, leave_out: Collection[str] = ()) -> Report:
        """The report, which breaks nothing."""
        ...


def full() -> bool:
    """Whether faults run at full length (`make test-long`)."""
    return os.environ.get(LONG, "") not in ("", "0")


def pytest_configure(config: pytest.Config) -> None:
    """A new run has judged nothing yet."""
    config.stash[_KEY] = []
    config.stash[_WORST] = []


@pytest.fixture
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Judge:
    """Judge a scenario at its end; a history that fails is kept beside the test's files."""

    def ask(history: History, leave_out: Collection[str] = ()) -> Report:
        report = check(history, leave_out)
        request.config.stash[_KEY].append(report.totals)
        if report.broken:
            history.write(tmp_path / "history.ndjson")
            pytest.fail(f"{report.words()}\nThe history: {tmp_path}/history.ndjson", pytrace=False)
        return report

    return ask


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note a measured figure as a sentence; it is printed below the totals."""

    def say(sentence: str) -> None:
        request.config.stash[_WORST].append(sentence)

    return say


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands what it has judged to its parent, which prints it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_HANDED] = {
            "totals": [astuple(each) for each in session.config.stash[_KEY]],
            "figures": session.config.stash[_WORST],
        }


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker has judged, taken over."""
    handed = getattr(node, "workeroutput", {}).get(_HANDED, {})
    node.config.stash[_KEY] += [Totals(*each) for each in handed.get("totals", ())]
    node.config.stash[_WORST] += handed.get("figures", ())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The totals, one line a scenario."""
    for line in table(config.stash[_KEY]):
        terminalreporter.write_line(line)
    for sentence in config.stash[_WORST]:
        terminalreporter.write_line(f"  {sentence}")


def table(found: list[Totals]) -> list[str]:
    """Totals as lines of a table; nothing where nothing was judged."""
    if not found:
        return []
    heads = [field.name.replace("_", " ") for field in fields(Totals)][1:]
    first = max(len(each.scenario) for each in found)
    lines = ["", "Faults: what the checker counted", f"{'':{first}}  " + "  ".join(heads)]
    for each in found:
        _, *numbers = astuple(each)
        cells = (f"{number:>{len(head)}}" for head, number in zip(heads, numbers, strict=True))
        lines.append(f"{each.scenario:{first}}  " + "  ".join(cells))
    return lines
