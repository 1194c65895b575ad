"""What is remembered between two pulls from a provider: since when to ask for changes, and what parents carried.

REST says of a user which roles there are now, not which are gone: so the rows that were made of what an object carried
are kept here, and those that are missing from its next version end. One SQLite file beside PROVIDER.toml. What a pull
learns becomes true only when the platform has accepted it; a pull that was not accepted leaves nothing to build on.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deploy.cli.refusal import Refused
from deploy.cli.roster.objects import Child

_LAYOUT = 1
_TABLES = """
    CREATE TABLE IF NOT EXISTS pulled (
        one INTEGER PRIMARY KEY CHECK (one = 1), provider TEXT NOT NULL, since TEXT NOT NULL,
        collections TEXT NOT NULL, accepted INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS children (
        file TEXT NOT NULL, parent TEXT NOT NULL, child TEXT NOT NULL, cells TEXT NOT NULL,
        PRIMARY KEY (file, parent, child)
    ) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A pull that was accepted: since when to ask for changes, and of which collections all is known till then."""

    since: datetime
    collections: frozenset[str]


class Memory:
    """The memory of one provider, held by one pull at a time."""

    def __init__(self, database: sqlite3.Connection, provider: str) -> None:
        self._database = database
        self._provider = provider

    def last(self) -> Accepted | None:
        """The pull that the next one may build on; None when only a full one is safe."""
        row = self._database.execute("SELECT provider, since, collections, accepted FROM pulled").fetchone()
        if row is None or row[0] != self._provider or not row[3]:
            return None
        return Accepted(datetime.fromisoformat(row[1]), frozenset(json.loads(row[2])))

    @contextmanager
    def learning(self) -> Iterator[None]:
        """A pull: what it notes is kept when it says `accept`, and forgotten when it ends otherwise.

        While it lasts, and should it be killed, the pull before counts as not accepted.
        """
        before = self._database.execute("SELECT accepted FROM pulled").fetchone()
        self._database.execute("UPDATE pulled SET accepted = 0")
        self._database.execute("BEGIN")
        self._was_loaded = False
        try:
            yield
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
                if before is not None and not self._was_loaded:  # nothing went out: the pull before still stands
                    self._database.execute("UPDATE pulled SET accepted = ?", before)

    def again(self) -> None:
        """The pull begins once more, in another way."""
        self._database.execute("ROLLBACK")
        self._database.execute("BEGIN")

    def loading(self) -> None:
        """From here on the platform may have taken what was pulled."""
        self._was_loaded = True

    def accept(self, pull: Accepted) -> None:
        """The platform has taken it all: the next pull may ask for what changed since."""
        self._database.execute(
            "INSERT OR REPLACE INTO pulled VALUES (1, ?, ?, ?, 1)",
            (self._provider, pull.since.isoformat(), json.dumps(sorted(pull.collections))),
        )
        self._database.execute("COMMIT")

    def mark(self) -> None:
        """A collection begins; `back` returns here."""
        self._database.execute("SAVEPOINT collection")

    def back(self) -> None:
        """The collection is read once more from its start."""
        self._database.execute("ROLLBACK TO collection")

    def knows(self, file: str) -> bool:
        """Whether any object carried rows of this file when it was pulled last."""
        return self._database.execute("SELECT 1 FROM children WHERE file = ? LIMIT 1", (file,)).fetchone() is not None

    def clear(self, files: Iterable[str]) -> None:
        """Their collection is read whole: what was known of them counts no more."""
        self._database.executemany("DELETE FROM children WHERE file = ?", [(file,) for file in files])

    def add(self, parent: str, children: Iterable[Child]) -> None:
        """These are the rows an object carries, the first time it is seen."""
        self._database.executemany(
            "INSERT OR REPLACE INTO children VALUES (?, ?, ?, ?)",
            [(one.file, parent, one.sourced_id, _packed(one.cells)) for one in children],
        )

    def replace(self, file: str, parent: str, children: Iterable[Child]) -> list[Child]:
        """These are the rows it carries now; those it carried and does not any more."""
        kept = list(children)
        now = {one.sourced_id for one in kept}
        rows = self._database.execute(
            "SELECT child, cells FROM children WHERE file = ? AND parent = ? ORDER BY child", (file, parent)
        ).fetchall()
        gone = [Child(file, child, json.loads(cells)) for child, cells in rows if child not in now]
        self._database.execute("DELETE FROM children WHERE file = ? AND parent = ?", (file, parent))
        self.add(parent, kept)
        return gone


def _packed(cells: Mapping[str, str]) -> str:
    return json.dumps({name: value for name, value in cells.items() if value}, ensure_ascii=False)


@contextmanager
def opened(file: Path, provider: str) -> Iterator[Memory]:
    """The memory kept in this file, for one pull at a time. Raises: Refused."""
    database = sqlite3.connect(file, timeout=1, isolation_level=None)
    try:
        file.chmod(0o600)
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        if database.execute("PRAGMA user_version").fetchone()[0] not in (0, _LAYOUT):
            raise Refused(f"{file} was written by another release; remove it, and the next pull is a full one.")
        database.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_LAYOUT}; COMMIT;")
        yield Memory(database, provider)
    except sqlite3.OperationalError as wrong:
        if "locked" in str(wrong):
            raise Refused(f"{file} is in use: another pull from this provider is at work.") from wrong
        raise Refused(f"{file} cannot be used: {wrong}.") from wrong
    except sqlite3.DatabaseError as wrong:
        raise Refused(f"{file} is damaged ({wrong}); remove it, and the next pull is a full one.") from wrong
    finally:
        database.close()
