"""Calibration: item parameters, with their errors, from responses.

In order of reading: `families` (the formulas in slope and intercepts), `priors`, `unknowns` (what is to be found),
`latent` (abilities of groups), `mstep`, `acceleration`, `information` (the observed information), `checks`, `starts`
and `estimate`, where they meet.
"""

from services.assessment.domain.irt.calibration.estimate import Acceleration, calibrate
from services.assessment.domain.irt.calibration.priors import (
    Beta,
    LogNormal,
    Normal,
    Prior,
    UnreadablePrior,
    prior,
)
from services.assessment.domain.irt.calibration.refusals import NotCalibratable
from services.assessment.domain.irt.calibration.result import Calibration, Free, Group, Iteration

__all__ = [
    "Acceleration",
    "Beta",
    "Calibration",
    "Free",
    "Group",
    "Iteration",
    "LogNormal",
    "Normal",
    "NotCalibratable",
    "Prior",
    "UnreadablePrior",
    "calibrate",
    "prior",
]
