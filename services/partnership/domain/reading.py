"""A programme read from TOML, `format = "trellis-programme/1"`.

Every problem says its line and its dotted key; rules that cannot be met together name each other.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.partnership.domain.columns import Columns, columns
from services.partnership.domain.entries import Entries, Table
from services.partnership.domain.places import MOST_STEPS, Places, too_deep
from services.partnership.domain.problems import Problem, shown
from services.partnership.domain.programme import (
    FORMAT,
    MOST_AREAS,
    MOST_PARTNERSHIPS,
    SECTORS,
    Area,
    Balance,
    Programme,
    affordable,
)
from services.partnership.domain.ruling import Ruling

_CURRENCY = re.compile(r"[A-Z]{3}")
_AREA = re.compile(r"[^\s,\x00-\x1f](?:[^,\x00-\x1f]*[^\s,\x00-\x1f])?")
_SYNTAX = re.compile(r"\(at line (\d+), column \d+\)")
_LONG_NUMBER = re.compile(r"[0-9][0-9_]{1000,}")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file came to. `places` finds the line of a dotted key; without a programme there are problems.

    `columns` says where a file of schools has what the programme asks of them; only the command line reads one.
    """

    programme: Programme | None
    problems: list[Problem]
    places: Places | None = None
    columns: Columns | None = None


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
    problems = sorted(reading.entries.problems, key=lambda each: each.line or 0)
    return Parsed(None if problems else programme, problems, places, None if problems else reading.columns)


def _line_of(wrong: Exception, text: str) -> int | None:
    """Where the reader stopped, as far as it tells."""
    if found := _SYNTAX.search(str(wrong)):
        return int(found.group(1))
    if "end of document" in str(wrong):
        return text.count("\n") + 1
    number = _LONG_NUMBER.search(text)
    return None if number is None else text.count("\n", 0, number.start()) + 1


def _counted(partnerships: int) -> str:
    return "1 partnership" if partnerships == 1 else f"{partnerships} partnerships"


@dataclass(frozen=True, slots=True)
class _Paid:
    """What the programme pays, and how many partnerships that is at most; `cost` is that of the cheapest area."""

    budget: Decimal
    cost: Decimal


