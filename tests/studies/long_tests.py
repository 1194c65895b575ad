"""Long tests: whether abilities are right where products of likelihoods underflow and posteriors are narrow."""

import argparse

import numpy as np

from services.assessment.domain.irt import compiled, plain
from services.assessment.domain.irt.ability import Estimates, eap
from services.assessment.domain.irt.models import Floats, Model, Parameters, probabilities
from services.assessment.domain.irt.packing import pack
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes, Responses
from services.assessment.domain.irt.tables import tables
from tests.studies import table, write

FINE = 8_001  # nodes from −10 to 10, in float64 logarithms: what all others are held against


def a_test(items: int, rng: np.random.Generator) -> list[Parameters]:
    """2PL items, slopes lognormal around 1, difficulties N(0, 1)."""
    return [Parameters(Model.TWO_PL, (float(rng.normal()),), float(rng.lognormal(0, 0.3))) for _ in range(items)]


def kinds(test: list[Parameters], students: int, rng: np.random.Generator) -> dict[str, Codes]:
    """Answers by the model, at random, against it, and all alike."""
    theta = rng.normal(size=students)
    modelled = np.stack([rng.random(students) < probabilities(item, theta)[1] for item in test], axis=1)
    random = rng.integers(0, 2, (students, len(test)))
    order = np.argsort(np.argsort([item.b[0] for item in test]))
    hard_right = np.tile(order >= len(test) // 2, (1, 1))
    holes = modelled.astype(np.uint8)
    holes[rng.random(holes.shape) < 0.1] = NOT_PRESENTED
    return {
        "by the model": modelled.astype(np.uint8),
        "by the model, 10 % missing": holes,
        "at random": random.astype(np.uint8),
        "the hard half right, the easy half wrong": hard_right.astype(np.uint8),
        "all wrong, all right": np.stack([np.zeros(len(test)), np.ones(len(test))]).astype(np.uint8),
    }


def away(found: Estimates, truth: Estimates) -> list[str]:
    """The largest errors of ability and of standard error."""
    return [f"{np.abs(a - b).max():.1e}" for a, b in ((found.theta, truth.theta), (found.se, truth.se))]


def on_nodes(test: list[Parameters], codes: Codes, nodes: Floats) -> Estimates:
    """EAP on these nodes, whatever the posterior is."""
    made = plain.moments(pack(Responses(codes), [2] * len(test)), tables(test, nodes, log_normal_weights(nodes)))
    return Estimates(made.mean, made.sd)


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=100)
    parser.add_argument("--items", type=int, nargs="+", default=[40, 200, 1000])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    lines = []
    for items in asked.items:
        rng = np.random.default_rng([asked.seed, items])
        test = a_test(items, rng)
        for kind, codes in kinds(test, asked.students, rng).items():
            truth = on_nodes(test, codes, np.linspace(-10, 10, FINE))
            ours = [eap(Responses(codes), test, kernel=each) for each in (plain, compiled)]
            fixed = on_nodes(test, codes, equally_spaced(41))
            lines.append([items, kind, *away(ours[0], truth), *away(ours[1], truth), away(fixed, truth)[0]])
    heads = ["items", "answers", "θ, numpy", "SE, numpy", "θ, compiled", "SE, compiled", "θ, 41 fixed nodes"]
    write(
        "long_tests",
        f"""# Long tests

`python -m tests.studies.long_tests --students {asked.students} --seed {asked.seed}`: 2PL tests, slopes
lognormal(0, .3), difficulties N(0, 1), {asked.students} students of each kind. The largest error in logits of EAP
and of its standard error, against {FINE:,} nodes from −10 to 10 in float64 logarithms. The last column is what a
fixed grid of 41 nodes over ±6 would say; the nodes of both kernels follow the test
([measurement](../numbers/measurement.md)).

{table(heads, lines)}
""",
    )


if __name__ == "__main__":
    main()
