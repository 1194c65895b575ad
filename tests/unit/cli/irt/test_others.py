"""`trellis irt link`, `dif`, `fit` and `simulate-cat` on files, end to end."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.cli.irt.conftest import Irt, two_parameter_answers, write_wide


@pytest.fixture
def forms(shared: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The two linked forms as equateIRT has them, as parameters files without covariances."""
    golden = json.loads((shared / "golden" / "equateIRT_est2pl_test1_test2.json").read_text())
    made = []
    for form in ("1", "2"):
        names = [one.split(".")[1] for one in golden[f"names{form}"]]
        values, half = golden[f"par_test{form}"], len(names) // 2
        items = [
            {"item": name, "model": "2pl", "b": values[place], "a": values[half + place]}
            for place, name in enumerate(names[:half])
        ]
        made.append(tmp_path / f"form{form}.json")
        made[-1].write_text(json.dumps({"items": items}))
    return made[0], made[1]


@pytest.mark.parametrize("method", ["mean-mean", "mean-sigma", "haebara", "stocking-lord"])
def test_forms_are_linked_as_published(irt: Irt, shared: Path, forms: tuple[Path, Path], method: str) -> None:
    golden = json.loads((shared / "golden" / "equateIRT_est2pl_test1_test2.json").read_text())
    expected = {name.lower(): one for name, one in golden.items() if isinstance(one, dict)}[method]

    found = irt("link", *forms, "--method", method, "--json").json

    assert (found["A"], found["B"]) == pytest.approx((expected["A"], expected["B"]), abs=1e-4)
    assert found["se"] == {"A": None, "B": None}
    assert len(found["common"]) == 10


def test_two_calibrations_are_linked_with_standard_errors(irt: Irt, shared: Path, tmp_path: Path) -> None:
    for form in ("1", "2"):
        source = shared / "irt" / f"equateIRT_data2pl_form{form}.csv"
        irt("calibrate", source, "--model", "2pl", "--out", tmp_path / f"{form}.json")

    found = irt("link", tmp_path / "1.json", tmp_path / "2.json", "--json", "--report", tmp_path / "l.html").json

    assert (found["A"], found["B"]) == pytest.approx((1.21057, -0.14519), abs=1e-3)
    assert (found["se"]["A"], found["se"]["B"]) == pytest.approx((0.0288, 0.0273), abs=1e-3)
    assert found["se_exact"] == found["se"]
    assert (tmp_path / "l.html").read_text().count("<figure>") == 2


def test_by_mean_sigma_the_published_error_and_the_right_one_stand_side_by_side(
    irt: Irt, shared: Path, tmp_path: Path
) -> None:
    for form in ("1", "2"):
        source = shared / "irt" / f"equateIRT_data2pl_form{form}.csv"
        irt("calibrate", source, "--model", "2pl", "--out", tmp_path / f"{form}.json")

    ran = irt("link", tmp_path / "1.json", tmp_path / "2.json", "--method", "mean-sigma", "--json")

    assert ran.json["se"]["A"] == pytest.approx(0.0544, abs=1e-3)
    assert ran.json["se_exact"]["A"] == pytest.approx(ran.json["se"]["A"] * 10 / 9)


def test_linking_a_form_to_itself_is_the_identity(irt: Irt, bank: Path) -> None:
    found = irt("link", bank, bank, "--json").json

    assert (found["A"], found["B"]) == pytest.approx((1.0, 0.0), abs=1e-9)


def test_theta_to_is_a_theta_from_plus_b(irt: Irt, bank: Path, tmp_path: Path) -> None:
    moved = json.loads(bank.read_text())
    for item in moved["items"]:
        item["a"], item["b"] = item["a"] / 2.0, 2.0 * item["b"] + 0.5
    to = tmp_path / "to.json"
    to.write_text(json.dumps(moved))

    found = irt("link", bank, to, "--method", "haebara", "--json").json

    assert (found["A"], found["B"]) == pytest.approx((2.0, 0.5), abs=1e-6)


def test_forms_without_common_items_cannot_be_linked(irt: Irt, bank: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"items": [{"item": "elsewhere", "model": "2pl", "a": 1, "b": 0}]}')

    made = irt("link", bank, tmp_path / "other.json", "--json")

    assert (made.code, made.out) == (2, "")
    assert "two common items or more" in made.err


