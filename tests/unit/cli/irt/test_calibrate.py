"""`trellis irt calibrate`: published figures, conventions, anchors, groups, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from deploy.cli.irt.parameters import read_parameters
from tests.unit.cli.irt.conftest import Irt, two_parameter_answers, write_wide


def test_lsat6_2pl_is_as_published(irt: Irt, lsat6: Path) -> None:
    found = irt("calibrate", lsat6, "--model", "2pl", "--json").json

    assert found["model"] == "2pl"
    assert found["converged"] is True
    assert found["log_likelihood"] == pytest.approx(-2466.653, abs=1e-3)
    assert found["latent"] == {"mean": 0.0, "sd": 1.0}
    assert [one["a"] for one in found["items"]] == pytest.approx([0.826, 0.723, 0.891, 0.688, 0.657], abs=1e-3)
    assert [one["b"] for one in found["items"]] == pytest.approx([-3.359, -1.370, -0.280, -1.866, -3.126], abs=1e-3)
    assert found["metric"] == "logistic, D = 1"
    assert [one["categories"] for one in found["items"]] == [[0, 1]] * 5


def test_lsat6_1pl_has_one_slope_and_rasch_a_free_spread(irt: Irt, lsat6: Path) -> None:
    common = irt("calibrate", lsat6, "--model", "1pl", "--json").json
    rasch = irt("calibrate", lsat6, "--model", "rasch", "--json").json

    assert [one["a"] for one in common["items"]] == pytest.approx([0.7551] * 5, abs=1e-3)
    assert common["items"][0]["b"] == pytest.approx(-3.6153, abs=2e-3)
    assert common["latent"] == {"mean": 0.0, "sd": 1.0}
    assert {one["a"] for one in rasch["items"]} == {1.0}
    assert rasch["latent"]["sd"] == pytest.approx(0.7551, abs=1e-3)
    assert rasch["items"][0]["se"]["a"] is None
    for found in (common, rasch):
        assert found["log_likelihood"] == pytest.approx(-2466.938, abs=1e-3)


def test_scores_of_one_to_four_need_no_recoding(irt: Irt, shared: Path) -> None:
    found = irt("calibrate", shared / "irt" / "Science.csv", "--model", "grm", "--json").json

    assert found["log_likelihood"] == pytest.approx(-1608.870, abs=2e-3)
    assert found["items"][0]["categories"] == [1, 2, 3, 4]
    assert found["items"][0]["b"] == pytest.approx([-4.673, -2.536, 1.408], abs=2e-3)
    assert len(found["items"][0]["se"]["b"]) == 3


def test_standard_errors_stand_on_the_covariances_diagonal(irt: Irt, answers: Path) -> None:
    found = irt("calibrate", answers, "--model", "2pl", "--json").json

    order, matrix = found["covariance"]["order"], np.array(found["covariance"]["matrix"])
    assert matrix.shape == (12, 12)
    errors = {one["item"]: one["se"] for one in found["items"]}
    for place, name in enumerate(order):
        assert np.sqrt(matrix[place, place]) == pytest.approx(errors[name["item"]][name["parameter"]])


def test_both_kernels_agree_and_say_their_name(irt: Irt, answers: Path) -> None:
    compiled, plain = (
        irt("calibrate", answers, "--model", "2pl", "--kernel", name, "--json").json for name in ("compiled", "numpy")
    )

    assert (compiled["engine"], plain["engine"]) == ("mml-em:numba", "mml-em:numpy")
    for one, other in zip(compiled["items"], plain["items"], strict=True):
        assert [one["a"], one["b"]] == pytest.approx([other["a"], other["b"]], abs=1e-3)


def test_models_may_be_mixed_by_a_file(irt: Irt, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    theta = rng.standard_normal(500)[:, np.newaxis]
    right = (rng.random((500, 4)) < 1 / (1 + np.exp(-(theta - [-1, -0.3, 0.3, 1])))).astype(int)
    graded = (rng.random((500, 1)) < 1 / (1 + np.exp(-(theta + 1)))).astype(int) + (
        rng.random((500, 1)) < 1 / (1 + np.exp(-(theta - 1)))
    )
    file = write_wide(tmp_path / "m.csv", ["r1", "r2", "r3", "r4", "g"], np.hstack([right, graded]))
    (tmp_path / "models.csv").write_text("item,model\ng,gpcm\n")

    found = irt("calibrate", file, "--model", "2pl", "--models", tmp_path / "models.csv", "--json").json

    assert found["model"] == "mixed"
    assert [one["model"] for one in found["items"]] == ["2pl"] * 4 + ["gpcm"]
    assert len(found["items"][4]["b"]) == 2


def test_the_label_that_sorts_first_is_standard_normal(irt: Irt, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    a, b = [1.2] * 8, np.linspace(-1.5, 1.5, 8)
    low, high = (two_parameter_answers(1500, a, b - shift, seed) for shift, seed in ((0.0, 5), (0.8, 6)))
    rows = [["zeta", *row] for row in high.tolist()] + [["alpha", *row] for row in low.tolist()]
    order = rng.permutation(len(rows))
    lines = [",".join(map(str, rows[place])) for place in order]
    file = tmp_path / "groups.csv"
    file.write_text("\n".join(["school,i1,i2,i3,i4,i5,i6,i7,i8", *lines]) + "\n")

    found = irt("calibrate", file, "--model", "2pl", "--groups", "school", "--json").json

    first, second = found["groups"]
    assert (first["name"], first["mean"], first["sd"]) == ("alpha", 0.0, 1.0)
    assert second["name"] == "zeta"
    assert second["mean"] == pytest.approx(0.8, abs=0.15)
    assert found["latent"] == {"mean": 0.0, "sd": 1.0}
    assert {"item": None, "group": "zeta", "parameter": "mean"} in found["covariance"]["order"]


def test_anchors_stay_and_the_population_is_free(irt: Irt, answers: Path, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors.json"
    shifted = [{"item": "i1", "model": "2pl", "a": 0.8, "b": -0.5}, {"item": "i4", "model": "2pl", "a": 1.4, "b": 1.3}]
    anchors.write_text(json.dumps({"items": shifted}))

    found = irt("calibrate", answers, "--model", "2pl", "--anchors", anchors, "--json").json

    items = {one["item"]: one for one in found["items"]}
    assert (items["i1"]["a"], items["i1"]["b"]) == (0.8, -0.5)
    assert items["i1"]["se"] == {"a": None, "b": None, "c": None}
    assert found["anchors"] == ["i1", "i4"]
    assert found["latent"]["mean"] == pytest.approx(1.0, abs=0.35)
    assert items["i2"]["b"] == pytest.approx(-0.8 + found["latent"]["mean"], abs=0.5)


def test_a_prior_holds_c_where_it_is_poorly_determined(irt: Irt, answers: Path) -> None:
    found = irt("calibrate", answers, "--model", "3pl", "--prior", "c:beta(5,17)", "--prior", "a:lognormal(0,0.5)",
                "--json").json  # fmt: skip

    assert found["priors"] == ["c:beta(5,17)", "a:lognormal(0,0.5)"]
    assert all(0.05 < one["c"] < 0.4 for one in found["items"])
    assert found["log_posterior"] != found["log_likelihood"]


def test_what_calibrate_writes_can_be_read_again(irt: Irt, answers: Path, tmp_path: Path) -> None:
    made = irt("calibrate", answers, "--model", "2pl", "--json", "--out", tmp_path / "p.json")

    found = read_parameters(tmp_path / "p.json")

    assert (tmp_path / "p.json").read_text() == made.out
    assert [item.a for item in found.items] == [one["a"] for one in made.json["items"]]
    assert found.covariance is not None
    assert len(found.covariance.names) == 12


def test_without_json_a_person_gets_a_table_and_a_report(irt: Irt, answers: Path, tmp_path: Path) -> None:
    made = irt("calibrate", answers, "--model", "2pl", "--report", tmp_path / "r.html")

    assert made.code == 0
    assert "log-likelihood" in made.out
    assert "i6" in made.out
    html = (tmp_path / "r.html").read_text()
    assert html.count("<figure>") == 3
    assert "Wright map" in html


def test_students_without_answers_are_counted_and_say_nothing(irt: Irt, tmp_path: Path) -> None:
    scores = two_parameter_answers(300, [1.0] * 5, [-1, -0.5, 0, 0.5, 1], 8)
    silent = np.full((7, 5), 255, dtype=np.uint8)
    one = write_wide(tmp_path / "one.csv", list("vwxyz"), scores)
    other = write_wide(tmp_path / "other.csv", list("vwxyz"), np.vstack([silent, scores]))

    without, with_ = (irt("calibrate", file, "--model", "2pl", "--json").json for file in (one, other))

    assert with_["students_without_answers"] == 7
    assert with_["log_likelihood"] == pytest.approx(without["log_likelihood"], rel=1e-7)  # single precision


BAD = {
    "everybody right on an item": ("x,y,z\n1,1,0\n1,0,1\n1,1,1\n1,0,0\n", ["--model", "2pl"], "'x'"),
    "three scores in a 2pl": ("x,y\n0,1\n1,0\n2,1\n0,0\n", ["--model", "2pl"], "'x' has 3 scores"),
    "no model": ("x,y\n1,0\n0,1\n", [], "name a model"),
    "an unknown model": ("x,y\n1,0\n0,1\n", ["--model", "4pl"], "'4pl' is none of"),
    "an unreadable prior": ("x,y\n1,0\n0,1\n", ["--model", "2pl", "--prior", "a~N(0,1)"], "A prior is written"),
    "no such group column": ("x,y\n1,0\n0,1\n", ["--model", "2pl", "--groups", "g"], "no column 'g'"),
    "a student without a group": ("g,x,y\na,1,0\n,0,1\n", ["--model", "2pl", "--groups", "g"], "the group is missing"),
    "a word": ("x,y\n1,0\n0,maybe\n", ["--model", "2pl"], "line 3, column 'y'"),
    "an empty file": ("", ["--model", "2pl"], "is empty"),
}


@pytest.mark.parametrize(("content", "options", "said"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_calibrated_is_refused_in_one_sentence(
    irt: Irt, tmp_path: Path, content: str, options: list[str], said: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(content)

    made = irt("calibrate", file, *options, "--json")

    assert made.code != 0
    assert made.out == ""
    assert said in made.err
    assert "Traceback" not in made.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("item,model\nnobody,2pl\n", "there is no item 'nobody'"),
        ("item,model\ni1,5pl\n", "item 'i1' has model '5pl'"),
        ("item,model\ni1,2pl\ni1,3pl\n", "line 3: item 'i1' stands twice"),
        ("item,kind\ni1,2pl\n", "a header with the columns item and model"),
        ('{"i1": 2}', "a text is expected"),
        ("item,model\ni1,2pl\n", "item 'i2' has no model there"),
    ],
)
def test_a_file_of_models_is_refused_by_item(irt: Irt, answers: Path, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "models").write_text(content)

    made = irt("calibrate", answers, "--models", tmp_path / "models", "--json")

    assert made.code == 2
    assert said in made.err


def test_anchors_that_are_not_in_the_file_are_refused(irt: Irt, answers: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"items": [{"item": "elsewhere", "model": "rasch", "b": 0}]}')

    made = irt("calibrate", answers, "--model", "2pl", "--anchors", tmp_path / "a.json", "--json")

    assert made.code == 2
    assert "none of its items is in" in made.err
