"""What a client of OneRoster is told when the gateway itself refuses: each version's own form, and its own words.

1.2 has `imsx_StatusInfo`; 1.1 has four members in one object. The codes are those of the official schema of 1.2; 1.1
says `unauthorized` for what is not allowed either way, and has no words of its own for a busy server.
"""

import orjson

from shared.errors import Forbidden, LimitExceeded, TrellisError, Unauthenticated

_MINOR: dict[type[TrellisError], tuple[str, str]] = {
    Unauthenticated: ("unauthorisedrequest", "unauthorized"),
    Forbidden: ("forbidden", "unauthorized"),
    LimitExceeded: ("server_busy", "server_busy"),
}
_OTHERWISE = ("internal_server_error", "internal_server_error")


def body(path: bytes, wrong: TrellisError) -> bytes:
    """The error, in the form of the version whose path was asked for."""
    minor = next((said for kind, said in _MINOR.items() if isinstance(wrong, kind)), _OTHERWISE)
    if _is_1_1(path):
        return orjson.dumps(
            {"CodeMajor": "failure", "Severity": "error", "CodeMinor": minor[1], "Description": wrong.message}
        )
    return orjson.dumps(
        {
            "imsx_codeMajor": "failure",
            "imsx_severity": "error",
            "imsx_description": wrong.message,
            "imsx_CodeMinor": {
                "imsx_codeMinorField": [
                    {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": minor[0]}
                ]
            },
        }
    )


def _is_1_1(path: bytes) -> bool:
    return path.lower().startswith(b"/ims/oneroster/v1p1")
