"""Handing a file's problems to its import."""

from collections.abc import Sequence

from services.assessment.domain.problems import Problem
from shared.imports import Job


def report(job: Job, file: str, problems: Sequence[Problem], total: int) -> None:
    """Note these problems, the first of `total`; the others count with the last."""
    for number, problem in enumerate(problems, start=1):
        job.problem(
            file=file,
            line=problem.line,
            column=problem.column,
            value=problem.value,
            rule=problem.rule,
            remedy=problem.remedy,
            count=1 + total - len(problems) if number == len(problems) else 1,
        )
