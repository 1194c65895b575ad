"""The archive around the data files: what may be in it, and what its manifest says of them."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from services.roster.domain.blocks import Encoding
from services.roster.domain.cells import Chunk
from services.roster.domain.columns import File
from services.roster.domain.contents import Ahead, Content, Digested, digest_of
from services.roster.domain.csvfile import Reader
from services.roster.domain.delivery import Delivery
from services.roster.domain.findings import Finding, Findings, Unreadable
from services.roster.domain.header import is_slip
from services.roster.domain.layout import NAMES, READ
from services.roster.domain.manifest import Manifest, read_manifest

ARCHIVE_BYTES = 1 << 30
ENTRIES = 40
RATIO = 100
FREE_BYTES = 10 * 1000 * 1000
MANIFEST = "manifest.csv"
MANIFEST_BYTES = 4 << 20
"""A manifest is read whole."""
ARCHIVE = "archive"
_NESTED = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".zst")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
"""What zipfile raises for an archive that is cut off, damaged, encrypted or packed in an unknown way."""
_MISLED = (*_BROKEN, ValueError)
"""What it raises beside for names that are no text, and for places beyond any file."""
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_MAGIC = b"PK\x03\x04"


class Archive:
    """An opened archive whose entries are safe to read."""

    def __init__(self, zipped: zipfile.ZipFile, findings: Findings) -> None:
        self._zip = zipped
        self._findings = findings
        self._entries = _checked_entries(zipped, findings)
        self._digests: dict[str, str] = {}

    def delivery(self) -> Delivery:
        """Read the manifest and settle which files are there."""
        manifest = self._manifest()
        files = []
        for file in READ[manifest.version].values():
            mode = manifest.modes.get(file.name)
            if mode not in ("bulk", "delta"):
                continue
            if self._entry(file.name) is None:
                self._problem(file.csv, "file-missing", "The manifest announces this file; add it, or say absent.")
                continue
            files.append(file if mode == "bulk" else file.as_delta)
        self._tell_the_rest(manifest)
        read = [self._entries[entry] for file in files if (entry := self._entry(file.name))]
        return Delivery(manifest.version, tuple(files), sum(info.file_size for info in read))

    @contextmanager
    def reading(self, file: File, encoding: Encoding = "utf-8") -> Iterator[Reader]:
        """A reader of one of the delivery's files."""
        entry = self._entry(file.name)
        assert entry is not None
        with self._opened(entry) as stream:
            digested = Digested(stream)
            with Ahead(digested) as ahead:
                yield Reader(file, ahead, self._findings, encoding=encoding)
            self._digests[file.name] = digested.digest()

    def contents(self) -> dict[str, Content]:
        """What the files hold that were read to their end."""
        infos = {name: self._entries[self._entry(name) or name] for name in self._digests}
        return {name: Content(one.file_size, one.CRC, self._digests[name]) for name, one in infos.items()}

    def holds(self, file: File, content: Content) -> bool:
        """Whether a file holds just this. It is read for it only where size and checksum are the same."""
        entry = self._entry(file.name)
        if entry is None or (self._entries[entry].file_size, self._entries[entry].CRC) != (content.bytes, content.crc):
            return False
        with self._opened(entry) as stream:
            try:
                self._digests[file.name] = digest_of(stream)
            except _BROKEN:
                return False  # whoever reads it for its rows tells where it is damaged
        return self._digests[file.name] == content.blake2b

    def chunks(self, reader: Reader) -> Iterator[Chunk]:
        """The reader's chunks; Unreadable where the archive itself is damaged."""
        try:
            yield from reader.chunks()
        except _BROKEN as wrong:
            raise _cut_off(reader.file.csv) from wrong

    @contextmanager
    def _opened(self, entry: str) -> Iterator[IO[bytes]]:
        try:
            stream = self._zip.open(self._entries[entry])
        except _MISLED as wrong:
            raise _cut_off(entry) from wrong
        with stream:
            yield stream

    def _manifest(self) -> Manifest:
        entry = self._entry("manifest")
        if entry is None:
            raise Unreadable(
                Finding(
                    MANIFEST,
                    None,
                    None,
                    None,
                    "manifest-missing",
                    "Add manifest.csv to the archive, as the standard has it.",
                )
            )
        if self._entries[entry].file_size > MANIFEST_BYTES:
            raise _unsafe(MANIFEST, "manifest-too-large", "Keep it under 4 MB: it has a line for each file.")
        with self._opened(entry) as stream:
            try:
                return read_manifest(stream, self._findings)
            except _BROKEN as wrong:
                raise _cut_off(MANIFEST) from wrong

    def _entry(self, name: str) -> str | None:
        """The entry that holds this data file; its letters may differ in case."""
        return next((entry for entry in self._entries if entry.lower() == f"{name}.csv".lower()), None)

    def _tell_the_rest(self, manifest: Manifest) -> None:
        """What is in the archive and not read, or named otherwise than it should be."""
        known = {name.lower(): name for name in NAMES[manifest.version]} | {"manifest": "manifest"}
        for entry in self._entries:
            stem = entry[:-4] if entry.lower().endswith(".csv") else None
            name = known.get(stem.lower()) if stem is not None else None
            if name is None:
                near = [one for one in known.values() if stem and len(stem) > 3 and is_slip(stem.lower(), one.lower())]
                if near:
                    self._problem(entry, "file-name", f"Name it {near[0]}.csv.")
                else:
                    self._repair(entry, "file-unknown", "Left out: the standard has no such file.")
                continue
            mode = "bulk" if name == "manifest" else manifest.modes.get(name, "absent")
            if mode == "absent":
                self._problem(entry, "present-but-absent", "Say bulk or delta in the manifest, or take the file out.")
            elif mode == "unsaid":
                self._repair(entry, "present-but-absent", "Left out: the manifest does not say that it is there.")
            elif entry != f"{name}.csv":
                self._repair(entry, "file-name", f"Read as {name}.csv.")

    def _problem(self, file: str, rule: str, remedy: str) -> None:
        self._findings.add(Finding(file, None, None, None, rule, remedy))

    def _repair(self, file: str, rule: str, remedy: str) -> None:
        self._findings.add(Finding(file, None, None, None, rule, remedy, repaired=True))


