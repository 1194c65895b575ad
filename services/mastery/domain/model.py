"""What is assumed of competencies, by which everything is traced."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from services.mastery.domain.tracing.skill import DEFAULT as DEFAULT_SKILL
from services.mastery.domain.tracing.skill import Skill, Skills, model_version


@dataclass(frozen=True, slots=True)
class Model:
    """The parameters of all competencies but those `fitted` (by id, 16 bytes); `version` names them all."""

    version: str
    default: Skill
    fitted: Mapping[bytes, Skill] = field(default_factory=dict)

    @classmethod
    def alike(cls, skill: Skill = DEFAULT_SKILL) -> Self:
        """The same parameters for every competency."""
        return cls(model_version({"": skill}, "numpy"), skill)

    def skills(self, competencies: Iterable[bytes]) -> Skills:
        """The parameters of these competencies in columns."""
        return Skills.of(self.fitted.get(one, self.default) for one in competencies)


DEFAULT = Model.alike()
"""What the service assumes."""
