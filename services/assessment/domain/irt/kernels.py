"""The two kernels of measurement: numpy, which every process has, and compiled, which costs memory and is faster."""

from collections.abc import Sequence
from typing import Literal, Protocol

from services.assessment.domain.irt import plain
from services.assessment.domain.irt.maxima import Extra
from services.assessment.domain.irt.models import Floats, Parameters
from services.assessment.domain.irt.packing import Entries, Packed
from services.assessment.domain.irt.responses import Codes
from services.assessment.domain.irt.tables import Expected, Groups, Moments, Tables

Name = Literal["numpy", "compiled"]

VERSIONS: dict[Name, str] = {"numpy": plain.VERSION, "compiled": "numba"}
"""How scores name each kernel, without loading it."""


class Kernel(Protocol):
    """What both kernels do; VERSION is how a score names the one it was computed with."""

    VERSION: str

    def moments(self, packed: Packed, table: Tables, groups: Groups | None = None) -> Moments:
        """Posterior mean, standard deviation and log marginal likelihood of every student."""

    def exactly(self, packed: Entries, table: Tables) -> Moments:
        """The same for the few whose posterior is far from where the prior is: from float64 logarithms."""

    def expected(self, packed: Packed, table: Tables, groups: Groups | None = None) -> Expected:
        """Expected counts of scores at the nodes, mass of the groups and log-likelihood over all students."""

    def highest(
        self, codes: Codes, items: Sequence[Parameters], extra: Extra, mean: float = 0.0, sd: float = 1.0
    ) -> tuple[Floats, Floats]:
        """Where every student's likelihood is highest, and the standard error."""


def kernel(name: Name) -> Kernel:
    """The kernel of that name; the compiled one is only loaded here."""
    if name == "compiled":
        from services.assessment.domain.irt import compiled  # here only: numba is 100 MB that few processes need

        return compiled
    return plain
