"""Another program, the PyPI package mirt, on random small designs.

It holds slopes above .1 and thresholds inside ±6 and stops short of the maximum on some partial credit fits, so the
designs stay inside, and our log-likelihood may be the higher one.
"""

import mirt
import numpy as np
import pytest

from services.assessment.domain.irt import NOT_PRESENTED, Model, Parameters, Responses
from services.assessment.domain.irt.calibration import calibrate
from services.assessment.domain.irt.kernels import kernel
from tests.unit.assessment.irt.calibration.samples import answers, categories, models

ASKED = {Model.TWO_PL: "2PL", Model.GRM: "GRM", Model.GPCM: "GPCM"}


def design(seed: int) -> tuple[list[Parameters], Responses]:
    """Five to nine items of one model, 300 to 700 students, some of them with missing answers."""
    random = np.random.default_rng(seed)
    model = [Model.TWO_PL, Model.TWO_PL, Model.GRM, Model.GPCM][seed % 4]
    steps = 1 if model is Model.TWO_PL else 2
    items = [
        Parameters(
            model,
            tuple(float(b) for b in np.sort(random.uniform(-1.2, 1.2) + np.array([-0.5, 0.5][:steps]))),
            float(random.uniform(0.7, 1.8)),
        )
        for _ in range(random.integers(5, 10))
    ]
    codes = answers(items, random.normal(size=random.integers(300, 701)), random)
    if seed % 2:
        codes[random.random(codes.shape) < 0.15] = NOT_PRESENTED
    return items, Responses(codes)


@pytest.mark.parametrize("seed", range(20))
def test_another_program_finds_the_same(seed: int) -> None:
    items, responses = design(seed)
    asked = np.where(responses.codes == NOT_PRESENTED, -1, responses.codes.astype(int))

    ours = calibrate(responses, models(items), categories=categories(items), kernel=kernel("numpy"))
    theirs = mirt.fit_mirt(
        asked,
        model=ASKED[items[0].model],
        n_categories=None if items[0].categories == 2 else 3,
        n_quadpts=61,
        tol=1e-6,
        max_iter=5000,
        compute_standard_errors=True,
    )

    assert ours.converged
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, abs=1e-4)
    found, errors = theirs.model.parameters, theirs.standard_errors
    thresholds = {Model.TWO_PL: "difficulty", Model.GRM: "thresholds", Model.GPCM: "steps"}[items[0].model]
    for at, item in enumerate(ours.items):
        assert item.a == pytest.approx(found["discrimination"][at], abs=2e-3)
        assert item.b == pytest.approx(np.ravel(found[thresholds][at]), abs=2e-3)
        own = ours.standard_errors(at)
        assert own["a"] == pytest.approx(errors["discrimination"][at], abs=2e-3)
        steps = [own[name] for name in ("b", "b1", "b2") if name in own]
        assert steps == pytest.approx(np.ravel(errors[thresholds][at]), abs=2e-3)
