"""From the two files to a matching."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np

from deploy.cli.match.profiles import Profile, profiles
from deploy.cli.match.schools import SchoolFile, read
from deploy.cli.refusal import Refused
from services.partnership.domain.candidates import Bools, Candidates, Integers, candidates
from services.partnership.domain.contradiction import contradiction
from services.partnership.domain.flow import choose
from services.partnership.domain.instance import INDEX, Instance, instance_of
from services.partnership.domain.matching import STABLE, Outcome, outcome
from services.partnership.domain.optimum import Chosen
from services.partnership.domain.programme import Programme, schools_named
from services.partnership.domain.reading import Parsed, parse
from services.partnership.domain.representation import Represented, representation
from services.partnership.domain.stable import blocking, broken, stable
from services.partnership.domain.wording import in_words

_NAMESPACE = UUID("0f9f3f5e-2f0a-5c57-8e0e-5d1b7c3a9e44")


@dataclass(frozen=True, slots=True)
class Made:
    """Everything that a matching came to, for the table, the JSON and the report."""

    programme: Programme
    file: SchoolFile
    profiles: Sequence[Profile]
    instance: Instance
    found: Candidates
    outcome: Outcome
    blocking: Integers
    """Candidates whose two schools would both rather have each other, and one of which has a partner to leave for it.

    Two schools without a partner are not among them: they are left to the number of partnerships.
    """
    broken: Sequence[str]
    """Of a stable matching: the programme's rules that it does not keep, in words."""
    best: int | None
    """What the optimum weighs, where the matching is a stable one and there is an optimum."""
    seed: int

    @property
    def representation(self) -> list[Represented]:
        """Whom the pairs serve, attribute by attribute."""
        paired = {school for each in self.outcome.proposals for school in (each.host, each.guest)}
        return representation(self.instance, paired)

    @property
    def assumptions(self) -> list[str]:
        """What was taken to be so because no file says it."""
        titles = dict(self.instance.areas)
        assumed = {each.area for each in self.profiles if each.is_assumed}
        if not assumed:
            return []
        named = ", ".join(titles[area] for area in titles if area in assumed)
        return [
            f"Assumed: no column says who is willing in {named}, so every school is taken to be, the neediest as those "
            f"who seek and of the others the strongest as those who offer. No school has been asked."
        ]


def done(programme_file: Path, schools_file: Path, *, seed: int, stable: bool) -> Made:
    """Read, profile, match. Raises Refused."""
    parsed = parse(programme_file.read_bytes())
    if parsed.programme is None:
        said = "; ".join(f"line {each.line}: {each.column or ''}: {each.remedy}" for each in parsed.problems)
        raise Refused(f"{programme_file}: {said}")
    programme = parsed.programme
    areas = [area.code for area in programme.areas]
    file = read(schools_file, parsed.columns, areas)
    ids = _ids(programme_file, parsed, programme, file)
    profiled = profiles(file, areas)
    willing = [one for one in (each.willing for each in profiled) if one is not None]
    matching = uuid5(_NAMESPACE, f"{programme.code}|{seed}")
    schools = [row.school for row in file.rows]
    instance = instance_of(programme, ids, matching=matching, schools=schools, willing=willing)
    instance = replace(instance, seed=seed, shares=INDEX).ordered()
    return _matched(programme, file, profiled, instance, seed, is_stable=stable)


def _matched(
    programme: Programme, file: SchoolFile, profiled: list[Profile], instance: Instance, seed: int, *, is_stable: bool
) -> Made:
    found = candidates(instance)
    best = choose(instance, found)
    none = np.zeros(0, np.int64)
    if is_stable:
        pairs = stable(instance, found, compiled=True)
        weight = int(found.weight[pairs].sum())
        bound = weight if best is None else best.bound
        chosen = Chosen(pairs, weight, bound, STABLE, np.zeros(len(found)))
        says = {said.rule: said.says for said in in_words(instance)}
        unkept = [says[name] for name in broken(instance, found, pairs)]
        made = outcome(instance, found, chosen)
        weighed = None if best is None else best.weight
        return Made(
            programme, file, profiled, instance, found, made, _blocking(instance, found, pairs), unkept, weighed, seed
        )
    if best is None:
        nothing = Outcome((), (), False, contradiction(instance), 0)
        return Made(programme, file, profiled, instance, found, nothing, none, (), None, seed)
    made = outcome(instance, found, best)
    return Made(
        programme, file, profiled, instance, found, made, _blocking(instance, found, best.pairs), (), None, seed
    )  # fmt: skip


def _blocking(instance: Instance, found: Candidates, chosen: Bools) -> Integers:
    both = np.concatenate([found.host[chosen], found.guest[chosen]])
    has_partner = np.bincount(both, minlength=len(instance.willing)) > 0
    every = blocking(instance, found, chosen)
    some: Integers = every[has_partner[found.host[every]] | has_partner[found.guest[every]]]
    return some


def _ids(path: Path, parsed: Parsed, programme: Programme, file: SchoolFile) -> dict[str, UUID]:
    ids = file.ids
    for name in schools_named(programme):
        if name not in ids:
            raise Refused(f"{path}: a rule names the school {name}, and {file.path} has none of that id.")
    return ids
