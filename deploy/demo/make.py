"""Make the demo's agency files and its expectations from the development data.

Seeded: the same data give the same files.

    python deploy/demo/make.py --data ../shared/data

Writes `<agency>/<file>` beside this script (what ten agencies of six states would hold in their own systems, in
their own formats and encodings) and `expected.csv` (agency, national reference, kind, entitled member). The files are
committed; this script is run again only when the story changes.

Real are: persons of the OFAC SDN list of July 2021 (public domain), ports and airports, names of places. Invented are
all other persons (composed from CC0 name parts), all routes and all transfers, and everything an alert needs that the
data lack: legal basis, handling, audience, commodity, reference numbers. Each narrative says which.
"""

# Over 400 lines because the story of the demo is told once, in one place, from the data to the last file.
from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import yaml
from openpyxl import Workbook

from schemas.currencies import EXPONENTS

HERE = Path(__file__).parent
STATES = ("AE", "AZ", "EG", "KZ", "MA", "TR")
OFAC_NOTE = "Listed by OFAC (SDN list of July 2021). Legal basis, handling and validity are synthetic."
INVENTED_NOTE = "Invented person, composed from name parts. Every field is synthetic."
ROUTE_NOTE = "Authored route over real places. Commodity, legal basis and handling are synthetic."
TRANSFER_NOTE = "Authored transfers, amounts rounded to the currency. Names, legal basis and handling are synthetic."

Row = dict[str, Any]
Story = dict[tuple[str, str], list[Row]]