class _Reading:
    """Reads the document, part by part."""

    def __init__(self, places: Places) -> None:
        self.entries = Entries(places)
        self.columns: Columns | None = None

    def programme(self, document: Mapping[str, Any]) -> Programme | None:
        entries, top = self.entries, Table("", document)
        format_ = entries.take(top, "format", str)
        if format_ is not None and format_ != FORMAT:
            entries.wrong("format", "format", f'This reads format = "{FORMAT}".', format_)
        code = entries.text(top, "id")
        title = entries.text(top, "title")
        partnerships = entries.number(top, "partnerships", 1, MOST_PARTNERSHIPS)
        budget = entries.money(top, "budget")
        cost = entries.money(top, "cost_per_partnership")
        currency = entries.take(top, "currency", str)
        if currency is not None and not _CURRENCY.fullmatch(currency):
            entries.wrong("currency", "currency", "Name the currency by its three letters, such as USD.", currency)
        areas = tuple(self._areas(top))
        self.columns = columns(entries, top, [area.code for area in areas])
        ruling = Ruling(entries, top, areas, () if self.columns is None else self.columns.attribute_names)
        entries.nothing_else(top)
        paid = None if budget is None or cost is None else self._pays(budget, cost, areas)
        if partnerships is not None:
            self._room_for_balance(partnerships, paid, ruling.balance)
            self._room_for_areas(partnerships, areas)
        if entries.problems or not (format_ and code and title and partnerships and budget and cost and currency):
            return None
        return Programme(
            code, title, partnerships, budget, cost, currency, ruling.max_distance_km, areas, ruling.balance,
            ruling.conflicts, ruling.attributes, ruling.equity, ruling.fit, ruling.locked, ruling.preferences,
            ruling.keep, ruling.gap, ruling.context,
        )  # fmt: skip

    def _areas(self, top: Table) -> Iterator[Area]:
        entries, tables = self.entries, self.entries.tables(top, "areas")
        if tables is not None and not 1 <= len(tables) <= MOST_AREAS:
            entries.wrong("areas", "range", f"A programme has 1 to {MOST_AREAS} areas.", str(len(tables)))
        seen: dict[str, str] = {}
        for table in tables or ():
            code = entries.text(table, "id")
            title = entries.text(table, "title")
            identifiers = entries.texts(table, "competencies", optional=True)
            at_least = entries.number(table, "at_least", 0, MOST_PARTNERSHIPS, optional=True)
            at_most = entries.number(table, "at_most", 0, MOST_PARTNERSHIPS, optional=True)
            cost = entries.money(table, "cost_per_partnership", optional=True)
            entries.nothing_else(table)
            if at_least is not None and at_most is not None and at_least > at_most:
                remedy = f"at_least is more than at_most (line {entries.line(table.at('at_most'))}) of {at_most}."
                entries.wrong(table.at("at_least"), "rules-conflict", remedy, str(at_least))
            if code is not None and not _AREA.fullmatch(code):
                entries.wrong(table.at("id"), "area-id", "An area's id has no comma and no space around it.", code)
            elif code is not None and code in seen:
                remedy = f"This area is in the programme already (line {entries.line(seen[code])}); leave one out."
                entries.wrong(table.at("id"), "area-twice", remedy, code)
            elif code is not None and title is not None:
                seen[code] = table.at("id")
                yield Area(code, title, tuple(identifiers or ()), at_least, at_most, cost)

    # the rules together

    def _pays(self, budget: Decimal, cost: Decimal, areas: tuple[Area, ...]) -> _Paid | None:
        """What is paid, if it is enough for one partnership; that it pays for few is a limit like others."""
        line = self.entries.line("budget")
        cheapest = min((area.cost or cost for area in areas), default=cost)
        if cheapest > budget:
            remedy = (
                f"cost_per_partnership is more than the budget (line {line}) of {budget:f}: not one partnership can be "
                f"paid for."
            )
            self.entries.wrong("cost_per_partnership", "rules-conflict", remedy, str(cost))
            return None
        asked = [area for area in areas if area.at_least]
        price = sum(((area.cost or cost) * (area.at_least or 0) for area in asked), Decimal(0))
        if price > budget:
            keys = [f"areas[{areas.index(area)}].at_least" for area in asked]
            named = ", ".join(f"{key} (line {self.entries.line(key)})" for key in keys)
            remedy = f"{named} ask for partnerships that cost {price:f}; the budget (line {line}) is {budget:f}."
            self.entries.wrong(keys[-1], "rules-conflict", remedy, f"{price:f}")
        return _Paid(budget, cheapest)

    def _room_for_areas(self, partnerships: int, areas: tuple[Area, ...]) -> None:
        asked = [number for number, area in enumerate(areas) if area.at_least]
        total = sum(areas[number].at_least or 0 for number in asked)
        if total > partnerships:
            keys = [f"areas[{number}].at_least" for number in asked]
            named = ", ".join(f"{key} (line {self.entries.line(key)})" for key in keys)
            room = f"there are {_counted(partnerships)} (line {self.entries.line('partnerships')})"
            self.entries.wrong(
                keys[-1], "rules-conflict", f"{named} ask for {_counted(total)}; {room}.", str(total)
            )  # fmt: skip

    def _room_for_balance(self, partnerships: int, paid: _Paid | None, balance: tuple[Balance, ...]) -> None:
        line = self.entries.line
        most = partnerships if paid is None else affordable(partnerships, paid.budget, paid.cost)
        for attribute in dict.fromkeys(each.attribute for each in balance):
            asked = [each for each in balance if each.attribute == attribute and each.at_least is not None]
            places = sum(each.at_least or 0 for each in asked)
            if places <= 2 * most:
                continue
            keys = [f"{balance_key(each)}.at_least" for each in asked]
            named = ", ".join(f"{key} (line {line(key)})" for key in keys)
            if paid is None or places > 2 * partnerships:
                room = f"{_counted(partnerships)} (line {line('partnerships')}) can have {2 * partnerships}"
            else:
                room = (
                    f"the budget (line {line('budget')}) of {paid.budget:f} pays for {_counted(most)} at "
                    f"cost_per_partnership (line {line('cost_per_partnership')}) of {paid.cost:f}, which can have "
                    f"{2 * most}"
                )
            remedy = f"{named} ask for {places} places; {room}, two each."
            self.entries.wrong(keys[-1], "rules-conflict", remedy, str(places))


def balance_key(balance: Balance) -> str:
    """The dotted key of a rule of balance."""
    if balance.attribute == "sector" and balance.value in SECTORS:
        return f"rules.balance.{balance.value}"
    return f"rules.balance.{balance.attribute}.{balance.value}"