@pytest.fixture
def verbal(shared: Path, tmp_path: Path) -> Path:
    """Verbal aggression: 24 items right or wrong and the gender, without the trait score."""
    lines = [line.split() for line in (shared / "irt" / "difR_verbal.txt").read_text().splitlines()]
    file = tmp_path / "verbal.csv"
    file.write_text("".join(",".join([*one[:24], one[25]]) + "\n" for one in lines))
    return file


@pytest.mark.parametrize(("option", "key"), [("--no-purify", "MH"), ("--purify", "MH_purified")])
def test_verbal_aggression_is_as_published(irt: Irt, shared: Path, verbal: Path, option: str, key: str) -> None:
    golden = json.loads((shared / "golden" / "verbal_DIF.json").read_text())[key]

    found = irt("dif", verbal, "--groups", "Gender", "--focal", "1", option, "--json").json

    assert [one["delta"] for one in found["items"]] == pytest.approx(-2.35 * np.log(golden["alpha"]), abs=1e-3)
    assert [one["chi2"] for one in found["items"]] == pytest.approx(golden["chisq"], abs=1e-3)


def test_delta_is_negative_where_the_item_is_harder_for_the_focal_group(irt: Irt, tmp_path: Path) -> None:
    a, b = [1.0] * 10, np.linspace(-1, 1, 10)
    reference = two_parameter_answers(1200, a, b, 1)
    focal = two_parameter_answers(1200, a, b + np.array([1.0, *[0] * 9]), 2)
    scores = np.hstack([np.repeat([0, 1], 1200)[:, np.newaxis], np.vstack([reference, focal])])
    file = write_wide(tmp_path / "d.csv", ["g", *[f"i{place}" for place in range(10)]], scores)

    found = irt("dif", file, "--groups", "g", "--focal", "1", "--json", "--report", tmp_path / "d.html").json

    assert found["items"][0]["delta"] < -1.5
    assert found["items"][0]["class"] == "C"
    assert "i0" in found["purified"]
    assert [one["class"] for one in found["items"][1:]].count("C") == 0
    assert "harder for the focal group" in (tmp_path / "d.html").read_text()


def test_an_item_everybody_got_right_has_no_delta_but_a_reason(irt: Irt, tmp_path: Path) -> None:
    scores = two_parameter_answers(200, [1.0] * 4, [-1, 0, 0, 1], 3)
    scores[:, 0] = 1
    file = write_wide(tmp_path / "d.csv", ["g", *"wxyz"], np.hstack([np.tile([[0], [1]], (100, 1)), scores]))

    found = irt("dif", file, "--groups", "g", "--focal", "1", "--json").json

    assert found["items"][0]["delta"] is None
    assert found["items"][0]["class"] is None
    assert "everybody got the same score" in found["items"][0]["reason"]


@pytest.mark.parametrize(
    ("content", "focal", "said"),
    [
        ("g,x\na,1\nb,0\n", "c", "nobody is 'c' in column 'g'; its values are a, b"),
        ("g,x\na,1\nb,0\n", "a", "The reference group has 1 students"),
    ],
)
def test_groups_that_cannot_be_compared_are_refused(
    irt: Irt, tmp_path: Path, content: str, focal: str, said: str
) -> None:
    (tmp_path / "d.csv").write_text(content)

    made = irt("dif", tmp_path / "d.csv", "--groups", "g", "--focal", focal, "--json")

    assert (made.code, made.out) == (2, "")
    assert said in made.err


def test_item_fit_of_lsat6_is_as_published(irt: Irt, shared: Path, lsat6: Path, tmp_path: Path) -> None:
    golden = json.loads((shared / "golden" / "LSAT6_2PL.json").read_text())
    irt("calibrate", lsat6, "--model", "2pl", "--out", tmp_path / "p.json")

    found = irt("fit", lsat6, "--items", tmp_path / "p.json", "--json", "--report", tmp_path / "f.html").json

    fits, squares = golden["S_X2"], golden["infit"]
    assert [one["item"] for one in found["items"]] == fits["item"]
    assert [one["df"] for one in found["items"]] == fits["df.S_X2"]
    for ours, theirs in (("s_x2", fits["S_X2"]), ("p", fits["p.S_X2"]), ("infit", squares["infit"])):
        assert [one[ours] for one in found["items"]] == pytest.approx(theirs, abs=1e-3)
    assert [one["outfit"] for one in found["items"]] == pytest.approx(squares["outfit"], abs=1e-3)
    assert (tmp_path / "f.html").read_text().count("<figure>") == 2


