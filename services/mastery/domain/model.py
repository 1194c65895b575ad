"""What is assumed of competencies, by which everything is traced."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from services.mastery.domain.tracing.skill import DEFAULT as DEFAULT_SKILL
from services.mastery.domain.tracing.skill import Skill, Skills, model_version


@dataclass(frozen=True, slots=True)
class Model:
    """The parameters, the same for all competencies; `version` names them."""

    version: str
    skill: Skill

    @classmethod
    def of(cls, skill: Skill) -> Self:
        return cls(model_version({"": skill}, "numpy"), skill)

    def skills(self, competencies: Iterable[bytes]) -> Skills:
        """The parameters of these competencies in columns."""
        return Skills.of(self.skill for _ in competencies)


DEFAULT = Model.of(DEFAULT_SKILL)
"""What the service assumes."""
