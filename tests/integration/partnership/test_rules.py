"""Floors, locked pairs and attributes go from the file through the tables into the matching, and are shown in words."""

from uuid import UUID

from tests.integration.partnership.conftest import PROGRAMME, WILLING, PartnershipService, a_caller, a_school

RULES = """
keep = 0.1
gap = 0

[rules.balance.borough.North]
at_most = 2

[rules.equity]
at_least = 0.5

[rules.fit]
borough = 0.5

[[rules.locked]]
host = "birch"
guest = "cedar"
area = "mathematics"

[[rules.prefer]]
schools = ["ash", "dogwood"]
times = 3

[attributes.borough]
North = ["ash", "cedar"]
South = ["birch", "dogwood"]
"""
WITH_RULES = PROGRAMME.replace('title = "Mathematics"', 'title = "Mathematics"\nat_least = 1\nat_most = 2') + RULES


async def test_a_programme_is_shown_with_its_rules_in_words(partnership: PartnershipService) -> None:
    await partnership.knows_programme(WITH_RULES)

    [programme] = await partnership.ask("/programmes:batch-get", codes=["2026-pairs"])

    assert programme["rules"] == [
        "at most 3 partnerships",
        "a budget that pays for 3 partnerships",
        "a distance of at most 20 km",
        "at most 2 places for schools with borough North",
        "at least 0.5 of the partnerships for the neediest 20% of the schools that seek help",
        "at most 2 partnerships in Mathematics",
        "at least 1 partnership in Mathematics",
        "the partnership of birch and cedar in Mathematics that it locks",
    ]


async def test_the_same_file_again_changes_nothing(partnership: PartnershipService) -> None:
    await partnership.knows_programme(WITH_RULES)

    report = await partnership.load("programme", WITH_RULES)

    assert [report.counts[name] for name in ("added", "changed", "unchanged")] == [0, 0, 1]


async def test_a_locked_pair_is_proposed_with_what_would_be_lost_and_a_certificate(
    partnership: PartnershipService,
) -> None:
    programme = await partnership.knows_programme(WITH_RULES)
    await partnership.willing(*WILLING)

    matching = await partnership.matched(programme)

    assert (matching["state"], matching["gap"], matching["method"]) == ("proposed", 0.0, "linear")
    assert await partnership.pairs(programme) == {("birch", "cedar", "proposed"), ("ash", "dogwood", "proposed")}
    said = {each["guest"]: each["alternative"] for each in await partnership.proposals(programme)}
    assert said[str(a_school("cedar"))] == "Without this pair the programme's rules could not all be met."
    assert said[str(a_school("dogwood"))] == said[str(a_school("cedar"))]  # the neediest, whom equity asks for


async def test_what_would_be_lost_goes_with_the_figures_that_are_taken_back(partnership: PartnershipService) -> None:
    programme = await partnership.knows_programme(WITH_RULES)
    await partnership.willing(*WILLING)
    await partnership.matched(programme)

    await partnership.willing("dogwood,mathematics,seeks,3,1,no")

    said = {each["guest"]: each["alternative"] for each in await partnership.proposals(programme)}
    assert said[str(a_school("dogwood"))] is None
    assert said[str(a_school("cedar"))] is not None


async def test_rules_that_cannot_be_met_are_explained(partnership: PartnershipService) -> None:
    programme = await partnership.knows_programme(WITH_RULES)
    await partnership.willing("ash,mathematics,offers,4,1,yes", "cedar,mathematics,seeks,5,1,yes")

    matching = await partnership.matched(programme)

    assert matching["state"] == "infeasible"
    assert matching["explanation"] == (
        "Too few schools are willing: the programme asks for the partnership of a school that is not willing and Cedar "
        "School in Mathematics that it locks."
    )


async def test_a_rule_about_what_the_platform_does_not_know_is_a_located_problem(
    partnership: PartnershipService,
) -> None:
    unknown = WITH_RULES.replace('"birch", "dogwood"]', '"birch", "nowhere"]')
    columns = PROGRAMME + '[rules.fit]\nlevel = 0.5\n[schools.attributes.level]\ncolumn = "Grade High"\n'

    school, attribute = [(await partnership.load("programme", content)).problems[0] for content in (unknown, columns)]

    assert (school.rule, school.column, school.value) == ("unknown-school", "attributes.borough.South", "nowhere")
    assert (attribute.rule, attribute.column, attribute.value) == ("unknown-attribute", "rules.fit.level", "level")


async def test_a_school_sees_the_alternative_of_its_own_proposal_alone(partnership: PartnershipService) -> None:
    programme = await partnership.knows_programme(WITH_RULES)
    await partnership.willing(*WILLING)
    await partnership.matched(programme)

    [mine] = await partnership.proposals(programme, a_caller(schools=["ash"]))

    assert UUID(mine["host"]) == a_school("ash")
    assert mine["alternative"]
