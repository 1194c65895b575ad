"""What an archive brings."""

from dataclasses import dataclass

from services.roster.domain.columns import File, Mode, Version


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which version, and the files that are read, in the order of their references."""

    version: Version
    files: tuple[File, ...]
    bytes: int

    @property
    def whole(self) -> frozenset[str]:
        """The files that say of their kind: this is all."""
        return frozenset(file.name for file in self.files if file.mode == "bulk")


@dataclass(frozen=True, slots=True)
class Came:
    """A file that has been read: whether it is whole or a delta, and how many rows it has.

    `refused`: at most so many of them are; `nameless` are refused and not even staged. `derived`: its rows were read
    out of another file's.
    """

    name: str
    mode: Mode
    rows: int
    refused: int = 0
    nameless: int = 0
    derived: bool = False
