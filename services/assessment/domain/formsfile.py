"""The forms file `trellis-forms/1`: every rule, and where it is broken.

The rules are those of `forms.schema.json` and, beyond what a schema can say, of docs/forms.md. Written by hand because
a city's file has tens of thousands of items: a schema library takes a millisecond for each.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NoReturn, TypeVar

from services.assessment.domain.forms import FORMAT, Administration, Form, Item, Purpose
from services.assessment.domain.irt import DICHOTOMOUS, HIGHEST_SCORE, Model, Parameters
from services.assessment.domain.locations import lines, pointer
from services.assessment.domain.problems import Problem, shown
from services.assessment.domain.scoring import SPECIAL
from services.assessment.domain.times import microseconds

FIXED_COLUMNS = ("administration", "student", "form", "completed_at", "modality")
STATUS_COLUMN = "status"
LONGEST_CODE = 100
LONGEST_TEXT = 1_000
MOST_ITEMS = 1_000
MOST_PROBLEMS = 1_000  # kept; the others are counted
LARGEST_SLOPE = 10.0
LARGEST_THRESHOLD = 20.0

_INNER, _OUTER = r"[^\x00-\x1f\x7f|\ud800-\udfff]", r"[^\x00-\x20\x7f|\ud800-\udfff]"
_CODE = re.compile(rf"{_OUTER}(?:{_INNER}*{_OUTER})?\Z")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class FormsFile:
    """The valid records of a file, with the pointers of everything that refers to something outside it."""

    forms: tuple[Form, ...]
    administrations: tuple[Administration, ...]
    refused: int
    """How many forms and administrations are not valid."""
    competencies: Mapping[str, tuple[str, ...]]
    """Where each competency identifier is named."""
    unknown_forms: Mapping[str, tuple[str, ...]]
    """Where an administration names a form that is not in the file, and must be known already."""
    fallen: tuple[Problem, ...]
    """Administrations that are refused only because a form of theirs is."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A forms file, read. Without `file` nothing of it can be used. Beyond the first thousand problems are counted."""

    file: FormsFile | None
    problems: tuple[Problem, ...]
    problem_count: int


def _unusable(problem: Problem) -> Parsed:
    return Parsed(None, (problem,), 1)


def parse(content: bytes) -> Parsed:
    """Read a forms file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        value = content[wrong.start : wrong.start + 4].hex(" ")
        return _unusable(Problem(line, None, value, "not-utf8", "Save the file as UTF-8."))
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as wrong:
        remedy = f"The file is not JSON from here on ({wrong.msg}, character {wrong.colno}); it may be cut off."
        return _unusable(Problem(wrong.lineno, None, shown(text[wrong.pos : wrong.pos + 40]), "json", remedy))
    except _NotJson as wrong:
        return _unusable(Problem(None, None, shown(wrong.value), wrong.rule, wrong.remedy))
    except ValueError:
        return _unusable(Problem(None, None, None, "json", "The file has a number of thousands of digits."))
    except RecursionError:
        return _unusable(Problem(None, None, None, "json", "The file is nested too deeply."))
    check = _Check()
    found = check.file(document)
    problems, fallen = located(text, check.problems), located(text, found.fallen if found else ())
    return Parsed(replace(found, fallen=fallen) if found else None, problems, check.count)


def located(text: str, problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The same problems, each with the line of its pointer."""
    if not problems:
        return ()
    line_of = lines(text, {problem.column or "" for problem in problems})
    return tuple(problem._replace(line=line_of[problem.column or ""]) for problem in problems)


class _NotJson(Exception):
    """A way out of the parser."""

    def __init__(self, rule: str, value: str, remedy: str) -> None:
        self.rule, self.value, self.remedy = rule, value, remedy


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _NotJson("duplicate-property", twice, "An object names this property twice; keep one of them.")
    return made


def _no_constant(value: str) -> NoReturn:
    raise _NotJson("json", value, "JSON has no such number; leave the property out or give a finite number.")


