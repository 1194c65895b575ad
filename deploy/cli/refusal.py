"""What a command says when it cannot use what it was given."""

from collections.abc import Iterator
from contextlib import contextmanager


class Refused(Exception):
    """A file or an option cannot be used as it is; the message is one sentence that names the place. Exit code 2."""


@contextmanager
def refusing(about: object) -> Iterator[None]:
    """What the domain cannot compute is refused in its own words, with the file it is about.

    Raises: Refused.
    """
    try:
        yield
    except ValueError as wrong:
        if not type(wrong).__module__.startswith("services."):
            raise
        said = str(wrong).strip()
        raise Refused(f"{about}: {said if said.endswith('.') else f'{said}.'}") from wrong
