"""Where a file of schools has what a programme asks of them: the table `[schools]`, which only the command line uses.

Left out, the columns go by plain names: `id`, `name`, `latitude`, `longitude`, `sector`, and for each area
`AREA strength`, `AREA need`, `AREA tested`, `AREA role`, `AREA eagerness`, `AREA capacity`, those that are there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.partnership.domain.entries import Entries, Table
from services.partnership.domain.programme import SECTOR

_MOST_PARTS = 100
_MOST_PLACES = 1_000


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """An attribute from a column: as it is, by what its cells begin with, or by equal parts of its numbers.

    Of `parts` parts the value "1" has the smallest numbers.
    """

    name: str
    column: str
    prefixes: tuple[tuple[str, str], ...] = ()
    otherwise: str | None = None
    parts: int | None = None


@dataclass(frozen=True, slots=True)
class AreaColumns:
    """The columns of one area. A strength is a column, or what `reached` is of `tested`, each a sum of columns."""

    area: str
    strength: str | None = None
    reached: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()
    need: str | None = None
    role: str | None = None
    eagerness: str | None = None
    capacity: str | None = None
    offers: Decimal = Decimal("0.3333")
    """Without a column for the role: this share of the measured schools, the strongest, offers."""
    seeks: Decimal = Decimal("0.3333")
    """And this share, the neediest, seeks."""
    unmeasured: str | None = None
    """And what a school does, `offers` or `seeks`, of which too little is measured and that is not so needy."""
    places_offered: int = 1
    places_sought: int = 1


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns by name."""

    id: str = "id"
    name: str = "name"
    latitude: str = "latitude"
    longitude: str = "longitude"
    attributes: tuple[AttributeColumn, ...] = ()
    context: tuple[str, ...] = ()
    areas: tuple[AreaColumns, ...] = ()

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """What it declares of schools."""
        return tuple(each.name for each in self.attributes)


def columns(entries: Entries, top: Table, areas: Sequence[str]) -> Columns | None:
    """The table `[schools]` of a programme with these areas; None when there is none."""
    if "schools" not in top.entries:
        top.known.add("schools")
        return None
    table = entries.table(top, "schools")
    names = {
        key: entries.text(table, key, optional=True) or key for key in ("id", "name", "latitude", "longitude")
    }  # fmt: skip
    context = entries.texts(table, "context", optional=True) or []
    declared = entries.table(table, "attributes")
    attributes = [_attribute(entries, declared, name) for name in declared.entries]
    measured = entries.table(table, "areas")
    found = []
    for code in measured.entries:
        if code not in areas:
            known = ", ".join(areas)
            entries.wrong(measured.at(code), "unknown-area", f"The programme has no such area; it has {known}.", code)
        else:
            found.append(_area(entries, entries.table(measured, code), code))
    entries.nothing_else(table)
    return Columns(
        **names, attributes=tuple(a for a in attributes if a is not None), context=tuple(context), areas=tuple(found)
    )


def _attribute(entries: Entries, declared: Table, name: str) -> AttributeColumn | None:
    table = entries.table(declared, name)
    column = entries.text(table, "column")
    prefixes = entries.table(table, "prefixes")
    values = [(prefix, entries.text(prefixes, prefix)) for prefix in prefixes.entries]
    otherwise = entries.text(table, "otherwise", optional=True)
    parts = entries.number(table, "parts", 2, _MOST_PARTS, optional=True)
    entries.nothing_else(table)
    if parts is not None and (values or otherwise):
        entries.wrong(table.at("parts"), "rules-conflict", "An attribute has prefixes or parts, not both.", str(parts))
    if otherwise is not None and not values:
        entries.wrong(table.at("otherwise"), "missing", "Name the prefixes that it stands beside.", otherwise)
    if column is None:
        return None
    said = tuple((prefix, value) for prefix, value in values if value is not None)
    return AttributeColumn(name, column, said, otherwise, parts)


def _area(entries: Entries, table: Table, code: str) -> AreaColumns:
    texts = {key: entries.text(table, key, optional=True) for key in ("strength", "need", "role", "eagerness")}
    capacity = entries.text(table, "capacity", optional=True)
    sums = {key: tuple(entries.texts(table, key, optional=True) or ()) for key in ("reached", "tested")}
    offers = entries.fraction(table, "offers", "0", "1", optional=True)
    seeks = entries.fraction(table, "seeks", "0", "1", optional=True)
    unmeasured = entries.text(table, "unmeasured", optional=True)
    if unmeasured not in (None, "offers", "seeks"):
        entries.wrong(table.at("unmeasured"), "role", "Such a school offers or seeks; or leave it out.", unmeasured)
    places_offered = entries.number(table, "places_offered", 1, _MOST_PLACES, optional=True)
    places_sought = entries.number(table, "places_sought", 1, _MOST_PLACES, optional=True)
    entries.nothing_else(table)
    third = AreaColumns(code).offers
    offers, seeks = third if offers is None else offers, third if seeks is None else seeks
    if offers + seeks > 1:
        remedy = f"offers and seeks (line {entries.line(table.at('seeks'))}) are more than all schools together."
        entries.wrong(table.at("offers"), "rules-conflict", remedy, str(offers))
    if texts["strength"] and sums["reached"]:
        remedy = "A strength is a column of its own, or what was reached of the tested; leave one out."
        entries.wrong(table.at("strength"), "rules-conflict", remedy, texts["strength"])
    if sums["reached"] and not sums["tested"]:
        entries.wrong(table.at("reached"), "missing", "Name the columns of those tested: tested.")
    return AreaColumns(
        code, texts["strength"], sums["reached"], sums["tested"], texts["need"], texts["role"], texts["eagerness"],
        capacity, offers, seeks, unmeasured, places_offered or 1, places_sought or 1,
    )  # fmt: skip


def plain(header: Sequence[str], areas: Sequence[str]) -> Columns:
    """The columns of a file that names them as this module's preface says."""
    there = set(header)

    def named(area: str, what: str) -> str | None:
        column = f"{area} {what}"
        return column if column in there else None

    found = []
    for area in areas:
        tested = named(area, "tested")
        found.append(
            AreaColumns(
                area, named(area, "strength"), (), (tested,) if tested else (), named(area, "need"),
                named(area, "role"), named(area, "eagerness"), named(area, "capacity"),
            )
        )  # fmt: skip
    attributes = (AttributeColumn(SECTOR, SECTOR),) if SECTOR in there else ()
    return Columns(attributes=attributes, areas=tuple(found))
