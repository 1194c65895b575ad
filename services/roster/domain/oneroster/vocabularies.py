"""What the words of 1.2 are in 1.1, whose vocabularies cannot be extended; and 1.1's roles in 1.2.

Each is a map and what stands for every word that neither the map nor the target knows; None leaves the field out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of the target: `same` keep their name, `mapped` change it, everything else becomes `other`."""

    same: frozenset[str]
    other: str | None
    mapped: Mapping[str, str] = field(default_factory=dict)


ROLES_11 = Vocabulary(
    same=frozenset(
        {"administrator", "aide", "guardian", "parent", "proctor", "relative", "student", "teacher"}
    ),
    mapped={
        "districtAdministrator": "administrator",
        "principal": "administrator",
        "siteAdministrator": "administrator",
        "systemAdministrator": "administrator",
        "counselor": "aide",
    },
    other="aide",
)  # fmt: skip
SEXES_11 = Vocabulary(same=frozenset({"male", "female"}), other=None)
ORG_TYPES_11 = Vocabulary(
    same=frozenset({"school", "local", "state", "national", "department", "district"}), other="local"
)
SESSION_TYPES_11 = Vocabulary(same=frozenset({"gradingPeriod", "semester", "schoolYear", "term"}), other="term")
CLASS_TYPES_11 = Vocabulary(same=frozenset({"homeroom", "scheduled"}), other="scheduled")
ENROLLED_11 = Vocabulary(same=frozenset({"administrator", "proctor", "student", "teacher"}), other="proctor")
SCORE_STATUSES_11 = Vocabulary(
    same=frozenset({"exempt", "fully graded", "not submitted", "partially graded", "submitted"}), other="submitted"
)
