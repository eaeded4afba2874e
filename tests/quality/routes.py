"""The route matcher: pairs of reports, the outcomes it gives them, and what blocking keeps."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

from tests.quality import baselines, datasets, pairs
from tests.quality.datasets import Row
from tests.quality.report import Grid, Section

FOLDS = 10


def measure(sample: int) -> Section:
    """Headline, strata, outcomes, ten folds by base route, blocking."""
    from streams.matching import routes

    rows = datasets.route_pairs(sample)
    ours, plain = pairs.score_all(routes.score, rows), pairs.score_all(baselines.shared_places, rows)
    heads = {"ours": pairs.headline(ours), "shared codes or names": pairs.headline(plain)}
    fold = fold_of(rows)
    folds = pairs.folds(ours, lambda row: fold[row["id"]])
    outcomes: Counter[tuple[str, str]] = Counter(
        (row["stratum"], routes.explain(row["a"], row["b"]).outcome) for row in rows
    )
    kept, candidates = _blocking(rows)
    strata = sorted({row["stratum"] for row in rows})
    kinds = ("SAME", "SAME_ROAD", "NONE")
    grids = (
        Grid(f"Routes: {len(rows):,} pairs", pairs.COLUMNS,
             [*(pairs.line(k, h) for k, h in heads.items()), *pairs.quoted_lines(baselines.ROUTES)]),
        Grid("Routes: outcomes by stratum", ("stratum", *kinds),
             [(stratum, *(outcomes[stratum, kind] for kind in kinds)) for stratum in strata]),
        pairs.folds_grid("Routes, ten folds by base route: threshold from the other nine", folds),
        Grid("Routes: blocking", ("by", "matches that share a token", "candidates a report"),
             [("ours", kept, f"{candidates:.2f}")]),
    )  # fmt: skip
    figures: dict[str, Any] = {
        "pairs": len(rows),
        "matchers": {key: head._asdict() for key, head in heads.items()},
        "outcomes": {f"{stratum} {kind}": n for (stratum, kind), n in sorted(outcomes.items())},
        "spread_by_fold": pairs.spread(folds),
        "blocking": {"kept": kept, "candidates_a_report": candidates},
    }
    return Section("routes", grids, figures)


def _key(record: Row) -> str:
    return json.dumps(record, sort_keys=True)


def fold_of(rows: list[Row]) -> dict[str, str]:
    """The fold of each pair; pairs with a report in common are in one, so that no fold has seen another's roads."""
    holder: dict[str, str] = {}
    group: dict[str, str] = {}
    for row in rows:
        known = [holder[key] for key in (_key(row["a"]), _key(row["b"])) if key in holder]
        mine = group[known[0]] if known else row["id"]
        group[row["id"]] = mine
        for key in (_key(row["a"]), _key(row["b"])):
            holder.setdefault(key, row["id"])
    order = {name: place for place, name in enumerate(dict.fromkeys(group.values()))}
    return {name: f"fold {order[mine] % FOLDS}" for name, mine in group.items()}


def _blocking(rows: list[Row]) -> tuple[float, float]:
    """The share of matches whose reports share a token, and the candidate pairs a report over all of them."""
    from streams.matching import routes

    keys = {_key(row[side]) for row in rows for side in ("a", "b")}
    tokens = {key: set(routes.tokens(routes.prepare(json.loads(key)))) for key in sorted(keys)}
    holders: dict[str, list[str]] = defaultdict(list)
    for report, found in tokens.items():
        for token in found:
            holders[token].append(report)
    candidates = {pair for sharing in holders.values() for pair in combinations(sorted(sharing), 2)}
    same = [bool(tokens[_key(row["a"])] & tokens[_key(row["b"])]) for row in rows if row["label"]]
    return sum(same) / max(1, len(same)), len(candidates) / max(1, len(tokens))
