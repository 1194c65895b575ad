"""Which rules of a programme cannot be met together: an irreducible set, in words.

Found by the deletion filter (Chinneck & Dravnieks 1991): leave one rule out; where there is still no solution it does
not matter and stays out; where there is one, it is part of the contradiction. Without any one of the rules that are
named, the others can be met.
"""

from services.partnership.domain.candidates import ALL, candidates
from services.partnership.domain.instance import Instance
from services.partnership.domain.optimum import feasible
from services.partnership.domain.wording import in_words


def contradiction(instance: Instance) -> str:
    """Why no choice of partnerships meets this programme's rules. Only for an instance that has none."""
    kept, rules = [], ALL
    for said in in_words(instance):
        fewer = rules.without(said.rule)
        if feasible(instance, candidates(instance, fewer), fewer):
            kept.append(said)
        else:
            rules = fewer
    asked = [each.says for each in kept if each.asks]
    others = [each.says for each in kept if not each.asks]
    if not others and len(asked) == 1:
        return f"Too few schools are willing: the programme asks for {asked[0]}."
    listed = "; ".join([*asked, *others])
    return f"These rules cannot be met together with the schools that are willing: {listed}."
