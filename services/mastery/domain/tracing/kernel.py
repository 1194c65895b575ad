"""Which of the two kernels computes; their results differ by rounding alone."""

from typing import Protocol

from services.mastery.domain.tracing.counts import Counts, Tables
from services.mastery.domain.tracing.forest import Forest
from services.mastery.domain.tracing.skill import Ints, KernelName


class Expected(Protocol):
    """The expectation step: see `plain.expected`."""

    def __call__(self, forest: Forest, tables: Tables, active: Ints) -> Counts: ...


def expectation(kernel: KernelName) -> Expected:
    """The expectation step of this kernel; `numba` loads the compiler, or what it left on disk."""
    if kernel == "numba":
        from services.mastery.domain.tracing import compiled

        return compiled.expected
    from services.mastery.domain.tracing import plain

    return plain.expected
