"""The same files once more are not read while nobody else has written, and only the time it takes differs."""

import io
import random
import zipfile
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from services.roster.handlers import unchanged
from services.roster.handlers.staging import Stager
from services.roster.store import RECORDS, revisions
from shared.imports import Report
from tests.integration.roster.archives import BEGAN, ENDED, Roster, a_roster, an_old_roster
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, RosterService, a_caller
from tests.integration.roster.test_delta import a_delta, a_user
from tests.integration.roster.test_guard import _decide
from tests.integration.roster.test_identity import merged

FILES = ("orgs", "academicSessions", "courses", "classes", "users", "roles", "demographics", "enrollments")


class Read:
    """How many files were read for their rows."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.files = 0
        read = Stager._read

        async def counting(stager: Stager, file: Any, total: int, *, only_look: bool) -> Any:
            self.files += 1
            return await read(stager, file, total, only_look=only_look)

        patch.setattr(Stager, "_read", counting)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    return Read(monkeypatch)


async def test_the_same_archive_again_is_not_read_and_nothing_is_told(roster: RosterService, read: Read) -> None:
    archive = a_roster().zip()
    first = await roster.load(archive)
    read.files = 0
    latest = await roster.look("SELECT max(number) AS number FROM revisions")

    again = [await roster.load(archive) for _ in range(2)]

    assert read.files == 0
    for report in again:
        assert report.counts == {"added": 0, "changed": 0, "unchanged": first.counts["added"], "refused": 0}
        assert report.summary["files"] == first.summary["files"]
        assert report.summary["diff"]["types"]["users"] == {"added": 0, "changed": 0, "leaving": 0, "unchanged": 32}
    assert await roster.look("SELECT max(number) AS number FROM revisions") == latest


async def test_the_same_files_in_another_archive_are_the_same(roster: RosterService, read: Read) -> None:
    await roster.load(a_roster().zip())
    read.files = 0
    other = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(a_roster().zip())) as old, zipfile.ZipFile(other, "w") as new:
        for entry in reversed(old.namelist()):
            new.writestr(f"export/{entry}", old.read(entry))

    report = await roster.load(other.getvalue())

    assert (report.state, report.counts["unchanged"], read.files) == ("applied", 134, 0)


async def test_roles_of_1_1_are_counted_as_when_they_were_read(roster: RosterService, read: Read) -> None:
    archive = an_old_roster().zip()
    await roster.load(archive)
    async with roster.database.transaction(a_caller()) as tx:  # another writer, so that all of it is read once more
        await revisions.stamp(tx, await revisions.begin(tx))
    full = await roster.load(archive)
    read.files = 0

    again = await roster.load(archive)

    assert read.files == 0
    assert again.counts == full.counts
    assert again.summary["diff"] == full.summary["diff"]


async def test_one_byte_that_differs_is_found(roster: RosterService, read: Read) -> None:
    await roster.load(a_roster().zip())
    read.files = 0

    report = await roster.load(a_roster().put("users", "Given3,", "Given4,").zip())

    assert (report.counts["changed"], read.files) == (1, len(FILES))


async def test_whoever_writes_meanwhile_has_all_of_it_read(roster: RosterService, read: Read) -> None:
    archive = a_roster().zip()
    await roster.load(archive)
    await roster.load(a_delta(users=[a_user("s000", "Ada")]).zip())
    read.files = 0

    report = await roster.load(archive)

    assert (report.counts["changed"], read.files) == (1, len(FILES))
    (row,) = await roster.look("SELECT given_name FROM people WHERE sourced_id = 's000'")
    assert row == {"given_name": "Given0"}


async def test_who_was_merged_since_is_read_again(roster: RosterService, read: Read) -> None:
    archive = a_roster().zip()
    await roster.load(archive)
    await merged(roster)
    read.files = 0

    await roster.load(archive)

    assert read.files == len(FILES)


async def test_what_an_undo_brought_back_is_read_again_and_leaves_again(roster: RosterService, read: Read) -> None:
    await roster.load(a_roster().zip())
    fewer = a_roster().drop("users", "s003,").drop("roles", "r-s003,").drop("enrollments", "e-s003,")
    cut = fewer.drop("demographics", "s003,").zip()
    report = await roster.load(cut)
    await _decide(roster, report, "undo")
    assert await _active(roster, "s003")
    read.files = 0

    again = await roster.load(cut)

    assert (again.state, again.counts["changed"], read.files) == ("applied", 4, len(FILES))
    assert not await _active(roster, "s003")


async def test_a_writer_between_reading_and_stamp_has_it_all_read_again(
    roster: RosterService, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He may have written what the comparison did not see."""
    stamp = revisions.stamp

    async def after_another(tx: Any, number: int, **more: Any) -> None:
        async with roster.database.transaction(a_caller()) as other:
            await stamp(other, await revisions.begin(other))
        await stamp(tx, number, **more)

    archive = a_roster().zip()
    with monkeypatch.context() as patch:
        patch.setattr(revisions, "stamp", after_another)
        await roster.load(archive)
    read.files = 0

    await roster.load(archive)

    assert read.files == len(FILES)


