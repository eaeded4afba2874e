"""Commands of `manara`, run as the party would run them: what they say, and an error in their own words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from manara.deployment.home import settings_file
from manara.deployment.processes import command, environment
from manara.errors import ManaraError

SECONDS: Final = 60.0


def said(folder: Path, *words: str, codes: Collection[int] = (0,)) -> str:
    """What a command says, run by the party that lives in `folder`. Raises `ManaraError` where it ends otherwise than
    with one of `codes`, or does not end within a minute."""
    argv = command(settings_file(folder), *words)
    name = f"manara {words[0]} of {folder.name}"
    try:
        done = subprocess.run(argv, capture_output=True, text=True, env=environment(), check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ManaraError(f"`{name}` has not ended within {SECONDS:.0f} s.", "Look at the machine's load.") from None
    if done.returncode not in codes:
        problem, _, remedy = done.stderr.partition("\nwhat to do: ")
        problem = problem.removeprefix("error: ").strip() or done.stdout.strip()
        raise ManaraError(f"`{name}` has failed: {problem}", remedy.strip())
    return done.stdout


def document(folder: Path, *words: str, codes: Collection[int] = (0,)) -> Any:
    """The JSON document that a command says with --json."""
    return json.loads(said(folder, *words, "--json", codes=codes))
