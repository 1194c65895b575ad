"""The page that the long tests leave behind."""

from datetime import UTC, datetime
from pathlib import Path

from tests.report import page_of

RUN = """<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="3" time="12.5">
<testcase classname="tests.b" name="test_two[kafka]" time="2.0"><failure message="x">trace</failure></testcase>
<testcase classname="tests.a" name="test_one" time="9.6"><system-out>noise
seed 42, killed at 57 %</system-out></testcase>
<testcase classname="tests.c" name="test_three" time="0.1"><skipped message="no data"/></testcase>
</testsuite></testsuites>"""


def test_the_page_says_what_failed_what_was_skipped_and_which_seed_it_was(tmp_path: Path) -> None:
    run = tmp_path / "run.xml"
    run.write_text(RUN)

    page = page_of([run], datetime(2026, 11, 21, tzinfo=UTC))

    assert "1 passed, 1 failed, 1 skipped in 12 s" in page
    assert "| test_two[kafka] | failure | 2 |" in page
    assert page.index("| test_one | passed | 10 |") < page.index("| test_three | skipped | 0 |")
    assert "* test_one: seed 42, killed at 57 %" in page
    assert "run again" not in page


def test_of_a_test_that_was_run_again_the_last_time_counts_and_that_is_said(tmp_path: Path) -> None:
    runs = [tmp_path / "run.xml", tmp_path / "again.xml"]
    runs[0].write_text(RUN)
    again = '<testcase classname="tests.b" name="test_two[kafka]" time="3.0"/>'
    runs[1].write_text(f'<testsuites><testsuite time="3.5">{again}</testsuite></testsuites>')

    page = page_of(runs, datetime(2026, 11, 21, tzinfo=UTC))

    assert "2 passed, 0 failed, 1 skipped in 16 s" in page
    assert "1 of them were run again" in page
    assert "| test_two[kafka] | passed | 3 |" in page
