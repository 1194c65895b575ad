"""A district that does not exist: the four files a real one would send, from a number of students and a seed.

Memory does not grow with the number of students, and the same arguments give the same bytes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.cli.demo.answers import Answers
from deploy.cli.demo.bank import document, make_bank
from deploy.cli.demo.framework import package
from deploy.cli.demo.people import schools, sections
from deploy.cli.demo.roster import RosterWriter

__all__ = ["DemoFiles", "write_demo"]


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where the four files are."""

    roster: Path
    framework: Path
    forms: Path
    answers: Path


def write_demo(out: Path, students: int, seed: int, progress: Callable[[int, int], None] | None = None) -> DemoFiles:
    """Write the files into the folder `out`; `progress` hears the students done and in all after each school."""
    out.mkdir(parents=True, exist_ok=True)
    files = DemoFiles(out / "roster.zip", out / "framework.json", out / "forms.json", out / "answers.csv")
    bank = make_bank(seed)
    _write_json(files.framework, package())
    _write_json(files.forms, document(bank))
    answers = Answers(bank, seed)
    done = 0
    with RosterWriter(files.roster, seed) as roster, files.answers.open("wb") as sheets:
        sheets.write(answers.header())
        for school in schools(students, seed):
            everyone = list(sections(school, seed))
            roster.school(school, everyone)
            sheets.writelines(answers.school(school, everyone))
            done += school.size
            if progress:
                progress(done, students)
        roster.pack()
    return files


def _write_json(path: Path, body: dict[str, object]) -> None:
    path.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
