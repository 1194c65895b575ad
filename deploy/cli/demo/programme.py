"""The partnerships of the invented district: a programme that somebody pays for, and what its schools say about it.

What a school says follows from how its students do, as its principal would know it, with a good deal of chance; a
school may keep silent, and one that speaks need not allow the use of its diagnostic aggregates.
"""

import json
from collections.abc import Iterator, Sequence

import numpy as np

from deploy.cli.demo.bank import GROWTH
from deploy.cli.demo.framework import identifier, strands
from deploy.cli.demo.people import School, Section

PROGRAMME = "learning-partnerships"
MATHEMATICS, READING, LANGUAGE = "mathematics", "reading", "english-language-learners"
COST = 18_000
HEADER = b"school,area,role,eagerness,capacity,diagnostics\n"

_SPEAKS, _OF_AN_AREA, _ALLOWS, _CHANCE = 0.85, 0.75, 0.75, 0.25
_EFFECT = 0.35
"""How far schools are apart, in logits: what a school offers or seeks is seen against this."""


def programme(schools: Sequence[School]) -> str:
    """The programme file (trellis-programme/1): two partnerships for five schools, and the money for them."""
    partnerships = max(1, len(schools) * 2 // 5)
    budget = COST * partnerships
    lines = [
        'format = "trellis-programme/1"',
        f'id = "{PROGRAMME}"',
        'title = "Learning partnerships 2026-27"',
        f"partnerships = {partnerships}",
        f"budget = {budget}",
        f"cost_per_partnership = {COST}",
        'currency = "USD"',
        *_area(MATHEMATICS, "Mathematics", [identifier("TR.M")]),
        *_area(READING, "Reading", [identifier(f"TR.R.{strand}") for strand in strands("R")]),
        *_area(LANGUAGE, "English language learners", []),
        *("", "[rules]", "max_distance_km = 15"),
        *("", "[rules.balance.district]", f"at_least = {max(1, partnerships // 2)}"),
        *("", "[rules.balance.charter]", f"at_most = {partnerships}"),
    ]
    if len(schools) > 1:
        pair = json.dumps([school.sourced_id for school in schools[:2]])
        lines += ["", "[[rules.conflicts]]", f"schools = {pair}", 'reason = "One principal leads both this year."']
    return "\n".join(lines) + "\n"


def _area(code: str, title: str, competencies: Sequence[str]) -> Iterator[str]:
    yield from ("", "[[areas]]", f'id = "{code}"', f'title = "{title}"')
    if competencies:
        yield f"competencies = {json.dumps(competencies, indent=2)}"


def willingness(school: School, sections: Sequence[Section], seed: int) -> Iterator[bytes]:
    """What a school declares, a line an area; many say nothing."""
    rng = np.random.default_rng([seed, 7, school.number])
    standing = _standing(sections)
    speaks = rng.random() < _SPEAKS
    allows = "yes" if rng.random() < _ALLOWS else "no"
    for area, known in ((MATHEMATICS, standing[0]), (READING, standing[1]), (LANGUAGE, 0.0)):
        chance = rng.normal(0, _CHANCE if known else _EFFECT)
        eagerness, capacity = rng.integers(1, 6), rng.integers(1, 3)
        if (rng.random() < _OF_AN_AREA) and speaks:
            role = "offers" if known + chance > 0 else "seeks"
            yield f"{school.sourced_id},{area},{role},{eagerness},{capacity},{allows}\n".encode()


def _standing(sections: Sequence[Section]) -> tuple[float, float]:
    """How a school's students do for their grades, in logits: mathematics, reading."""
    if not sections:
        return 0.0, 0.0
    above = np.concatenate([section.ability - GROWTH * (section.grade - 5) for section in sections])
    mathematics, reading = above.mean(axis=0).tolist()
    return mathematics, reading