def rows_of(path: Path) -> list[Row]:
    """The records of an NDJSON file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


def table_of(path: Path) -> list[Row]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def audiences(author: str, dice: random.Random) -> Iterator[Row]:
    """Endless audiences and markings of one author: mostly everybody, some listed, some all but one, some RED."""
    others = [state for state in STATES if state != author]
    red_ready = [state for state in ("AZ", "EG", "MA") if state != author]
    while True:
        for tlp, codes in (("GREEN", "H0"), ("AMBER", "H0"), ("AMBER", "H1"), ("AMBER_STRICT", "H0 H2")):
            yield {"audience": "ALL", "members": "", "tlp": tlp, "codes": codes}
        yield {"audience": "LISTED", "members": " ".join(sorted(dice.sample(others, 3))), "tlp": "GREEN", "codes": "H1"}
        yield {"audience": "ALL_BUT", "members": dice.choice(others), "tlp": "AMBER", "codes": "H0"}
        yield {"audience": "LISTED", "members": " ".join(red_ready), "tlp": "RED", "codes": "H0 H1"}


def marked(agency: str, rows: Sequence[Row], dice: random.Random) -> list[Row]:
    """Rows with a reference, a precedence and an audience each."""
    choice = audiences(agency[:2].upper(), dice)
    precedences = ("ROUTINE", "ROUTINE", "PRIORITY", "ROUTINE", "IMMEDIATE", "ROUTINE", "PRIORITY", "FLASH")
    return [
        {"ref": f"{agency.upper()}-{number:04d}", **row, "precedence": precedences[number % 8], **next(choice)}
        for number, row in enumerate(rows, 1)
    ]


# ------------------------------------------------------------------------------------------------------- persons
def ofac_persons(data: Path) -> list[Row]:
    """Sixty listed persons: all of the six states, then of the other members of the network."""
    members = {r["alpha2"].lower() for r in table_of(data / "reference/countries.csv") if r["member57"] == "1"}
    six = {state.lower() for state in STATES}
    listed = [
        r for r in rows_of(data / "names/persons.ndjson") if r["list"] == "ofac" and members & set(r["countries"])
    ]
    listed.sort(key=lambda r: (not six & set(r["countries"]), r["id"]))
    return [
        {
            "name": r["name"],
            "aliases": "; ".join(r["aliases"][:3]),
            "weak_aliases": r["weak_aliases"][0] if r["weak_aliases"] else "",
            "born": r["dob"][0] if r["dob"] else "",
            "nationality": " ".join(c.upper() for c in r["countries"]),
            "note": f"{OFAC_NOTE} Entry {r['id']}.",
        }
        for r in [r for r in listed if r["dob"]][:60]
    ]


def name_parts(data: Path, region: str) -> list[tuple[str, str]]:
    """(native script, Latin) name parts of one script, from the CC0 pairs that are the same name."""
    pairs = [r for r in rows_of(data / "names/tokens_pairs.ndjson") if r["label"] == 1 and r["region"] == region]
    parts = [(r["b"]["name"].strip(), r["a"]["name"].strip()) for r in pairs]
    return [
        (native.title(), latin.title())
        for native, latin in parts
        if " " not in native and " " not in latin and 4 <= len(latin) <= 10
    ]


def invented_persons(
    data: Path, region: str, script: str, nationality: str, count: int, dice: random.Random
) -> list[Row]:
    """Persons who do not exist, with a native and a Latin spelling."""
    parts, made = name_parts(data, region), []
    for _ in range(count):
        given, family = dice.sample(parts, 2)
        born = f"{dice.randint(1958, 2003)}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
        made.append(
            {
                "native": f"{given[0]} {family[0]}",
                "script": script,
                "latin": f"{given[1]} {family[1]}",
                "born": dice.choice((born, born, born[:7], born[:4])),
                "sex": dice.choice(("FEMALE", "MALE", "MALE")),
                "nationality": nationality,
                "passport": f"X{dice.randint(1000000, 9999999)}",
                "crime": dice.choice(("DRUGS", "HUMAN_TRAFFICKING", "WEAPONS", "MONEY_LAUNDERING")),
                "action": dice.choice(("LOCATE_AND_DETAIN", "LOCATE")),
                "penalty_months": dice.choice((60, 96, 120, 180)),
                "note": INVENTED_NOTE,
            }
        )
    return made


# -------------------------------------------------------------------------------------------------------- routes
def place(waypoint: Row, role: str) -> Row:
    """One waypoint as an agency would key it in."""
    code = waypoint.get("code", "")
    return {
        "name": waypoint["name"],
        "country": waypoint["country"].upper(),
        "code": code,
        "code_type": "NONE" if not code else "LOCODE" if len(code) == 5 else "IATA",
        "lat": waypoint.get("lat"),
        "lon": waypoint.get("lon"),
        "arrives": waypoint.get("date", ""),
        "role": role,
    }


def routes(data: Path, dice: random.Random) -> list[Row]:
    """112 different routes of three to five places."""
    goods = (
        ("Captagon tablets", "DRUGS"),
        ("Heroin", "DRUGS"),
        ("Cannabis resin", "DRUGS"),
        ("Small arms", "WEAPONS"),
        ("Precursor chemicals", "DRUGS"),
        ("Smuggled migrants", "ILLEGAL_MIGRATION"),
    )
    seen, made = set(), []
    for row in rows_of(data / "routes/route_pairs.ndjson"):
        stops = row["b"]["waypoints"]
        track = tuple(stop["name"] for stop in stops)
        if track in seen or not 3 <= len(stops) <= 5:
            continue
        seen.add(track)
        roles = ["ORIGIN", *["TRANSIT"] * (len(stops) - 2), "DESTINATION"]
        commodity, crime = dice.choice(goods)
        mode = "AIR" if all(len(stop.get("code", "")) == 3 for stop in stops) else dice.choice(("SEA", "ROAD"))
        made.append(
            {
                "commodity": commodity,
                "crime": crime,
                "mode": mode,
                "waypoints": [place(stop, role) for stop, role in zip(stops, roles, strict=True)],
                "vehicle": f"{dice.choice('ABCDEF')}{dice.randint(100, 999)} {dice.choice('KLMN')}{dice.choice('PRST')}"
                if mode == "ROAD"
                else "",
                "note": ROUTE_NOTE,
            }
        )
        if len(made) == 112:
            break
    return made


# ----------------------------------------------------------------------------------------------------- transfers
def transfers(data: Path) -> list[Row]:
    """72 reports, one for each authored attempt, with up to 12 of its transfers."""
    ledger = {r["id"]: r for r in table_of(data / "transfers/transfers.csv")}
    names = {"structuring": "structuring", "smurfing": "smurfing", "layering_chain": "chain", "round_trip": "cycle"}
    made = []
    for attempt in [r for r in rows_of(data / "transfers/truth.ndjson") if r["source"] == "authored"]:
        movements = [ledger[i] for i in attempt["transactions"]][:12]
        made.append(
            {
                "pattern": attempt["pattern"],
                "typology": names[attempt["typology"]],
                "transfers": [
                    {
                        "ref": m["id"],
                        "at": m["timestamp"],
                        "amount": str(
                            Decimal(m["amount"]).quantize(Decimal(1).scaleb(-EXPONENTS[m["currency"]]), ROUND_HALF_UP)
                        ),
                        "currency": m["currency"],
                        "channel": m["channel"].upper(),
                        "from": {"account": m["from_account"], "institution": m["from_bank"]},
                        "to": {"account": m["to_account"], "institution": m["to_bank"]},
                    }
                    for m in movements
                ],
                "note": f"{TRANSFER_NOTE} Pattern {attempt['pattern']}.",
            }
        )
    return made


# ---------------------------------------------------------------------------------------------------------- files
def write_csv(path: Path, rows: Sequence[Row], columns: dict[str, str], *, encoding: str, delimiter: str) -> None:
    """Rows under the agency's own column names."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        out = csv.writer(file, delimiter=delimiter)
        out.writerow(columns.values())
        out.writerows([[row.get(key, "") for key in columns] for row in rows])


