"""New York City, end to end: profiles, a programme of 25 district and 25 charter schools, pairs, what came of them."""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from services.partnership.domain.outcome import compare
from tests.studies import table, write
from tests.studies.outcome import SCHOOLS, START, City

LEAST_LEARNERS = 5
"""English learners at level 4 that make a count of them worth taking: fewer tell nothing of a school."""
WILLING = 0.15
"""Part of the schools that declare that they offer help with English learners, and as many that seek it, by lot."""


PASTS = 200
"""Simulated following years, each time anew."""


def _quoted(columns: list[str]) -> str:
    return "[" + ", ".join(f'"{column}"' for column in columns) + "]"


def programme(header: list[str]) -> str:
    """25 partnerships for 5 million dollars, half of the places to charter schools, in two areas."""
    tested = [name for name in header if name.lower().endswith("math - all students tested")]
    reached = [name for name in header if name.endswith("Math 4s - All Students")]
    return f"""format = "trellis-programme/1"
id = "nyc-2016"
title = "Fifty schools of New York City"
partnerships = 25
budget = 5000000
cost_per_partnership = 200000
currency = "USD"

[[areas]]
id = "mathematics"
title = "mathematics"
at_least = 10

[[areas]]
id = "english-learners"
title = "English language learners"
at_least = 5

[rules]
max_distance_km = 10

[rules.balance.sector.district]
at_least = 25
at_most = 25

[rules.balance.sector.charter]
at_least = 25
at_most = 25

[schools]
id = "Location Code"
name = "School Name"
latitude = "Latitude"
longitude = "Longitude"
context = ["Economic Need Index", "Percent ELL"]

[schools.attributes.sector]
column = "Location Code"
prefixes = {{ "84" = "charter" }}
otherwise = "district"

[schools.areas.mathematics]
reached = {_quoted(reached)}
tested = {_quoted(tested)}
offers = 0.25
seeks = 0.25

[schools.areas.english-learners]
reached = ["English learners at level 4"]
tested = ["English learners tested, estimated"]
role = "English learners, role"
eagerness = "English learners, eagerness"
"""


def declared(rows: list[dict[str, str]], header: list[str], rng: np.random.Generator) -> Iterator[dict[str, str]]:
    """The schools with what a file of 2016 cannot know: who declared what, and how many English learners were tested.

    The file has level-4 counts of English learners without those tested. Where there are enough of them, the tested are
    estimated as the school's share of English learners among all tested; elsewhere the cells stay empty.
    """
    tested = [name for name in header if name.lower().endswith("math - all students tested")]
    reached = [name for name in header if name.endswith("Math 4s - Limited English Proficient")]
    for row in rows:
        learners = sum(_count(row[name]) for name in reached)
        share = row["Percent ELL"].rstrip("%")
        estimated = round(float(share) / 100 * sum(_count(row[name]) for name in tested)) if share.isdigit() else 0
        told = learners >= LEAST_LEARNERS and estimated >= learners
        drawn = rng.random()
        role = "offers" if drawn < WILLING else "seeks" if drawn < 2 * WILLING else ""
        yield row | {
            "English learners at level 4": str(learners) if told else "",
            "English learners tested, estimated": str(estimated) if told else "",
            "English learners, role": role,
            "English learners, eagerness": str(rng.integers(1, 6)) if role else "",
        }


def _count(cell: str) -> int:
    return int(cell) if cell.strip().isdigit() else 0


