"""Everything that can go wrong on purpose, drawn once.

TrellisError
├── Invalid            what was sent breaks a rule                      422
├── NotFound           there is no such thing, or it is not yours       404
├── Conflict           it contradicts what is already there             409
├── Unauthenticated    no key, or one that does not hold                401
├── Forbidden          the key does not reach this                      403
├── LimitExceeded      more than is allowed at once                     429
└── Unavailable        something it needs is away; try again            503

A service subclasses these, and the docstring is the message. Which field of what was sent is to blame is said by the
detail `field`, where one is; it travels to whoever asked.
"""

from typing import Any, ClassVar


class TrellisError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500

    def __init__(self, message: str | None = None, **detail: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip().split("\n\n")[0]
        self.detail = detail
        super().__init__(self.message)


class Invalid(TrellisError):
    """What was sent breaks a rule."""

    code = "INVALID"
    status = 422


class NotFound(TrellisError):
    """There is no such thing."""

    code = "NOT_FOUND"
    status = 404


class Conflict(TrellisError):
    """This contradicts what is already there."""

    code = "CONFLICT"
    status = 409


class Unauthenticated(TrellisError):
    """A valid API key is needed: Authorization: Bearer trl_live_…"""

    code = "UNAUTHENTICATED"
    status = 401


class Forbidden(TrellisError):
    """This key does not reach that."""

    code = "FORBIDDEN"
    status = 403


class LimitExceeded(TrellisError):
    """This is more than is allowed at once."""

    code = "LIMIT"
    status = 429


class Unavailable(TrellisError):
    """Something that is needed is away at the moment; try again."""

    code = "UNAVAILABLE"
    status = 503


BY_CODE: dict[str, type[TrellisError]] = {
    kind.code: kind for kind in (Invalid, NotFound, Conflict, Unauthenticated, Forbidden, LimitExceeded, Unavailable)
}