def write_xlsx(path: Path, rows: Sequence[Row], columns: dict[str, str]) -> None:
    """The same as a workbook of one sheet."""
    path.parent.mkdir(exist_ok=True)
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(columns.values()))
    for row in rows:
        sheet.append([row.get(key, "") for key in columns])
    raw = BytesIO()
    book.save(raw)
    # a workbook carries the time of its making, twice: without it the same data give the same file
    with ZipFile(raw) as made, ZipFile(path, "w", ZIP_DEFLATED) as still:
        for name in made.namelist():
            content = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]{8}Z", b"2026-01-01T00:00:00Z", made.read(name))
            still.writestr(ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)


def write_ndjson(path: Path, rows: Sequence[Row]) -> None:
    """The same, a JSON object a line."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


MARKS = {"precedence": "precedence", "audience": "audience", "members": "members", "tlp": "tlp", "codes": "codes"}
WANTED = {
    "ref": "ref",
    "latin": "latin",
    "native": "native",
    "born": "born",
    "sex": "sex",
    "nationality": "nationality",
    "passport": "passport",
    "crime": "crime",
    "action": "action",
    "penalty_months": "penalty_months",
    "note": "note",
    **MARKS,
}
LISTED = {
    "ref": "ref",
    "name": "name",
    "aliases": "aliases",
    "weak_aliases": "weak_aliases",
    "born": "born",
    "nationality": "nationality",
    "note": "note",
    **MARKS,
}
FRENCH = {
    "ref": "Référence",
    "name": "Nom",
    "aliases": "Alias",
    "weak_aliases": "Alias incertains",
    "born": "Né le",
    "nationality": "Nationalité",
    "note": "Remarque",
    "precedence": "Urgence",
    "audience": "Diffusion",
    "members": "États",
    "tlp": "TLP",
    "codes": "Codes",
}
ROUTE = {
    "ref": "ref",
    "commodity": "commodity",
    "crime": "crime",
    "mode": "mode",
    "places": "places",
    "vehicle": "vehicle",
    "note": "note",
    **MARKS,
}
ITINERARY = {
    "ref": "Référence",
    "commodity": "Marchandise",
    "crime": "Infraction",
    "mode": "Mode",
    "places": "Étapes",
    "vehicle": "Plaque",
    "note": "Remarque",
    "precedence": "Urgence",
    "audience": "Diffusion",
    "members": "États",
    "tlp": "TLP",
    "codes": "Codes",
}


def flat(row: Row) -> Row:
    """A route with its waypoints in one cell: name|country|code|code type|lat|lon|arrives|role, joined by ' > '."""

    def cell(stop: Row) -> str:
        return "|".join(
            "" if stop[key] is None else str(stop[key])
            for key in ("name", "country", "code", "code_type", "lat", "lon", "arrives", "role")
        )

    return {**row, "places": " > ".join(cell(stop) for stop in row["waypoints"])}


def entitled(directory: Row, agency: str, kind: str, row: Row) -> list[str]:
    """The members that may read an alert, by the rules of the contract (section 5), said once more and plainly."""
    levels = ["CLEAR", "GREEN", "AMBER", "AMBER_STRICT", "RED"]
    author, named, readers = agency[:2].upper(), row["members"].split(), []
    for member in directory["members"]:
        code = member["code"]
        chosen = {"ALL": code != author, "LISTED": code in named, "ALL_BUT": code != author and code not in named}[
            row["audience"]
        ]
        cleared = levels.index(member["tlp"]) >= levels.index(row["tlp"]) and set(row["codes"].split()) <= set(
            member["handling"]
        )
        if chosen and cleared and kind in member["subscriptions"] and member.get("standing", "GOOD") == "GOOD":
            readers.append(code)
    return readers


def story(data: Path) -> Story:
    """All rows, by agency and kind."""
    dice = random.Random(57)
    listed = ofac_persons(data)
    ways, money = routes(data, dice), transfers(data)
    parts: Story = {
        ("az-police", "person"): invented_persons(data, "cyrl", "Cyrl", "AZ", 24, dice),
        ("eg-police", "person"): invented_persons(data, "arab", "Arab", "EG", 22, dice),
        ("kz-border", "person"): invented_persons(data, "cyrl", "Cyrl", "KZ", 18, dice),
        ("ma-police", "person"): listed[0::3],
        ("tr-fiu", "person"): listed[1::3],
        ("ae-fiu", "person"): listed[2::3],
        ("az-customs", "route"): ways[:28],
        ("tr-customs", "route"): ways[28:58],
        ("ma-customs", "route"): ways[58:86],
        ("kz-border", "route"): ways[86:],
        ("kz-fiu", "transfer"): money[0::3],
        ("tr-fiu", "transfer"): money[1::3],
        ("ae-fiu", "transfer"): money[2::3],
    }
    return {key: marked(f"{key[0]}-{key[1][0]}", rows, dice) for key, rows in parts.items()}


def write_files(rows: Story, to: Path) -> None:
    """Each agency's rows in the form that its own system would export."""
    comma, semicolon, tab = {"delimiter": ","}, {"delimiter": ";"}, {"delimiter": "\t"}
    write_csv(to / "az-police/wanted.csv", rows["az-police", "person"], WANTED, encoding="utf-8", **comma)
    write_csv(to / "eg-police/wanted.csv", rows["eg-police", "person"], WANTED, encoding="utf-8-sig", **comma)
    write_csv(to / "kz-border/wanted.csv", rows["kz-border", "person"], WANTED, encoding="cp1251", **semicolon)
    write_xlsx(to / "ma-police/personnes.xlsx", rows["ma-police", "person"], FRENCH)
    write_ndjson(to / "tr-fiu/listed.ndjson", rows["tr-fiu", "person"])
    write_csv(to / "ae-fiu/listed.csv", rows["ae-fiu", "person"], LISTED, encoding="utf-8", **tab)
    ways = {
        agency: [flat(row) for row in rows[agency, "route"]] for agency in ("az-customs", "ma-customs", "kz-border")
    }
    write_csv(to / "az-customs/routes.csv", ways["az-customs"], ROUTE, encoding="utf-8", **comma)
    write_ndjson(to / "tr-customs/routes.ndjson", rows["tr-customs", "route"])
    write_csv(to / "ma-customs/itineraires.csv", ways["ma-customs"], ITINERARY, encoding="utf-16", **tab)
    write_xlsx(to / "kz-border/routes.xlsx", ways["kz-border"], ROUTE)
    for agency in ("kz-fiu", "tr-fiu", "ae-fiu"):
        write_ndjson(to / f"{agency}/transfers.ndjson", rows[agency, "transfer"])


def write_expected(rows: Story, to: Path) -> None:
    """Who must hold what at the end."""
    # the one good alert among those that the demo slips past the outbox of an agency whose software misbehaves
    good = {"ref": "EG-CUSTOMS-R-0001", "audience": "ALL", "members": "", "tlp": "GREEN", "codes": "H0"}
    every: Story = {**rows, ("eg-customs", "route"): [good]}
    directory = yaml.safe_load((HERE / "directory.yaml").read_text("utf-8"))
    with (to / "expected.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("agency", "national_ref", "kind", "member"))
        for (agency, kind), alerts in every.items():
            for row in alerts:
                out.writerows((agency, row["ref"], kind, code) for code in entitled(directory, agency, kind, row))


def main() -> None:
    """Write every file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = HERE.parents[1].parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=shared, help="folder of the development data")
    parser.add_argument("--to", type=Path, default=HERE, help="where to write; beside this script when left out")
    chosen = parser.parse_args()
    rows = story(chosen.data)
    write_files(rows, chosen.to)
    write_expected(rows, chosen.to)


if __name__ == "__main__":
    main()