def test_more_than_fit_is_told_when_asked(irt: Irt, answers: Path, bank: Path, tmp_path: Path) -> None:
    header, *rows = [line.split(",") for line in answers.read_text().split()]
    lines = [
        f"s{row},{item},{score},{1 if row == 7 else 30}"
        for row, cells in enumerate(rows)
        for item, score in zip(header, cells, strict=True)
    ]
    (tmp_path / "long.csv").write_text("student,item,score,time\n" + "\n".join(lines) + "\n")

    found = irt("fit", tmp_path / "long.csv", "--items", bank, "--more", "--json").json

    shares = np.array([[int(cell) for cell in row] for row in rows]).mean(axis=0)
    assert [one["difficulty"] for one in found["classical"]] == pytest.approx(shares)
    assert 0 < found["alpha"] < 1
    assert len(found["q3"]) == 15
    assert [abs(one["q3"]) for one in found["q3"]] == sorted((abs(one["q3"]) for one in found["q3"]), reverse=True)
    assert found["rapid_guessing"]["students_to_read_with_caution"] == 1
    assert found["rapid_guessing"]["items"][0]["rapid"] == pytest.approx(1 / 400)


def test_an_identifier_that_looks_like_an_item_is_pointed_at(irt: Irt, bank: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("who,i1\n" + "".join(f"{row},{row % 2}\n" for row in range(30)))

    made = irt("score", tmp_path / "x.csv", "--items", bank, "--json")

    assert made.code == 2
    assert "Column 'who' has 30 distinct scores; if it is no item" in made.err


def test_an_item_without_parameters_is_named(irt: Irt, tmp_path: Path, bank: Path) -> None:
    (tmp_path / "x.csv").write_text("i1,extra\n1,0\n0,1\n")

    made = irt("fit", tmp_path / "x.csv", "--items", bank, "--json")

    assert (made.code, made.out) == (2, "")
    assert "column 'extra' has no parameters" in made.err


def test_the_same_seed_gives_the_same_adaptive_tests(irt: Irt, bank: Path) -> None:
    one, other, another = (
        irt("simulate-cat", bank, "--n", 50, "--seed", seed, "--max-items", 4, "--json").out for seed in (3, 3, 4)
    )

    assert one == other
    assert one != another


def test_an_adaptive_test_is_told_in_full_when_asked(irt: Irt, bank: Path, tmp_path: Path) -> None:
    (tmp_path / "areas.csv").write_text("item,content\n" + "".join(f"i{n},{'ab'[n % 2]}\n" for n in range(1, 7)))

    found = irt(
        "simulate-cat", "--items", bank, "--n", 40, "--max-items", 4, "--se", 0, "--content", tmp_path / "areas.csv",
        "--share", "a=1", "--share", "b=3", "--examinees", "--json", "--report", tmp_path / "c.html",
    ).json  # fmt: skip

    assert found["mean_items"] == 4
    assert found["stops"] == {"precise": 0, "classified": 0, "length": 40, "exhausted": 0}
    assert {one["content"]: one["given"] for one in found["content"]} == {"a": 0.25, "b": 0.75}
    assert len(found["examinees"]) == 40
    assert len(set(found["examinees"][0]["items"])) == 4
    errors = [one["theta"] - one["true_theta"] for one in found["examinees"]]
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert found["bias"] == pytest.approx(np.mean(errors))
    assert sum(one["exposure"] for one in found["items"]) == pytest.approx(4)
    assert (tmp_path / "c.html").read_text().count("<figure>") == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--exposure", "2"], "exposure is a part of the students"),
        (["--min-items", "9", "--max-items", "3"], "at least 9 and at most 3"),
        (["--share", "a=1"], "no item has an area"),
        (["--share", "a"], "'a' is no AREA=NUMBER"),
        (["--cut", "1", "--cut", "0"], "cuts must be finite and rise"),
    ],
)
def test_rules_that_cannot_be_are_refused(irt: Irt, bank: Path, options: list[str], said: str) -> None:
    made = irt("simulate-cat", bank, *options, "--json")

    assert made.code != 0
    assert made.out == ""
    assert said in made.err
