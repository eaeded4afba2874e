"""The person matcher: pairs with all fields, with names alone, single name parts, and grouping of sightings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tests.quality import baselines, datasets, measures, pairs
from tests.quality.baselines import Quoted
from tests.quality.datasets import Row
from tests.quality.report import Cell, Grid, Section


def full(sample: int) -> Section:
    """Names, aliases, birth dates and countries."""
    return _pairs("persons_full", "Persons, all fields", datasets.person_pairs(sample), baselines.PERSONS_FULL)


def names(sample: int) -> Section:
    """The same pairs with birth dates and countries taken away."""
    rows = [_blanked(row) for row in datasets.person_pairs(sample)]
    return _pairs("persons_names", "Persons, names only", rows, baselines.PERSONS_NAMES)


def name_parts(sample: int) -> Section:
    """Single name parts across scripts."""
    rows = datasets.name_part_pairs(sample)
    return _pairs("name_parts", "Single name parts across scripts", rows, baselines.NAME_PARTS, by_list=False)


def _blanked(row: Row) -> Row:
    bare = {side: {**row[side], "dob": [], "countries": []} for side in ("a", "b")}
    return {**row, **bare}


def _pairs(name: str, title: str, rows: list[Row], quoted: Sequence[Quoted], *, by_list: bool = True) -> Section:
    """Our matcher and the live baselines over one set, headline, strata, regions and spread."""
    from streams.matching import persons

    ours = pairs.score_all(persons.score, rows)
    live = {"exact": pairs.score_all(baselines.exact, rows), "token sort": pairs.score_all(baselines.token_sort, rows)}
    heads = {"ours": pairs.headline(ours), **{key: pairs.headline(scored) for key, scored in live.items()}}
    strata, regions = (
        {
            key: pairs.shares_by(scored, by, heads[key].threshold, positives=by == "region")
            for key, scored in {"ours": ours, **live}.items()
        }
        for by in ("stratum", "region")
    )
    lists, areas = pairs.folds(ours, lambda row: str(row["src"])), pairs.folds(ours, lambda row: str(row["region"]))
    grids = [
        Grid(f"{title}: {len(rows):,} pairs", pairs.COLUMNS,
             [*(pairs.line(key, head) for key, head in heads.items()), *pairs.quoted_lines(quoted)]),
        pairs.shares_grid("stratum", f"{title}: share called a match (neg_ should be 0)", strata),
        pairs.shares_grid("region", f"{title}: recall by region", regions),
    ]  # fmt: skip
    if by_list:
        grids.append(
            pairs.folds_grid(f"{title}, one list left out: threshold of the others, weights as shipped", lists)
        )
        grids.append(
            pairs.folds_grid(f"{title}, one region left out: threshold of the others, weights as shipped", areas)
        )
    figures: dict[str, Any] = {
        "pairs": len(rows),
        "matchers": {key: head._asdict() for key, head in heads.items()},
        "recall_by_region": {region: share for region, (share, _) in regions["ours"].items()},
        "share_by_stratum": {stratum: share for stratum, (share, _) in strata["ours"].items()},
        "spread_by_list": pairs.spread(lists),
        "spread_by_region": pairs.spread(areas),
    }
    return Section(name, tuple(grids), figures)


def refitted(sample: int) -> Section:
    """The spread that counts: weights and threshold fitted without a list, judged on that list alone."""
    from manara.matching.persons import weights
    from tests.quality import fit_persons

    rows = [
        fit_persons._row(pair, mode)
        for pair in datasets.person_pairs(sample)
        if pair["stratum"] != datasets.UNSOLVABLE
        for mode in ("full", "name")
    ]
    lines: list[tuple[Cell, ...]] = []
    for left in sorted({row.src for row in rows}):
        others = [row for row in rows if row.src != left]
        found = fit_persons.fitted(others, weights())
        for mode in ("full", "name"):
            seen = [row for row in others if row.mode == mode]
            unseen = [row for row in rows if row.mode == mode and row.src == left]
            threshold = fit_persons.figures(seen, fit_persons.scores(seen, found))[1]
            f1 = fit_persons.figures(unseen, fit_persons.scores(unseen, found), threshold)[0]
            lines.append((left, mode, f"{threshold:.2f}", f1))
    values = {mode: [float(line[3]) for line in lines if line[1] == mode] for mode in ("full", "name")}
    title = "Persons, one list left out: weights and threshold fitted without it"
    grid = Grid(title, ("left out", "fields", "threshold", "F1"), lines)
    figures = {mode: {"lowest": min(f1s), "highest": max(f1s)} for mode, f1s in values.items()}
    return Section("persons_refitted", (grid,), figures)


def mentions(sample: int) -> Section:
    """Grouping of sightings: blocking, scoring and grouping together."""
    from streams.matching import persons

    rows, truth = datasets.mentions(sample)
    wanted = measures.pairs_of(truth)
    lines: list[tuple[Cell, ...]] = []
    figures: dict[str, Any] = {"mentions": len(rows), "persons": len(set(truth.values()))}
    for name, link in (("ours", persons.link), ("exact", baselines.exact_groups)):
        start = time.process_time()
        made = link([dict(row, aliases=[]) for row in rows])
        rate = round(len(rows) / max(time.process_time() - start, 1e-9))
        pairwise, b_cubed = measures.pairwise(truth, made), measures.b_cubed(truth, made)
        lines.append((name, *pairwise, b_cubed.f1, rate))
        figures[name] = {"pairwise": pairwise._asdict(), "b_cubed": b_cubed._asdict(), "per_second": rate}
    candidates = {(min(pair), max(pair)) for pair in persons.link.pairs}
    kept = len(wanted & candidates) / max(1, len(wanted))
    figures["blocking"] = {"kept": kept, "candidates_a_mention": len(candidates) / max(1, len(rows))}
    lines += [
        (f"* {q.name}", *(pairs._known(v) for v in (q.precision, q.recall, q.f1)), "", q.per_second or "")
        for q in baselines.MENTIONS
    ]
    blocking = [
        ("ours", kept, f"{len(candidates) / max(1, len(rows)):.1f}"),
        ("* skeleton blocking, held out", baselines.MENTIONS_BLOCKING[0], f"{baselines.MENTIONS_BLOCKING[1]:.1f}"),
    ]
    columns = ("linker", "pairwise P", "R", "F1", "B-cubed F1", "mentions/s")
    return Section(
        "mentions",
        (
            Grid(f"Grouping of {len(rows):,} sightings of {len(set(truth.values())):,} persons", columns, lines),
            Grid("Blocking", ("by", "true pairs kept", "candidates a mention"), blocking),
        ),
        figures,
    )
