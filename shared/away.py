"""What the drivers' errors mean: a database that is away, a text that it cannot hold, or a mistake of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import Invalid, TrellisError, Unavailable

_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)


def driver_error(wrong: DBAPIError) -> BaseException | None:
    """What the driver itself said: SQLAlchemy wraps it twice."""
    return None if wrong.orig is None else wrong.orig.__cause__


def is_away(wrong: BaseException | None) -> bool:
    """Whether this says that the database is not there, or has let the connection go, or is still busy on it with what
    was given up.

    The driver says of such a connection what it says of a question put wrongly, InterfaceError: only the words tell.
    """
    if isinstance(wrong, asyncpg.InterfaceError):
        return any(words in str(wrong) for words in ("connection is closed", "operation is in progress"))
    return isinstance(wrong, _AWAY)


class NotText(Invalid):
    """A text has the character NUL, by which nothing is called."""


@contextmanager
def said_truly() -> Iterator[None]:
    """Within the block, whatever the drivers raise is raised as what it means."""
    try:
        yield
    except Exception as wrong:
        if (truth := truth_of(wrong)) is not None:
            raise truth from wrong
        raise


def truth_of(wrong: BaseException | None) -> TrellisError | None:
    """A database that is away is Unavailable, a text it cannot hold Invalid, however the drivers put it."""
    is_gone = isinstance(wrong, PoolTimeout)
    if isinstance(wrong, DBAPIError):
        is_gone, wrong = wrong.connection_invalidated, driver_error(wrong)
    if isinstance(wrong, asyncpg.CharacterNotInRepertoireError):
        return NotText()
    return Unavailable("The database does not answer.") if is_gone or is_away(wrong) else None
