"""`trellis trace fit` and `evaluate` on files, end to end."""

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from deploy.cli.main import _exit_code
from services.mastery.domain.tracing.skill import Skill
from tests.unit.mastery.tracing.simulated import simulated

KT = Path(__file__).resolve().parents[5] / "shared" / "data" / "kt"
HEADER = "user,item,skill,correct,timestamp"
SKILLS = [Skill(0.4, 0.2, 0.01, 0.2, 0.1), Skill(0.6, 0.1, 0.02, 0.3, 0.15)]
NAMES = ["a.b*", "a.bc"]
Trace = Callable[..., tuple[int, str, str]]


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Trace:
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trellis", "trace", *map(str, arguments)])
        code = _exit_code()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def as_object(done: tuple[int, str, str]) -> dict[str, Any]:
    code, out, err = done
    assert code == 0, err
    found: dict[str, Any] = json.loads(out, parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))
    return found


def lines_of(path: Path, lines: Sequence[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def made(students: int, seed: int, first: int = 0) -> list[list[str]]:
    """Rows user, item, skill, correct, timestamp; items of each skill repeat."""
    rng = np.random.default_rng(seed)
    drawn = simulated(SKILLS, students, 8, rng)
    items = rng.integers(0, 12, len(drawn))
    return [
        [f"u{first + user}", f"i{item}", NAMES[skill], str(int(credit)), str(at)]
        for at, (user, item, skill, credit) in enumerate(
            zip(drawn.user.tolist(), items.tolist(), drawn.skill.tolist(), drawn.credit.tolist(), strict=True)
        )
    ]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    train, test = made(250, 1), made(60, 2, first=1000)
    return (
        lines_of(tmp_path / "train.csv", [",".join(row) for row in train]),
        lines_of(tmp_path / "test.csv", [",".join(row) for row in test]),
    )


def test_a_fit_says_what_it_found_of_every_skill(trace: Trace, files: tuple[Path, Path], tmp_path: Path) -> None:
    out, report = tmp_path / "parameters.json", tmp_path / "report.html"

    found = as_object(trace("fit", files[0], "--json", "--out", out, "--report", report))

    assert [one["skill"] for one in found["skills"]] == NAMES
    assert {one["status"] for one in found["skills"]} == {"fitted"}
    assert found["converged"] is True
    assert found["skills"][0]["guess"] == pytest.approx(0.2, abs=0.15)
    assert found["skills"][0]["se"]["guess"] > 0
    assert found["decay_per_day"] is None
    assert len(found["items"]) == 24
    assert json.loads(out.read_text()) == found
    assert "<svg" in report.read_text()


def test_predictions_stand_in_the_order_of_the_file_and_make_the_figures(
    trace: Trace, files: tuple[Path, Path], tmp_path: Path
) -> None:
    out, report = tmp_path / "p.csv", tmp_path / "report.html"

    found = as_object(trace("evaluate", *files, "--json", "--predictions", out, "--report", report))

    with out.open() as stream:
        p = np.array([float(row["p"]) for row in csv.DictReader(stream)])
    right = np.array([float(row[3]) for row in made(60, 2, first=1000)])
    assert found["rows"] == len(p) == len(right)
    assert found["rmse"] == pytest.approx(float(np.sqrt(np.mean((p - right) ** 2))))
    assert found["log_loss"] == pytest.approx(float(-np.mean(right * np.log(p) + (1 - right) * np.log(1 - p))))
    wins = (p[right == 1][:, np.newaxis] > p[right == 0]).mean() + (
        p[right == 1][:, np.newaxis] == p[right == 0]
    ).mean() / 2
    assert found["auc"] == pytest.approx(float(wins))
    assert (
        sum(one["rows"] for one in found["competencies"]) == sum(one["rows"] for one in found["calibration"]) == len(p)
    )
    assert "<svg" in report.read_text()


def test_a_prediction_depends_on_nothing_that_comes_later(
    trace: Trace, files: tuple[Path, Path], tmp_path: Path
) -> None:
    rows = made(60, 2, first=1000)
    cut = len(rows) // 2
    changed = lines_of(
        tmp_path / "changed.csv",
        [",".join([*row[:3], row[3] if at < cut else str(1 - int(row[3])), row[4]]) for at, row in enumerate(rows)],
    )
    p = []
    for test in (files[1], changed):
        trace("evaluate", files[0], test, "--predictions", tmp_path / "p.csv")
        p.append((tmp_path / "p.csv").read_text().splitlines()[1:])

    assert p[0][: cut + 1] == p[1][: cut + 1]
    assert p[0] != p[1]


def test_rows_go_by_timestamp_and_ties_by_their_place(trace: Trace, files: tuple[Path, Path], tmp_path: Path) -> None:
    forward = lines_of(tmp_path / "f.csv", ["x,i1,a.bc,1,1", "x,i1,a.bc,0,2", "x,i1,a.bc,1,3"])
    backward = lines_of(tmp_path / "b.csv", ["x,i1,a.bc,1,3", "x,i1,a.bc,0,2", "x,i1,a.bc,1,1"])
    tied = lines_of(tmp_path / "t.csv", ["x,i1,a.bc,1,0", "x,i1,a.bc,0,0", "x,i1,a.bc,1,0"])
    p = {}
    for test in (forward, backward, tied):
        trace("evaluate", files[0], test, "--predictions", tmp_path / "p.csv")
        p[test.stem] = (tmp_path / "p.csv").read_text().splitlines()[1:]

    assert p["f"] == p["t"] == p["b"][::-1]


def test_a_user_of_both_files_begins_afresh_or_goes_on(trace: Trace, files: tuple[Path, Path], tmp_path: Path) -> None:
    test = lines_of(tmp_path / "same.csv", ["u0,i1,a.bc,1,999999", "new,i1,a.bc,1,999999"])
    p = []
    for option in ("--afresh", "--continue"):
        trace("evaluate", *(files[0], test), option, "--predictions", tmp_path / "p.csv")
        p.append((tmp_path / "p.csv").read_text().splitlines()[1:])

    assert p[0][0] == p[0][1] == p[1][1]
    assert p[1][0] != p[0][0]


def test_parquet_and_tabs_and_other_names_and_orders_say_the_same(
    trace: Trace, files: tuple[Path, Path], tmp_path: Path
) -> None:
    rows = made(250, 1)
    tabs = lines_of(
        tmp_path / "tabs.tsv",
        ["\t".join([row[4], row[0], "7", row[1], row[3], row[2]]) for row in rows],
        "timestamp\tuser_id\textra\titem_id\tcorrect\tskill_id",
    )
    columns = list(zip(*rows, strict=True))
    pyarrow.parquet.write_table(
        pa.table(
            {
                "user": columns[0],
                "item": columns[1],
                "skill": columns[2],
                "correct": [int(one) for one in columns[3]],
                "timestamp": [int(one) for one in columns[4]],
            }
        ),
        tmp_path / "rows.parquet",
    )

    found = [as_object(trace("fit", file, "--json")) for file in (files[0], tabs, tmp_path / "rows.parquet")]

    assert found[0] == found[1] == found[2]


def test_a_skill_unknown_to_train_is_predicted_with_pooled_parameters_and_said(
    trace: Trace, files: tuple[Path, Path], tmp_path: Path
) -> None:
    test = lines_of(tmp_path / "other.csv", ["x,i1,new.*,1,1", "x,i1,a.bc,0,2"])

    code, out, err = trace("evaluate", files[0], test, "--json")

    status = {one["skill"]: one["status"] for one in json.loads(out)["competencies"]}
    assert code == 0
    assert status == {"new.*": "unknown to TRAIN: pooled parameters", "a.bc": "fitted"}
    assert "1 skills of TEST are not in TRAIN" in err


def test_answers_that_are_all_alike_have_no_auc(trace: Trace, files: tuple[Path, Path], tmp_path: Path) -> None:
    test = lines_of(tmp_path / "right.csv", ["x,i1,a.bc,1,1", "y,i1,a.bc,1,2"])

    assert as_object(trace("evaluate", files[0], test, "--json"))["auc"] is None


def test_only_a_separator_that_is_asked_for_makes_several_skills_of_one(trace: Trace, tmp_path: Path) -> None:
    rows = [",".join([*row[:2], "a~b" if row[2] == "a.bc" else "a", *row[3:]]) for row in made(100, 3)]
    file = lines_of(tmp_path / "several.csv", rows)

    whole, split = (as_object(trace("fit", file, "--json", *more)) for more in ((), ("--skill-separator", "~")))

    assert [one["skill"] for one in whole["skills"]] == ["a", "a~b"]
    assert {one["skill"]: one["responses"] for one in split["skills"]} == {"a": 1600, "b": 800}


def test_seconds_tell_time_and_small_numbers_only_an_order(trace: Trace, tmp_path: Path) -> None:
    rows = made(120, 4)
    clock = lines_of(
        tmp_path / "clock.csv", [",".join([*row[:4], str(1_600_000_000 + 40_000 * at)]) for at, row in enumerate(rows)]
    )
    moments = lines_of(
        tmp_path / "moments.csv",
        [",".join([*row[:4], f"2026-09-{1 + at // 100:02d}T08:{at % 60:02d}:00Z"]) for at, row in enumerate(rows)],
    )
    order = lines_of(tmp_path / "order.csv", [",".join(row) for row in rows])

    timed = [as_object(trace("fit", file, "--json"))["elapsed_time"] for file in (clock, moments, order)]

    assert timed == [True, True, False]


def test_grades_have_priors_of_their_own(trace: Trace, tmp_path: Path) -> None:
    weak = [replace_grade(row, "3") for row in made(200, 5)]
    strong = [[*replace_grade(row, "8")[:3], "1", *replace_grade(row, "8")[4:]] for row in made(200, 6, first=500)]
    file = lines_of(tmp_path / "grades.csv", [",".join(row) for row in weak + strong], f"{HEADER},grade")

    found = as_object(trace("fit", file, "--json", "--grade", "grade"))

    for one in found["skills"]:
        assert one["prior_by_grade"]["3"] < one["prior"] < one["prior_by_grade"]["8"]


def replace_grade(row: list[str], grade: str) -> list[str]:
    return [*row, grade]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (f"{HEADER}\n", "no"),
        ("user,item,correct,timestamp\nu,i,1,1\n", "no column skill"),
        ("user,item,skill,skill,correct,timestamp\nu,i,s,s,1,1\n", "columns 3 and 4 are both called 'skill'"),
        ("user,user_id,skill,correct\nu,v,s,1\n", "which is it"),
        (f"{HEADER}\nu,i,s,1,1\nu,i,s,NaN,2\n", "line 3, column 'correct': 'NaN'"),
        (f"{HEADER}\nu,i,s,1,1\nu,i,s,2,2\n", "line 3, column 'correct': '2'"),
        (f"{HEADER}\nu,i,s,-0.1,1\n", "line 2, column 'correct'"),
        (f"{HEADER}\nu,i,s,,1\n", "line 2, column 'correct': the cell is empty"),
        (f"{HEADER}\nu,i,,1,1\n", "line 2, column 'skill': the cell is empty"),
        (f"{HEADER}\nu,i,s,1,yesterday\n", "line 2, column 'timestamp': 'yesterday'"),
        (f"{HEADER}\nu,i,s,1,inf\n", "line 2, column 'timestamp': 'inf'"),
        (f"{HEADER}\nu,i,s,1\n", "line 2"),
    ],
)
def test_bad_input_is_refused_with_its_place(trace: Trace, tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content, encoding="utf-8")

    code, out, err = trace("fit", file, "--json")

    assert code != 0
    assert out == ""
    assert said in " ".join(err.split())


