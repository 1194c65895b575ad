"""Schools are compared with schools that have like students, where the programme says who goes to them."""

from uuid import UUID

from tests.integration.partnership.conftest import (
    CITY,
    OTHER_DISTRICT,
    POVERTY,
    PROGRAMME,
    PartnershipService,
    a_caller,
    a_school,
)

CONTEXT = "\n[context.economic_need]\n" + "".join(f"{name} = {value}\n" for name, value in POVERTY.items())
WILLING = [
    f"{name},mathematics,{'offers' if number % 2 else 'seeks'},3,1,yes" for number, name in enumerate(CITY)
]  # fmt: skip


async def _matched(partnership: PartnershipService, programme: str) -> UUID:
    made = await partnership.knows_programme(programme)
    report = await partnership.willing(*WILLING)
    assert report.state == "applied", report.problems
    await partnership.matched(made)
    return made


async def test_a_poor_school_that_does_better_than_its_like_is_as_strong_as_a_rich_one(
    partnership: PartnershipService,
) -> None:
    programme = await _matched(partnership, PROGRAMME.replace("partnerships = 3", "partnerships = 20") + CONTEXT)

    proposals = await partnership.proposals(programme)

    assert len(proposals) == 3  # as many as the budget pays for
    assert all("of schools with like students" in each["reason"] for each in proposals)
    assert {each["host_basis"] for each in proposals} == {"measured"}


async def test_without_a_context_the_published_figures_count(partnership: PartnershipService) -> None:
    programme = await _matched(partnership, PROGRAMME)

    proposals = await partnership.proposals(programme)

    assert proposals
    assert all("on average" in each["reason"] for each in proposals)
    assert not any("like students" in each["reason"] for each in proposals)


async def test_rich_schools_are_hosts_without_a_context_and_not_only_they_with_it(
    partnership: PartnershipService,
) -> None:
    poverty = {a_school(name): value for name, value in POVERTY.items()}

    async def hosts(programme: UUID) -> list[float]:
        return [poverty[UUID(each["host"])] for each in await partnership.proposals(programme, state="proposed")]

    plain = await hosts(await _matched(partnership, PROGRAMME))
    compared = await hosts(await _matched(partnership, PROGRAMME + CONTEXT))

    assert max(plain) < 0.3
    assert max(compared) > 0.5


async def test_a_context_of_unknown_schools_or_of_no_numbers_is_refused_with_its_line(
    partnership: PartnershipService,
) -> None:
    wrong = PROGRAMME + '\n[context.economic_need]\nash = "high"\nnowhere = 0.4\n'

    first = await partnership.load("programme", wrong)
    second = await partnership.load("programme", wrong.replace('"high"', "0.7"))

    assert [(each.line, each.rule) for each in first.problems] == [(22, "type")]
    assert [(each.line, each.rule) for each in second.problems] == [(23, "unknown-school")]


async def test_the_same_programme_again_changes_nothing(partnership: PartnershipService) -> None:
    first = await partnership.load("programme", PROGRAMME + CONTEXT)
    second = await partnership.load("programme", PROGRAMME + CONTEXT)

    assert first.state == second.state == "applied"
    assert second.counts["unchanged"] == 1


async def test_another_districts_key_sees_nothing_of_it(partnership: PartnershipService) -> None:
    programme = await _matched(partnership, PROGRAMME + CONTEXT)

    assert await partnership.proposals(programme, a_caller(OTHER_DISTRICT)) == []
