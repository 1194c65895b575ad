"""What answer sheets may refer to."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from services.assessment.domain.forms import Form, Purpose
from services.assessment.domain.irt.kernels import Name


@dataclass(frozen=True, slots=True)
class KnownAdministration:
    """A testing window as sheets refer to it; times in microseconds since 1970 UTC, `forms` are codes."""

    id: str
    purpose: Purpose
    opens_at: int
    closes_at: int
    forms: frozenset[str]


@dataclass(frozen=True, slots=True)
class KnownForm:
    """The current version of a form as sheets refer to it."""

    id: str
    version_id: str
    form: Form


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What sheets may refer to, by code. None: asked for, and there is none. Absent: not asked for yet."""

    administrations: Mapping[str, KnownAdministration | None]
    forms: Mapping[str, KnownForm | None]
    kernel: Name = "numpy"
    """What abilities are computed with."""

    def packed(self) -> bytes:
        """As bytes for the worker process, which unpacks equal bytes once and not for every block."""
        return pickle.dumps(self)


@lru_cache(maxsize=2)
def unpacked(packed: bytes) -> Catalogue:
    """The catalogue that was packed by this very program."""
    catalogue: Catalogue = pickle.loads(packed)  # noqa: S301  # of our own making, a moment ago
    return catalogue
