"""Matchings: how the willing schools of a programme are brought together, and who is left."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.connections import After, Connection, First, connection
from services.gateway.graph.ids import cursor_of, row_after
from services.gateway.graph.schools import School, school_at
from services.gateway.graph.willingness import PartnershipRole
from services.gateway.loaders import OfProgramme
from services.partnership import contract


@strawberry.enum(description="How far a matching is.")
class MatchingState(Enum):
    QUEUED = strawberry.enum_value("queued", description="It waits for its turn.")
    SOLVING = strawberry.enum_value("solving", description="The best pairs are being found.")
    PROPOSED = strawberry.enum_value("proposed", description="It is done; its proposals wait for answers.")
    INFEASIBLE = strawberry.enum_value("infeasible", description="The rules of the programme leave no solution.")
    FAILED = strawberry.enum_value("failed", description="It ended without a result.")


@strawberry.type(description="A willing school without a proposal in an area.")
class UnmatchedSchool:
    area: str = strawberry.field(description="The area's code, as in the programme.")
    role: PartnershipRole = strawberry.field(description="Whether the school offers help or seeks it.")
    reason: str = strawberry.field(description="Why it has no proposal, in a sentence.")
    alternative: str | None = strawberry.field(
        description="What the whole would lose with a partner for it, in a sentence; null where it has none to choose."
    )
    school_key: strawberry.Private[UUID]

    @strawberry.field(description="The school.")
    async def school(self, info: Info) -> School | None:
        return await school_at(info, self.school_key)

    @classmethod
    def of(cls, unmatched: contract.Unmatched) -> "UnmatchedSchool":
        return cls(
            area=unmatched.area,
            role=PartnershipRole(unmatched.role),
            reason=unmatched.reason,
            alternative=unmatched.alternative,
            school_key=unmatched.school,
        )


@strawberry.type(description="One matching of a programme's willing schools.")
class Matching:
    state: MatchingState = strawberry.field(description="How far it is.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    finished_at: datetime | None = strawberry.field(description="When it ended; null while it has not.")
    done: int = strawberry.field(description="The steps that are done, of `total`.")
    total: int = strawberry.field(description="All its steps.")
    proposals: int = strawberry.field(description="How many partnerships it proposes.")
    unmatched_count: int = strawberry.field(description="How many declarations of willing schools got no proposal.")
    explanation: str | None = strawberry.field(description="Why there is no proposal, where there is none.")
    snapshot_at: datetime | None = strawberry.field(
        description="The moment for which the measured figures hold that it used; null when it used none."
    )
    gap: float | None = strawberry.field(
        description="How far below the best its proposals together may be, at most, as a share; 0: they are the best."
    )
    method: str | None = strawberry.field(
        description="How that is known: by a linear or an integer program, or as there was nothing to choose."
    )
    programme_key: strawberry.Private[UUID]

    @strawberry.field(description="The willing schools without a proposal, each with the reason; in no order of merit.")
    async def unmatched(self, info: Info, first: First, after: After = None) -> Connection[UnmatchedSchool] | None:
        info.context.need_diagnostic("partnership:read")
        asked = OfProgramme(self.programme_key, first, row_after(after))
        page = await info.context.loaders.unmatched_by_programme.load(asked)
        return connection(
            [UnmatchedSchool.of(found) for found in page.items],
            [cursor_of(found.id) for found in page.items],
            has_next=page.has_next,
            after=after,
        )

    @classmethod
    def of(cls, matching: contract.Matching) -> "Matching":
        return cls(
            state=MatchingState(matching.state),
            requested_at=matching.requested_at,
            finished_at=matching.finished_at,
            done=matching.done,
            total=matching.total,
            proposals=matching.proposals,
            unmatched_count=matching.unmatched,
            explanation=matching.explanation,
            snapshot_at=matching.snapshot_at,
            gap=matching.gap,
            method=matching.method,
            programme_key=matching.programme,
        )
