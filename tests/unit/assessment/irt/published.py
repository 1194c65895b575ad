"""Data and results that others published; tests that use them skip when the folder is not there."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.assessment.domain.irt.models import Model, Parameters
from services.assessment.domain.irt.residuals import Latent

DATA = Path(__file__).resolve().parents[4].parent / "shared" / "data"
MODELS = {"LSAT6_2PL": Model.TWO_PL, "LSAT6_Rasch": Model.RASCH, "SAT12_2PL": Model.TWO_PL, "Science_graded": Model.GRM}


@dataclass(frozen=True)
class Published:
    """A calibration with R: its responses (students, items), its items, the ability distribution, all its results."""

    codes: NDArray[np.uint8]
    items: tuple[Parameters, ...]
    latent: Latent
    results: dict[str, Any]


def published(name: str) -> Published:
    """One of the keys of MODELS."""
    if not DATA.exists():
        pytest.skip("the reference data are not here")
    results = json.loads((DATA / "golden" / f"{name}.json").read_text())
    table = results["slope_intercept"]
    steps = [table[key] for key in sorted(table) if key[0] == "d"]
    items = tuple(
        Parameters(MODELS[name], tuple(-step[place] / a for step in steps), a) for place, a in enumerate(table["a1"])
    )
    return Published(_codes(name), items, Latent(0.0, float(results["group"]["cov"][0][0]) ** 0.5), results)


def _codes(name: str) -> NDArray[np.uint8]:
    if name.startswith("LSAT6"):
        table = np.loadtxt(DATA / "irt" / "LSAT6_patterns_freq.csv", delimiter=",", skiprows=1).astype(np.int64)
        return np.repeat(table[:, :5].astype(np.uint8), table[:, 5], axis=0)
    if name.startswith("SAT12"):
        return np.loadtxt(DATA / "irt" / "SAT12_scored.csv", delimiter=",", skiprows=1).astype(np.uint8)
    return (np.loadtxt(DATA / "irt" / "Science.csv", delimiter=",", skiprows=1) - 1).astype(np.uint8)


def verbal() -> tuple[NDArray[np.uint8], NDArray[np.bool_], dict[str, Any]]:
    """Verbal aggression (difR): answers of 316 students to 24 items, who is a man, and what difR says of them."""
    if not DATA.exists():
        pytest.skip("the reference data are not here")
    table = np.loadtxt(DATA / "irt" / "difR_verbal.txt", skiprows=1)
    results = json.loads((DATA / "golden" / "verbal_DIF.json").read_text())
    return table[:, :24].astype(np.uint8), table[:, 25] == 1, results