def matched(schools: Path, folder: Path, seed: int) -> dict[str, Any]:
    """What `trellis match` says, from the files in a folder; its report stays there."""
    with schools.open(encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        header, rows = list(reader.fieldnames or []), list(reader)
    asked = list(declared(rows, header, np.random.default_rng(seed)))
    with (folder / "schools.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asked[0]))
        writer.writeheader()
        writer.writerows(asked)
    (folder / "programme.toml").write_text(programme(header))
    command = [Path(sys.executable).parent / "trellis", "match", "programme.toml", "schools.csv", "--json"]
    run = subprocess.run(
        [*command, "--report", "report.html", "--seed", str(seed)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(run.stderr)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def _profiles(found: dict[str, Any]) -> list[list[object]]:
    """By area and kind of school: how many are measured, and why the others are not."""
    kinds: dict[tuple[str, str], Counter[str]] = {}
    for each in found["profiles"]:
        kind = "charter" if each["school"].startswith("84") else "district"
        counts = kinds.setdefault((each["area"], kind), Counter())
        counts["all"] += 1
        counts["measured"] += bool(each["enough"])
        counts["declares"] += each["role"] is not None and each["willing"] == "declared"
    return [
        [area, kind, counts["all"], counts["measured"], counts["all"] - counts["measured"], counts["declares"]]
        for (area, kind), counts in sorted(kinds.items())
    ]


def _fifths(found: dict[str, Any], schools: Path) -> list[list[object]]:
    """Hosts and guests of each fifth of schools by economic need, among pairs, and among the strongest quarter."""
    with schools.open(encoding="utf-8-sig") as file:
        need = {row["Location Code"]: row["Economic Need Index"] for row in csv.DictReader(file)}
    known = {code: float(value) for code, value in need.items() if value.strip() not in ("", "N/A")}
    ranked = sorted(known, key=lambda code: (known[code], code))
    fifth = {code: 5 * place // len(ranked) for place, code in enumerate(ranked)}
    told = [each for each in found["profiles"] if each["area"] == "mathematics" and each["enough"]]
    strongest = sorted(told, key=lambda each: -each["strength"])[: len(told) // 4]
    by_strength = Counter(fifth.get(each["school"]) for each in strongest)
    hosts = Counter(fifth.get(each["host"]) for each in found["pairs"])
    guests = Counter(fifth.get(each["guest"]) for each in found["pairs"])
    return [
        [f"{number + 1} of 5", f"{by_strength[number] / len(strongest):.1%}", hosts[number], guests[number]]
        for number in range(5)
    ]


def _outcomes(found: dict[str, Any], schools: Path, seed: int) -> list[list[object]]:
    """What is said of the guests in mathematics after two simulated years, with and without a planted effect."""
    city = City(schools)
    with schools.open(encoding="utf-8-sig") as file:
        codes = [row["Location Code"] for row in csv.DictReader(file) if _has_results(row)]
    guests = {each["guest"] for each in found["pairs"] if each["area"] == "mathematics"}
    hosts = {each["host"] for each in found["pairs"]}
    partner = np.array([code in guests for code in codes])
    excluded = np.array([code in hosts for code in codes])
    rows: list[list[object]] = []
    for effect in (0.0, 0.2, 0.3):
        claimed, said = 0, []
        for turn in range(PASTS):
            rng = np.random.default_rng([seed, turn])
            years = city.following(partner, effect, rng)
            came = compare(years, START, partner, city.context, rng, excluded=excluded, placebos=199)
            claimed += came.is_claimed
            said.append((came.effect.estimate, came.sentence("mathematics")))
        rows.append([f"{effect:.1f}", f"{claimed / PASTS:.3f}", sorted(said)[PASTS // 2][1]])
    return rows


def _has_results(row: dict[str, str]) -> bool:
    return row["Average Math Proficiency"].strip() not in ("", "N/A") and float(row["Average Math Proficiency"]) > 0


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schools", type=Path, default=SCHOOLS, help="the file of New York City's schools")
    parser.add_argument("--keep", type=Path, help="a folder in which the files and the report stay")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        found = matched(asked.schools.resolve(), folder, asked.seed)
    write("nyc", _page(found, asked.schools, asked.seed))


def _page(found: dict[str, Any], schools: Path, seed: int) -> str:
    pairs, certificate = found["pairs"], found["certificate"]
    places = Counter(
        "charter" if code.startswith("84") else "district" for p in pairs for code in (p["host"], p["guest"])
    )
    bases = Counter((p["area"], p["host_basis"], p["guest_basis"]) for p in pairs)
    distance = float(np.mean([p["distance_km"] for p in pairs]))
    profiles = table(["area", "schools", "all", "measured", "not enough data", "declared"], _profiles(found))
    fifths = table(
        ["by economic need", "of the strongest quarter in mathematics", "hosts", "guests"], _fifths(found, schools)
    )
    rests = table(["area", "host's part", "guest's part", "pairs"], [[*key, n] for key, n in sorted(bases.items())])
    first = {area: next(p for p in pairs if p["area"] == area) for area in sorted({p["area"] for p in pairs})}
    examples = "\n".join(f"* {p['reason']} {p['alternative']}" for p in first.values())
    outcomes = table(
        ["planted, sd", "claimed", "what is said of the one in the middle"], _outcomes(found, schools, seed)
    )
    rules = "; ".join(found["programme"]["rules"])
    return f"""# New York City, end to end

Written by `make study NAME=nyc` (seed {seed}) from the public file of 2016: profiles, a programme of 25 district and 25
charter schools in mathematics and for English language learners within 5 million dollars, pairs, and what came of them
in simulated following years. Results are counts of students at level 4 of those tested, by grade.

Nobody has asked these schools. In mathematics everybody is taken to be willing (marked as assumed). The file counts
English learners at level 4 without those tested, so in most schools it says nothing of this area: where there are at
least {LEAST_LEARNERS}, the tested are estimated by the school's share of English learners; elsewhere the profile says
that there is not enough data, and a pair rests on what the school declares. The declarations are drawn by lot.

## Profiles

{profiles}

Of every fifth of schools by economic need, 1 with the least:

{fifths}

## Pairs

{len(pairs)} pairs, {places["district"]} places for district and {places["charter"]} for charter
schools, {distance:.1f} km apart on average; {certificate["candidates"]:,} candidate pairs; the total weight is
{certificate["weight"]:,} and no choice can weigh more than {certificate["bound"]:,}
(gap {certificate["gap"]:.1e}). The rules: {rules}.

{rests}

The first of each area:

{examples}

## What came of them

Four simulated years, two before and two after ([the model](outcome.md), where power and false claims are measured for
50 partner schools), {PASTS} times: the guests in mathematics against schools like them. In the first row there is
nothing to find.

{outcomes}
"""


if __name__ == "__main__":
    main()