@contextmanager
def open_archive(path: Path, findings: Findings) -> Iterator[Archive]:
    """Open an uploaded archive; Unreadable when it is not one, or not a safe one."""
    if path.stat().st_size > ARCHIVE_BYTES:
        raise _unsafe(ARCHIVE, "archive-too-large", "Keep the archive under 1 GB.")
    try:
        zipped = zipfile.ZipFile(path)
    except _MISLED as wrong:
        raise Unreadable(
            Finding(ARCHIVE, None, None, None, "archive", "Send a whole zip archive; this is none, or it is cut off.")
        ) from wrong
    with zipped:
        yield Archive(zipped, findings)


def _checked_entries(zipped: zipfile.ZipFile, findings: Findings) -> dict[str, zipfile.ZipInfo]:
    """The files of the archive by their name without the one folder they may be in."""
    if not all(info.filename for info in zipped.infolist()):
        raise _cut_off(ARCHIVE)
    infos = [info for info in zipped.infolist() if not info.is_dir()]
    if len(infos) > ENTRIES:
        raise _unsafe(ARCHIVE, "too-many-entries", f"Keep to {ENTRIES} files; this has {len(infos)}.")
    for info in infos:
        _check_entry(zipped, info)
    kept = []
    for info in infos:
        path = PurePosixPath(info.filename)
        if "__MACOSX" in path.parts or path.name in (".DS_Store", "Thumbs.db"):
            findings.add(
                Finding(info.filename, None, None, None, "file-unknown", "Left out: made by a desktop.", repaired=True)
            )
        else:
            kept.append((path, info))
    folders = {path.parent for path, _ in kept}
    if len(folders) > 1 or any(len(folder.parts) > 1 for folder in folders):
        raise _unsafe(ARCHIVE, "folders", "Put all files at the top of the archive, or all in one folder.")
    entries: dict[str, zipfile.ZipInfo] = {}
    lowered = set()
    for path, info in kept:
        if path.name.lower() in lowered:
            raise _unsafe(path.name, "entry-twice", "Name each file once.")
        lowered.add(path.name.lower())
        entries[path.name] = info
    return entries


def _check_entry(zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    name = info.filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or ":" in name or info.orig_filename != info.filename:
        raise _unsafe(info.filename, "entry-name", "Use plain file names: no absolute paths, no `..`.")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _unsafe(info.filename, "entry-name", "Put the file itself in the archive, not a link.")
    if info.flag_bits & 0x1:
        raise _unsafe(info.filename, "encrypted", "Send the archive without a password.")
    if info.compress_type not in _PACKED:
        raise _unsafe(info.filename, "compression", "Compress with deflate, as zip programs do by default.")
    if info.file_size > FREE_BYTES and info.file_size > RATIO * max(1, info.compress_size):
        raise _unsafe(info.filename, "ratio", f"Compressed more than {RATIO} to 1: this is no roster.")
    if path.suffix.lower() in _NESTED:
        raise _unsafe(info.filename, "nested-archive", "Put the files themselves in the archive.")
    try:
        with zipped.open(info) as stream:
            begins = stream.read(4)
    except _MISLED as wrong:
        raise _cut_off(path.name) from wrong
    if begins == _ZIP_MAGIC:
        raise _unsafe(info.filename, "nested-archive", "Put the files themselves in the archive.")


def _unsafe(file: str, rule: str, remedy: str) -> Unreadable:
    return Unreadable(Finding(file, None, None, None, rule, remedy))


def _cut_off(file: str) -> Unreadable:
    return _unsafe(file, "archive", "The archive is damaged or cut off here; send it whole.")
