"""The bytes that are sent: a file's, or a folder's CSV files as one archive that is made while it goes."""

import zipfile
from collections.abc import Generator
from pathlib import Path

from deploy.cli.refusal import Refused

PIECE_BYTES = 256 * 1024
_AN_AGE_AGO = (1980, 1, 1, 0, 0, 0)
"""The same files give the same archive: when they were written is no part of it."""


def bytes_of(file: Path) -> Generator[bytes, None, None]:
    """What is sent of a file or a folder, in pieces."""
    return _zipped(file) if file.is_dir() else _read(file)


def length_of(file: Path) -> int | None:
    """How many bytes are sent; a folder's archive has no length before it is made."""
    return None if file.is_dir() else file.stat().st_size


def _read(file: Path) -> Generator[bytes, None, None]:
    """A file's bytes in pieces."""
    with file.open("rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece


def size_of(file: Path) -> int:
    """Bytes in a file, or in the CSV files of a folder."""
    return sum(one.stat().st_size for one in files_in(file)) if file.is_dir() else file.stat().st_size


def files_in(folder: Path) -> list[Path]:
    """The CSV files of a folder, in the order of their names.

    Raises: Refused.
    """
    files = sorted(one for one in folder.iterdir() if one.is_file() and one.suffix.lower() == ".csv")
    if not files:
        raise Refused(f"{folder}: there are no CSV files in this folder.")
    return files


def _zipped(folder: Path) -> Generator[bytes, None, None]:
    """The folder's CSV files as a zip archive, in pieces; never more of it in memory than a piece of it."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in files_in(folder):
            entry = zipfile.ZipInfo(file.name, _AN_AGE_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as inside:
                for piece in _read(file):
                    inside.write(piece)
                    if len(sink.gathered) >= PIECE_BYTES:
                        yield sink.taken()
    yield sink.taken()


class _Sink:
    """Where the archive is written: a stream that cannot go back, emptied as it fills."""

    def __init__(self) -> None:
        self.gathered = bytearray()

    def write(self, piece: bytes) -> int:
        self.gathered += piece
        return len(piece)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def close(self) -> None:
        """What is gathered is taken after this, too."""

    def taken(self) -> bytes:
        piece = bytes(self.gathered)
        self.gathered.clear()
        return piece
