"""A district whose student information system is replaced: everybody is called something else, and some look alike."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

GIVEN = ("Ada", "Ana María", "Ben", "Chloé", "Dmitri", "Eve", "Fatima", "Grace", "Hugo", "Inés", "Jamal", "Kofi",
         "Léa", "Mei", "Noah", "Olga", "Priya", "Quinn", "Rosa", "Siân", "Tariq", "Uma", "Vera", "Zoë")  # fmt: skip
FAMILY = ("O'Neill", "García-López", "Smith", "Nguyễn", "Müller", "Haddad", "Kowalski", "De la Cruz", "Johansson",
          "Okafor", "Ferreira", "Ivanova", "Chen", "Patel", "Brown", "Sánchez")  # fmt: skip
_LETTERS = "bcdfghjklmnprstvz"


@dataclass(frozen=True, slots=True)
class Pupil:
    """Somebody as a file describes them."""

    sourced_id: str
    given: str
    family: str
    born: date | None
    state: str | None
    local: str | None
    user_ids: str | None = None


@dataclass(frozen=True, slots=True)
class Migration:
    """Who was there, who comes, and whom each newcomer's name means: the former name, or None for somebody new.

    `look_alikes` are the names of those who resemble somebody else.
    """

    before: Sequence[Pupil]
    after: Sequence[Pupil]
    truth: dict[str, str | None]
    look_alikes: frozenset[str]


def a_migration(people: int, twins: int, seed: int = 7) -> Migration:
    """So many people under new names; among the newcomers so many who look like somebody else."""
    luck = random.Random(seed)
    before: list[Pupil] = []
    after: list[Pupil] = []
    truth: dict[str, str | None] = {}
    alike: set[str] = set()
    for number in range(people - twins):
        was = _somebody(luck, number)
        is_ = _told_otherwise(luck, was, f"new-{number}")
        before.append(was)
        after.append(is_)
        truth[is_.sourced_id] = was.sourced_id
    for number in range(twins):
        was = _somebody(luck, people + number)
        for known, comes, means in _PLANTS[number % len(_PLANTS)](luck, was, number):
            if known is not None:
                before.append(known)
            if comes is not None:
                after.append(comes)
                truth[comes.sourced_id] = means
                alike.add(comes.sourced_id)
    luck.shuffle(after)
    return Migration(before, after, truth, frozenset(alike))


def _name(luck: random.Random, some: Sequence[str]) -> str:
    made = "".join(luck.choice(_LETTERS) + luck.choice("aeiou") for _ in range(3)).capitalize()
    return luck.choice(some) if luck.random() < 0.5 else made


def _somebody(luck: random.Random, number: int) -> Pupil:
    born = date(2008, 1, 1) + timedelta(days=luck.randrange(12 * 365))
    state = f"{7_000_000 + number * 13}" if luck.random() < 0.85 else None
    return Pupil(f"old-{number}", _name(luck, GIVEN), _name(luck, FAMILY), born, state, f"{100_000 + number}")


def _told_otherwise(luck: random.Random, was: Pupil, name: str) -> Pupil:
    """The same person as another system writes them."""
    given, family, local = was.given, was.family, was.local
    how = luck.randrange(8)
    if how == 0:
        given, family = given.upper(), family.upper()
    elif how == 1:
        family = family.replace("-", " ").replace("'", "’")
    elif how == 2:
        given = given.replace("é", "e").replace("í", "i").replace("ë", "e")
    elif how == 3 and was.state:
        family = _name(luck, FAMILY)
    elif how == 4 and was.state:
        local = f"L{name}"
    if was.state and luck.random() < 0.3:
        return Pupil(name, given, family, was.born, None, local, f"{{State:{was.state}}},{{LDAP:{name}}}")
    born = None if was.state and family == was.family and how == 5 else was.born
    return Pupil(name, given, family, born, was.state, local)


_Planted = list[tuple[Pupil | None, Pupil | None, str | None]]


def _siblings_both_move(luck: random.Random, was: Pupil, number: int) -> _Planted:
    """Twins with identifiers of their own, both under new names."""
    one = replace(was, given="Emma", state=f"S1{number:06}")
    other = replace(was, sourced_id=f"twin-{number}", given="Ella", state=f"S2{number:06}", local=f"T{number}")
    return [
        (one, replace(one, sourced_id=f"n1-{number}"), one.sourced_id),
        (other, replace(other, sourced_id=f"n2-{number}"), other.sourced_id),
    ]


def _a_sibling_comes(luck: random.Random, was: Pupil, number: int) -> _Planted:
    """One twin has gone, the other comes for the first time; nobody has told the state of either."""
    gone = replace(was, given="Liam", state=None)
    return [(gone, replace(gone, sourced_id=f"n3-{number}", given="Noel", local=f"X{number}"), None)]


def _a_namesake_comes(luck: random.Random, was: Pupil, number: int) -> _Planted:
    """The same name and birth date; other identifiers."""
    return [(was, replace(was, sourced_id=f"n4-{number}", state=f"S4{number:06}", local=f"Y{number}"), None)]


def _digits_are_swapped(luck: random.Random, was: Pupil, number: int) -> _Planted:
    """A newcomer's state id was typed as that of a brother who has gone; he himself differs in all but the family."""
    gone = replace(was, given="Omar", state=f"S5{number:06}")
    comes = replace(gone, sourced_id=f"n5-{number}", given="Sami", local=f"Z{number}")
    if number % 2:
        comes = replace(comes, born=(was.born or date(2010, 1, 1)) + timedelta(days=400))
    return [(gone, comes, None)]


def _a_local_id_is_used_again(luck: random.Random, was: Pupil, number: int) -> _Planted:
    """The number of somebody who has gone is given to a newcomer: a stranger, or the gone one's own twin."""
    gone = replace(was, given="Iris", state=None)
    comes = replace(gone, sourced_id=f"n6-{number}", given="Nora")
    if number % 2:
        comes = replace(comes, family="Quist", born=(was.born or date(2010, 1, 1)) - timedelta(days=31))
    return [(gone, comes, None)]


def _names_are_swapped(luck: random.Random, was: Pupil, number: int) -> _Planted:
    """Whose given name is the family name of the other, born on the same day."""
    gone = replace(was, given="Kim", family="Lee", state=None)
    return [(gone, replace(gone, sourced_id=f"n7-{number}", given="Lee", family="Kim", local=f"W{number}"), None)]


_PLANTS = (
    _siblings_both_move, _a_sibling_comes, _a_namesake_comes, _digits_are_swapped, _a_local_id_is_used_again,
    _names_are_swapped,
)  # fmt: skip
