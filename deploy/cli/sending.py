"""The bytes that are sent: a file's, or a folder's CSV files as one archive that is made while it goes."""

from collections.abc import Generator
from pathlib import Path

from deploy.cli.refusal import Refused
from shared.zipping import StreamedZip

PIECE_BYTES = 256 * 1024


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
    archive = StreamedZip(level=1)
    waiting = bytearray()
    for file in files_in(folder):
        waiting += archive.begin(file.name)
        for piece in _read(file):
            waiting += archive.add(piece)
            if len(waiting) >= PIECE_BYTES:
                yield bytes(waiting)
                waiting.clear()
    yield bytes(waiting + archive.end())
