"""A programme: what schools help each other in, how many partnerships are paid for, and by which rules.

Read from TOML, `format = "trellis-programme/1"`. Every problem says its line and its dotted key; rules that cannot be
met together name each other.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid5

from services.partnership.domain.places import MOST_STEPS, Places, too_deep
from services.partnership.domain.problems import Problem, shown

FORMAT = "trellis-programme/1"
SECTORS = ("district", "charter", "private")
MOST_PARTNERSHIPS = 100_000
MOST_AREAS = 100
FARTHEST_KM = 20_038.0  # half the way round the earth
MOST_MONEY = Decimal(10) ** 12
_CURRENCY = re.compile(r"[A-Z]{3}")
_AREA = re.compile(r"[^\s,\x00-\x1f](?:[^,\x00-\x1f]*[^\s,\x00-\x1f])?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
_SYNTAX = re.compile(r"\(at line (\d+), column \d+\)")
_LONG_NUMBER = re.compile(r"[0-9][0-9_]{1000,}")
_LONGEST = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Area:
    """What schools help each other in; without competencies it rests on what they declare."""

    code: str
    title: str
    identifiers: tuple[str, ...] = ()
    """CASE identifiers of CFItems, as the file writes them."""


@dataclass(frozen=True, slots=True)
class Balance:
    """How many places go to schools of a sector. A partnership has two places, one for each school."""

    sector: str
    at_least: int | None
    at_most: int | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two schools, by sourcedId, that are not brought together."""

    schools: tuple[str, str]
    reason: str


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme as its file says it."""

    code: str
    title: str
    partnerships: int
    budget: Decimal
    cost_per_partnership: Decimal
    currency: str
    max_distance_km: float | None
    areas: tuple[Area, ...]
    balance: tuple[Balance, ...]
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file came to. `places` finds the line of a dotted key; without a programme there are problems."""

    programme: Programme | None
    problems: list[Problem]
    places: Places | None = None


def programme_id(district: UUID, code: str) -> UUID:
    """A programme keeps its id as long as it keeps its code."""
    return uuid5(district, f"programme:{code}")