async def test_what_is_told_of_a_file_is_told_again(roster: RosterService) -> None:
    slip = a_roster().put("enrollments", f"s001,student,,{BEGAN}", f"s001,Student,FALSE,{BEGAN}").zip()
    first = await roster.load(slip)

    again = await roster.load(slip)

    assert (first.repair_count, again.repair_count) == (2, 2)


async def test_another_way_to_read_reads(roster: RosterService, read: Read) -> None:
    archive = a_roster().zip()
    await roster.load(archive)
    read.files = 0

    await roster.load(archive, encoding="latin-1")

    assert read.files == len(FILES)


async def test_a_dry_run_of_what_is_in_force_says_that_nothing_changes(roster: RosterService, read: Read) -> None:
    archive = a_roster().zip()
    await roster.load(archive)
    read.files = 0

    report = await roster.load(archive, dry_run="true")

    assert (report.state, report.counts["unchanged"], read.files) == ("reported", 134, 0)


async def test_a_later_version_reads_what_an_earlier_one_has_read(
    roster: RosterService, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = a_roster().zip()
    await roster.load(archive)
    read.files = 0
    monkeypatch.setattr(unchanged, "READING", unchanged.READING + 1)

    await roster.load(archive)

    assert read.files == len(FILES)


def _dropped(of: random.Random, roster: Roster, file: str) -> None:
    lines = roster.files[file]
    for _ in range(of.randint(1, 3)):
        if len(lines) > 2:
            del lines[of.randrange(1, len(lines))]


def _twin(of: random.Random, roster: Roster, file: str) -> None:
    lines = roster.files[file]
    lines.insert(of.randrange(1, len(lines) + 1), of.choice(lines[1:]))


def _other_cell(of: random.Random, roster: Roster, file: str) -> None:
    lines = roster.files[file]
    at, other = of.randrange(1, len(lines)), of.randrange(1, len(lines))
    cells, theirs = lines[at].split(","), lines[other].split(",")
    column = of.randrange(1, min(len(cells), len(theirs)))
    cells[column] = of.choice(("", theirs[column], "nonsense", ENDED, "tobedeleted", theirs[0]))
    lines[at] = ",".join(cells)


def _another(of: random.Random, roster: Roster, file: str) -> None:
    cells = of.choice(roster.files[file][1:]).split(",")
    roster.files[file].append(",".join([f"more-{of.randrange(5)}", *cells[1:]]))


CHANGES: tuple[Callable[[random.Random, Roster, str], None], ...] = (_dropped, _twin, _other_cell, _another)


@pytest.mark.parametrize("seed", range(3))
async def test_it_makes_no_difference(
    roster: RosterService, read: Read, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The same archives into two districts: in one of them, all is always read."""
    of = random.Random(seed)  # no secret
    archives = []
    for _ in range(4):
        changed = a_roster(8)
        for _ in range(of.randint(0, 3)):
            of.choice(CHANGES)(of, changed, of.choice(FILES[2:]))
        archives += [(changed.zip(), of.random() < 0.9)] * 2

    said = [[await _load(roster, archive, DISTRICT, good) for archive, good in archives]]
    files = read.files
    with monkeypatch.context() as patch:
        patch.setattr(unchanged, "seen_before", _never)
        said.append([await _load(roster, archive, OTHER_DISTRICT, good) for archive, good in archives])

    assert files < read.files - files
    assert said[0] == said[1]
    assert await _kept(roster, DISTRICT) == await _kept(roster, OTHER_DISTRICT)


async def _never(*_: Any) -> None:
    return None


async def _load(roster: RosterService, archive: bytes, district: UUID, keep_good: bool) -> Any:
    report = await roster.load(archive, district=district, keep_good=keep_good)
    if report.state == "held":
        report = await roster.approve(report.id, district=district)
    return _said(report)


def _said(report: Report) -> Any:
    problems = sorted((one.file, one.line or 0, one.rule, one.value or "") for one in report.problems)
    repairs = sorted((one.file, one.line or 0, one.rule, one.value or "") for one in report.repairs)
    return report.state, report.counts, report.summary.get("diff"), problems, repairs


async def _active(roster: RosterService, name: str) -> bool:
    (row,) = await roster.look("SELECT status FROM people WHERE sourced_id = $1", name)
    return bool(row["status"] == "active")


async def _kept(roster: RosterService, district: UUID) -> dict[str, Any]:
    """What is kept of a district, with names in place of identities."""
    found: dict[str, Any] = {}
    for file in FILES:
        record = RECORDS[file]
        columns = [f"t.{one.name}" for one in record.fields] + ["t.sourced_id", "t.status", "t.metadata", "t.ended_on"]
        for ref in record.refs:
            table = RECORDS[ref.file].table
            is_it = f"o.id = ANY (t.{ref.name})" if ref.many else f"o.id = t.{ref.name}"
            columns.append(f"ARRAY(SELECT o.sourced_id FROM {table} o WHERE {is_it} ORDER BY 1) AS {ref.name}")
        found[file] = await roster.look(
            f"SELECT {', '.join(columns)} FROM {record.table} t ORDER BY t.sourced_id",  # constants
            caller=a_caller(district),
        )
    return found
