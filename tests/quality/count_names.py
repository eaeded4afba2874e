"""Counts how many listed persons bear each name part and writes `manara/matching/data/bearers.tsv` (two and more only).

    python tests/quality/count_names.py PERSONS.ndjson

The input is a file of persons {name, aliases} from published lists; nothing of it but counts is kept.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from manara.matching.names import name

TARGET = Path(__file__).parents[2] / "manara/matching/data/bearers.tsv"
HEADER = """\
# Bearers of name parts among {persons} persons of published lists (OFAC 2021, UN 2026, EU 2025).
# Made by tests/quality/count_names.py.
# Counts of two and more only. One line: key (a spelling family, or ~ and a consonant skeleton), TAB, bearers.
"""


def main() -> int:
    """Count and write."""
    persons = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    bearers: Counter[str] = Counter()
    for person in persons:
        names = filter(None, map(name, (person["name"], *person["aliases"])))
        bearers.update({part.key for one in names for part in one.parts if part.kind != "initial"})
    lines = [f"{key}\t{count}\n" for key, count in sorted(bearers.items()) if count > 1]
    TARGET.write_text(HEADER.format(persons=len(persons)) + "".join(lines), encoding="utf-8")
    sys.stdout.write(f"{len(lines)} of {len(bearers)} parts are borne by two persons or more\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