def test_a_skill_seen_once_has_the_pooled_parameters(trace: Trace, tmp_path: Path) -> None:
    rows = [",".join(row) for row in made(100, 7)]
    file = lines_of(tmp_path / "once.csv", [*rows, "u1,i1,once,1,99999"])

    found = as_object(trace("fit", file, "--json"))

    once = next(one for one in found["skills"] if one["skill"] == "once")
    assert once["status"].startswith("few data: 1 responses of 1 students")
    assert {name: once[name] for name in ("prior", "learn", "guess")} == {
        name: found["pooled"][name] for name in ("prior", "learn", "guess")
    }


def two_kinds(path: Path) -> Path:
    """Some who answer nearly everything right and some who answer nearly everything wrong."""
    able = [[*row[:3], "1" if at % 7 else "0", row[4]] for at, row in enumerate(made(120, 8, first=500))]
    weak = [[*row[:3], "0" if at % 5 else "1", row[4]] for at, row in enumerate(made(120, 9))]
    return lines_of(path, [",".join(row) for row in [*weak, *able]])


def test_students_own_priors_are_on_unless_they_are_switched_off(
    trace: Trace, files: tuple[Path, Path], tmp_path: Path
) -> None:
    train = two_kinds(tmp_path / "kinds.csv")

    fits = [as_object(trace("fit", train, "--json", *more)) for more in ((), ("--no-student-prior",))]
    found = [as_object(trace("evaluate", train, files[1], "--json", *more)) for more in ((), ("--no-student-prior",))]

    assert fits[0]["student_prior"]["strength"] > 0
    assert fits[0]["student_prior"] == found[0]["student_prior"]
    assert fits[1]["student_prior"] is found[1]["student_prior"] is None
    assert fits[0]["skills"] == fits[1]["skills"]
    assert found[0]["auc"] != found[1]["auc"]


