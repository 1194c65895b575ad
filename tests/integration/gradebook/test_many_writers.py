"""Several who write at once: the last one wins, nobody waits for ever, and nothing is left that belongs to nothing."""

import asyncio
from itertools import pairwise

from tests.integration.gradebook.conftest import Gradebook, a_line_item, a_result


async def test_the_last_of_many_writers_of_one_record_wins(gradebook: Gradebook) -> None:
    for number in range(3):
        await gradebook.put(f"lineItems/sheet-{number}", a_line_item())
    said = [a_result(score=score, lineItem={"sourcedId": f"sheet-{score % 3}"}) for score in range(24)]

    answers = await asyncio.gather(*(gradebook.put("results/ada-1", one) for one in said))

    row = await gradebook.row("results", "ada-1")
    assert {status for status, _ in answers} == {201}
    assert row["line_item"] == f"sheet-{int(row['score']) % 3}"
    assert await gradebook.revision_of("line_items", row["line_item"]) == row["revision"]


async def test_writers_of_each_others_parents_and_parts_do_not_lock_each_other_out(gradebook: Gradebook) -> None:
    for number in range(4):
        await gradebook.put(f"lineItems/sheet-{number}", a_line_item())
    writes = []
    for turn in range(12):
        sheet = f"sheet-{turn % 4}"
        writes += [
            gradebook.put(f"lineItems/{sheet}", a_line_item(title=str(turn))),
            gradebook.put("categories/homework", {"title": str(turn)}),
            gradebook.put(f"results/r-{turn % 3}", a_result(lineItem={"sourcedId": sheet}, score=turn)),
        ]

    answers = await asyncio.gather(*writes)

    assert {status for status, _ in answers} == {201}


async def test_no_result_outlives_its_line_item(gradebook: Gradebook) -> None:
    for turn in range(6):
        await gradebook.put("lineItems/sheet-1", a_line_item(title=str(turn)))

        puts = [gradebook.put(f"results/r-{turn}-{number}", a_result()) for number in range(6)]
        answers = await asyncio.gather(*puts[:3], gradebook.delete("lineItems/sheet-1"), *puts[3:])

        left = await gradebook.look("SELECT sourced_id FROM results WHERE status = 'active'")
        assert left == []
        assert {status for status, _ in answers} <= {201, 204, 422}


async def test_no_line_item_outlives_its_category(gradebook: Gradebook) -> None:
    for turn in range(6):
        await gradebook.put("categories/exams", {"title": str(turn)})
        line_item = a_line_item(category={"sourcedId": "exams"})

        (put, _), (deleted, _) = await asyncio.gather(
            gradebook.put("lineItems/exam", line_item), gradebook.delete("categories/exams")
        )

        kept = await gradebook.look(
            "SELECT l.status, c.status AS category FROM line_items l JOIN categories c ON c.sourced_id = l.category "
            "WHERE l.sourced_id = 'exam' AND l.status = 'active'"
        )
        assert (put, deleted) in {(201, 422), (422, 204)}
        assert all(row["category"] == "active" for row in kept)
        await gradebook.delete("lineItems/exam")


async def test_times_of_changes_follow_each_other(gradebook: Gradebook) -> None:
    await asyncio.gather(*(gradebook.put(f"categories/c-{number}", {"title": "C"}) for number in range(12)))

    times = [row["at"] for row in await gradebook.look("SELECT at FROM revisions ORDER BY at")]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert len(times) == 13
