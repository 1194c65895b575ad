"""Parameters files: read as they say, refused item by item."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.cli.irt.output import as_text, shown
from deploy.cli.irt.parameters import read_parameters
from deploy.cli.refusal import Refused
from services.assessment.domain.irt.models import Model, Parameters


def write(tmp_path: Path, said: Any) -> Path:
    file = tmp_path / "p.json"
    file.write_text(said if isinstance(said, str) else json.dumps(said))
    return file


def item(**more: Any) -> dict[str, Any]:
    return {"item": "x", "model": "2pl", "a": 1.2, "b": 0.5} | more


def test_the_shortest_file_is_enough(tmp_path: Path) -> None:
    found = read_parameters(write(tmp_path, {"items": [item(), {"item": "y", "model": "pcm", "b": [1, 0.5]}]}))

    assert (found.mean, found.sd) == (0.0, 1.0)
    assert found.names == ("x", "y")
    assert found.items == (Parameters(Model.TWO_PL, (0.5,), 1.2), Parameters(Model.PCM, (1.0, 0.5)))
    assert found.categories == ((0, 1), (0, 1, 2))
    assert found.covariance is None


def test_steps_are_never_sorted(tmp_path: Path) -> None:
    found = read_parameters(write(tmp_path, {"items": [item(model="gpcm", b=[0.9, -0.3, 0.2])]}))

    assert found.items[0].b == (0.9, -0.3, 0.2)


def test_unknown_is_null_in_c_and_in_covariance(tmp_path: Path) -> None:
    said = {"latent": {"mean": 0.3, "sd": 1.5}, "items": [item(c=None)], "covariance": None}

    found = read_parameters(write(tmp_path, said))

    assert (found.mean, found.sd, found.items[0].c) == (0.3, 1.5, 0.0)


def test_covariances_of_groups_are_left_aside(tmp_path: Path) -> None:
    order = [
        {"item": "x", "group": None, "parameter": "a"},
        {"item": None, "group": "m", "parameter": "mean"},
        {"item": "x", "group": None, "parameter": "b"},
    ]
    matrix = [[1.0, 0.5, 0.2], [0.5, 2.0, 0.1], [0.2, 0.1, 3.0]]

    found = read_parameters(write(tmp_path, {"items": [item()], "covariance": {"order": order, "matrix": matrix}}))

    assert found.covariance is not None
    assert found.covariance.names == (("x", "a"), ("x", "b"))
    np.testing.assert_array_equal(found.covariance.matrix, [[1.0, 0.2], [0.2, 3.0]])


BAD = {
    "no JSON": ("{", "is no JSON"),
    "NaN": (
        '{"items": [{"item": "x", "model": "2pl", "a": NaN, "b": 0}]}',
        "NaN is no number in JSON",
    ),
    "a list": ([], "has no items"),
    "no items": ({"items": []}, "has no items"),
    "no name": ({"items": [{"model": "2pl"}]}, r"items\[0\]: an item has a name"),
    "an item twice": ({"items": [item(), item()]}, r"item 'x' stands twice, items\[0\] and \[1\]"),
    "an unknown model": ({"items": [item(model="4pl")]}, "item 'x': model '4pl' is none of rasch"),
    "no b": ({"items": [item(b=None)]}, "item 'x': b is unknown"),
    "no a": ({"items": [item(a=None)]}, "item 'x': a is unknown"),
    "a of text": ({"items": [item(a="1")]}, "item 'x': a is \"1\"; it is a number and not 0"),
    "a of nothing": ({"items": [item(a=0)]}, "item 'x': a is 0"),
    "infinite b": ('{"items": [{"item": "x", "model": "2pl", "a": 1, "b": 1e999}]}', "item 'x': b is Infinity"),
    "two b of a 2pl": ({"items": [item(b=[0, 1])]}, "item 'x': model 2pl has one b, not 2"),
    "a slope in rasch": ({"items": [item(model="rasch")]}, "model rasch has a = 1, not 1.2"),
    "c in 2pl": ({"items": [item(c=0.2)]}, "model 2pl has c = 0, not 0.2"),
    "c of one": ({"items": [item(model="3pl", c=1)]}, "c is 1; it is a number from 0 to below 1"),
    "no c in 3pl": ({"items": [item(model="3pl")]}, "c is null"),
    "falling thresholds": ({"items": [item(model="grm", b=[1, 0])]}, "of a graded item rise"),
    "too many categories": ({"items": [item(categories=[0, 1, 2])]}, "3 categories need 2 b, not 1"),
    "falling categories": ({"items": [item(categories=[1, 0])]}, "are whole numbers that rise"),
    "a latent sd of nothing": ({"latent": {"sd": 0}, "items": [item()]}, "latent sd is 0"),
    "a latent mean of text": ({"latent": {"mean": "x"}, "items": [item()]}, 'latent mean is "x"'),
    "a ragged covariance": (
        {"items": [item()], "covariance": {"order": [{"item": "x", "parameter": "a"}], "matrix": [[1, 2]]}},
        "covariance is",
    ),
}


@pytest.mark.parametrize(("said", "wrong"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said_with_the_item(tmp_path: Path, said: Any, wrong: str) -> None:
    with pytest.raises(Refused, match=wrong):
        read_parameters(write(tmp_path, said))


def test_json_has_null_for_whatever_is_unknown_or_infinite() -> None:
    value = {
        "x": float("nan"), "y": [{"a": np.float64("inf"), "b": np.arange(2)}], "n": np.int64(3), "t": (True, None, "é"),
        "covariance": {"order": ["x"], "matrix": np.array([[1.0, -np.inf]])},
    }  # fmt: skip

    written = json.loads(as_text(value))

    assert written == {
        "x": None, "y": [{"a": None, "b": [0, 1]}], "n": 3, "t": [True, None, "é"],
        "covariance": {"order": ["x"], "matrix": [[1.0, None]]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"), [(-0.0001, "0.000"), (-1.5, "−1.500"), (None, "–"), (float("nan"), "–"), (2.0, "2.000")]
)
def test_numbers_for_people_have_a_minus_and_no_negative_zero(value: float | None, said: str) -> None:
    assert shown(value) == said
