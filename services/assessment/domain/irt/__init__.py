"""Measurement: item response models, and what they say of students and of items.

In order of reading: `models` (the formulas), `responses` (what students answered), `quadrature` (where posteriors are
evaluated), `ability` (what a student's responses speak for).
"""

from services.assessment.domain.irt.models import DICHOTOMOUS, Model, Parameters
from services.assessment.domain.irt.responses import (
    HIGHEST_SCORE,
    NOT_PRESENTED,
    NOT_REACHED,
    OMITTED,
    Codes,
    Responses,
    Sparse,
)

__all__ = [
    "DICHOTOMOUS",
    "HIGHEST_SCORE",
    "NOT_PRESENTED",
    "NOT_REACHED",
    "OMITTED",
    "Codes",
    "Model",
    "Parameters",
    "Responses",
    "Sparse",
]
