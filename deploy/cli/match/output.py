"""What a matching came to, as JSON and as tables."""

from dataclasses import asdict
from typing import Any

import numpy as np

from deploy.cli import show
from deploy.cli.match.work import Made
from services.partnership.domain.optimum import gap_of
from services.partnership.domain.wording import in_words

_MOST_ROWS = 40


def as_json(made: Made) -> dict[str, Any]:
    """One object; keys are explained in the documentation of the numbers."""
    outcome = made.outcome
    return {
        "programme": {
            "id": made.programme.code,
            "title": made.programme.title,
            "rules": [said.says for said in in_words(made.instance)],
        },
        "seed": made.seed,
        "assumptions": made.assumptions,
        "feasible": outcome.is_feasible,
        "explanation": outcome.explanation,
        "pairs": pairs(made),
        "unmatched": unmatched(made),
        "certificate": certificate(made),
        "representation": [asdict(each) for each in made.representation],
        "blocking_pairs": blocking_pairs(made),
        "broken_rules": list(made.broken),
        "profiles": [
            {
                "school": each.code, "name": each.name, "area": each.area, "role": each.role,
                "willing": "assumed" if each.is_assumed else "declared", "measure": each.measure,
                "tested": each.tested, "estimate": each.estimate, "lower": each.lower, "upper": each.upper,
                "strength": each.strength, "need": each.need, "enough": not each.why, "why_not": each.why or None,
                "eagerness": each.eagerness, "capacity": each.capacity,
            }
            for each in made.profiles
        ],
    }  # fmt: skip


def pairs(made: Made) -> list[dict[str, Any]]:
    """The pairs, in the order of areas and schools' names."""
    codes = {row.school.id: row for row in made.file.rows}
    assumed = {(each.school, each.area): each.is_assumed for each in made.profiles}

    def basis(said: str, school: Any, area: str) -> str:
        return "assumed" if said == "declared" and assumed[school, area] else said

    found = [
        {
            "area": each.area,
            "host": codes[each.host].code,
            "host_name": codes[each.host].school.name,
            "guest": codes[each.guest].code,
            "guest_name": codes[each.guest].school.name,
            "host_basis": basis(each.host_basis, each.host, each.area),
            "guest_basis": basis(each.guest_basis, each.guest, each.area),
            "distance_km": each.distance_km,
            "weight": each.weight,
            "reason": each.reason,
            "alternative": each.alternative,
            "map": [[codes[one].school.latitude, codes[one].school.longitude] for one in (each.host, each.guest)],
        }
        for each in made.outcome.proposals
    ]
    return sorted(found, key=lambda one: (one["area"], one["host_name"], one["host"], one["guest"]))


def unmatched(made: Made) -> list[dict[str, Any]]:
    """Who offers or seeks and has no partner, and why."""
    rows = {row.school.id: row for row in made.file.rows}
    found = [
        {
            "school": rows[each.school].code, "name": rows[each.school].school.name, "area": each.area,
            "role": each.role, "reason": each.reason, "alternative": each.alternative,
        }
        for each in made.outcome.alone
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one["area"], one["name"], one["school"]))


def certificate(made: Made) -> dict[str, Any] | None:
    """What the choice weighs and what none weighs more than, in millionths."""
    outcome = made.outcome
    if not outcome.is_feasible:
        return None
    return {
        "candidates": len(made.found), "pairs": len(outcome.proposals), "weight": outcome.weight,
        "bound": outcome.bound, "gap": gap_of(outcome.weight, outcome.bound), "method": outcome.method,
        "optimum": made.best,
    }  # fmt: skip


def blocking_pairs(made: Made) -> list[dict[str, Any]]:
    """The pairs of schools that would both rather have each other than what the matching gives them."""
    codes = {row.school.id: row.code for row in made.file.rows}
    willing = made.instance.willing
    return [
        {
            "area": willing[int(made.found.host[at])].area,
            "host": codes[willing[int(made.found.host[at])].school],
            "guest": codes[willing[int(made.found.guest[at])].school],
        }
        for at in made.blocking
    ]


def summary(made: Made) -> dict[str, object]:
    """A few figures."""
    outcome = made.outcome
    km = [each.distance_km for each in made.outcome.proposals if each.distance_km is not None]
    facts: dict[str, object] = {
        "schools": len(made.file),
        "offer help": len({w.school for w in made.instance.willing if w.role == "offers"}),
        "seek help": len({w.school for w in made.instance.willing if w.role == "seeks"}),
        "possible pairs": f"{len(made.found):,}",
        "pairs": len(outcome.proposals),
        "weight": f"{outcome.weight / 1e6:.4f}",
        "no choice weighs more than": f"{outcome.bound / 1e6:.4f} ({outcome.method})",
        "gap": f"{outcome.gap:.2%}" if outcome.method == "stable" else f"{outcome.gap:.1e}" if outcome.gap else "0",
        "blocking pairs": len(made.blocking),
    }
    if km:
        facts["mean distance"] = f"{np.mean(km):.1f} km"
    if made.broken:
        facts["rules not kept"] = "; ".join(made.broken)
    return facts


def _limit(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"


def tables(made: Made) -> None:
    """For a person."""
    if not made.outcome.is_feasible:
        return
    show.facts(summary(made), made.programme.title)
    found = pairs(made)
    show.table(
        ["area", "host", "guest", "km", "rests on", "weight"],
        [
            [
                one["area"], f"{one['host_name']} ({one['host']})", f"{one['guest_name']} ({one['guest']})",
                None if one["distance_km"] is None else f"{one['distance_km']:.1f}",
                f"{one['host_basis']}, {one['guest_basis']}", f"{one['weight'] / 1e6:.3f}",
            ]
            for one in found[:_MOST_ROWS]
        ],
        "Pairs",
    )  # fmt: skip
    show.table(
        ["attribute", "value", "willing", "in pairs", "over- or under-represented", "95 % interval"],
        [
            [
                one.attribute, one.value, one.willing, one.paired, None if one.ratio is None else f"{one.ratio:.2f}",
                f"{_limit(one.lower)} to {_limit(one.upper)}",
            ]
            for one in made.representation[:_MOST_ROWS]
        ],
        "Represented in pairs, against all that are willing",
    )  # fmt: skip
    alone = unmatched(made)
    if len(found) > _MOST_ROWS or alone:
        show.message(
            f"{max(0, len(found) - _MOST_ROWS)} more pairs and {len(alone)} without a partner, each with its reason, "
            f"are in --json and --report."
        )
