"""The OneRoster archive that a pull becomes: objects go to disk as rows while they come, and into a zip at the end."""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from deploy.cli.roster.collections import COLLECTIONS, Collection
from deploy.cli.roster.memory import Memory
from deploy.cli.roster.objects import FILES, WITHIN, Child, text
from deploy.cli.roster.paging import Item

Mode = Literal["absent", "bulk", "delta"]

HEAD = ("sourcedId", "status", "dateLastModified")
METADATA = "metadata."
_GONE = frozenset({"tobedeleted", "inactive"})
_PIECE = 1 << 20


class Rows:
    """The rows of one CSV file, on disk. A metadata column may turn up at any row: earlier rows lack its cell."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._columns = tuple(columns)
        self._stream: IO[str] | None = None
        self.restart()

    def restart(self) -> None:
        """Forget all rows."""
        self.close()
        self._stream = self._path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream)
        self._metadata: dict[str, int] = {}
        self._short = 0
        """How many rows were written before the last metadata column turned up."""
        self.count = 0

    def add(self, cells: Sequence[str], metadata: Mapping[str, object] | None = None) -> None:
        """One row."""
        extra: list[str] = []
        if metadata:
            for name in metadata:
                if name not in self._metadata:
                    self._metadata[name] = len(self._metadata)
                    self._short = self.count
        if self._metadata:
            extra = [text((metadata or {}).get(name)) for name in self._metadata]
        self._writer.writerow((*cells, *extra))
        self.count += 1

    def write_to(self, archive: zipfile.ZipFile, name: str) -> None:
        """The whole file, header first, as an entry of an archive."""
        self.close()
        header = (*self._columns, *(METADATA + one for one in self._metadata))
        with archive.open(name, "w", force_zip64=True) as entry:
            entry.write(_line(header))
            with self._path.open("r", encoding="utf-8", newline="") as rows:
                if self._short:
                    for row in csv.reader(rows):
                        entry.write(_line((*row, *[""] * (len(header) - len(row)))))
                else:
                    while piece := rows.read(_PIECE):
                        entry.write(piece.encode())

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _line(cells: Iterable[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return out.getvalue().encode()


@dataclass(slots=True)
class Taken:
    """What became of a collection. `left_out`: objects that say they are gone, and what CSV has no place for."""

    rows: dict[str, int] = field(default_factory=dict)
    gone: int = 0
    left_out: int = 0


class Spool:
    """One collection on its way to disk: its own file and those made of what its objects carry."""

    def __init__(self, folder: Path, version: str, collection: Collection, memory: Memory, clock: str | None) -> None:
        """`clock`: the time for objects that do not say when they changed; None in a full pull, which says no times."""
        self._collection = collection
        self._cells = FILES[version]
        self._needed = "score" if (version, collection.name) == ("1.1", "results") else None
        self._memory = memory
        self._clock = clock
        self._files = {file: Rows(folder / f"{file}.csv", (*HEAD, *self._cells[file])) for file in collection.files}
        self._known = {file for file in collection.derived if memory.knows(file)}
        self._spoken: set[str] = set()
        memory.mark()
        self._begin()

    def restart(self) -> None:
        """Begin again from nothing."""
        for rows in self._files.values():
            rows.restart()
        self._memory.back()
        self._begin()

    def _begin(self) -> None:
        self._spoken.clear()
        self._gone = self._left_out = 0
        if self._clock is None:
            self._memory.clear(self._collection.derived)

    def take(self, items: Sequence[Item]) -> None:
        """Write objects as rows."""
        for item in items:
            is_gone = text(item.get("status")).lower() in _GONE
            if is_gone and self._clock is None:
                self._gone += 1
                continue
            if self._needed is not None and not is_gone and item.get(self._needed) is None:
                self._left_out += 1
                continue
            head = self._head(item, is_gone)
            metadata = item.get("metadata")
            cells = self._cells[self._collection.file].values()
            self._files[self._collection.file].add(
                (*head, *(cell(item) for cell in cells)), metadata if isinstance(metadata, dict) else None
            )
            for file in self._collection.derived:
                self._take_children(file, item, head, is_gone=is_gone)

    def _head(self, item: Item, is_gone: bool) -> tuple[str, str, str]:
        sourced = text(item["sourcedId"])
        if self._clock is None:
            return sourced, "", ""
        changed = text(item.get("dateLastModified")) or self._clock
        return sourced, "tobedeleted" if is_gone else "active", changed

    def _take_children(self, file: str, item: Item, head: tuple[str, str, str], *, is_gone: bool) -> None:
        within = WITHIN[file]
        carried = item.get(within.member)
        if carried is not None:
            self._spoken.add(file)
        children = {} if is_gone else {one.sourced_id: one for one in within.children(item, head[0])}
        if isinstance(carried, list) and file == "userProfiles":
            self._left_out += sum(not one.get("credentials") for one in carried if isinstance(one, dict))
        if self._clock is None:
            self._memory.add(head[0], children.values())
        else:
            for gone in self._memory.replace(file, head[0], children.values()):
                self._write(file, gone, "tobedeleted", head[2])
        for child in children.values():
            self._write(file, child, head[1], head[2])

    def _write(self, file: str, child: Child, status: str, changed: str) -> None:
        cells = (child.cells.get(column, "") for column in self._cells[file])
        self._files[file].add((child.sourced_id, status, changed, *cells))

    def finish(self) -> Taken:
        """All of it is read."""
        self.close()
        return Taken({file: rows.count for file, rows in self._files.items()}, self._gone, self._left_out)

    def close(self) -> None:
        for rows in self._files.values():
            rows.close()

    def modes(self) -> dict[str, Mode]:
        """How each file comes: what was read whole comes whole, even when it is empty.

        A file of what no object ever carried is absent: a provider that does not speak of roles does not say there
        are none.
        """
        if self._clock is not None:
            return {file: "delta" if rows.count else "absent" for file, rows in self._files.items()}
        return {
            file: "bulk" if file == self._collection.file or file in self._spoken | self._known else "absent"
            for file in self._files
        }

    def write_to(self, archive: zipfile.ZipFile) -> None:
        modes = self.modes()
        for file, rows in self._files.items():
            if modes[file] != "absent":
                rows.write_to(archive, f"{file}.csv")


def write_archive(path: Path, version: str, system: str, spools: Sequence[Spool]) -> dict[str, Mode]:
    """All that was read as one archive; how each of its files comes."""
    modes: dict[str, Mode] = {file: "absent" for collection in COLLECTIONS[version] for file in collection.files}
    for spool in spools:
        modes |= spool.modes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=5) as archive:
        lines = [
            ("propertyName", "value"),
            ("manifest.version", "1.0"),
            ("oneroster.version", version),
            *((f"file.{file}", mode) for file, mode in sorted(modes.items())),
            ("source.systemName", system),
        ]
        archive.writestr("manifest.csv", b"".join(_line(line) for line in lines))
        for spool in spools:
            spool.write_to(archive)
    return modes
