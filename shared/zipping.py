"""A zip archive that is sent while it is written: nothing of it is kept but the list of its entries."""

import zipfile
from typing import IO


class _Pipe:
    """What a zip file is written to; it cannot go back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """There is nothing behind it to flush to."""

    def close(self) -> None:
        """There is nothing behind it to close."""

    def taken(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class StreamedZip:
    """An archive: each call answers the bytes that it makes. Calls may be made from any thread, one at a time."""

    def __init__(self, comment: str = "", *, level: int) -> None:
        self._pipe = _Pipe()
        self._zip = zipfile.ZipFile(self._pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=level)
        self._zip.comment = comment.encode()
        self._entry: IO[bytes] | None = None

    def begin(self, name: str) -> bytes:
        """A new entry; the one before ends."""
        self._end_entry()
        # By name: so it has the archive's level, and no time, for the same content is to give the same bytes.
        self._entry = self._zip.open(name, "w", force_zip64=True)
        return self._pipe.taken()

    def add(self, content: bytes) -> bytes:
        """More of the entry."""
        assert self._entry is not None
        self._entry.write(content)
        return self._pipe.taken()

    def end(self) -> bytes:
        """The archive is complete."""
        self._end_entry()
        self._zip.close()
        return self._pipe.taken()

    def _end_entry(self) -> None:
        if self._entry is not None:
            self._entry.close()
            self._entry = None
