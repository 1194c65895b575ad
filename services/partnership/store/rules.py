"""The rules of a programme as JSON keeps them: what has no column of its own. Nothing is kept of a rule that is not."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.partnership.domain.instance import balance_of, equity_of
from services.partnership.domain.programme import Attribute, Balance, Context, Fit, Locked, Preference, Programme


def balance_kept(programme: Programme) -> list[dict[str, Any]]:
    """The rules of balance."""
    return [
        {"attribute": each.attribute, "value": each.value, "at_least": each.at_least, "at_most": each.at_most}
        for each in programme.balance
    ]


def balance_again(kept: list[dict[str, Any]]) -> tuple[Balance, ...]:
    """The rules of balance that were kept."""
    return tuple(balance_of(each) for each in kept)


def named_schools(programme: Programme) -> dict[str, list[str]]:
    """The schools that rules name, by the dotted key of the rule; those of conflicts have a table of their own."""
    named: dict[str, list[str]] = {}
    for number, locked in enumerate(programme.locked):
        named[f"rules.locked[{number}].host"] = [locked.host]
        named[f"rules.locked[{number}].guest"] = [locked.guest]
    for number, preference in enumerate(programme.preferences):
        named[f"rules.prefer[{number}].schools"] = list(preference.schools)
    for attribute in programme.attributes:
        for value, schools in attribute.values:
            named[f"attributes.{attribute.name}.{value}"] = list(schools)
    for context in programme.context:
        for school, _ in context.values:
            named[f"context.{context.name}.{school}"] = [school]
    return named


def rules_kept(programme: Programme, schools: Mapping[str, UUID]) -> dict[str, Any]:
    """All other rules, and our ids of the schools that they name."""
    equity = programme.equity
    said: dict[str, Any] = {
        "areas": [
            {
                "area": a.code,
                "at_least": a.at_least,
                "at_most": a.at_most,
                "cost": None if a.cost is None else f"{a.cost:f}",
            }
            for a in programme.areas
            if (a.at_least, a.at_most, a.cost) != (None, None, None)
        ],
        "attributes": [
            {"name": each.name, "values": [[value, list(named)] for value, named in each.values]}
            for each in programme.attributes
        ],
        "context": [[each.name, {school: f"{value:f}" for school, value in each.values}] for each in programme.context],
        "equity": None
        if equity is None
        else {
            "at_least": f"{equity.at_least:f}",
            "neediest": None if equity.neediest is None else f"{equity.neediest:f}",
            "attribute": equity.attribute,
            "values": list(equity.values),
        },
        "fit": [[each.attribute, f"{each.differing:f}"] for each in programme.fit],
        "locked": [[each.host, each.guest, each.area] for each in programme.locked],
        "preferences": [[*each.schools, f"{each.times:f}"] for each in programme.preferences],
        "keep": f"{programme.keep:f}" if programme.keep else None,
        "gap": None if programme.gap is None else f"{programme.gap:f}",
    }
    names = {each for schools_of in named_schools(programme).values() for each in schools_of}
    said["schools"] = {name: str(schools[name]) for name in sorted(names)}
    return {key: value for key, value in said.items() if value not in (None, [], {})}


def with_rules(programme: Programme, kept: Mapping[str, Any]) -> Programme:
    """A programme with the rules that were kept of it."""
    limits = {each["area"]: each for each in kept.get("areas", [])}
    return replace(
        programme,
        areas=tuple(
            replace(
                area, at_least=limits[area.code]["at_least"], at_most=limits[area.code]["at_most"],
                cost=None if limits[area.code]["cost"] is None else Decimal(limits[area.code]["cost"]),
            )
            if area.code in limits
            else area
            for area in programme.areas
        ),
        attributes=tuple(
            Attribute(each["name"], tuple((value, tuple(named)) for value, named in each["values"]))
            for each in kept.get("attributes", [])
        ),
        equity=equity_of(kept["equity"]) if "equity" in kept else None,
        fit=tuple(Fit(name, Decimal(factor)) for name, factor in kept.get("fit", [])),
        locked=tuple(Locked(*each) for each in kept.get("locked", [])),
        preferences=tuple(
            Preference((one, other), Decimal(times)) for one, other, times in kept.get("preferences", [])
        ),
        keep=Decimal(kept.get("keep", "0")),
        gap=Decimal(kept["gap"]) if "gap" in kept else None,
        context=tuple(
            Context(name, tuple((school, Decimal(value)) for school, value in values.items()))
            for name, values in kept.get("context", [])
        ),
    )  # fmt: skip


def ids_kept(kept: Mapping[str, Any]) -> dict[str, UUID]:
    """Our ids of the schools that these rules name."""
    return {name: UUID(id_) for name, id_ in kept.get("schools", {}).items()}
