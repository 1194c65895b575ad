"""Which rules of a programme cannot be met together: an irreducible set, in words.

Found by the deletion filter (Chinneck & Dravnieks 1991): leave one kind of rule out; where there is still no solution
it does not matter and stays out; where there is one, it is part of the contradiction.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from services.partnership.domain.candidates import ALL, Rules, candidates
from services.partnership.domain.instance import Instance
from services.partnership.domain.optimum import feasible


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of rule: what it says, and the rules without it."""

    says: str
    without: Callable[[Rules], Rules]


def contradiction(instance: Instance) -> str:
    """Why no choice of partnerships meets this programme's rules. Only for an instance that has none."""
    kept, rules = [], ALL
    for kind in _kinds(instance):
        fewer = kind.without(rules)
        if feasible(instance, candidates(instance, fewer), fewer):
            kept.append(kind.says)
        else:
            rules = fewer
    asked = [says for says in kept if says.startswith("at least")]
    others = [says for says in kept if not says.startswith("at least")]
    if not others and len(asked) == 1:
        return f"Too few schools are willing: the programme asks for {asked[0]}."
    listed = "; ".join([*asked, *others])
    return f"These rules cannot be met together with the schools that are willing: {listed}."


def _kinds(instance: Instance) -> list[_Kind]:
    """The kinds of rules there are, those that a district gives up most easily first."""
    kinds = [
        _Kind("the conflicts that it names", lambda rules: replace(rules, conflicts=False)),
        _Kind("pairs that were declined are not proposed again", lambda rules: replace(rules, declined=False)),
        _Kind("the capacities that the schools declare", lambda rules: replace(rules, capacity=False)),
        _Kind(f"at most {_counted(instance.partnerships)}", lambda rules: replace(rules, number=False)),
        _Kind(f"a budget that pays for {_counted(instance.affordable)}", lambda rules: replace(rules, budget=False)),
    ]
    if not instance.conflicts:
        del kinds[0]
    if not instance.declined:
        kinds = [kind for kind in kinds if "declined" not in kind.says]
    if instance.max_distance_km is not None:
        km = f"a distance of at most {instance.max_distance_km:g} km"
        kinds.append(_Kind(km, lambda rules: replace(rules, distance=False)))
    for each in instance.balance:
        for key, words, places in (("at_most", "at most", each.at_most), ("at_least", "at least", each.at_least)):
            if places is not None:
                kinds.append(
                    _Kind(f"{words} {places} places for {each.sector} schools", _without(each.sector, key))
                )  # fmt: skip
    return kinds


def _without(sector: str, kind: str) -> Callable[[Rules], Rules]:
    return lambda rules: replace(rules, dropped_balance=rules.dropped_balance | {(sector, kind)})


def _counted(partnerships: int) -> str:
    return f"{partnerships} partnership{'s' * (partnerships != 1)}"
