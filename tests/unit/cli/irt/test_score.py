"""`trellis irt score`: published scores, conventions, extreme answers, long tests."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.unit.cli.irt.conftest import Irt, two_parameter_answers, write_wide


@pytest.mark.parametrize("method", ["eap", "map", "wle", "ml"])
def test_lsat6_scores_are_as_published(irt: Irt, shared: Path, tmp_path: Path, method: str) -> None:
    golden = json.loads((shared / "golden" / "LSAT6_2PL.json").read_text())
    expected = golden["scores"][method.upper()]
    patterns = np.array([expected[name] for name in golden["items"]]).T
    file = write_wide(tmp_path / "patterns.csv", golden["items"], patterns)
    pairs = zip(golden["items"], golden["coef"]["a"], golden["coef"]["b"], strict=True)
    items = [{"item": name, "model": "2pl", "a": a, "b": b} for name, a, b in pairs]
    (tmp_path / "p.json").write_text(json.dumps({"items": items}))

    found = irt("score", file, "--items", tmp_path / "p.json", "--method", method, "--json").json["scores"]

    for ours, theta, se in zip(found, expected["F1"], expected["SE_F1"], strict=True):
        if isinstance(theta, float):
            assert ours["theta"] == pytest.approx(theta, abs=1e-3)
            assert ours["se"] == pytest.approx(se, abs=1e-3)
        else:
            assert (ours["theta"], ours["se"]) == (None, None)


def test_scores_come_in_the_files_order_whatever_its_shape(irt: Irt, answers: Path, bank: Path, tmp_path: Path) -> None:
    header, *rows = [line.split(",") for line in answers.read_text().split()]
    lines = [
        f"s{row},{item},{score}" for row, cells in enumerate(rows) for item, score in zip(header, cells, strict=True)
    ]
    (tmp_path / "long.csv").write_text("student,item,score\n" + "\n".join(lines) + "\n")
    columns = {name: [int(row[place]) for row in rows] for place, name in reversed(list(enumerate(header)))}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "wide.parquet")

    wide, long, parquet = (
        irt("score", file, "--items", bank, "--json").json["scores"]
        for file in (answers, tmp_path / "long.csv", tmp_path / "wide.parquet")
    )

    assert [one.pop("student") for one in long] == [f"s{row}" for row in range(len(rows))]
    assert [one["theta"] for one in long] == pytest.approx([one["theta"] for one in wide], abs=1e-5)
    assert [one["theta"] for one in parquet] == pytest.approx([one["theta"] for one in wide], abs=1e-5)


def test_the_prior_is_the_latent_distribution_of_the_parameters(irt: Irt, bank: Path, tmp_path: Path) -> None:
    file = write_wide(tmp_path / "a.csv", ["i1", "i2"], np.array([[1, 0], [1, 1]]))
    said = json.loads(bank.read_text())
    said["latent"] = {"mean": 50.0, "sd": 10.0}
    said["items"] = [one | {"a": one["a"] / 10, "b": 50 + 10 * one["b"]} for one in said["items"]]
    (tmp_path / "scaled.json").write_text(json.dumps(said))

    for method in ("eap", "map"):
        plain = irt("score", file, "--items", bank, "--method", method, "--json").json["scores"]
        scaled = irt("score", file, "--items", tmp_path / "scaled.json", "--method", method, "--json").json["scores"]

        assert [one["theta"] for one in scaled] == pytest.approx([50 + 10 * one["theta"] for one in plain], abs=1e-3)
        assert [one["se"] for one in scaled] == pytest.approx([10 * one["se"] for one in plain], abs=1e-3)


def test_all_right_and_all_wrong_are_infinite_under_ml_and_nowhere_else(irt: Irt, bank: Path, tmp_path: Path) -> None:
    file = write_wide(tmp_path / "x.csv", ["i1", "i2", "i3"], np.array([[1, 1, 1], [0, 0, 0], [1, 0, 1]]))

    ml = irt("score", file, "--items", bank, "--method", "ml", "--json")
    bounded = irt("score", file, "--items", bank, "--method", "ml", "--bounds", -4, 4, "--json").json
    wle = irt("score", file, "--items", bank, "--method", "wle", "--json").json

    assert [one["theta"] is None for one in ml.json["scores"]] == [True, True, False]
    assert ml.json["infinite"] == {"low": 1, "high": 1}
    assert "Students with an infinite ability (all right, or all wrong), null in JSON: 2." in ml.err
    assert [one["theta"] for one in bounded["scores"]][:2] == [4.0, -4.0]
    assert all(one["theta"] is not None and one["se"] > 0 for one in wle["scores"])


def test_a_student_without_answers_has_no_ability_and_keeps_the_row(irt: Irt, bank: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("who,i1,i2\na,1,0\nb,,NA\nc,0,1\n")

    made = irt("score", tmp_path / "x.csv", "--items", bank, "--id", "who", "--json")

    assert [one["student"] for one in made.json["scores"]] == ["a", "b", "c"]
    assert [one["theta"] is None for one in made.json["scores"]] == [False, True, False]
    assert made.json["without_answers"] == 1
    assert "Students without answers, and so without an ability: 1." in made.err


def test_one_student_is_scored_on_the_items_they_answered(irt: Irt, bank: Path, tmp_path: Path) -> None:
    names = [one["item"] for one in json.loads(bank.read_text())["items"]]
    whole, part = tmp_path / "whole.csv", tmp_path / "part.csv"
    whole.write_text(",".join(names) + "\n1" + "," * (len(names) - 2) + ",0\n")
    part.write_text(f"{names[0]},{names[-1]}\n1,0\n")

    one, other = (irt("score", file, "--items", bank, "--json").json["scores"] for file in (whole, part))

    assert one[0]["theta"] == pytest.approx(other[0]["theta"], abs=1e-5)
    assert one[0]["se"] == pytest.approx(other[0]["se"], abs=1e-5)


def test_raw_scores_are_read_in_the_parameters_categories(irt: Irt, tmp_path: Path) -> None:
    item = {"item": "x", "model": "gpcm", "a": 1.0, "b": [-0.5, 0.5]}
    (tmp_path / "p.json").write_text(json.dumps({"items": [item | {"categories": [1, 3, 6]}]}))
    (tmp_path / "q.json").write_text(json.dumps({"items": [item]}))
    (tmp_path / "x.csv").write_text("x\n1\n3\n6\n")
    (tmp_path / "y.csv").write_text("x\n0\n1\n2\n")
    (tmp_path / "z.csv").write_text("x\n1\n2\n6\n")

    one = irt("score", tmp_path / "x.csv", "--items", tmp_path / "p.json", "--json").json["scores"]
    other = irt("score", tmp_path / "y.csv", "--items", tmp_path / "q.json", "--json").json["scores"]
    outside = irt("score", tmp_path / "z.csv", "--items", tmp_path / "p.json", "--json")

    assert one == other
    assert [row["theta"] for row in one] == sorted(row["theta"] for row in one)
    assert (outside.code, outside.out) == (2, "")
    assert "line 3: item x has score 2, but its categories are 1, 3, 6" in outside.err


@pytest.mark.parametrize(("items", "tolerance"), [(200, 1e-3), (1000, 5e-3)])
def test_long_tests_of_random_answers_are_exact(irt: Irt, tmp_path: Path, items: int, tolerance: float) -> None:
    rng = np.random.default_rng(items)
    a, b = rng.lognormal(0, 0.3, items), rng.normal(0, 1, items)
    scores = rng.integers(0, 2, (40, items))
    names = [f"i{item}" for item in range(items)]
    file = write_wide(tmp_path / "x.csv", names, scores)
    said = [{"item": name, "model": "2pl", "a": one, "b": two} for name, one, two in zip(names, a, b, strict=True)]
    (tmp_path / "p.json").write_text(json.dumps({"items": said}))
    theta = np.linspace(-6, 6, 24_001)
    z = a * (theta[:, np.newaxis] - b)
    logs = scores @ -np.logaddexp(0, -z).T + (1 - scores) @ -np.logaddexp(0, z).T - theta**2 / 2
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    mean = weights @ theta
    sd = np.sqrt((weights * (theta - mean[:, np.newaxis]) ** 2).sum(axis=1))

    found = irt("score", file, "--items", tmp_path / "p.json", "--json").json["scores"]

    assert [one["theta"] for one in found] == pytest.approx(mean, abs=tolerance)
    assert [one["se"] for one in found] == pytest.approx(sd, abs=tolerance)


def test_every_score_names_its_parameters_answers_and_engine(irt: Irt, answers: Path, bank: Path) -> None:
    compiled = irt("score", answers, "--items", bank, "--json").json
    plain = irt("score", answers, "--items", bank, "--kernel", "numpy", "--json").json

    assert compiled["engine"] == "eap-2:61:numba"
    assert plain["engine"] == "eap-2:61:numpy"
    assert len(compiled["parameters"]["sha256"]) == len(compiled["responses"]["sha256"]) == 64
    for one, other in zip(compiled["scores"], plain["scores"], strict=True):
        assert (one["theta"], one["se"]) == pytest.approx((other["theta"], other["se"]), abs=1e-5)


def test_scores_can_be_written_as_csv_and_as_a_report(irt: Irt, bank: Path, tmp_path: Path) -> None:
    scores = two_parameter_answers(60, [0.8, 1.0, 1.2], [-1.5, -0.8, -0.2], 4)
    scores[0] = 255
    file = write_wide(tmp_path / "x.csv", ["i1", "i2", "i3"], scores)

    made = irt("score", file, "--items", bank, "--out", tmp_path / "o.csv", "--report", tmp_path / "r.html")
    printed = irt("score", file, "--items", bank, "--json", "--person-fit").json

    rows = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert made.code == 0
    assert rows[0] == {"theta": "", "se": "", "answers": "0"}
    assert [float(row["theta"]) for row in rows[1:]] == [one["theta"] for one in printed["scores"][1:]]
    assert printed["scores"][0]["lz"] is None
    assert all(one["infit"] > 0 for one in printed["scores"][1:])
    assert (tmp_path / "r.html").read_text().count("<figure>") == 2


def test_scaled_scores_follow_name_bounds_and_rounding(irt: Irt, bank: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("i1,i2,i3\n1,1,1\n0,0,0\n1,0,0\n,,\n")

    found = irt("score", tmp_path / "x.csv", "--items", bank, "--scale", "points,50,500,480,540", "--json").json

    assert found["scale"]["name"] == "points"
    for one in found["scores"][:3]:
        assert one["scaled"] == np.floor(np.clip(500 + 50 * one["theta"], 480, 540) + 0.5)
        assert one["scaled_se"] == pytest.approx(50 * one["se"])
    assert found["scores"][3]["scaled"] is None


def test_raw_scores_of_items_of_one_slope_are_the_patterns_own(irt: Irt, tmp_path: Path) -> None:
    items = [{"item": name, "model": "rasch", "b": b} for name, b in (("x", -1.0), ("y", 0.2), ("z", 0.9))]
    (tmp_path / "p.json").write_text(json.dumps({"latent": {"mean": 0.3, "sd": 1.2}, "items": items}))
    (tmp_path / "x.csv").write_text("x,y,z\n0,0,0\n0,1,0\n1,0,1\n1,1,1\n")

    found = irt("score", tmp_path / "x.csv", "--items", tmp_path / "p.json", "--raw-scores", "--json").json

    assert [one["raw"] for one in found["raw_scores"]] == [0, 1, 2, 3]
    assert sum(one["share"] for one in found["raw_scores"]) == pytest.approx(1)
    for table, student in zip(found["raw_scores"], found["scores"], strict=True):
        assert (table["theta"], table["se"]) == pytest.approx((student["theta"], student["se"]), abs=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--scale", "points,50"], "is no NAME,SLOPE"), (["--scale", "points,-1,0,0,9"], "slope of scale points is -1"),
     (["--method", "bayes"], "'bayes' is none of"), (["--bounds", "-4", "4"], "of --method ml only"),
     (["--method", "ml", "--bounds", "4", "-4"], "two rising numbers")],
)  # fmt: skip
def test_options_that_mean_nothing_are_refused(
    irt: Irt, answers: Path, bank: Path, options: list[str], said: str
) -> None:
    made = irt("score", answers, "--items", bank, *options, "--json")

    assert made.code != 0
    assert made.out == ""
    assert said in made.err
