"""A programme's file: what is read of it, and where each problem is."""

import time
from decimal import Decimal

import pytest

from services.partnership.domain.programme import FORMAT, Area, Balance, Conflict, affordable
from services.partnership.domain.reading import parse

FILE = """\
format = "trellis-programme/1"
id = "pairs"
title = '''Pairs
# of [2026]'''
partnerships = 2
budget = 20000.50   # for both
cost_per_partnership = 10000
currency = "USD"

[[areas]]
id = "mathematics"
title = "Mathematics"
competencies = [
    "one",  # ] is only a comment
    "two",
]

[[areas]]
"id" = "english"
title = "English"

[rules]
max_distance_km = 7.5

[rules.balance.charter]
at_least = 1
at_most = 2

[[rules.conflicts]]
schools = ["a", "b"]
reason = "They share a principal."
"""


def test_a_programme_is_read_with_its_money_exact() -> None:
    parsed = parse(FILE.encode())

    assert parsed.problems == []
    programme = parsed.programme
    assert programme is not None
    assert programme.budget == Decimal("20000.50")
    assert programme.max_distance_km == 7.5
    assert programme.areas == (Area("mathematics", "Mathematics", ("one", "two")), Area("english", "English"))
    assert programme.balance == (Balance("charter", 1, 2),)
    assert programme.conflicts == (Conflict(("a", "b"), "They share a principal."),)


def test_a_file_from_another_system_is_read_the_same() -> None:
    foreign = b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode()

    assert parse(foreign).programme == parse(FILE.encode()).programme


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "rule"),
    [
        (FORMAT, "trellis-programme/9", 1, "format", "format"),
        ('id = "pairs"\n', "", 1, "id", "missing"),
        ('"pairs"', "7", 2, "id", "type"),
        ('"pairs"', '" "', 2, "id", "text"),
        ("partnerships = 2", "partnerships = 0", 5, "partnerships", "range"),
        ("partnerships = 2", "partnerships = true", 5, "partnerships", "type"),
        ("20000.50", "0", 6, "budget", "range"),
        ("20000.50", "-5", 6, "budget", "range"),
        ("20000.50", "nan", 6, "budget", "range"),
        ("20000.50", "9999.99", 7, "cost_per_partnership", "rules-conflict"),
        ('"USD"', '"dollars"', 8, "currency", "currency"),
        ('"mathematics"', '"maths, mostly"', 11, "areas[0].id", "area-id"),
        ('"english"', '"mathematics"', 19, "areas[1].id", "area-twice"),
        ('"two",', "2,", 13, "areas[0].competencies", "type"),
        ('title = "English"', 'titel = "English"', 18, "areas[1].title", "missing"),
        ("7.5", "0", 23, "rules.max_distance_km", "range"),
        ("7.5", '"far"', 23, "rules.max_distance_km", "type"),
        ("max_distance_km", "max_distance", 23, "rules.max_distance", "unknown-key"),
        ("balance.charter", "balance.magnet", 25, "rules.balance.magnet", "unknown-sector"),
        ("at_least = 1", "at_least = 3", 26, "rules.balance.charter.at_least", "rules-conflict"),
        ("at_least = 1\nat_most = 2", "at_least = 5", 26, "rules.balance.charter.at_least", "rules-conflict"),
        ("at_least = 1\nat_most = 2\n", "", 25, "rules.balance.charter", "missing"),
        ('["a", "b"]', '["a", "a"]', 30, "rules.conflicts[0].schools", "conflict-with-itself"),
        ('["a", "b"]', '["a"]', 30, "rules.conflicts[0].schools", "two-schools"),
        ("[rules]", "[rules", 22, None, "toml"),
    ],
)
def test_what_is_wrong_is_said_at_its_line_and_key(
    old: str, new: str, line: int, column: str | None, rule: str
) -> None:
    assert FILE.count(old) == 1

    parsed = parse(FILE.replace(old, new).encode())

    assert parsed.programme is None
    assert (line, column, rule) in [(each.line, each.column, each.rule) for each in parsed.problems]
    assert all(each.remedy for each in parsed.problems)


