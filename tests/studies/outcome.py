"""Did it work: how often a planted effect of partnerships is found, and how often one is claimed that is not there."""

import argparse
import csv
from pathlib import Path

import numpy as np

from services.partnership.domain.outcome import compare
from services.partnership.domain.strength import counted, strengths
from tests.studies import table, write

SCHOOLS = Path(__file__).parents[3] / "shared" / "data" / "schools" / "nyc_2016_school_explorer.csv"
EFFECTS = (0.0, 0.05, 0.1, 0.2, 0.3)
"""In standard deviations of schools' average mathematics proficiency."""
YEARS, START = 4, 2
_BETWEEN_YEARS = 0.25  # of a school's own movement from year to year, in standard deviations of schools


class City:
    """Schools as the file has them: average proficiency, context, strength, and who is a charter school."""

    def __init__(self, path: Path) -> None:
        with path.open(encoding="utf-8-sig") as file:
            rows = [row for row in csv.DictReader(file) if _number(row["Average Math Proficiency"]) > 0]
        self.proficiency = np.array([_number(row["Average Math Proficiency"]) for row in rows])
        self.is_charter = np.array([row["Location Code"].startswith("84") for row in rows])
        grades = range(3, 9)
        cells = [
            (at, grade, int(_number(row[f"Grade {grade} Math 4s - All Students"])), int(_number(row[name])))
            for at, row in enumerate(rows)
            for grade in grades
            for name in row
            if name.lower() == f"grade {grade} math - all students tested" and _number(row[name]) > 0
        ]
        school, grade, reached, tested = np.array(cells, np.int64).T
        size = np.log(np.maximum(np.bincount(school, tested, minlength=len(rows)), 1))
        self.context = np.stack(
            [
                np.array([_number(row["Economic Need Index"]) for row in rows]),
                np.array([_number(row["Percent ELL"].rstrip("%")) for row in rows]),
                size,
            ],
            axis=1,
        )
        names = [row["School Name"] for row in rows]
        self.need = strengths(counted(school, grade, reached, tested, names), self.context, names).need

    def partners(self, rng: np.random.Generator, each: int = 25) -> np.ndarray:
        """So many district and so many charter schools among the half that needs help more, by lot."""
        partner = np.zeros(len(self.need), np.bool_)
        for kind in (self.is_charter, ~self.is_charter):
            able = np.flatnonzero(kind & np.isfinite(self.need))
            needy = able[self.need[able] >= np.median(self.need[able])]
            partner[rng.choice(needy, min(each, len(needy)), replace=False)] = True
        return partner

    def following(self, partner: np.ndarray, effect: float, rng: np.random.Generator) -> np.ndarray:
        """Four years of average proficiency: what the file says, a trend, each school's own movement, effects."""
        spread = float(self.proficiency.std())
        years = self.proficiency[:, None] + spread * rng.normal(0, _BETWEEN_YEARS, (len(partner), YEARS))
        years += spread * 0.05 * np.arange(YEARS) * (1 - np.nan_to_num(self.context[:, :1]))
        years[partner, START:] += effect * spread
        return years


def _number(cell: str) -> float:
    return float(cell) if cell.strip() not in ("", "N/A") else float("nan")


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schools", type=Path, default=SCHOOLS, help="the file of New York City's schools")
    parser.add_argument("--times", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    city = City(asked.schools)
    spread = float(city.proficiency.std())
    rows, sentences = [], []
    for effect in EFFECTS:
        claimed = wrong = covered = 0
        estimates = []
        for turn in range(asked.times):
            rng = np.random.default_rng([asked.seed, turn])
            partner = city.partners(rng)
            found = compare(city.following(partner, effect, rng), START, partner, city.context, rng, placebos=199)
            claimed += found.is_claimed
            wrong += found.is_claimed and found.effect.estimate < 0
            covered += found.effect.lower <= effect * spread <= found.effect.upper
            estimates.append(found.effect.estimate / spread)
        share = [f"{count / asked.times:.3f}" for count in (claimed, wrong, covered)]
        rows.append([f"{effect:.2f}", *share, f"{np.mean(estimates):+.3f}", f"{np.std(estimates):.3f}"])
        sentences.append(f"* planted {effect:.2f} sd: {found.sentence('mathematics')}")
    header = ["planted, sd", "claimed", "claimed with the wrong sign", "interval covers", "mean estimate", "its sd"]
    said = "\n".join(sentences)
    write(
        "outcome",
        f"""# Did it work? Power and false claims

Written by `make study NAME=outcome` (seed {asked.seed}, {asked.times} times each effect). The schools are New York
City's of 2016, {len(city.need):,} with results: 25 district and 25 charter schools, drawn among the half that needs
help more in mathematics, get a partner after two years of four. Results of each year are what the file says plus a
school's own movement of {_BETWEEN_YEARS} standard deviations of schools and a trend that differs with economic need.
The planted effect is in the same standard deviations ({spread:.3f} points of proficiency). The first row is the rate of
false claims.

{table(header, rows)}

What is said of the last run of each:

{said}
""",
    )


if __name__ == "__main__":
    main()
