"""What the files of an archive hold, byte for byte: who sends the same bytes once more says nothing new."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import IO, Any, Self

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


class Ahead:
    """A stream of bytes of which another thread has read some more before they are asked for."""

    def __init__(self, source: Digested) -> None:
        self._source = source
        self._thread = ThreadPoolExecutor(1)
        self._coming: Future[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def read(self, size: int) -> bytes:
        """As many bytes, none at the end; as many more are on their way."""
        piece = self._source.read(size) if self._coming is None else self._coming.result()
        self._coming = self._thread.submit(self._source.read, size) if piece else None
        return piece

    def tell(self) -> int:
        """How far the reading is."""
        return self._source.tell()


def digest_of(stream: IO[bytes]) -> str:
    """The digest of all the bytes of a stream."""
    digested = Digested(stream)
    while digested.read(_AT_ONCE):
        pass
    return digested.digest()
