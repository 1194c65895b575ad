"""Cases: drawn by schemathesis from the official descriptions, asked of the platform, and what came back checked."""

import random
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conformance import questions
from tests.conformance.district import WRITTEN, District, Place
from tests.conformance.official import METHODS, Described


def not_too_busy(_context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """429 is documented everywhere, so it breaks nothing; but nobody else is asking."""
    if response.status_code == 429:
        raise Failure(operation=case.operation.label, title="Too busy", message=response.text[:300])


_CHECKS = [
    not_too_busy,
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_AS_DRAWN = 0.15
"""So many queries and bodies stay as schemathesis drew them from the schemas."""
_UNKNOWN = 0.04
"""So many paths name what schemathesis drew, which nobody has."""


@dataclass(slots=True)
class Violation:
    """Answers of an operation that broke the same rule: how many, and how to see the first of them again."""

    rule: str
    told: str
    curl: str
    count: int = 1


@dataclass(slots=True)
class Outcome:
    """What came of an operation's cases."""

    service: str
    method: str
    path: str
    statuses: Counter[int] = field(default_factory=Counter)
    with_something: int = 0
    violations: dict[str, Violation] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def cases(self) -> int:
        return self.statuses.total()

    @property
    def share(self) -> float:
        """How many of the cases answered 200 and had something to tell."""
        return self.with_something / self.cases if self.cases else 0.0

    def broke(self, failure: Failure, curl: str) -> None:
        key = f"{failure.title}: {failure.message[:160]}"
        if key in self.violations:
            self.violations[key].count += 1
        else:
            self.violations[key] = Violation(failure.title, failure.message[:1_500], curl)


class Conformance:
    """The cases of all operations, from one seed."""

    def __init__(self, described: list[Described], district: District, key: str, *, seed: int) -> None:
        self._described = described
        self._district = district
        self._seed = seed
        self._session = requests.Session()
        self._headers = {"authorization": f"Bearer {key}"}
        self._drawn: Counter[str] = Counter()

    def run(self, total: int, only: str | None = None) -> Iterator[Outcome]:
        """So many cases over all operations, or those whose name has `only` in it."""
        asked = sorted(
            (
                (METHODS.index(method), place, described, method, path)
                for place, described in enumerate(self._described)
                for method, path in described.operations()
                if only is None or only in f"{method.upper()} {described.service}{path}"
            ),
            key=lambda one: one[:2],
        )
        each, more = divmod(total, len(asked))
        for number, (_, _, described, method, path) in enumerate(asked):
            yield self._operation(described, method, path, each + (number < more))

    def _operation(self, described: Described, method: str, path: str, count: int) -> Outcome:
        outcome = Outcome(described.service, method, path)
        places = self._district.places(described.service, method, path)
        fields = described.fields(method, path)
        schema = schemathesis.openapi.from_dict(described.raw)

        @schema.hook
        def flatmap_case(_context: schemathesis.HookContext, case: schemathesis.Case) -> st.SearchStrategy[Any]:
            self._drawn[f"{method} {path}"] += 1
            rng = random.Random(f"{self._seed}/{method}/{path}/{self._drawn[f'{method} {path}']}")
            return st.just(self._arranged(case, places, fields, rng))

        operation = schema[path][method.upper()]
        rounds = 0
        while outcome.cases < count and rounds < 50:
            rounds += 1

            @seed(zlib.crc32(f"{self._seed}/{described.service}/{method}/{path}/{rounds}".encode()))
            @settings(
                max_examples=count - outcome.cases,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),  # cases are made as the descriptions are, slowly or not
            )
            @given(case=operation.as_strategy())
            def ask(case: schemathesis.Case) -> None:
                if outcome.cases < count:
                    self._ask(case, described.address, outcome)

            ask()
        return outcome

    def _arranged(self, case: Any, places: list[Place], fields: dict[str, dict[str, Any]], rng: random.Random) -> Any:
        """The case, at a place of this district and with a query or a body that make sense there."""
        place = rng.choice(places) if places else Place({})
        method = case.method.lower()
        holes = dict(place.holes)
        if method == "put" and rng.random() < 0.7:
            holes["sourcedId"] = f"{WRITTEN}{case.path.split('/')[1]}-{rng.randint(1, 10**9)}"
        if case.path_parameters and set(holes) == set(case.path_parameters) and rng.random() > _UNKNOWN:
            case.path_parameters = holes
        if rng.random() < _AS_DRAWN:
            return case
        if method == "get":
            of_one = case.path.endswith("}")
            query = questions.object_query(fields, rng) if of_one else questions.list_query(fields, place, rng)
            case.query = query if rng.random() < 0.9 else {}
        elif isinstance(case.body, dict):
            case.body = questions.mended(case.body, self._district, case.path_parameters or {}, rng)
        return case

    def _ask(self, case: Any, address: str, outcome: Outcome) -> None:
        response = case.call(base_url=address, session=self._session, headers=self._headers)
        outcome.statuses[response.status_code] += 1
        if response.status_code == 200 and _tells_something(response):
            outcome.with_something += 1
        if response.status_code >= 400:
            outcome.refusals[f"{response.status_code} {_said(response)}"] += 1
        try:
            case.validate_response(response, checks=_CHECKS, headers=self._headers)
        except FailureGroup as several:
            for failure in several.exceptions:
                outcome.broke(failure, case.as_curl_command(base_url=address))


def _said(response: Any) -> str:
    """The sentence of a refusal, without the values it speaks of."""
    try:
        sentence = str(response.json().get("imsx_description", ""))
    except (ValueError, AttributeError):
        sentence = response.text
    return re.sub(r"'[^']*'|\"[^\"]*\"", "…", sentence)[:200]


def _tells_something(response: Any) -> bool:
    try:
        answer = response.json()
    except ValueError:
        return False
    return isinstance(answer, dict) and any(bool(one) for one in answer.values())