def affordable(partnerships: int, budget: Decimal, cost: Decimal) -> int:
    """How many partnerships there may be: as many as are wanted, and as many as the budget pays for."""
    return min(partnerships, int(budget // cost))


def _counted(partnerships: int) -> str:
    return "1 partnership" if partnerships == 1 else f"{partnerships} partnerships"


def parse(content: bytes) -> Parsed:
    """The programme in this TOML, or what is wrong with it, in the order of its lines."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        return Parsed(None, [Problem(line, None, None, "not-utf8", "Save the file as UTF-8.")])
    text = text.replace("\r\n", "\n")
    if (deep := too_deep(text)) is not None:
        return Parsed(None, [Problem(deep, None, None, "toml", f"A key has at most {MOST_STEPS} steps.")])
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as wrong:  # numbers of thousands of digits among them
        remedy = f"This is not TOML: {shown(str(wrong))}."
        return Parsed(None, [Problem(_line_of(wrong, text), None, None, "toml", remedy)])
    places = Places(text)
    reading = _Reading(places)
    programme = reading.programme(document)
    problems = sorted(reading.problems, key=lambda each: each.line or 0)
    return Parsed(None if problems else programme, problems, places)


def _line_of(wrong: Exception, text: str) -> int | None:
    """Where the reader stopped, as far as it tells."""
    if found := _SYNTAX.search(str(wrong)):
        return int(found.group(1))
    if "end of document" in str(wrong):
        return text.count("\n") + 1
    number = _LONG_NUMBER.search(text)
    return None if number is None else text.count("\n", 0, number.start()) + 1


@dataclass(slots=True)
class _Table:
    """A table of the document: what of it has been asked for is known to be a key."""

    path: str
    entries: Mapping[str, Any]  # TOML's own types
    known: set[str] = field(default_factory=set)

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


class _Reading:
    """Reads values one by one and notes what is wrong, so that a file's problems come all at once."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.problems: list[Problem] = []

    def programme(self, document: Mapping[str, Any]) -> Programme | None:
        top = _Table("", document)
        format_ = self._take(top, "format", str)
        if format_ is not None and format_ != FORMAT:
            self._wrong("format", "format", f'This reads format = "{FORMAT}".', format_)
        code = self._text(top, "id")
        title = self._text(top, "title")
        partnerships = self._number(top, "partnerships", 1, MOST_PARTNERSHIPS)
        budget = self._money(top, "budget")
        cost = self._money(top, "cost_per_partnership")
        currency = self._take(top, "currency", str)
        if currency is not None and not _CURRENCY.fullmatch(currency):
            self._wrong("currency", "currency", "Name the currency by its three letters, such as USD.", currency)
        areas = tuple(self._areas(top))
        rules = _Table("rules", self._take(top, "rules", dict, optional=True) or {})
        distance = self._distance(rules)
        balance = tuple(self._balance(rules))
        conflicts = tuple(self._conflicts(rules))
        self._unknown(rules)
        self._unknown(top)
        paid = budget is not None and cost is not None and self._pays(budget, cost)
        if partnerships is not None:
            self._room(partnerships, budget if paid else None, cost if paid else None, balance)
        if self.problems or not (format_ and code and title and partnerships and budget and cost and currency):
            return None
        return Programme(code, title, partnerships, budget, cost, currency, distance, areas, balance, conflicts)

    # the rules together

    def _pays(self, budget: Decimal, cost: Decimal) -> bool:
        """Whether the budget pays for one partnership; for fewer than are wanted it may pay, as a limit like others."""
        if cost > budget:
            remedy = (
                f"cost_per_partnership is more than the budget (line {self._line('budget')}) of {budget:f}: not one "
                f"partnership can be paid for."
            )
            self._wrong("cost_per_partnership", "rules-conflict", remedy, str(cost))
        return cost <= budget

    def _room(
        self, partnerships: int, budget: Decimal | None, cost: Decimal | None, balance: tuple[Balance, ...]
    ) -> None:
        asked = [each for each in balance if each.at_least is not None]
        places = sum(each.at_least or 0 for each in asked)
        most = partnerships if budget is None or cost is None else affordable(partnerships, budget, cost)
        if places <= 2 * most:
            return
        keys = [f"rules.balance.{each.sector}.at_least" for each in asked]
        named = ", ".join(f"{key} (line {self._line(key)})" for key in keys)
        if places > 2 * partnerships:
            room = f"{_counted(partnerships)} (line {self._line('partnerships')}) can have {2 * partnerships}"
        else:
            room = (
                f"the budget (line {self._line('budget')}) of {budget:f} pays for {_counted(most)} at "
                f"cost_per_partnership (line {self._line('cost_per_partnership')}) of {cost:f}, which can have "
                f"{2 * most}"
            )
        self._wrong(keys[-1], "rules-conflict", f"{named} ask for {places} places; {room}, two each.", str(places))

    # the parts

    def _areas(self, top: _Table) -> Iterator[Area]:
        tables = self._tables(top, "areas")
        if tables is not None and not 1 <= len(tables) <= MOST_AREAS:
            self._wrong("areas", "range", f"A programme has 1 to {MOST_AREAS} areas.", str(len(tables)))
        seen: dict[str, str] = {}
        for table in tables or ():
            code = self._text(table, "id")
            title = self._text(table, "title")
            identifiers = self._strings(table, "competencies", optional=True)
            self._unknown(table)
            if code is not None and not _AREA.fullmatch(code):
                self._wrong(table.at("id"), "area-id", "An area's id has no comma and no space around it.", code)
            elif code is not None and code in seen:
                remedy = f"This area is in the programme already (line {self._line(seen[code])}); leave one out."
                self._wrong(table.at("id"), "area-twice", remedy, code)
            elif code is not None and title is not None:
                seen[code] = table.at("id")
                yield Area(code, title, tuple(identifiers or ()))
        return

    def _distance(self, rules: _Table) -> float | None:
        value = self._decimal(rules, "max_distance_km", optional=True)
        if value is None:
            return None
        if not value.is_finite() or not 0 < value <= FARTHEST_KM:
            remedy = f"A distance is more than 0 and at most {FARTHEST_KM:.0f} km; leave it out for any distance."
            self._wrong(rules.at("max_distance_km"), "range", remedy, str(value))
            return None
        return float(value)

    def _balance(self, rules: _Table) -> Iterator[Balance]:
        sectors = _Table(rules.at("balance"), self._take(rules, "balance", dict, optional=True) or {})
        for sector in sectors.entries:
            path = sectors.at(sector)
            if sector not in SECTORS:
                self._wrong(path, "unknown-sector", f"A sector is one of {', '.join(SECTORS)}.", sector)
                continue
            table = _Table(path, self._take(sectors, sector, dict) or {})
            at_least = self._number(table, "at_least", 0, 2 * MOST_PARTNERSHIPS, optional=True)
            at_most = self._number(table, "at_most", 0, 2 * MOST_PARTNERSHIPS, optional=True)
            self._unknown(table)
            if at_least is not None and at_most is not None and at_least > at_most:
                remedy = f"at_least is more than at_most (line {self._line(table.at('at_most'))}) of {at_most}."
                self._wrong(table.at("at_least"), "rules-conflict", remedy, str(at_least))
            elif at_least is not None or at_most is not None:
                yield Balance(sector, at_least, at_most)
            elif not table.entries and isinstance(sectors.entries[sector], dict):
                self._wrong(path, "missing", "Say at_least, at_most, or both.")

    def _conflicts(self, rules: _Table) -> Iterator[Conflict]:
        seen: dict[frozenset[str], str] = {}
        for table in self._tables(rules, "conflicts", optional=True) or ():
            key = table.at("schools")
            schools = self._strings(table, "schools")
            reason = self._text(table, "reason")
            self._unknown(table)
            if schools is None:
                continue
            if len(schools) != 2:
                self._wrong(key, "two-schools", "A conflict is between two schools: name two sourcedIds.")
            elif schools[0] == schools[1]:
                self._wrong(key, "conflict-with-itself", "Both are the same school; name two schools.", schools[0])
            elif frozenset(schools) in seen:
                remedy = f"These two are a conflict already (line {self._line(seen[frozenset(schools)])})."
                self._wrong(key, "conflict-twice", remedy, " ".join(schools))
            elif reason is not None:
                seen[frozenset(schools)] = key
                yield Conflict((schools[0], schools[1]), reason)

    # values

    def _take(self, table: _Table, key: str, *types: type[T], optional: bool = False) -> T | None:
        """The value, if it is there and of one of these types."""
        table.known.add(key)
        if key not in table.entries:
            if not optional:
                self._wrong(table.at(key), "missing", f"Add {key}.")
            return None
        value = table.entries[key]
        if not isinstance(value, types) or isinstance(value, bool):
            names = {str: "text in quotes", int: "a whole number", Decimal: "a number", dict: "a table", list: "a list"}
            self._wrong(table.at(key), "type", f"{key} must be {names[types[0]]}.", value)
            return None
        return value

    def _text(self, table: _Table, key: str) -> str | None:
        value = self._take(table, key, str)
        if value is not None and (not value.strip() or len(value) > _LONGEST or _CONTROL.search(value)):
            remedy = f"{key} has 1 to {_LONGEST} characters, no control characters among them."
            self._wrong(table.at(key), "text", remedy, value)
            return None
        return value

    def _number(self, table: _Table, key: str, least: int, most: int, *, optional: bool = False) -> int | None:
        value = self._take(table, key, int, optional=optional)
        if value is not None and not least <= value <= most:
            self._wrong(table.at(key), "range", f"{key} is a whole number from {least} to {most}.", value)
            return None
        return value

    def _money(self, table: _Table, key: str) -> Decimal | None:
        money = self._decimal(table, key)
        if money is None:
            return None
        exponent = money.as_tuple().exponent
        if not money.is_finite() or not 0 < money <= MOST_MONEY or not isinstance(exponent, int) or exponent < -4:
            remedy = f"{key} is an amount above 0, at most {MOST_MONEY:f}, with at most four decimals."
            self._wrong(table.at(key), "range", remedy, str(money))
            return None
        return money

    def _decimal(self, table: _Table, key: str, *, optional: bool = False) -> Decimal | None:
        value: Any = self._take(table, key, Decimal, int, optional=optional)  # two types, as mypy cannot follow
        return None if value is None else Decimal(value)

    def _strings(self, table: _Table, key: str, *, optional: bool = False) -> list[str] | None:
        values = self._take(table, key, list, optional=optional)
        if values is None:
            return None
        for value in values:
            if not isinstance(value, str) or not value or len(value) > _LONGEST or _CONTROL.search(value):
                remedy = f"{key} is a list of texts of 1 to {_LONGEST} characters."
                self._wrong(table.at(key), "type", remedy, value)
                return None
        return list(dict.fromkeys(values)) if key == "competencies" else values

    def _tables(self, table: _Table, key: str, *, optional: bool = False) -> list[_Table] | None:
        values = self._take(table, key, list, optional=optional)
        if values is None:
            return None
        path = table.at(key)
        if not all(isinstance(value, dict) for value in values):
            self._wrong(path, "type", f"Write each of them as a table of its own: [[{path}]].")
            return None
        return [_Table(f"{path}[{number}]", value) for number, value in enumerate(values)]

    def _unknown(self, table: _Table) -> None:
        for key in table.entries:
            if key not in table.known:
                remedy = f"There is no such key here; there are {', '.join(sorted(table.known))}."
                self._wrong(table.at(key), "unknown-key", remedy, key)

    def _line(self, key: str) -> int:
        return self._places.line(key)

    def _wrong(self, key: str, rule: str, remedy: str, value: object = None) -> None:
        self.problems.append(
            Problem(self._line(key), shown(key), None if value is None else shown(value), rule, remedy)
        )
