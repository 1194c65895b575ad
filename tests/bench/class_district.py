"""One class of so many students with evidence for so many competencies each: the files a district would send."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from deploy.cli.load import Kind
from tests.integration.roster.archives import a_roster

CLASS = "class-north"
_CHANGED = "2026-07-01T00:00:00+00:00"
_ADMINISTRATION = "2026-fall"
_FORM = "form-1"
_ITEMS_EACH = 2


@dataclass(frozen=True, slots=True)
class ClassDistrict:
    """How large the class page is."""

    students: int
    competencies: int

    def write(self, folder: Path) -> dict[Kind, Path]:
        """The four files, in the order in which they are loaded."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            Kind.ROSTER: folder / "roster.zip",
            Kind.FRAMEWORK: folder / "framework.json",
            Kind.FORMS: folder / "forms.json",
            Kind.ANSWERS: folder / "answers.csv",
        }
        files[Kind.ROSTER].write_bytes(a_roster(self.students, schools=("north",)).zip())
        files[Kind.FRAMEWORK].write_text(json.dumps(self._framework()), encoding="utf-8")
        files[Kind.FORMS].write_text(json.dumps(self._forms()), encoding="utf-8")
        files[Kind.ANSWERS].write_text("\n".join(self._answers()) + "\n", encoding="utf-8")
        return files

    def _framework(self) -> dict[str, object]:
        base = "https://trellis.example/ims/case/v1p0"
        document = {"title": "Bench", "identifier": _identifier("document"), "uri": f"{base}/CFDocuments/bench"}
        items = [
            {
                "identifier": _identifier(f"competency {number}"),
                "uri": f"{base}/CFItems/{_identifier(f'competency {number}')}",
                "fullStatement": f"Solve problems of the kind {number} and explain the solution.",
                "humanCodingScheme": f"4.B.{number:02d}",
                "CFDocumentURI": document,
                "lastChangeDateTime": _CHANGED,
            }
            for number in range(self.competencies)
        ]
        head = {"creator": "Trellis", "adoptionStatus": "Draft", "lastChangeDateTime": _CHANGED}
        head["CFPackageURI"] = document | {"uri": f"{base}/CFPackages/bench"}  # type: ignore[assignment]  # JSON
        return {"CFDocument": document | head, "CFItems": items, "CFAssociations": []}

    def _items(self) -> list[tuple[str, str]]:
        """Each item's code, and the competency it is evidence for."""
        return [
            (f"item-{number}-{copy}", _identifier(f"competency {number}"))
            for number in range(self.competencies)
            for copy in range(_ITEMS_EACH)
        ]

    def _forms(self) -> dict[str, object]:
        items = [
            {"id": code, "maximum": 1, "competencies": [competency], "options": ["A", "B"], "key": "A"}
            for code, competency in self._items()
        ]
        administration = {
            "id": _ADMINISTRATION,
            "title": "Fall diagnostic",
            "purpose": "diagnostic",
            "opensAt": "2026-09-01T00:00:00+00:00",
            "closesAt": "2026-10-01T00:00:00+00:00",
            "forms": [_FORM],
        }
        return {
            "format": "trellis-forms/1",
            "forms": [{"id": _FORM, "title": "Form 1", "items": items}],
            "administrations": [administration],
        }

    def _answers(self) -> Iterator[str]:
        codes = [code for code, _ in self._items()]
        yield ",".join(["administration", "student", "form", "completed_at", "modality", *codes])
        for student in range(self.students):
            cells = ["A" if (student + place) % 3 else "B" for place in range(len(codes))]
            moment = f"2026-09-08T09:{student % 60:02d}:00+00:00"
            yield ",".join([_ADMINISTRATION, f"s{student:03}", _FORM, moment, "in person", *cells])


def _identifier(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"https://trellis.example/bench/{name}"))
