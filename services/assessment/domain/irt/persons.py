"""Person fit: are a student's answers what their ability makes likely, or do hard items go right and easy ones wrong?

Drasgow, Levine & Williams (1985), "Appropriateness measurement with polychotomous item response models and standardized
indices": with l = Σ log P(observed score) and μ, σ² its mean and variance over the scores possible at the ability,

    μ = Σ_i Σ_k P_k log P_k        σ² = Σ_i [Σ_k P_k (log P_k)² − (Σ_k P_k log P_k)²]        l_z = (l − μ)/σ.

Large negative values speak of answers that do not fit. With estimated abilities l_z varies less than a standard normal
(Snijders 2001), so −1.645 flags fewer than 5 % of students who answer as the model says.

Infit and outfit are Wright & Masters' (1982) mean squares over a student's items; 1 is as expected.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.assessment.domain.irt.meansquares import Sums, mean_squares
from services.assessment.domain.irt.models import Floats, Parameters, log_probabilities
from services.assessment.domain.irt.residuals import Latent, batches, checked
from services.assessment.domain.irt.responses import HIGHEST_SCORE, Codes


@dataclass(frozen=True, slots=True)
class PersonFit:
    """Fit of every student, all (students,): l_z, mean squares and their standardised values; NaN without a response.

    `answered` counts the responses behind them.
    """

    lz: Floats
    infit: Floats
    outfit: Floats
    z_infit: Floats
    z_outfit: Floats
    answered: Floats


def person_fit(
    codes: Codes,
    items: Sequence[Parameters],
    *,
    latent: Latent | None = None,
    theta: Floats | None = None,
    names: Sequence[str] | None = None,
) -> PersonFit:
    """Person fit of every student at `theta` (students,), or at the expected a posteriori ability under `latent`."""
    codes = checked(codes, items, names)
    made = np.empty((6, len(codes)))
    for part, ability, found in batches(codes, items, latent or Latent(), theta):
        squares = mean_squares(Sums.over(found, axis=1))
        made[0, part] = _lz(codes[part], items, ability)
        made[1:5, part] = squares.infit, squares.outfit, squares.z_infit, squares.z_outfit
        made[5, part] = found.present.sum(axis=1)
    made[:5, made[5] == 0] = np.nan
    lz, infit, outfit, z_infit, z_outfit, answered = made
    return PersonFit(lz, infit, outfit, z_infit, z_outfit, answered)


def _lz(codes: Codes, items: Sequence[Parameters], theta: Floats) -> Floats:
    surprise, variance = np.zeros(len(codes)), np.zeros(len(codes))
    everybody = np.arange(len(codes))
    for place, item in enumerate(items):
        present = codes[:, place] <= HIGHEST_SCORE
        logs = log_probabilities(item, theta)
        chances = np.exp(logs)
        mean = (chances * logs).sum(axis=0)
        seen = logs[np.where(present, codes[:, place], 0), everybody]
        surprise += np.where(present, seen - mean, 0.0)
        variance += np.where(present, (chances * (logs - mean) ** 2).sum(axis=0), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(surprise / np.sqrt(variance), dtype=np.float64)
