"""A stand-in for what is not there yet, or is another one each time."""

from collections.abc import Callable
from typing import Any


class Found:
    """Stands for something that is looked up anew for everything that is asked of it."""

    def __init__(self, find: Callable[[], object]) -> None:
        object.__setattr__(self, "_find", find)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_find")(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(object.__getattribute__(self, "_find")(), name, value)
