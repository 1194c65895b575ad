"""What a change that was not made says: a member of every mutation's answer, not an error."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.utils.str_converters import to_camel_case

from shared.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound, TrellisError, Unavailable

Done = TypeVar("Done")


@strawberry.enum(description="Why a change was not made.")
class RefusalCode(Enum):
    INVALID = strawberry.enum_value(Invalid.code, description="What was sent breaks a rule.")
    FORBIDDEN = strawberry.enum_value(Forbidden.code, description="The key, or its purpose, does not reach this.")
    NOT_FOUND = strawberry.enum_value(NotFound.code, description="There is no such thing for this key.")
    CONFLICT = strawberry.enum_value(Conflict.code, description="It contradicts what is already there.")
    LIMIT = strawberry.enum_value(LimitExceeded.code, description="It is more than is allowed at once.")
    UNAVAILABLE = strawberry.enum_value(
        Unavailable.code,
        description="Something that is needed is away. The message says whether the change may have happened.",
    )


_CODES = frozenset(RefusalCode.__members__)


@strawberry.type(description="A change that was not made, and why.")
class Refused:
    code: RefusalCode = strawberry.field(description="The kind of reason, for programs.")
    message: str = strawberry.field(description="The reason, for people.")
    field: str | None = strawberry.field(description="The argument that is to blame, where it is one.")

    @classmethod
    def of(cls, wrong: TrellisError) -> "Refused":
        about = wrong.detail.get("field")
        return cls(code=RefusalCode[wrong.code], message=wrong.message, field=to_camel_case(about) if about else None)


async def settled(change: Awaitable[Done]) -> Done | Refused:
    """What the change came to, or why it was refused. Anything else that goes wrong stays an error."""
    try:
        return await change
    except TrellisError as wrong:
        if wrong.code not in _CODES:
            raise
        return Refused.of(wrong)


@contextmanager
def about(argument: str) -> Iterator[None]:
    """Whatever goes wrong within is said to be about this argument, unless it says so itself."""
    try:
        yield
    except (Invalid, NotFound) as wrong:
        wrong.detail.setdefault("field", argument)
        raise
