"""Run by pyBKT's own Python: fits with forgetting and five starts, predicts, and says how long it took.

    python tests/bench/trace_peer.py TRAIN.csv TEST.csv

Both files are comma separated with user, skill and correct; the answer is one JSON object, its AUC that of the
predictions for every row of TEST, each from the rows of the same user and skill before it.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
from pyBKT.models import Model

STARTS = 5


def auc(right: np.ndarray, expected: np.ndarray) -> float:
    _, place, number = np.unique(expected, return_inverse=True, return_counts=True)
    middle = np.cumsum(number) - (number - 1) / 2
    rights, wrongs = right.sum(), (~right).sum()
    return float((middle[place][right].sum() - rights * (rights + 1) / 2) / (rights * wrongs))


def read(path: str) -> pd.DataFrame:
    rows = pd.read_csv(path, dtype={"user": str, "skill": str})
    return pd.DataFrame(
        {
            "user_id": rows["user"],
            "skill_name": "skill-" + rows["skill"],
            "correct": rows["correct"],
            "order_id": np.arange(len(rows)),
        }
    )


def main() -> None:
    train, test = read(sys.argv[1]), read(sys.argv[2])
    model = Model(seed=1, num_fits=STARTS, parallel=True)
    begun = time.perf_counter()
    model.fit(data=train, forgets=True)
    seconds = time.perf_counter() - begun
    predicted = model.predict(data=test)
    right = predicted["correct"].to_numpy() == 1
    found = auc(right, predicted["correct_predictions"].to_numpy())
    sys.stdout.write(json.dumps({"seconds": seconds, "auc": found, "rows": len(predicted)}) + "\n")


if __name__ == "__main__":
    main()
