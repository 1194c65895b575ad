"""An archive that is damaged, or made to do damage, is refused with its place, and never a mistake of ours."""

import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from services.roster.domain.archive import open_archive
from services.roster.domain.findings import Finding, Findings, Unreadable
from services.roster.domain.layout import READ

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
HEADER = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId"


def _archive(method: int = zipfile.ZIP_DEFLATED, manifest: str | None = None) -> bytes:
    modes = "".join(f"file.{name},{'bulk' if name == 'orgs' else 'absent'}\n" for name in READ["1.2"])
    rows = "".join(f"o{number},,,\u00d6rg {number},school,{number},\n" for number in range(50))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as zipped:
        said = f"propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n{modes}"
        zipped.writestr("manifest.csv", said if manifest is None else manifest)
        zipped.writestr("orgs.csv", f"{HEADER}\n{rows}")
    return held.getvalue()


def _read(path: Path, content: bytes) -> int:
    """Rows read of an archive, to its end."""
    path.write_bytes(content)
    rows = 0
    with open_archive(path, Findings()) as archive:
        for file in archive.delivery().files:
            with archive.reading(file) as reader:
                rows += sum(len(chunk) for chunk in archive.chunks(reader))
    return rows


def _refused(path: Path, content: bytes) -> Finding:
    with pytest.raises(Unreadable) as refused:
        _read(path, content)
    return refused.value.finding


def _leading_nowhere() -> bytes:
    """An archive whose directory says that its file begins behind the end of any."""
    name, beyond = b"manifest.csv", struct.pack("<HHQ", 1, 8, (1 << 64) - 1)
    entry = struct.pack(
        "<4s4B4HL2L5H2L",
        b"PK\x01\x02", 45, 3, 45, 0, 0, 0, 0, 0x21, 0, 1, 1, len(name), len(beyond), 0, 0, 0, 0, 0xFFFFFFFF,
    )  # fmt: skip
    directory = entry + name + beyond
    return directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 0, 0)


def _nameless() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as zipped:
        zipped.writestr("x", "")
    whole = bytearray(held.getvalue())
    at = whole.find(b"PK\x01\x02")
    whole[at + 28 : at + 32] = struct.pack("<2H", 0, 1)  # its letter is the extra field's now
    return bytes(whole)


def _misspelt() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as zipped:
        zipped.writestr("\u00d6.csv", "x")
    return held.getvalue().replace("\u00d6".encode(), b"\xff\xff")


@pytest.mark.parametrize("method", METHODS[:2])
def test_stored_and_deflated_files_are_read(tmp_path: Path, method: int) -> None:
    assert _read(tmp_path / "a.zip", _archive(method)) == 50


@pytest.mark.parametrize("method", METHODS[2:])
def test_files_packed_otherwise_are_refused_by_rule(tmp_path: Path, method: int) -> None:
    found = _refused(tmp_path / "a.zip", _archive(method))

    assert (found.file, found.rule) == ("manifest.csv", "compression")


@pytest.mark.parametrize("made", [_leading_nowhere, _nameless, _misspelt])
def test_a_directory_that_misleads_is_a_damaged_archive(tmp_path: Path, made: Callable[[], bytes]) -> None:
    assert _refused(tmp_path / "a.zip", made()).rule == "archive"


def test_a_manifest_is_not_read_into_memory_however_long_it_is(tmp_path: Path) -> None:
    endless = _archive(manifest="propertyName,value\n" + "source.x,y\n" * 500_000)

    assert _refused(tmp_path / "a.zip", endless).rule == "manifest-too-large"


def test_whatever_bytes_are_changed_it_is_read_or_refused(tmp_path: Path) -> None:
    at_random = random.Random(6)
    whole = [_archive(method) for method in METHODS]
    refused = 0

    for _ in range(600):
        damaged = bytearray(at_random.choice(whole))
        for _ in range(at_random.choice((1, 1, 4))):
            begin = 0 if at_random.random() < 0.5 else len(damaged) - 200  # the directory stands at the end
            damaged[at_random.randrange(begin, len(damaged))] = at_random.randrange(256)
        try:
            _read(tmp_path / "a.zip", bytes(damaged))
        except Unreadable:
            refused += 1

    assert refused > 300
