"""The peers of the matching bench: HiGHS alone and OR-tools, run in an environment of their own.

Reads a program (.npz), solves it with what is asked for, and prints one JSON object. Nothing of Trellis is imported.
"""

import argparse
import json
import time
from typing import Any

import numpy as np


def highs(given: Any, limit: float, gap: float, *, integral: bool) -> dict[str, Any]:
    """The whole program, as it is."""
    import highspy

    solver = highspy.Highs()
    for name, value in (("output_flag", False), ("threads", 1), ("time_limit", limit), ("mip_rel_gap", gap)):
        solver.setOptionValue(name, value)
    rows, columns = len(given["lower"]), len(given["worth"])
    order = np.lexsort((given["column"], given["row"]))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = columns, rows
    model.col_cost_ = -given["worth"]
    model.col_lower_, model.col_upper_ = np.zeros(columns), np.ones(columns)
    model.row_lower_, model.row_upper_ = given["lower"], given["upper"]
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.num_col_, matrix.num_row_ = columns, rows
    matrix.start_ = np.concatenate([[0], np.cumsum(np.bincount(given["row"], minlength=rows))]).astype(np.int32)
    matrix.index_ = given["column"][order].astype(np.int32)
    matrix.value_ = given["value"][order]
    if integral:
        model.integrality_ = [highspy.HighsVarType.kInteger] * columns
    begun = time.perf_counter()
    solver.passModel(model)
    solver.run()
    seconds = time.perf_counter() - begun
    finished = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return {"seconds": seconds, "worth": -solver.getInfo().objective_function_value, "finished": finished}


def cp_sat(given: Any, limit: float, gap: float) -> dict[str, Any]:
    """CP-SAT takes whole numbers: fractions of rows are counted in hundredths."""
    from ortools.sat.python import cp_model

    begun = time.perf_counter()
    model = cp_model.CpModel()
    pick = [model.new_bool_var("") for _ in range(len(given["worth"]))]
    order = np.argsort(given["row"], kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(given["row"], minlength=len(given["lower"])))[:-1])
    most = 10**12
    for number, part in enumerate(parts):
        value = np.rint(given["value"][part] * 100).astype(int)
        low, high = given["lower"][number], given["upper"][number]
        total = cp_model.LinearExpr.weighted_sum([pick[at] for at in given["column"][part]], value.tolist())
        model.add_linear_constraint(
            total, -most if np.isinf(low) else round(low * 100), most if np.isinf(high) else round(high * 100)
        )
    model.maximize(cp_model.LinearExpr.weighted_sum(pick, given["weight"].tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = limit
    solver.parameters.relative_gap_limit = gap
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    seconds = time.perf_counter() - begun
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return {
        "seconds": seconds, "worth": solver.objective_value if found else None, "finished": status == cp_model.OPTIMAL,
    }  # fmt: skip


def min_cost_flow(given: Any) -> dict[str, Any]:
    """OR-tools' own network solver; every unit of flow may also go past the network for nothing."""
    from ortools.graph.python import min_cost_flow as library

    host, guest, places = given["host"], given["guest"], given["places"]
    hosts = int(guest.min())
    source, sink, flow = len(places), len(places) + 1, int(places[:hosts].sum())
    begun = time.perf_counter()
    solver = library.SimpleMinCostFlow()
    schools = np.arange(len(places))
    tail = np.concatenate([host, np.full(hosts, source), schools[hosts:], [source]])
    head = np.concatenate([guest, schools[:hosts], np.full(len(places) - hosts, sink), [sink]])
    room = np.concatenate([np.ones(len(host), np.int64), places, [flow]])
    cost = np.concatenate([-given["weight"], np.zeros(len(places) + 1, np.int64)])
    arcs = solver.add_arcs_with_capacity_and_unit_cost(tail, head, room, cost)
    solver.set_nodes_supplies([source, sink], [flow, -flow])
    status = solver.solve()
    seconds = time.perf_counter() - begun
    finished = status == solver.OPTIMAL
    return {"seconds": seconds, "worth": -solver.optimal_cost(), "finished": finished, "arcs": len(arcs)}


def main() -> None:
    """Solve what is asked for."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("peer", choices=["highs", "highs-linear", "cp-sat", "min-cost-flow"])
    arguments.add_argument("program")
    arguments.add_argument("--limit", type=float, default=60.0)
    arguments.add_argument("--gap", type=float, default=1e-4)
    asked = arguments.parse_args()
    given = dict(np.load(asked.program))
    match asked.peer:
        case "highs":
            found = highs(given, asked.limit, asked.gap, integral=True)
        case "highs-linear":
            found = highs(given, asked.limit, asked.gap, integral=False)
        case "cp-sat":
            found = cp_sat(given, asked.limit, asked.gap)
        case _:
            found = min_cost_flow(given)
    print(json.dumps(found))  # noqa: T201  # this is how it answers


if __name__ == "__main__":
    main()