def test_skills_unknown_to_train_are_skills_of_their_own(
    trace: Trace, files: tuple[Path, Path], tmp_path: Path
) -> None:
    p = []
    for answer in "10":
        test = lines_of(tmp_path / "new.csv", [f"x,i1,c,{answer},1", "x,i1,d,1,2", "x,i1,c,1,3"])
        trace("evaluate", files[0], test, "--no-student-prior", "--predictions", tmp_path / "p.csv")
        p.append((tmp_path / "p.csv").read_text().splitlines()[1:])

    assert p[0][:2] == p[1][:2]
    assert p[0][2] != p[1][2]
    assert p[0][0] == p[0][1]


def test_a_row_of_several_skills_does_not_tell_its_own_answer(trace: Trace, tmp_path: Path) -> None:
    train = two_kinds(tmp_path / "kinds.csv")
    p = []
    for answer in "01":
        test = lines_of(tmp_path / "both.csv", ["x,i1,c,1,1", f"x,i1,a.b*~a.bc,{answer},2", "x,i1,d,1,3"])
        trace("evaluate", train, test, "--skill-separator", "~", "--predictions", tmp_path / "p.csv")
        p.append((tmp_path / "p.csv").read_text().splitlines()[1:])

    assert p[0][:2] == p[1][:2]
    assert float(p[0][2]) < float(p[1][2])


@pytest.mark.skipif(not KT.exists(), reason="the published response files are not here")
@pytest.mark.parametrize(
    ("option", "auc"),
    [("--student-prior", 0.765), pytest.param("--no-student-prior", 0.755, marks=pytest.mark.long)],
)
def test_item_difficulty_predicts_assistments_2009_better_than_an_auc_of_three_quarters(
    trace: Trace, option: str, auc: float
) -> None:
    found = as_object(trace("evaluate", KT / "lpp_assist09_train.csv", KT / "lpp_assist09_test.csv", option, "--json"))

    assert found["rows"] == 58_266
    assert found["auc"] > auc
