"""Where pages begin, and how much is remembered of it."""

import random

import pytest

from services.roster.api.oneroster.kept import Answer, Kept
from services.roster.store.oneroster.positions import EVERY, LONGEST, Known, Positions, Remembered

LIST = Positions(1_050, tuple(f"k{number:05}" for number in range(0, 1_050, EVERY)))
KNOWN = Known(1, 0, LIST)


@pytest.mark.parametrize(
    ("offset", "found"),
    [(0, ("k00000", 0)), (100, ("k00100", 0)), (1_049, ("k01000", 49)), (1_050, (None, 1_050)), (9_999, (None, 9_999))],
)
def test_a_page_begins_at_most_a_hundred_rows_after_a_key(offset: int, found: tuple[str | None, int]) -> None:
    assert LIST.at(offset) == found


def test_a_page_ends_before_the_key_of_the_next() -> None:
    assert LIST.before(200) == "k00200"
    assert LIST.before(250) is None
    assert LIST.before(1_100) is None


def test_positions_that_follow_changes_are_those_of_the_changed_list() -> None:
    seed = random.Random(7)
    names = sorted(seed.sample(range(10_000), 1_000))
    told = [f"{name:05}" for name in names]
    positions = Positions(len(told), tuple(told[::EVERY]))

    for _ in range(60):
        gone = seed.sample(told, min(len(told) - 1, 60))
        new = [f"{seed.randrange(20_000):05}" for _ in range(seed.choice([5, 50, 300]))]
        told = sorted({*told, *new} - set(gone))
        touched = positions.stretches([*gone, *new])
        bounds = {one: positions.bounds(one) for one in touched}
        positions = positions.renewed(
            {one: [name for name in told if low <= name < high] for one, (low, high) in bounds.items()}
        )

        assert positions.total == len(told)
        for offset in range(0, len(told), 37):
            start, skip = positions.at(offset)
            assert start is not None
            assert skip < LONGEST
            assert told[told.index(start) + skip] == told[offset]


def test_no_more_keys_are_remembered_than_may_be() -> None:
    remembered = Remembered(most_lists=100, most_keys=25)

    for number in range(10):
        remembered.keep(number, KNOWN)

    assert [number for number in range(10) if remembered.find(number)] == [8, 9]


def test_what_was_asked_for_last_is_forgotten_last() -> None:
    remembered = Remembered(most_lists=2)
    remembered.keep("a", KNOWN)
    remembered.keep("b", KNOWN)
    remembered.find("a")
    remembered.keep("c", KNOWN)

    assert remembered.find("b") is None
    assert remembered.find("a") == KNOWN


def test_answers_are_kept_within_their_bytes() -> None:
    kept = Kept(most_bytes=10_000)

    for number in range(50):
        kept.keep(number, Answer(b"x" * 1_400, {}, 1))
        kept.keep(number, Answer(b"x" * 1_400, {}, 2))

    assert [number for number in range(50) if kept.find(number)] == [45, 46, 47, 48, 49]
