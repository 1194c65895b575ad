"""What the files of an archive hold, byte for byte: who sends the same bytes once more says nothing new."""

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import IO, Any

READING = 1
"""To be raised whenever the same bytes come to mean something else: whatever was read before is read again then."""
_AT_ONCE = 1 << 20
_SIZE = 32


@dataclass(frozen=True, slots=True)
class Content:
    """How many bytes a file has, the checksum that its archive gives, and a digest of the bytes."""

    bytes: int
    crc: int
    blake2b: str

    def kept(self) -> dict[str, Any]:
        """As it is kept with a report."""
        return asdict(self)


class Digested:
    """A stream of bytes that is digested while it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = blake2b(digest_size=_SIZE)

    def read(self, size: int = -1) -> bytes:
        """Some of the bytes, none at the end."""
        piece = self._stream.read(size)
        self._digest.update(piece)
        return piece

    def tell(self) -> int:
        """How far the reading is."""
        return self._stream.tell()

    def digest(self) -> str:
        """Of what was read so far."""
        return self._digest.hexdigest()


def digest_of(stream: IO[bytes]) -> str:
    """The digest of all the bytes of a stream."""
    digested = Digested(stream)
    while digested.read(_AT_ONCE):
        pass
    return digested.digest()
