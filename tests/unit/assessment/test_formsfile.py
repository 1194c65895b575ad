"""The forms file: every rule has a place, a name and a remedy."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.assessment.domain import forms, formsfile
from services.assessment.domain.irt import Model
from tests.unit.assessment.examples import ADD, COUNT, DELETE, FORMS, forms_file

ROOT = Path(__file__).parents[3]
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((ROOT / "services" / "assessment" / "forms.schema.json").read_text())
)
ITEM = ("forms", 0, "items", 0)
RUBRIC = ("forms", 0, "items", 1)
FALL = ("administrations", 0)


def parse(document: Any) -> formsfile.Parsed:
    return formsfile.parse(json.dumps(document, indent=1).encode())


def test_a_valid_file_says_what_it_says() -> None:
    parsed = parse(FORMS)

    assert parsed.problems == ()
    assert parsed.file is not None
    first, second = parsed.file.forms
    assert [item.code for item in first.items] == ["m4-001", "m4-002", "m4-003"]
    assert first.items[0].scores == {"A": 0, "B": 1, "C": 0, "D": 0}
    assert first.items[1].scores == {"0": 0, "1": 1, "2": 2, "3": 3}
    assert first.items[2].scores == {"7": 2, "seven": 1}
    assert first.items[1].parameters is not None
    assert first.items[1].parameters.model is Model.GPCM
    assert (first.calibrated, second.calibrated) == (True, False)
    fall = parsed.file.administrations[0]
    assert fall.closes_at - fall.opens_at == (30 * 24 + 5) * 3600 * 1_000_000
    assert set(parsed.file.competencies) == {ADD, COUNT}
    SCHEMA.validate(FORMS)


# what is changed, the rule it breaks, where, and whether the JSON Schema sees it too
BROKEN: list[tuple[tuple[Any, ...], str, str, bool]] = [
    (("format", "trellis-forms/2"), "format", "/format", True),
    (("format", DELETE), "required", "", True),
    (("extra", 1), "unknown-property", "/extra", True),
    (("forms", {}), "type", "/forms", True),
    (("forms", 0, []), "type", "/forms/0", True),
    (("forms", 0, "id", ""), "identifier", "/forms/0/id", True),
    (("forms", 0, "id", " M4"), "identifier", "/forms/0/id", True),
    (("forms", 0, "id", "M4|A"), "identifier", "/forms/0/id", True),
    (("forms", 0, "id", "x" * 101), "identifier", "/forms/0/id", True),
    (("forms", 0, "title", 7), "text", "/forms/0/title", True),
    (("forms", 0, "items", []), "items", "/forms/0/items", True),
    (("forms", 0, "parameterVersion", DELETE), "parameter-version", "/forms/0", False),
    (("forms", 1, "id", "M4-A"), "duplicate-form", "/forms/1/id", False),
    ((*ITEM, "id", "m4-002"), "duplicate-item", "/forms/0/items/1/id", False),
    ((*ITEM, "id", "modality"), "identifier", "/forms/0/items/0/id", True),
    ((*ITEM, "maximum", 0), "maximum", "/forms/0/items/0/maximum", True),
    ((*ITEM, "maximum", 251), "maximum", "/forms/0/items/0/maximum", True),
    ((*ITEM, "maximum", 1.5), "maximum", "/forms/0/items/0/maximum", True),
    ((*ITEM, "maximum", True), "maximum", "/forms/0/items/0/maximum", True),
    ((*ITEM, "competencies", ADD), "type", "/forms/0/items/0/competencies", True),
    ((*ITEM, "competencies", [ADD, ADD]), "duplicate-reference", "/forms/0/items/0/competencies/1", True),
    ((*ITEM, "options", []), "type", "/forms/0/items/0/options", True),
    ((*ITEM, "options", ["A", "B", "A"]), "duplicate-option", "/forms/0/items/0/options/2", True),
    ((*ITEM, "options", ["A", "B", "-"]), "reserved-response", "/forms/0/items/0/options/2", True),
    ((*ITEM, "key", "E"), "key-outside-options", "/forms/0/items/0/key", False),
    ((*ITEM, "key", DELETE), "key-or-rubric", "/forms/0/items/0", True),
    ((*ITEM, "key", {"B": 2}), "score", "/forms/0/items/0/key/B", False),
    ((*ITEM, "key", {"B": 0}), "maximum-unreachable", "/forms/0/items/0/key", False),
    ((*ITEM, "key", {}), "type", "/forms/0/items/0/key", True),
    ((*ITEM, "key", "/"), "reserved-response", "/forms/0/items/0/key", True),
    ((*RUBRIC, "key", "3"), "key-or-rubric", "/forms/0/items/1", True),
    ((*RUBRIC, "options", ["3"]), "key-or-rubric", "/forms/0/items/1/options", True),
    ((*RUBRIC, "rubric", {"0": "", "4": ""}), "rubric", "/forms/0/items/1/rubric/4", False),
    ((*RUBRIC, "rubric", {"0": "", "03": ""}), "rubric", "/forms/0/items/1/rubric/03", True),
    ((*RUBRIC, "rubric", {"0": "", "2": ""}), "maximum-unreachable", "/forms/0/items/1/rubric", False),
    ((*ITEM, "parameters", "model", "4pl"), "unknown-model", "/forms/0/items/0/parameters/model", True),
    ((*ITEM, "parameters", "a", 0), "parameters", "/forms/0/items/0/parameters/a", True),
    ((*ITEM, "parameters", "a", "1"), "parameters", "/forms/0/items/0/parameters/a", True),
    ((*ITEM, "parameters", "a", DELETE), "required", "/forms/0/items/0/parameters", True),
    ((*ITEM, "parameters", "b", 21), "parameters", "/forms/0/items/0/parameters/b", True),
    ((*ITEM, "parameters", "b", [0]), "parameters", "/forms/0/items/0/parameters/b", True),
    ((*ITEM, "parameters", "c", 0.2), "parameters", "/forms/0/items/0/parameters/c", True),
    ((*ITEM, "parameters", {"model": "3pl", "a": 1, "b": 0}), "parameters", "/forms/0/items/0/parameters/c", True),
    ((*ITEM, "parameters", {"model": "rasch", "a": 2, "b": 0}), "parameters", "/forms/0/items/0/parameters/a", True),
    ((*RUBRIC, "parameters", "b", [0, 1]), "parameters", "/forms/0/items/1/parameters/b", False),
    ((*RUBRIC, "parameters", "model", "2pl"), "parameters", "/forms/0/items/1/parameters/b", True),
    (
        (*RUBRIC, "parameters", {"model": "grm", "a": 1, "b": [0, 1, 1]}),
        "parameters",
        "/forms/0/items/1/parameters/b",
        False,
    ),
    (("forms", 1, "items", 0, "id", "m4-001"), "item-differs", "/forms/1/items/0", False),
    ((*FALL, "purpose", "ranking"), "purpose", "/administrations/0/purpose", True),
    ((*FALL, "opensAt", "2026-09-01"), "time", "/administrations/0/opensAt", True),
    ((*FALL, "opensAt", "2026-09-01T00:00:00"), "time", "/administrations/0/opensAt", True),
    ((*FALL, "opensAt", "2026-09-31T00:00:00Z"), "time", "/administrations/0/opensAt", False),
    ((*FALL, "opensAt", "0001-01-01T00:00:00+05:00"), "time", "/administrations/0/opensAt", False),
    ((*FALL, "closesAt", "9999-12-31T23:59:59-05:00"), "time", "/administrations/0/closesAt", False),
    ((*FALL, "opensAt", "2027-09-01T00:00:00Z"), "window", "/administrations/0/closesAt", False),
    ((*FALL, "forms", []), "type", "/administrations/0/forms", True),
    ((*FALL, "forms", ["M4-A", "M4-A"]), "duplicate-reference", "/administrations/0/forms/1", True),
    ((*FALL, "id", "2026-check"), "duplicate-administration", "/administrations/1/id", False),
]


@pytest.mark.parametrize(("change", "rule", "pointer", "in_schema"), BROKEN)
def test_a_broken_rule_is_named_and_placed(change: tuple[Any, ...], rule: str, pointer: str, in_schema: bool) -> None:
    document = forms_file(*change)

    parsed = parse(document)

    assert (rule, pointer) in [(problem.rule, problem.column) for problem in parsed.problems]
    assert all(problem.line and problem.remedy for problem in parsed.problems)
    assert SCHEMA.is_valid(document) is not in_schema


def test_a_problem_names_the_line() -> None:
    text = json.dumps(forms_file(*ITEM, "maximum", 0), indent=1)

    [problem] = [one for one in formsfile.parse(text.encode()).problems if one.rule == "maximum"]

    assert text.split("\n")[(problem.line or 0) - 1].strip() == '"maximum": 0,'
    assert problem.value == "0"


@pytest.mark.parametrize(
    ("content", "rule", "line"),
    [
        (b"", "json", 1),
        (json.dumps(FORMS, indent=1).encode()[:400], "json", None),
        (b'{\n"format": "trellis-forms/1", "forms": [NaN]}', "json", None),
        (b'{"format": "trellis-forms/1", "format": "trellis-forms/1"}', "duplicate-property", None),
        (b'{\n"format": "\xff\xfe"}', "not-utf8", 2),
        (b'{"format": "trellis-forms/1"}', "empty", 1),
        (b"[" * 100_000, "json", None),
        (b'{"format": ' + b"9" * 5_000 + b"}", "json", None),
        (b"[]", "type", 1),
    ],
)
def test_a_file_that_is_not_such_a_file_is_refused(content: bytes, rule: str, line: int | None) -> None:
    parsed = formsfile.parse(content)

    assert parsed.file is None
    assert [problem.rule for problem in parsed.problems] == [rule]
    assert line is None or parsed.problems[0].line == line


def test_a_byte_order_mark_is_fine() -> None:
    assert formsfile.parse(b"\xef\xbb\xbf" + json.dumps(FORMS).encode()).problems == ()


def test_valid_records_stand_beside_broken_ones() -> None:
    parsed = parse(forms_file(*ITEM, "maximum", 0))

    assert parsed.file is not None
    assert [form.code for form in parsed.file.forms] == ["M4-B"]
    assert parsed.file.administrations == ()
    assert parsed.file.refused == 3
    assert [(problem.rule, problem.column) for problem in parsed.file.fallen] == [
        ("form-refused", "/administrations/0/forms/0"),
        ("form-refused", "/administrations/1/forms/0"),
    ]


def test_the_content_hash_sees_meaning_and_not_spelling() -> None:
    def hash_of(document: dict[str, Any]) -> str:
        parsed = parse(document)
        assert parsed.file is not None
        return forms.content_hash(parsed.file.forms[0])

    spelled = forms_file(*RUBRIC, "parameters", {"b": [-1, 0.1, 0.9], "a": 0.8, "model": "gpcm"})

    assert hash_of(FORMS) == hash_of(spelled)
    assert hash_of(FORMS) != hash_of(forms_file(*ITEM, "key", "C"))


def test_a_form_comes_back_from_its_content() -> None:
    parsed = parse(FORMS)
    assert parsed.file is not None

    for form in parsed.file.forms:
        assert forms.from_content(json.loads(json.dumps(forms.content(form)))) == form


def test_thousands_of_problems_are_counted_and_the_first_thousand_kept() -> None:
    items = [{"id": f"i{number}", "maximum": 0, "competencies": [], "key": "A"} for number in range(900)]
    document = {"format": "trellis-forms/1", "forms": [{"id": f, "title": f, "items": items} for f in ("A", "B")]}

    parsed = parse(document)

    assert parsed.problem_count == 1_800
    assert len(parsed.problems) == formsfile.MOST_PROBLEMS


def test_every_rule_is_in_the_documentation() -> None:
    described = (ROOT / "docs" / "forms.md").read_text()
    rules = {rule for _, rule, _, _ in BROKEN} | {"not-utf8", "json", "duplicate-property", "empty", "form-refused"}
    rules |= set(
        re.findall(r'"(unknown-\w+|file-too-large)"', (ROOT / "services/assessment/handlers/forms.py").read_text())
    )

    assert {rule for rule in rules if f"`{rule}`" not in described} == set()