def test_rules_that_conflict_name_each_other_with_their_lines() -> None:
    [dear] = parse(FILE.replace("20000.50", "9999.99").encode()).problems
    [poor] = parse(
        FILE.replace("20000.50", "19999").replace("at_least = 1\nat_most = 2", "at_least = 3").encode()
    ).problems
    [full] = parse(FILE.replace("at_least = 1\nat_most = 2", "at_least = 5").encode()).problems

    assert "budget (line 6) of 9999.99" in dear.remedy
    assert (poor.line, poor.column, poor.rule) == (26, "rules.balance.charter.at_least", "rules-conflict")
    assert "ask for 3 places; the budget (line 6) of 19999 pays for 1 partnership at cost" in poor.remedy
    assert "cost_per_partnership (line 7) of 10000, which can have 2, two each" in poor.remedy
    assert "rules.balance.charter.at_least (line 26) ask for 5 places" in full.remedy
    assert "2 partnerships (line 5) can have 4" in full.remedy


def test_a_budget_for_fewer_partnerships_than_are_wanted_is_a_limit_and_no_conflict() -> None:
    parsed = parse(FILE.replace("20000.50", "19999").encode())

    assert parsed.problems == []
    assert parsed.programme is not None
    assert (parsed.programme.partnerships, parsed.programme.budget) == (2, Decimal(19999))


def test_the_same_two_schools_are_one_conflict_whichever_comes_first() -> None:
    again = FILE + '[[rules.conflicts]]\nschools = ["b", "a"]\nreason = "Again."\n'

    [problem] = parse(again.encode()).problems

    assert (problem.line, problem.column, problem.rule) == (33, "rules.conflicts[1].schools", "conflict-twice")
    assert "line 30" in problem.remedy


def test_every_problem_of_a_file_comes_at_once_in_the_order_of_its_lines() -> None:
    problems = parse(FILE.replace('"USD"', '"$"').replace("7.5", "-1").replace('"pairs"', "1").encode()).problems

    assert [each.line for each in problems] == [2, 8, 23]


@pytest.mark.parametrize(
    ("line", "by", "found"),
    [
        ("partnerships = 2", "partnerships = 0x" + "f" * 50_000, (5, "partnerships", "range")),
        ("partnerships = 2", "partnerships = " + "9" * 5_000, (5, None, "toml")),
        ("partnerships = 2", "partnerships" + ".a" * 10 + " = 2", (5, "partnerships", "type")),
        ('currency = "USD"', "currency = " + "[" * 300 + "]" * 300, (8, "currency", "type")),
        ("partnerships = 2", "partnerships" + ".a" * 100_000 + " = 2", (5, None, "toml")),
        ("partnerships = 2", "partnerships = {" + '"b c" . ' * 50_000 + "a = 2}", (5, None, "toml")),
    ],
)
def test_what_is_written_to_wear_the_reader_out_is_a_problem_like_others(
    line: str, by: str, found: tuple[int, str | None, str]
) -> None:
    begun = time.process_time()

    [problem] = parse(FILE.replace(line, by).encode()).problems

    assert (problem.line, problem.column, problem.rule) == found
    assert time.process_time() - begun < 2  # seconds


def test_bytes_that_are_not_utf8_are_said_with_their_line() -> None:
    [problem] = parse(FILE.encode().replace(b"English", b"Fran\xe7ais")).problems

    assert (problem.line, problem.rule) == (20, "not-utf8")


def test_there_are_as_many_partnerships_as_are_wanted_and_paid_for() -> None:
    assert affordable(3, Decimal("29999.99"), Decimal(10000)) == 2
    assert affordable(3, Decimal("0.3"), Decimal("0.1")) == 3