class _Check:
    """Walks the document once and notes every broken rule with its pointer."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.count = 0
        self._competencies: dict[str, list[str]] = {}
        self._items: dict[str, tuple[str, Item]] = {}

    def refuse(self, at: str, value: object, rule: str, remedy: str) -> None:
        self.count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(None, at, shown(value), rule, remedy))

    def file(self, document: Any) -> FormsFile | None:
        known = {"format", "forms", "administrations"}
        if not self._object(document, "", required={"format"}, known=known):
            return None
        if document["format"] != FORMAT:
            self.refuse("/format", document["format"], "format", f'Write "format": "{FORMAT}".')
            return None
        if not document.get("forms") and not document.get("administrations"):
            self.refuse("", None, "empty", "Give at least one form or one administration.")
            return None
        forms, all_forms = self._records(document, "forms", self._form, "duplicate-form")
        planned, all_planned = self._records(
            document, "administrations", self._administration, "duplicate-administration"
        )
        here = {form.code for _, form in forms}
        elsewhere: dict[str, list[str]] = {}
        fallen: list[Problem] = []
        standing: list[Administration] = []
        for at, each in planned:
            broken = [place for place, code in enumerate(each.forms) if code in all_forms and code not in here]
            for place in broken:
                remedy = "This form of the file is refused; correct it and send both again."
                fallen.append(Problem(None, at + pointer("forms", place), each.forms[place], "form-refused", remedy))
            if not broken:
                standing.append(each)
            for place, code in enumerate(each.forms):
                if code not in all_forms:
                    elsewhere.setdefault(code, []).append(at + pointer("forms", place))
        return FormsFile(
            forms=tuple(form for _, form in forms),
            administrations=tuple(standing),
            refused=len(all_forms) + len(all_planned) - len(forms) - len(standing),
            competencies={name: tuple(places) for name, places in self._competencies.items()},
            unknown_forms={name: tuple(places) for name, places in elsewhere.items()},
            fallen=tuple(fallen),
        )

    def _records(
        self, document: dict[str, Any], name: str, make: Callable[[Any, str], Made | None], twice: str
    ) -> tuple[list[tuple[str, Made]], list[Any]]:
        """The valid records of a list with their pointers, and what every record calls itself."""
        made: list[tuple[str, Made]] = []
        names: list[Any] = []
        for at, given in self._each(document, "", name):
            before = self.count
            record = make(given, at)
            code = given.get("id") if isinstance(given, dict) else None
            if code is not None and code in names:
                self.refuse(at + "/id", code, twice, "This id is used twice in the file; rename or remove one.")
            names.append(code)
            if record is not None and self.count == before:
                made.append((at, record))
        return made, names

    # forms

    def _form(self, given: Any, at: str) -> Form | None:
        known = {"id", "title", "parameterVersion", "items"}
        if not self._object(given, at, required={"id", "title", "items"}, known=known):
            return None
        code, title = self._code(given["id"], at + "/id"), self._text(given["title"], at + "/title")
        version = None
        if "parameterVersion" in given:
            version = self._code(given["parameterVersion"], at + "/parameterVersion")
        if isinstance(given["items"], list) and not 1 <= len(given["items"]) <= MOST_ITEMS:
            self.refuse(at + "/items", len(given["items"]), "items", f"A form has 1 to {MOST_ITEMS} items.")
        items: dict[str, Item] = {}
        for place, each in self._each(given, at, "items"):
            item = self._item(each, place)
            if item is not None and item.code in items:
                remedy = "This id is used twice in the form; rename or remove one."
                self.refuse(place + "/id", item.code, "duplicate-item", remedy)
            if item is not None:
                items[item.code] = item
        if "parameterVersion" not in given and any(item.parameters for item in items.values()):
            remedy = "Items have parameters: name their calibration in parameterVersion."
            self.refuse(at, None, "parameter-version", remedy)
        if code is None or title is None:
            return None
        return Form(code=code, title=title, items=tuple(items.values()), parameter_version=version)

    def _item(self, given: Any, at: str) -> Item | None:
        known = {"id", "maximum", "competencies", "options", "key", "rubric", "parameters"}
        if not self._object(given, at, required={"id", "maximum", "competencies"}, known=known):
            return None
        before = self.count
        code = self._code(given["id"], at + "/id")
        if code in (*FIXED_COLUMNS, STATUS_COLUMN):
            self.refuse(at + "/id", code, "identifier", "An answer sheet has a column of this name that is no item's.")
        maximum = self._integer(given["maximum"], at + "/maximum", 1, HIGHEST_SCORE, "maximum")
        competencies = self._competencies_of(given["competencies"], at + "/competencies")
        if maximum is None:
            return None
        options = self._options(given["options"], at + "/options") if "options" in given else None
        if ("key" in given) == ("rubric" in given):
            self.refuse(at, None, "key-or-rubric", "Give the item either a key or a rubric.")
            return None
        key: dict[str, int] = {}
        rubric: dict[str, str] = {}
        if "key" in given:
            key = self._key(given["key"], at + "/key", maximum, options)
        else:
            if options is not None:
                self.refuse(
                    at + "/options", None, "key-or-rubric", "An item with a rubric has no options; remove them."
                )
            rubric = self._rubric(given["rubric"], at + "/rubric", maximum)
        parameters = None
        if "parameters" in given:
            parameters = self._parameters(given["parameters"], at + "/parameters", maximum)
        if self.count > before or code is None:
            return None
        item = Item(
            code=code,
            maximum=maximum,
            competencies=competencies,
            key=tuple(sorted(key.items())),
            options=options,
            rubric=tuple(sorted(rubric.items())),
            parameters=parameters,
        )
        self._one_meaning(item, at)
        return item

    def _one_meaning(self, item: Item, at: str) -> None:
        first_at, first = self._items.setdefault(item.code, (at, item))
        same = (item.maximum, item.competencies, item.scores, item.closed) == (
            first.maximum,
            first.competencies,
            first.scores,
            first.closed,
        )
        if not same:
            remedy = f"An item id names one item; this one differs from {first_at}. Make them equal or rename one."
            self.refuse(at, item.code, "item-differs", remedy)

    def _competencies_of(self, given: Any, at: str) -> tuple[str, ...]:
        found: list[str] = []
        if not isinstance(given, list):
            self.refuse(at, given, "type", "Give a list of competency identifiers.")
            return ()
        for place, each in enumerate(given):
            here = at + pointer(place)
            name = self._code(each, here)
            if name is None:
                continue
            if name in found:
                self.refuse(here, name, "duplicate-reference", "Name each competency once.")
            found.append(name)
            self._competencies.setdefault(name, []).append(here)
        return tuple(found)

    def _options(self, given: Any, at: str) -> tuple[str, ...] | None:
        if not isinstance(given, list) or not given:
            self.refuse(at, given, "type", "Give a list of the allowed responses, or leave options out.")
            return None
        found: list[str] = []
        for place, each in enumerate(given):
            here = at + pointer(place)
            response = self._response(each, here)
            if response in found:
                self.refuse(here, response, "duplicate-option", "Name each response once.")
            if response is not None:
                found.append(response)
        return tuple(found)

    def _key(self, given: Any, at: str, maximum: int, options: tuple[str, ...] | None) -> dict[str, int]:
        if isinstance(given, str):
            response = self._response(given, at)
            if response is None:
                return {}
            if options is not None and response not in options:
                remedy = "The key is not among the options; correct it or add it to them."
                self.refuse(at, response, "key-outside-options", remedy)
            return {response: maximum}
        if not isinstance(given, dict) or not given:
            self.refuse(at, given, "type", "Give the right response, or an object of responses and their scores.")
            return {}
        made: dict[str, int] = {}
        for response, score in given.items():
            here = at + pointer(response)
            points = self._integer(score, here, 0, maximum, "score")
            if self._response(response, here) is not None and points is not None:
                made[response] = points
        self._reachable(made.values(), at, maximum)
        return made

    def _rubric(self, given: Any, at: str, maximum: int) -> dict[str, str]:
        if not isinstance(given, dict) or not given:
            self.refuse(at, given, "type", 'Give an object that describes each score, such as {"0": "…", "1": "…"}.')
            return {}
        made: dict[str, str] = {}
        for level, meaning in given.items():
            here = at + pointer(level)
            if not re.fullmatch(r"0|[1-9][0-9]{0,2}", level) or int(level) > maximum:
                self.refuse(here, level, "rubric", f"The rubric's names are scores from 0 to {maximum}.")
            else:
                made[level] = self._text(meaning, here, empty=True) or ""
        self._reachable(map(int, made), at, maximum)
        return made

    def _reachable(self, scores: Any, at: str, maximum: int) -> None:
        if max(scores, default=maximum) != maximum:
            self.refuse(at, maximum, "maximum-unreachable", "No response earns the maximum; lower it or add one.")

    def _parameters(self, given: Any, at: str, maximum: int) -> Parameters | None:
        if not self._object(given, at, required={"model", "b"}, known={"model", "a", "b", "c"}):
            return None
        if given["model"] not in list(Model):
            models = ", ".join(Model)
            self.refuse(at + "/model", given["model"], "unknown-model", f"Use one of {models}.")
            return None
        model, before = Model(given["model"]), self.count
        a = self._number(given.get("a", 1), at + "/a", 0, LARGEST_SLOPE, "The slope a is above 0 and at most 10.")
        if model in (Model.RASCH, Model.PCM) and a is not None and a != 1:
            self.refuse(at + "/a", a, "parameters", f"The model {model} has slope 1; leave a out or use another model.")
        if model in (Model.TWO_PL, Model.THREE_PL, Model.GRM, Model.GPCM) and "a" not in given:
            self.refuse(at, None, "required", f"The model {model} needs a slope a.")
        b = self._thresholds(given["b"], at + "/b", model, maximum)
        c = 0.0
        if model is Model.THREE_PL:
            asked = given.get("c")
            if isinstance(asked, bool) or not isinstance(asked, int | float) or not 0 <= asked < 1:
                self.refuse(at + "/c", asked, "parameters", "The model 3pl needs an asymptote c from 0 to below 1.")
            else:
                c = float(asked)
        elif "c" in given:
            self.refuse(at + "/c", given["c"], "parameters", "Only the model 3pl has a lower asymptote; leave c out.")
        if self.count > before or a is None:
            return None
        return Parameters(model=model, a=a, b=b, c=c)

    def _thresholds(self, given: Any, at: str, model: Model, maximum: int) -> tuple[float, ...]:
        within = f"A threshold b is a number of logits between -{LARGEST_THRESHOLD:g} and {LARGEST_THRESHOLD:g}."
        if model in DICHOTOMOUS:
            if maximum != 1:
                self.refuse(at, maximum, "parameters", f"The model {model} is for items with maximum 1.")
            one = self._number(given, at, -LARGEST_THRESHOLD, LARGEST_THRESHOLD, within, low_open=False)
            return () if one is None else (one,)
        if not isinstance(given, list) or len(given) != maximum:
            remedy = f"The model {model} needs a list of {maximum} thresholds, one per point of the maximum."
            self.refuse(at, given, "parameters", remedy)
            return ()
        found = [
            self._number(each, at + pointer(place), -LARGEST_THRESHOLD, LARGEST_THRESHOLD, within, low_open=False)
            for place, each in enumerate(given)
        ]
        steps = tuple(step for step in found if step is not None)
        if model is Model.GRM and any(left >= right for left, right in pairwise(steps)):
            self.refuse(at, given, "parameters", "The thresholds of the model grm increase from one to the next.")
        return steps

    # administrations

    def _administration(self, given: Any, at: str) -> Administration | None:
        names = {"id", "title", "purpose", "opensAt", "closesAt", "forms"}
        if not self._object(given, at, required=names, known=names):
            return None
        before = self.count
        code, title = self._code(given["id"], at + "/id"), self._text(given["title"], at + "/title")
        if given["purpose"] not in list(Purpose):
            self.refuse(at + "/purpose", given["purpose"], "purpose", "Use one of diagnostic, formative, summative.")
        opens, closes = self._time(given["opensAt"], at + "/opensAt"), self._time(given["closesAt"], at + "/closesAt")
        if opens is not None and closes is not None and opens >= closes:
            self.refuse(at + "/closesAt", given["closesAt"], "window", "The window closes after it opens.")
        forms: list[str] = []
        if not isinstance(given["forms"], list) or not given["forms"]:
            self.refuse(at + "/forms", given["forms"], "type", "Give a list of at least one form's id.")
        else:
            for place, each in enumerate(given["forms"]):
                name = self._code(each, at + pointer("forms", place))
                if name in forms:
                    self.refuse(at + pointer("forms", place), name, "duplicate-reference", "Name each form once.")
                forms.append(name or "")
        if self.count > before or code is None or title is None or opens is None or closes is None:
            return None
        return Administration(code, title, Purpose(given["purpose"]), opens, closes, tuple(forms))

    # values

    def _object(self, given: Any, at: str, *, required: set[str], known: set[str]) -> bool:
        if not isinstance(given, dict):
            self.refuse(at, given, "type", "An object is expected here.")
            return False
        for name in sorted(given.keys() - known):
            self.refuse(at + pointer(name), name, "unknown-property", f"Known here: {', '.join(sorted(known))}.")
        for name in sorted(required - given.keys()):
            self.refuse(at, name, "required", f"Add the property {name}.")
        return required <= given.keys()

    def _each(self, holder: dict[str, Any], at: str, name: str) -> list[tuple[str, Any]]:
        given, here = holder.get(name, []), at + pointer(name)
        if not isinstance(given, list):
            self.refuse(here, given, "type", "A list is expected here.")
            return []
        return [(here + pointer(place), each) for place, each in enumerate(given)]

    def _code(self, given: Any, at: str) -> str | None:
        if isinstance(given, str) and len(given) <= LONGEST_CODE and _CODE.match(given):
            return given
        remedy = f"Give 1 to {LONGEST_CODE} characters, without spaces around, control characters or |."
        self.refuse(at, given, "identifier", remedy)
        return None

    def _text(self, given: Any, at: str, *, empty: bool = False) -> str | None:
        writable = isinstance(given, str) and len(given) <= LONGEST_TEXT and not _UNWRITABLE.search(given)
        if writable and (given.strip() or empty):
            return str(given)
        self.refuse(at, given, "text", f"Give at most {LONGEST_TEXT} characters, without control characters.")
        return None

    def _response(self, given: Any, at: str) -> str | None:
        if not isinstance(given, str) or len(given) > LONGEST_TEXT or _UNWRITABLE.search(given):
            self.refuse(at, given, "text", f"A response is text of at most {LONGEST_TEXT} characters.")
            return None
        if given in SPECIAL or given != given.strip():
            remedy = "Empty, - and / mean not presented, omitted, not reached; spaces around are no part of a response."
            self.refuse(at, given, "reserved-response", remedy)
            return None
        return given

    def _integer(self, given: Any, at: str, low: int, high: int, rule: str) -> int | None:
        if (
            not isinstance(given, bool)
            and isinstance(given, int | float)
            and given == given // 1
            and low <= given <= high
        ):
            return int(given)
        self.refuse(at, given, rule, f"Give a whole number from {low} to {high}.")
        return None

    def _number(
        self, given: Any, at: str, low: float, high: float, remedy: str, *, low_open: bool = True
    ) -> float | None:
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if number and low <= given <= high and (given > low or not low_open):
            return float(given)
        self.refuse(at, given, "parameters", remedy)
        return None

    def _time(self, given: Any, at: str) -> int | None:
        found = microseconds(given) if isinstance(given, str) else None
        if found is None:
            self.refuse(at, given, "time", "Write a time with its offset, such as 2026-09-01T08:00:00-05:00.")
        return found
