"""What went wrong, as each version of OneRoster says it."""

from typing import Any

from services.roster.domain.oneroster.versions import Version


class Refused(Exception):
    """This request is not answered. `minor` is the standard's word for why (1.2's spelling)."""

    def __init__(self, status: int, minor: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.minor = minor
        self.description = description


_MINOR_11 = {
    "unknownobject": "unknown object",
    "invaliddata": "invalid data",
    "unauthorisedrequest": "unauthorized",
    "forbidden": "unauthorized",
}


def unknown(what: str) -> Refused:
    return Refused(404, "unknownobject", what)


def invalid(what: str) -> Refused:
    return Refused(422, "invaliddata", what)


def payload(refused: Refused, version: Version) -> dict[str, Any]:
    """The body of an answer that says so."""
    if version is Version.V11:
        return {
            "CodeMajor": "failure",
            "Severity": "error",
            "CodeMinor": _MINOR_11.get(refused.minor, refused.minor),
            "Description": refused.description,
        }
    field = {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": refused.minor}
    return {
        "imsx_codeMajor": "failure",
        "imsx_severity": "error",
        "imsx_description": refused.description,
        "imsx_CodeMinor": {"imsx_codeMinorField": [field]},
    }
