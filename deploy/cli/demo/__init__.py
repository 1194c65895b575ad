"""A district that does not exist: the files a real one would send, from a number of students and a seed.

Memory does not grow with the number of students, and the same arguments give the same bytes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.cli.demo.answers import Answers
from deploy.cli.demo.attendance import ATTENDANCE_HEADER, CLOSURES_HEADER, attendance, closures
from deploy.cli.demo.bank import document, make_bank
from deploy.cli.demo.framework import package
from deploy.cli.demo.people import schools, sections, subdistricts
from deploy.cli.demo.programme import HEADER, programme, willingness
from deploy.cli.demo.roster import RosterWriter
from deploy.cli.demo.sheets import AnswersFormat, writer

__all__ = ["AnswersFormat", "DemoFiles", "write_demo"]


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where the files are."""

    roster: Path
    framework: Path
    forms: Path
    answers: Path
    programme: Path
    willingness: Path
    attendance: Path
    closures: Path


def write_demo(
    out: Path,
    students: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    *,
    answers_format: AnswersFormat = AnswersFormat.CSV,
) -> DemoFiles:
    """Write the files into the folder `out`; `progress` hears the students done and in all after each school."""
    out.mkdir(parents=True, exist_ok=True)
    files = DemoFiles(
        roster=out / "roster.zip",
        framework=out / "framework.json",
        forms=out / "forms.json",
        answers=out / f"answers.{answers_format.value}",
        programme=out / "programme.toml",
        willingness=out / "willingness.csv",
        attendance=out / "attendance.csv",
        closures=out / "closures.csv",
    )
    bank = make_bank(seed)
    _write_json(files.framework, package())
    _write_json(files.forms, document(bank))
    everywhere = schools(students, seed)
    files.programme.write_text(programme(everywhere), encoding="utf-8")
    answers = Answers(bank, seed)
    done = 0
    with (
        RosterWriter(files.roster, seed) as roster,
        writer(answers_format, files.answers, bank) as sheets,
        files.willingness.open("wb") as said,
        files.attendance.open("wb") as there,
        files.closures.open("wb") as closed,
    ):
        said.write(HEADER)
        there.write(ATTENDANCE_HEADER)
        closed.write(CLOSURES_HEADER)
        for part in subdistricts(students, seed):
            roster.subdistrict(part)
        for school in everywhere:
            everyone = list(sections(school, seed))
            roster.school(school, everyone)
            for block in answers.school(school, everyone):
                sheets.write(block)
            said.writelines(willingness(school, everyone, seed))
            there.writelines(attendance(school, everyone, seed))
            closed.writelines(closures(school, everyone))
            done += school.size
            if progress:
                progress(done, students)
        roster.pack()
    return files


def _write_json(path: Path, body: dict[str, object]) -> None:
    path.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
