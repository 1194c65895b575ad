"""Imports: how far they are, what they would change, what was found, and what a person decides about them."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from services.gateway import imports
from services.gateway.context import Info
from services.gateway.graph.connections import After, Connection, First, connection
from services.gateway.graph.ids import NotACursor, cursor_at, seen_before
from services.gateway.graph.refusals import Refused, about, settled
from services.gateway.imports import Brief, Decision
from shared.imports.findings import Finding, Sort

ImportId = Annotated[strawberry.ID, strawberry.argument(description="An import's id, as POST /v1/imports gave it.")]
Kind = Annotated[str | None, strawberry.argument(description="Only files of this kind, e.g. roster.")]


@strawberry.enum(description="How far an import is.")
class ImportState(Enum):
    STAGED = strawberry.enum_value("staged", description="Every byte is there; it waits for its turn.")
    VALIDATING = strawberry.enum_value("validating", description="It is read and checked.")
    MERGING = strawberry.enum_value("merging", description="It is being applied.")
    APPLIED = strawberry.enum_value("applied", description="It is applied.")
    REFUSED = strawberry.enum_value(
        "refused", description="Nothing of it was applied: of its problems, or by a person."
    )
    HELD = strawberry.enum_value("held", description="It waits for a person; what was known stays in force.")
    REPORTED = strawberry.enum_value("reported", description="A dry run: nothing was applied.")
    EXPIRED = strawberry.enum_value("expired", description="Nobody decided in time; nothing was applied.")
    FAILED = strawberry.enum_value("failed", description="A mistake of ours; nothing was applied.")
    UNDOING = strawberry.enum_value("undoing", description="What it ended is brought back.")
    UNDONE = strawberry.enum_value("undone", description="What it ended was brought back.")


@strawberry.enum(description="What came of an import, when it is over.")
class ImportVerdict(Enum):
    ACCEPTED = strawberry.enum_value("accepted", description="It was applied.")
    REFUSED = strawberry.enum_value("refused", description="It was not, and will not be.")
    HELD = strawberry.enum_value("held", description="A person is asked.")
    REPORTED = strawberry.enum_value("reported", description="It was a dry run.")
    FAILED = strawberry.enum_value("failed", description="A mistake of ours.")


@strawberry.enum(description="What a finding does to its import.")
class FindingKind(Enum):
    PROBLEM = strawberry.enum_value("problem", description="It refuses the file, or its row.")
    REPAIR = strawberry.enum_value("repair", description="Its meaning was plain; it was repaired.")
    HOLD = strawberry.enum_value("hold", description="A person is asked before anything is applied.")


State = Annotated[ImportState | None, strawberry.argument(description="Only those in this state.")]
OfKind = Annotated[FindingKind | None, strawberry.argument(description="Only those of this kind.")]


@strawberry.type(description="Records, by what the import did with them.")
class ImportCounts:
    added: int = strawberry.field(description="They were not known.")
    changed: int = strawberry.field(description="They were known otherwise, or are named no more.")
    unchanged: int = strawberry.field(description="They were known as they are.")
    refused: int = strawberry.field(description="They break a rule.")


@strawberry.type(description="What a file says, beside what was known of its records.")
class RecordChanges:
    file: str = strawberry.field(description="The file, by the standard's name, e.g. enrollments.")
    added: int = strawberry.field(description="Records that were not known.")
    changed: int = strawberry.field(description="Records that were known otherwise.")
    unchanged: int | None = strawberry.field(
        description="Records that were known as they are; null where none of a school's came."
    )
    leaving: int = strawberry.field(description="Records that a whole file names no more.")

    @classmethod
    def of(cls, file: str, found: Mapping[str, int]) -> "RecordChanges":
        return cls(
            file=file, added=found.get("added", 0), changed=found.get("changed", 0), unchanged=found.get("unchanged"),
            leaving=found.get("leaving", 0),
        )  # fmt: skip


@strawberry.type(description="What the files say of a school's people, beside what was known.")
class SchoolChanges:
    sourced_id: str = strawberry.field(description="The school, by the identifier in the district's system.")
    name: str | None = strawberry.field(description="Its name.")
    leaving: int = strawberry.field(description="People of the school whom the files name no more.")
    records: list[RecordChanges] = strawberry.field(description="By file: of those that say something of a school.")

    @classmethod
    def of(cls, school: Mapping[str, Any]) -> "SchoolChanges":
        records = [RecordChanges.of(file, one) for file, one in school.items() if isinstance(one, Mapping)]
        leaving = sum(one.leaving for one in records if one.file == "users")
        return cls(sourced_id=str(school["school"]), name=school.get("name"), leaving=leaving, records=records)


@strawberry.type(description="What an import would change, or changed.")
class ImportDiff:
    records: list[RecordChanges] = strawberry.field(description="By file.")
    all_schools: strawberry.Private[list[SchoolChanges]]

    @strawberry.field(description="The schools that something changes for; those that most people leave come first.")
    def schools(self, first: First, after: After = None) -> Connection[SchoolChanges]:
        begin = seen_before(after)
        page = self.all_schools[begin : begin + first]
        cursors = [cursor_at(begin + nth) for nth in range(1, len(page) + 1)]
        return connection(page, cursors, has_next=begin + first < len(self.all_schools), after=after)

    @classmethod
    def of(cls, diff: Mapping[str, Any]) -> "ImportDiff":
        schools = [SchoolChanges.of(one) for one in diff.get("schools") or []]
        return cls(
            records=[RecordChanges.of(file, one) for file, one in (diff.get("types") or {}).items()],
            all_schools=sorted(schools, key=lambda one: -one.leaving),
        )


@strawberry.type(description="Something in a file that broke a rule, or asks a person; what to do, or what was done.")
class ImportFinding:
    kind: FindingKind = strawberry.field(description="What it does to the import.")
    file: str = strawberry.field(description="The file in the archive.")
    line: int | None = strawberry.field(description="The line; the header is line 1. Null where it is no single one.")
    column: str | None = strawberry.field(description="The column.")
    value: str | None = strawberry.field(description="What stands there.")
    rule: str = strawberry.field(description="The rule, for programs.")
    remedy: str = strawberry.field(description="What to do about it, or what was done.")

    @classmethod
    def of(cls, kind: str, found: Finding) -> "ImportFinding":
        return cls(kind=FindingKind(kind), **found.model_dump())


@strawberry.type(description="An attempt to take an import back that failed: it is applied as before.")
class FailedUndo:
    at: datetime = strawberry.field(description="When it failed.")
    by: str = strawberry.field(description="The key of whoever asked for it.")
    reason: str = strawberry.field(description="Why it failed.")


@strawberry.type(description="A file, or an archive of files, that was sent in.")
class Import:
    id: strawberry.ID = strawberry.field(description="Its id, as at /v1/imports.")
    kind: str = strawberry.field(description="The kind of file, e.g. roster.")
    state: ImportState = strawberry.field(description="How far it is.")
    verdict: ImportVerdict | None = strawberry.field(description="What came of it; null while it is at work.")
    done: int = strawberry.field(description="How much of the work at hand is done, of `total`.")
    total: int | None = strawberry.field(description="All of the work at hand, where it is known.")
    counts: ImportCounts = strawberry.field(description="Records, by what became of them.")
    problem_count: int = strawberry.field(description="How many problems there are.")
    repair_count: int = strawberry.field(description="How many repairs were made.")
    hold_count: int = strawberry.field(description="How many reasons there are to ask a person.")
    created_at: datetime = strawberry.field(description="When it came.")
    updated_at: datetime = strawberry.field(description="When it was last worked on.")
    applied_at: datetime | None = strawberry.field(description="When it was applied.")
    kept_until: datetime | None = strawberry.field(description="How long it waits for a person.")
    approved_by: str | None = strawberry.field(description="The key of whoever approved it.")
    rejected_by: str | None = strawberry.field(description="The key of whoever rejected it.")
    undone_by: str | None = strawberry.field(description="The key of whoever had it undone.")

    @strawberry.field(description="What it would change, or changed; null where that is not known.")
    async def diff(self, info: Info) -> ImportDiff | None:
        found = await info.context.loaders.import_.load(self.id)
        diff = found.summary.get("diff")
        return ImportDiff.of(diff) if diff else None

    @strawberry.field(description="The last attempt to take it back, if that failed; null when one succeeded since.")
    async def failed_undo(self, info: Info) -> FailedUndo | None:
        found = await info.context.loaders.import_.load(self.id)
        failed = found.summary.get("undo_failed")
        if not failed:
            return None
        return FailedUndo(at=datetime.fromisoformat(failed["at"]), by=failed["by"], reason=failed["reason"])

    @strawberry.field(description="Why a person is asked; the first thousand reasons.")
    async def holds(self, info: Info) -> list[ImportFinding]:
        found = await info.context.loaders.import_.load(self.id)
        return [ImportFinding.of("hold", one) for one in found.holds]

    @strawberry.field(description="What was found, in its order; up to ten thousand of each kind are kept.")
    async def findings(
        self, info: Info, first: First, kind: OfKind = None, after: After = None
    ) -> Connection[ImportFinding] | None:
        page = await imports.findings_page(
            info.context.services.imports, self.id, info.context.caller,
            sort=None if kind is None else Sort(str(kind.value)), first=first,
            after=None if after is None else seen_before(after),
        )  # fmt: skip
        return connection(
            [ImportFinding.of(one.sort, one.finding) for one in page.items],
            [cursor_at(one.number) for one in page.items],
            has_next=page.has_next,
            after=after,
        )

    @classmethod
    def of(cls, found: Brief) -> "Import":
        return cls(
            id=strawberry.ID(found.id),
            kind=found.kind,
            state=ImportState(found.state),
            verdict=None if found.verdict is None else ImportVerdict(found.verdict),
            done=found.done,
            total=found.total,
            counts=ImportCounts(**found.counts),
            problem_count=found.problem_count,
            repair_count=found.repair_count,
            hold_count=found.hold_count,
            created_at=found.created_at,
            updated_at=found.updated_at,
            applied_at=found.applied_at,
            kept_until=found.kept_until,
            approved_by=found.approved_by,
            rejected_by=found.rejected_by,
            undone_by=found.undone_by,
        )


ImportResult = Annotated[
    Import | Refused, strawberry.union("ImportResult", description="The import as it is now, or why nothing was done.")
]


@strawberry.type
class ImportQueries:
    @strawberry.field(name="import", description="One import. Needs the scope imports:write, and the whole district.")
    async def import_(self, info: Info, id: ImportId) -> Import | None:
        return Import.of(await info.context.loaders.import_.load(id))

    @strawberry.field(
        description="The imports that came last, newest first. Needs the scope imports:write, and the whole district."
    )
    async def imports(
        self, info: Info, first: First, kind: Kind = None, state: State = None, after: After = None
    ) -> Connection[Import] | None:
        page = await imports.recent(
            info.context.services.imports, info.context.caller, first=first, kind=kind, before=_id_in(after),
            state=None if state is None else str(state.value),
        )  # fmt: skip
        return connection(
            [Import.of(one) for one in page.imports],
            [one.id for one in page.imports],
            has_next=page.before is not None,
            after=after,
        )


@strawberry.type
class ImportMutations:
    @strawberry.mutation(
        description="Apply a held import all the same. It is checked again against what is known by now; what held it "
        "does not hold it again."
    )
    async def approve_import(self, info: Info, id: ImportId) -> ImportResult | None:
        return await settled(_decide(info, id, "approve"))

    @strawberry.mutation(description="Refuse a held import, or a dry run; its files are deleted.")
    async def reject_import(self, info: Info, id: ImportId) -> ImportResult | None:
        return await settled(_decide(info, id, "reject"))

    @strawberry.mutation(description="Apply for real what a dry run reported; the guard may hold it.")
    async def apply_import(self, info: Info, id: ImportId) -> ImportResult | None:
        return await settled(_decide(info, id, "apply"))

    @strawberry.mutation(description="Bring back what an import of the last 30 days ended.")
    async def undo_import(self, info: Info, id: ImportId) -> ImportResult | None:
        return await settled(_decide(info, id, "undo"))


async def _decide(info: Info, id: str, decision: Decision) -> Import:
    try:
        with about("id"):
            return Import.of(
                await imports.decide(info.context.services.imports, id, decision, info.context.caller)
            )  # fmt: skip
    finally:  # it may have happened although no answer came
        info.context.loaders.import_.clear_all()


def _id_in(cursor: str | None) -> str | None:
    """The id of the import that a cursor names: it is the id itself."""
    if cursor is not None and not cursor.isascii():
        raise NotACursor
    return cursor
