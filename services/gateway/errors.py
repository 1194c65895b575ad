"""What a failure says in the graph: a code from a short list, a sentence, and nothing that was not meant to be said."""

from typing import Any

import structlog
from graphql import GraphQLError

from shared.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LimitExceeded,
    NotFound,
    TrellisError,
    Unauthenticated,
    Unavailable,
)

CODES: dict[type[TrellisError], str] = {
    Unauthenticated: "UNAUTHENTICATED",
    Forbidden: "FORBIDDEN",
    NotFound: "NOT_FOUND",
    Invalid: "INVALID",
    Conflict: "INVALID",
    LimitExceeded: "LIMIT",
    Unavailable: "UNAVAILABLE",
}

log = structlog.get_logger("graphql")


def said(wrong: TrellisError) -> dict[str, Any]:
    """One of our own errors, as an entry of `errors`."""
    return {"message": wrong.message, "extensions": {"code": code_of(wrong)}}


def code_of(wrong: TrellisError) -> str:
    for kind, code in CODES.items():
        if isinstance(wrong, kind):
            return code
    return "UNAVAILABLE"


def entry(error: GraphQLError) -> dict[str, Any]:
    """An error of graphql-core. What a resolver raised unexpectedly is logged by its class, and not told."""
    cause = error.original_error
    if isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None:
        found: dict[str, Any] = {"message": error.message, "extensions": {"code": "INVALID"}}
    elif isinstance(cause, TrellisError):
        found = said(cause)
    else:
        log.error("resolver failed", kind=type(cause).__name__, path=_shape_of(error.path), exc_info=cause)
        found = {"message": "Something went wrong on our side.", "extensions": {"code": "UNAVAILABLE"}}
    if error.locations:
        found["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        found["path"] = list(error.path)
    return found


def _shape_of(path: list[str | int] | None) -> list[str]:
    """The fields on the way to an error, without the positions in lists."""
    return [part for part in path or [] if isinstance(part, str)]
