"""The rules of a programme, read from its tables `[rules]`, `[attributes]` and `[context]`."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from services.partnership.domain.entries import Entries, Table
from services.partnership.domain.programme import (
    FARTHEST_KM,
    MOST_PARTNERSHIPS,
    SECTOR,
    SECTORS,
    Area,
    Attribute,
    Balance,
    Conflict,
    Context,
    Equity,
    Fit,
    Locked,
    Preference,
)

_FIFTH = Decimal("0.2")
_TWICE = Decimal(2)


class Ruling:
    """Reads the rules when it is made; what is wrong is among the problems of `entries`.

    `elsewhere` are the names of attributes that a file of schools declares.
    """

    def __init__(self, entries: Entries, top: Table, areas: Sequence[Area], elsewhere: Sequence[str]) -> None:
        self._entries = entries
        self._areas = {area.code for area in areas}
        self.attributes = tuple(self._attributes(entries.table(top, "attributes")))
        self._known = {SECTOR, *elsewhere, *(each.name for each in self.attributes)}
        self.context = tuple(self._context(entries.table(top, "context")))
        rules = entries.table(top, "rules")
        self.max_distance_km = self._distance(rules)
        self.balance = tuple(self._balance(rules))
        self.equity = self._equity(rules)
        self.fit = tuple(self._fit(rules))
        self.conflicts = tuple(self._conflicts(rules))
        self.locked = tuple(self._locked(rules))
        self.preferences = tuple(self._preferences(rules))
        self.keep = entries.fraction(rules, "keep", "0", "10", optional=True) or Decimal(0)
        self.gap = entries.fraction(rules, "gap", "0", "0.1", optional=True)
        entries.nothing_else(rules)

    def _attributes(self, declared: Table) -> Iterator[Attribute]:
        for name in declared.entries:
            table = self._entries.table(declared, name)
            if name == SECTOR:
                remedy = "The roster says of what sector a school is; leave this table out."
                self._entries.wrong(table.path, "sector-declared", remedy, name)
            seen: dict[str, str] = {}
            values = []
            for value in table.entries:
                schools = self._entries.texts(table, value) or []
                for school in schools:
                    if school in seen:
                        remedy = f"This school has the value {seen[school]} already; it has one at most."
                        self._entries.wrong(table.at(value), "attribute-twice", remedy, school)
                    seen[school] = value
                values.append((value, tuple(schools)))
            yield Attribute(name, tuple(values))

    def _context(self, declared: Table) -> Iterator[Context]:
        for name in list(declared.entries):
            table = self._entries.table(declared, name)
            values = [(school, self._entries.decimal(table, school)) for school in table.entries]
            for school, value in values:
                if value is not None and not value.is_finite():
                    self._entries.wrong(table.at(school), "range", f"{name} is a finite number.", str(value))
            yield Context(name, tuple((school, value) for school, value in values if value is not None))

    def _distance(self, rules: Table) -> float | None:
        value = self._entries.decimal(rules, "max_distance_km", optional=True)
        if value is None:
            return None
        if not value.is_finite() or not 0 < value <= FARTHEST_KM:
            remedy = f"A distance is more than 0 and at most {FARTHEST_KM:.0f} km; leave it out for any distance."
            self._entries.wrong(rules.at("max_distance_km"), "range", remedy, str(value))
            return None
        return float(value)

    def _balance(self, rules: Table) -> Iterator[Balance]:
        balance = self._entries.table(rules, "balance")
        for name in balance.entries:
            if name in SECTORS:
                yield from self._places(balance, SECTOR, name)
            elif name in self._known:
                values = self._entries.table(balance, name)
                for value in values.entries:
                    if self._is_value(values.at(value), name, value):
                        yield from self._places(values, name, value)
            else:
                others = "".join(f", {each}" for each in sorted(self._known - {SECTOR}))
                remedy = f"A sector is one of {', '.join(SECTORS)}; a table of an attribute's values is one of {SECTOR}"
                self._entries.wrong(balance.at(name), "unknown-sector", f"{remedy}{others}.", name)

    def _is_value(self, path: str, attribute: str, value: str) -> bool:
        """Whether the attribute can have this value, as far as the programme itself tells."""
        declared = {each.name: [v for v, _ in each.values] for each in self.attributes}
        values = list(SECTORS) if attribute == SECTOR else declared.get(attribute)
        if values is None or value in values:
            return True
        remedy = f"The values of {attribute} are {', '.join(values)}."
        self._entries.wrong(path, "unknown-value", remedy, value)
        return False

    def _places(self, values: Table, attribute: str, value: str) -> Iterator[Balance]:
        entries, path = self._entries, values.at(value)
        table = Table(path, entries.take(values, value, dict) or {})
        at_least = entries.number(table, "at_least", 0, 2 * MOST_PARTNERSHIPS, optional=True)
        at_most = entries.number(table, "at_most", 0, 2 * MOST_PARTNERSHIPS, optional=True)
        entries.nothing_else(table)
        if at_least is not None and at_most is not None and at_least > at_most:
            remedy = f"at_least is more than at_most (line {entries.line(table.at('at_most'))}) of {at_most}."
            entries.wrong(table.at("at_least"), "rules-conflict", remedy, str(at_least))
        elif at_least is not None or at_most is not None:
            yield Balance(value, at_least, at_most, attribute)
        elif not table.entries and isinstance(values.entries[value], dict):
            entries.wrong(path, "missing", "Say at_least, at_most, or both.")

    def _equity(self, rules: Table) -> Equity | None:
        if "equity" not in rules.entries:
            rules.known.add("equity")
            return None
        entries, table = self._entries, self._entries.table(rules, "equity")
        at_least = entries.fraction(table, "at_least", "0", "1", above=True)
        neediest = entries.fraction(table, "neediest", "0", "1", optional=True, above=True)
        attribute = entries.text(table, "attribute", optional=True)
        values = entries.texts(table, "values", optional=True)
        entries.nothing_else(table)
        if attribute is None:
            if values is not None:
                entries.wrong(table.at("values"), "missing", "Name the attribute that has these values: attribute.")
            return None if at_least is None else Equity(at_least, neediest or _FIFTH)
        if neediest is not None:
            line = entries.line(table.at("attribute"))
            remedy = f"The guests in need are the neediest, or those with an attribute (line {line})."
            entries.wrong(table.at("neediest"), "rules-conflict", remedy, str(neediest))
        if not values:
            entries.wrong(table.at("values"), "missing", "Name the values that say who is in need: values.")
        if attribute not in self._known:
            self._unknown_attribute(table.at("attribute"), attribute)
        elif all(self._is_value(table.at("values"), attribute, value) for value in values or ()):
            return None if at_least is None else Equity(at_least, None, attribute, tuple(values or ()))
        return None

    def _unknown_attribute(self, path: str, name: str) -> None:
        remedy = f"Nothing declares this attribute of schools; there is {', '.join(sorted(self._known))}."
        self._entries.wrong(path, "unknown-attribute", remedy, name)

    def _fit(self, rules: Table) -> Iterator[Fit]:
        table = self._entries.table(rules, "fit")
        for name in table.entries:
            factor = self._entries.fraction(table, name, "0", "1")
            if name not in self._known:
                self._unknown_attribute(table.at(name), name)
            elif factor is not None:
                yield Fit(name, factor)

    def _conflicts(self, rules: Table) -> Iterator[Conflict]:
        seen: dict[frozenset[str], str] = {}
        for table in self._entries.tables(rules, "conflicts", optional=True) or ():
            schools = self._two(table, "conflict", seen)
            reason = self._entries.text(table, "reason")
            self._entries.nothing_else(table)
            if schools is not None and reason is not None:
                yield Conflict(schools, reason)

    def _preferences(self, rules: Table) -> Iterator[Preference]:
        seen: dict[frozenset[str], str] = {}
        for table in self._entries.tables(rules, "prefer", optional=True) or ():
            schools = self._two(table, "preference", seen)
            times = self._entries.fraction(table, "times", "1", "10", optional=True)
            self._entries.nothing_else(table)
            if schools is not None:
                yield Preference(schools, _TWICE if times is None else times)

    def _two(self, table: Table, what: str, seen: dict[frozenset[str], str]) -> tuple[str, str] | None:
        """The two schools that a rule is about, named once."""
        entries, key = self._entries, table.at("schools")
        schools = entries.texts(table, "schools")
        if schools is None:
            return None
        if len(schools) != 2:
            entries.wrong(key, "two-schools", f"A {what} is between two schools: name two sourcedIds.")
        elif schools[0] == schools[1]:
            remedy = f"Both are the same school, {schools[0]}; name two schools."
            entries.wrong(key, f"{what}-with-itself", remedy, schools[0])
        elif frozenset(schools) in seen:
            remedy = f"These two are a {what} already (line {entries.line(seen[frozenset(schools)])})."
            entries.wrong(key, f"{what}-twice", remedy, " ".join(schools))
        else:
            seen[frozenset(schools)] = key
            return schools[0], schools[1]
        return None

    def _locked(self, rules: Table) -> Iterator[Locked]:
        entries, seen = self._entries, dict[frozenset[str], str]()
        conflicts = {frozenset(each.schools) for each in self.conflicts}
        for table in entries.tables(rules, "locked", optional=True) or ():
            host, guest = entries.text(table, "host"), entries.text(table, "guest")
            area = entries.text(table, "area")
            entries.nothing_else(table)
            if host is None or guest is None or area is None:
                continue
            two = frozenset((host, guest))
            if area not in self._areas:
                entries.wrong(table.at("area"), "unknown-area", "The programme has no such area.", area)
            elif host == guest:
                remedy = f"Both are the same school, {host}; no school is its own partner."
                entries.wrong(table.at("guest"), "locked-with-itself", remedy, guest)
            elif two in seen:
                remedy = (
                    f"These two are locked already (line {entries.line(seen[two])}); two schools have one partnership."
                )
                entries.wrong(table.at("guest"), "locked-twice", remedy, guest)
            elif two in conflicts:
                remedy = "A conflict keeps these two apart; leave out that or this."
                entries.wrong(table.at("guest"), "rules-conflict", remedy, guest)
            else:
                seen[two] = table.at("host")
                yield Locked(host, guest, area)
