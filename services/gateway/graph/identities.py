"""Who is who: newcomers who may be people known, what became of identities, and what a person decides about them."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry
from pydantic import BaseModel, ValidationError

from services.gateway.context import Info
from services.gateway.graph.connections import After, Connection, First, connection
from services.gateway.graph.ids import NotAnId, cursor_of, read_id, row_after
from services.gateway.graph.refusals import Refused, about, settled
from services.gateway.identities import Identities, Verdict, check
from services.roster import contract
from shared.errors import Invalid

Asked = TypeVar("Asked", bound=BaseModel)
Found = TypeVar("Found")
_SOURCED = "sourcedId:"

ReviewId = Annotated[strawberry.ID, strawberry.argument(description="The review's id.")]
EventId = Annotated[strawberry.ID, strawberry.argument(description="The id of a merge or a split.")]
PersonId = Annotated[
    strawberry.ID,
    strawberry.argument(description="A person: the id that a review shows, a student's node id, or sourcedId:…"),
]
Decided = Annotated[bool, strawberry.argument(description="Those that are decided already.")]
Force = Annotated[bool, strawberry.argument(description="Also when the district's system names both.")]
Names = Annotated[
    list[str], strawberry.argument(description="sourcedIds of what is the other's: users, enrolments, roles, results.")
]
Called = Annotated[
    str | None, strawberry.argument(description="The other person's sourcedId, if none of these is.")
]  # fmt: skip
Given = Annotated[str | None, strawberry.argument(description="The other person's given name.")]
Family = Annotated[str | None, strawberry.argument(description="The other person's family name.")]
Reason = Annotated[str | None, strawberry.argument(description="Why, for whoever asks later.")]


class NotSaidRight(Invalid):
    """This cannot be decided as it is said."""


@strawberry.enum(description="What a person decided about a newcomer.")
class IdentityDecision(Enum):
    SAME = strawberry.enum_value("same", description="The newcomer is the somebody known.")
    DIFFERENT = strawberry.enum_value("different", description="They are two people.")


@strawberry.enum(description="What became of an identity.")
class IdentityEventKind(Enum):
    REATTACHED = strawberry.enum_value("reattached", description="An import recognised it under a new name.")
    MERGED = strawberry.enum_value("merged", description="It absorbed another.")
    SPLIT = strawberry.enum_value("split", description="Another was parted from it.")


@strawberry.type(description="Somebody as whoever decides about them needs to see them.")
class IdentityPerson:
    id: strawberry.ID = strawberry.field(description="Their id, as at /v1/identity.")
    sourced_id: str = strawberry.field(description="Their identifier in the district's system.")
    status: str = strawberry.field(description="active, or tobedeleted.")
    given_name: str = strawberry.field(description="Given name.")
    family_name: str = strawberry.field(description="Family name.")
    birth_date: date | None = strawberry.field(description="Date of birth.")
    identifier: str | None = strawberry.field(description="The local number.")
    state_id: str | None = strawberry.field(description="The state's number.")
    schools: list[str] = strawberry.field(description="The names of their schools.")

    @classmethod
    def of(cls, known: contract.KnownPerson | None) -> "IdentityPerson | None":
        if known is None:
            return None
        return cls(**{**known.model_dump(), "id": strawberry.ID(str(known.id))})


@strawberry.type(description="Somebody new, and the somebody known who may be the same.")
class IdentityReview:
    id: strawberry.ID = strawberry.field(description="Its id, as at /v1/identity/reviews.")
    found_at: datetime = strawberry.field(description="When it was found.")
    import_id: strawberry.ID = strawberry.field(description="The import that found it, as at /v1/imports.")
    reason: str = strawberry.field(description="Why it is asked.")
    agrees: list[str] = strawberry.field(description="What agrees.")
    differs: list[str] = strawberry.field(description="What differs.")
    decision: IdentityDecision | None = strawberry.field(description="What was decided; null until then.")
    decided_at: datetime | None = strawberry.field(description="When.")
    newcomer: IdentityPerson | None = strawberry.field(description="The newcomer; null where they are gone.")
    candidate: IdentityPerson | None = strawberry.field(description="The somebody known; null where they are gone.")

    @classmethod
    def of(cls, found: contract.IdentityReview) -> "IdentityReview":
        return cls(
            id=strawberry.ID(str(found.id)), found_at=found.found_at, import_id=_import(found.import_id),
            reason=found.reason, agrees=found.agrees, differs=found.differs,
            decision=None if found.decision is None else IdentityDecision(found.decision),
            decided_at=found.decided_at, newcomer=IdentityPerson.of(found.newcomer),
            candidate=IdentityPerson.of(found.candidate),
        )  # fmt: skip


@strawberry.type(description="Something that became of an identity: recognised, merged, or split.")
class IdentityEvent:
    id: strawberry.ID = strawberry.field(description="Its id, as at /v1/identity/events.")
    at: datetime = strawberry.field(description="When it happened.")
    kind: IdentityEventKind = strawberry.field(description="What it is.")
    type: str = strawberry.field(description="Of what: user, org, academicSession, course or class.")
    row: strawberry.ID = strawberry.field(description="The identity it happened to.")
    other: strawberry.ID | None = strawberry.field(description="Who was absorbed, or parted.")
    was_called: str | None = strawberry.field(description="The sourcedId before.")
    is_called: str | None = strawberry.field(description="The sourcedId since.")
    reason: str | None = strawberry.field(description="Why, as it was said.")
    by: str = strawberry.field(description="The key of whoever decided, or the import.")
    import_id: strawberry.ID | None = strawberry.field(description="The import it happened in, as at /v1/imports.")
    undone_at: datetime | None = strawberry.field(description="When it was taken back.")
    undone_by: str | None = strawberry.field(description="By whom.")

    @classmethod
    def of(cls, found: contract.IdentityEvent) -> "IdentityEvent":
        return cls(
            id=strawberry.ID(str(found.id)), at=found.at, kind=IdentityEventKind(found.kind), type=found.type,
            row=strawberry.ID(str(found.row)),
            other=None if found.other is None else strawberry.ID(str(found.other)),
            was_called=found.was_called, is_called=found.is_called, reason=found.reason, by=found.by,
            import_id=None if found.import_id is None else _import(found.import_id),
            undone_at=found.undone_at, undone_by=found.undone_by,
        )  # fmt: skip


ReviewResult = Annotated[
    IdentityReview | Refused,
    strawberry.union("IdentityReviewResult", description="The review as it is now, or why nothing was decided."),
]
EventResult = Annotated[
    IdentityEvent | Refused,
    strawberry.union("IdentityEventResult", description="What became of the people, or why nothing did."),
]


@strawberry.type
class IdentityQueries:
    @strawberry.field(
        description="Newcomers who may be people known, the oldest question first. Needs the scope imports:write, and "
        "the whole district."
    )
    async def identity_reviews(
        self, info: Info, first: First, decided: Decided = False, after: After = None
    ) -> Connection[IdentityReview] | None:
        page = await _identities(info).reviews(info.context.caller, first, row_after(after), decided=decided)
        return _page([IdentityReview.of(one) for one in page.items], page, after)

    @strawberry.field(
        description="What became of identities, the latest first. Needs the scope imports:write, and the whole "
        "district."
    )
    async def identity_events(
        self, info: Info, first: First, after: After = None
    ) -> Connection[IdentityEvent] | None:  # fmt: skip
        page = await _identities(info).events(info.context.caller, first, row_after(after))
        return _page([IdentityEvent.of(one) for one in page.items], page, after)


@strawberry.type
class IdentityMutations:
    @strawberry.mutation(description="The newcomer of a review is the somebody known: they are merged.")
    async def decide_same_person(self, info: Info, review: ReviewId) -> ReviewResult | None:
        return await settled(_decide(info, review, "same"))

    @strawberry.mutation(description="The newcomer of a review is somebody else; it is not asked again.")
    async def decide_different_people(self, info: Info, review: ReviewId) -> ReviewResult | None:
        return await settled(_decide(info, review, "different"))

    @strawberry.mutation(description="Two people are one: all of the absorbed is the person's from here on.")
    async def merge_people(
        self, info: Info, person: PersonId, absorbed: PersonId, force: Force = False, reason: Reason = None
    ) -> EventResult | None:
        return await settled(_merge(info, person, absorbed, force, reason))

    @strawberry.mutation(
        description="One person is two: what bears these sourcedIds is somebody else's from here on, or again that of "
        "whoever was absorbed under one of them."
    )
    async def split_person(
        self, info: Info, person: PersonId, sourced_ids: Names, sourced_id: Called = None, given_name: Given = None,
        family_name: Family = None, reason: Reason = None,
    ) -> EventResult | None:  # fmt: skip
        said = {"sourced_ids": sourced_ids, "sourced_id": sourced_id, "given_name": given_name}
        return await settled(_split(info, person, {**said, "family_name": family_name, "reason": reason}))

    @strawberry.mutation(
        description="Take a merge or a split back: all is as it was, but for what others changed since."
    )
    async def undo_identity_event(self, info: Info, event: EventId) -> EventResult | None:
        return await settled(_undo(info, event))


def _identities(info: Info) -> Identities:
    """For whoever may decide; whether they say it right comes afterwards."""
    check(info.context.caller)
    return Identities(info.context.services.imports)


async def _decide(info: Info, review: str, verdict: Verdict) -> IdentityReview:
    identities = _identities(info)
    with about("review"):
        return IdentityReview.of(await identities.decide(info.context.caller, _id(review), verdict))


async def _merge(info: Info, person: str, absorbed: str, force: bool, reason: str | None) -> IdentityEvent:
    identities = _identities(info)
    people = {"person": _person("person", person), "absorbed": _person("absorbed", absorbed)}
    ask = _asked(contract.Merge, {**people, "force": force, "reason": reason})
    return IdentityEvent.of(await identities.merge(info.context.caller, ask))


async def _split(info: Info, person: str, said: dict[str, Any]) -> IdentityEvent:
    identities = _identities(info)
    ask = _asked(contract.Split, {**said, "person": _person("person", person)})
    return IdentityEvent.of(await identities.split(info.context.caller, ask))


async def _undo(info: Info, event: str) -> IdentityEvent:
    identities = _identities(info)
    with about("event"):
        return IdentityEvent.of(await identities.undo(info.context.caller, _id(event)))


def _person(argument: str, given: str) -> str:
    """Who is meant, as the roster reads it."""
    if given.startswith(_SOURCED):
        return given.removeprefix(_SOURCED)
    with about(argument):
        try:
            return str(UUID(given))
        except ValueError:
            return str(read_id("Student", given))


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise NotAnId from None


def _asked(what: type[Asked], said: dict[str, Any]) -> Asked:
    """The question, as the contract has it. Raises: NotSaidRight, about the argument that is wrong."""
    for field, given in said.items():
        if any("\0" in one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)):
            raise NotSaidRight("No text has the character NUL.", field=field)
    try:
        return what(**said)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise NotSaidRight(first["msg"], field=str(first["loc"][0])) from None


def _import(id_: UUID) -> strawberry.ID:
    """Only rosters say who is who."""
    return strawberry.ID(f"roster-{id_}")


def _page(
    found: Sequence[Found], page: contract.IdentityReviews | contract.IdentityEvents, after: str | None
) -> Connection[Found]:
    cursors = [cursor_of(one.id) for one in page.items]
    return connection(found, cursors, has_next=page.next is not None, after=after)
