"""The values of a TOML document, taken one by one; what is wrong with them is noted, so that it comes all at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from services.partnership.domain.places import Places
from services.partnership.domain.problems import Problem, shown

MOST_MONEY = Decimal(10) ** 12
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
_LONGEST = 500

T = TypeVar("T")


@dataclass(slots=True)
class Table:
    """A table of the document: what of it has been asked for is known to be a key."""

    path: str
    entries: Mapping[str, Any]  # TOML's own types
    known: set[str] = field(default_factory=set)

    def at(self, key: str) -> str:
        """The dotted key of one of its entries."""
        return f"{self.path}.{key}" if self.path else key


class Entries:
    """Takes values and notes problems. None where a value is not there or not as it must be."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.problems: list[Problem] = []

    def take(self, table: Table, key: str, *types: type[T], optional: bool = False) -> T | None:
        """The value, if it is there and of one of these types."""
        table.known.add(key)
        if key not in table.entries:
            if not optional:
                self.wrong(table.at(key), "missing", f"Add {key}.")
            return None
        value = table.entries[key]
        if not isinstance(value, types) or isinstance(value, bool) is not (types == (bool,)):
            names = {
                str: "text in quotes", int: "a whole number", Decimal: "a number", dict: "a table", list: "a list",
                bool: "true or false",
            }  # fmt: skip
            self.wrong(table.at(key), "type", f"{key} must be {names[types[0]]}.", value)
            return None
        return value

    def text(self, table: Table, key: str, *, optional: bool = False) -> str | None:
        """A text that is not blank, without control characters."""
        value = self.take(table, key, str, optional=optional)
        if value is not None and (not value.strip() or len(value) > _LONGEST or _CONTROL.search(value)):
            remedy = f"{key} has 1 to {_LONGEST} characters, no control characters among them."
            self.wrong(table.at(key), "text", remedy, value)
            return None
        return value

    def number(self, table: Table, key: str, least: int, most: int, *, optional: bool = False) -> int | None:
        """A whole number within these bounds."""
        value = self.take(table, key, int, optional=optional)
        if value is not None and not least <= value <= most:
            self.wrong(table.at(key), "range", f"{key} is a whole number from {least} to {most}.", value)
            return None
        return value

    def decimal(self, table: Table, key: str, *, optional: bool = False) -> Decimal | None:
        """A number, whole or not."""
        value: Any = self.take(table, key, Decimal, int, optional=optional)  # two types, as mypy cannot follow
        return None if value is None else Decimal(value)

    def fraction(
        self, table: Table, key: str, least: str, most: str, *, optional: bool = False, above: bool = False
    ) -> Decimal | None:
        """A number from `least` (or, with `above`, more than that) to `most`, of at most four decimals."""
        value = self.decimal(table, key, optional=optional)
        if value is None:
            return None
        exponent = value.as_tuple().exponent
        if (
            not value.is_finite()
            or not isinstance(exponent, int)
            or exponent < -4
            or not Decimal(least) <= value <= Decimal(most)
            or (above and value == Decimal(least))
        ):
            begin = f"more than {least} and" if above else f"from {least}"
            remedy = f"{key} is a number {begin} {'at most' if above else 'to'} {most}, with at most four decimals."
            self.wrong(table.at(key), "range", remedy, str(value))
            return None
        return value

    def money(self, table: Table, key: str, *, optional: bool = False) -> Decimal | None:
        """An amount above zero, to the ten-thousandth."""
        money = self.decimal(table, key, optional=optional)
        if money is None:
            return None
        exponent = money.as_tuple().exponent
        if not money.is_finite() or not 0 < money <= MOST_MONEY or not isinstance(exponent, int) or exponent < -4:
            remedy = f"{key} is an amount above 0, at most {MOST_MONEY:f}, with at most four decimals."
            self.wrong(table.at(key), "range", remedy, str(money))
            return None
        return money

    def texts(self, table: Table, key: str, *, optional: bool = False) -> list[str] | None:
        """A list of texts, each once where it is about competencies."""
        values = self.take(table, key, list, optional=optional)
        if values is None:
            return None
        for value in values:
            if not isinstance(value, str) or not value or len(value) > _LONGEST or _CONTROL.search(value):
                remedy = f"{key} is a list of texts of 1 to {_LONGEST} characters."
                self.wrong(table.at(key), "type", remedy, value)
                return None
        return list(dict.fromkeys(values)) if key == "competencies" else values

    def table(self, table: Table, key: str) -> Table:
        """A table that need not be there: empty then."""
        return Table(table.at(key), self.take(table, key, dict, optional=True) or {})

    def tables(self, table: Table, key: str, *, optional: bool = False) -> list[Table] | None:
        """An array of tables."""
        values = self.take(table, key, list, optional=optional)
        if values is None:
            return None
        path = table.at(key)
        if not all(isinstance(value, dict) for value in values):
            self.wrong(path, "type", f"Write each of them as a table of its own: [[{path}]].")
            return None
        return [Table(f"{path}[{number}]", value) for number, value in enumerate(values)]

    def nothing_else(self, table: Table) -> None:
        """Whatever has not been asked for is not a key."""
        for key in table.entries:
            if key not in table.known:
                remedy = f"There is no such key here; there are {', '.join(sorted(table.known))}."
                self.wrong(table.at(key), "unknown-key", remedy, key)

    def line(self, key: str) -> int:
        """The line of a dotted key."""
        return self._places.line(key)

    def wrong(self, key: str, rule: str, remedy: str, value: object = None) -> None:
        """Note a problem."""
        shown_value = None if value is None else shown(value)
        self.problems.append(Problem(self.line(key), shown(key), shown_value, rule, remedy))
