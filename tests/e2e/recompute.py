"""What the platform ought to say, computed again by plain loops: imports json, csv, math and nothing else.

Written from the definitions in docs/answer-sheets.md, forms.md and mastery.md, not from the code of the services. As a
script it prints one JSON object: `recompute.py forms.json answers.csv [answers.csv …]`; with several answers files the
later one wins where two speak of the same attempt, and a sheet whose status is withdrawal takes the attempt out.
"""

import csv
import json
import math

DAY = 86_400_000_000
DECAY, WEIGHT, HARDEST = 0.002, 0.5, 4.0
# The central value, the least and the most of each parameter.
PRIOR = (0.30, 0.30 - 0.10, 0.30 + 0.10)
LEARN = (0.10, 0.10 - 0.03, 0.10 + 0.03)
FORGET = (0.005, 0.005 - 0.003, 0.005 + 0.003)
GUESS = (0.20, 0.20 - 0.05, 0.20 + 0.05)
SLIP = (0.10, 0.10 - 0.03, 0.10 + 0.03)
OMITTED, NOT_REACHED, NOT_PRESENTED = "-", "/", ""


def instant(text):
    """Microseconds since 1970-01-01T00:00:00Z of an RFC 3339 time with offset."""
    day, clock = text[:10], text[11:]
    if clock[-1] in "Zz":
        clock, shift = clock[:-1], 0
    else:
        sign = 1 if clock[-6] == "+" else -1
        shift = sign * (int(clock[-5:-3]) * 60 + int(clock[-2:]))
        clock = clock[:-6]
    year, month, date = (int(part) for part in day.split("-"))
    hour, minute, second = clock.split(":")
    whole, _, fraction = second.partition(".")
    days = 0
    for y in range(1970, year):
        days += 366 if is_leap(y) else 365
    lengths = [31, 29 if is_leap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    days += sum(lengths[: month - 1]) + date - 1
    seconds = days * 86400 + int(hour) * 3600 + (int(minute) - shift) * 60 + int(whole)
    return seconds * 1_000_000 + int((fraction + "000000")[:6])


def is_leap(year):
    """Whether the year has a 29 February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def points(item, cell):
    """The score of a response: the rubric's score, the key's entry, or all or nothing."""
    if cell == OMITTED:
        return 0
    if "rubric" in item:
        return int(cell)
    key = item["key"]
    if isinstance(key, dict):
        return key.get(cell, 0)
    return item["maximum"] if cell == key else 0


def likelihood(parameters, score, theta):
    """Probability of exactly this score for a person of ability theta (logits, D = 1)."""
    model = parameters["model"]
    a = 1.0 if model in ("rasch", "pcm") else parameters.get("a", 1.0)
    b = parameters["b"]
    if model in ("rasch", "1pl", "2pl", "3pl"):
        c = parameters["c"] if model == "3pl" else 0.0
        # Each by its own formula: 1 - right would be 0 far above the item.
        right = c + (1 - c) / (1 + math.exp(-a * (theta - b)))
        return right if score == 1 else (1 - c) / (1 + math.exp(a * (theta - b)))
    if model == "grm":
        at_least = [1.0] + [1 / (1 + math.exp(-a * (theta - step))) for step in b] + [0.0]
        return at_least[score] - at_least[score + 1]
    weights, total = [], 0.0
    for k in range(len(b) + 1):
        weights.append(math.exp(total))
        if k < len(b):
            total += a * (theta - b[k])
    return weights[score] / sum(weights)


_tables = {}


def information(item, theta):
    """What one item tells at this ability: the expected square of the slope of the log-probability."""
    parameters = item["parameters"]
    model = parameters["model"]
    a = 1.0 if model in ("rasch", "pcm") else parameters.get("a", 1.0)
    chances = [likelihood(parameters, score, theta) for score in range(item["maximum"] + 1)]
    if model in ("pcm", "gpcm"):
        mean = sum(score * chance for score, chance in enumerate(chances))
        return a * a * sum(chance * (score - mean) ** 2 for score, chance in enumerate(chances))
    if model == "grm":
        at_least = [1.0] + [1 / (1 + math.exp(-a * (theta - step))) for step in parameters["b"]] + [0.0]
        slopes = [a * (1 - at_least[k] - at_least[k + 1]) for k in range(len(chances))]
        return sum(chance * slope * slope for chance, slope in zip(chances, slopes, strict=True))
    knows = 1 / (1 + math.exp(-a * (theta - parameters["b"])))
    c = parameters["c"] if model == "3pl" else 0.0
    return a * a * knows * knows * (1 - c) * (1 - knows) / (c + (1 - c) * knows) if knows > 0 else 0.0


def nodes_of(form, times):
    """61 nodes from -6 to 6, or from -9 to 9 as many as keep them closer than the smallest posterior deviation.

    They reach as many times further, at the same distance of each other.
    """
    kept = _tables.get(("nodes", id(form), times))
    if kept is not None:
        return kept
    told = 0.0
    for item in form["items"]:
        if "parameters" not in item:
            continue
        model, b = item["parameters"]["model"], item["parameters"]["b"]
        a = 1.0 if model in ("rasch", "pcm") else item["parameters"].get("a", 1.0)
        steps = b if isinstance(b, list) else [b]
        told += max(information(item, step + j / (4 * a)) for step in steps for j in range(-8, 9))
    reach = 6 if math.ceil(12 * math.sqrt(told + 1)) + 1 <= 61 else 9
    needed = math.ceil(2 * reach * math.sqrt(told + 1)) + 1
    needed = max(61, needed if needed % 2 else needed + 1)
    half = needed // 2
    _tables["nodes", id(form), times] = [reach * q / half for q in range(-half * times, half * times + 1)]
    return _tables["nodes", id(form), times]


def table(item, nodes, times):
    """Log-likelihood of every score at every node, kept by item so that a large file takes minutes and not hours."""
    known = _tables.get((id(item), times))
    if known is None:
        known = []
        for score in range(item["maximum"] + 1):
            known.append([math.log(max(likelihood(item["parameters"], score, theta), 1e-300)) for theta in nodes])
        _tables[id(item), times] = known
    return known


def ability(form, used):
    """EAP and its standard error with a standard normal prior; `used` is (item, score) pairs of the form.

    On nodes that reach twice as far while there is weight at an end of them.
    """
    times = 1
    while True:
        nodes, weights = posterior(form, used, times)
        if max(weights[0], weights[-1]) <= 1e-7:
            break
        times *= 2
    theta = sum(w * node for w, node in zip(weights, nodes, strict=True))
    variance = sum(w * (node - theta) ** 2 for w, node in zip(weights, nodes, strict=True))
    return theta, math.sqrt(variance)


def posterior(form, used, times):
    """The nodes and their weights, of sum 1."""
    nodes = nodes_of(form, times)
    logs = [-theta * theta / 2 for theta in nodes]
    for item, score in used:
        for q, value in enumerate(table(item, nodes, times)[score]):
            logs[q] += value
    top = max(logs)
    weights = [math.exp(value - top) for value in logs]
    total = sum(weights)
    return nodes, [weight / total for weight in weights]


def attempt(form, row):
    """One sheet's result: raw score, maximum, ability and standard error or the reason why there is none."""
    raw = maximum = 0
    used, calibrated = [], False
    for item in form["items"]:
        cell = row[item["id"]]
        calibrated = calibrated or "parameters" in item
        if cell == NOT_PRESENTED:
            continue
        maximum += item["maximum"]
        if cell == NOT_REACHED:
            continue
        score = points(item, cell)
        raw += score
        if "parameters" in item:
            used.append((item, score))
    theta = error = reason = None
    if used:
        theta, error = ability(form, used)
    else:
        reason = "NO_RESPONSES" if calibrated else "NOT_CALIBRATED"
    return {
        "administration": row["administration"],
        "form": form["id"],
        "completedAt": instant(row["completed_at"]),
        "rawScore": raw,
        "maximum": maximum,
        "theta": theta,
        "standardError": error,
        "reason": reason,
    }


def difficulty(item):
    """How hard an item is, in logits: the mean of its b, at most 4 either way; 0 without parameters."""
    b = item.get("parameters", {}).get("b", [])
    steps = b if isinstance(b, list) else [b]
    return min(max(sum(steps) / len(steps), -HARDEST), HARDEST) if steps else 0.0


def moved(chance, logits):
    """A guess or slip moved by so many logits inside (0, 1/2)."""
    odds = math.exp(logits)
    return chance * odds / (1 + 2 * chance * (odds - 1))


def faded(known, days, prior):
    """Probability of knowing after days without evidence: each leaves exp(-decay) of what is more than the prior."""
    left, square = 1.0, math.exp(-DECAY)
    while days:
        if days % 2:
            left *= square
        square *= square
        days //= 2
    return known * left + (1 - left) * prior


def learn(known, credit, guess, slip, gain, loss):
    """Probability of knowing after evidence of credit 0 to 1 (Corbett & Anderson 1995, with forgetting)."""
    if_known = credit * (1 - slip) + (1 - credit) * slip
    if_unknown = credit * guess + (1 - credit) * (1 - guess)
    believed = known * if_known / (known * if_known + (1 - known) * if_unknown)
    return believed * (1 - loss) + (1 - believed) * gain


def respond(belief, credit, item):
    """The three ends of a belief after a response: of the lower one all that makes it lower, of the upper higher.

    A right answer weighs least where guess and slip are largest, a wrong one where they are smallest.
    """
    hard = WEIGHT * difficulty(item)
    weak, strong = (2, 1) if credit >= 0.5 else (1, 2)
    after = []
    for end, chance, gain, loss in ((0, 0, 0, 0), (1, weak, 1, 2), (2, strong, 2, 1)):
        guess, slip = moved(GUESS[chance], -hard), moved(SLIP[chance], hard)
        after.append(learn(belief[end], credit, guess, slip, LEARN[gain], FORGET[loss]))
    return after[0], min(after[1], after[0]), max(after[2], after[0])


def level(probability, lower, count):
    """What a belief is called."""
    if count == 0:
        return "UNKNOWN"
    if probability >= 0.85 and lower >= 0.5 and count >= 3:
        return "MASTERED"
    return "DEVELOPING" if probability >= 0.5 else "BEGINNING"


def mastery(sheets, forms):
    """Mastery by competency of one student from all their sheets, in the order in which evidence counts."""
    result = {}
    for when, administration, code in sorted(sheets):
        row = sheets[when, administration, code]
        for item in forms[code]["items"]:
            cell = row[item["id"]]
            if cell in (NOT_PRESENTED, NOT_REACHED):
                continue
            credit = points(item, cell) / item["maximum"]
            for competency in item["competencies"]:
                belief, count, last = result.get(competency, (PRIOR, 0, when))
                days = when // DAY - last // DAY
                belief = [faded(known, days, prior) for known, prior in zip(belief, PRIOR, strict=True)]
                result[competency] = respond(belief, credit, item), count + 1, when
    return {
        competency: {
            "probability": belief[0],
            "lower": belief[1],
            "upper": belief[2],
            "level": level(belief[0], belief[1], count),
            "evidenceCount": count,
            "lastEvidenceAt": last,
        }
        for competency, (belief, count, last) in result.items()
    }


def recompute(forms_path, answers_paths):
    """By student: attempts in the order of evidence, and mastery by CASE identifier."""
    _tables.clear()
    with open(forms_path, encoding="utf-8") as stream:
        forms = {form["id"]: form for form in json.load(stream)["forms"]}
    kept = {}
    for path in answers_paths:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            for row in csv.DictReader(stream):
                key = (instant(row["completed_at"]), row["administration"], row["form"])
                if row.get("status") == "withdrawal":
                    del kept[row["student"]][key]
                    continue
                own = {item["id"]: row.get(item["id"], "") for item in forms[row["form"]]["items"]}
                own["administration"], own["completed_at"] = row["administration"], row["completed_at"]
                kept.setdefault(row["student"], {})[key] = own
    students = {}
    for student, sheets in kept.items():
        attempts = [attempt(forms[key[2]], sheets[key]) for key in sorted(sheets)]
        students[student] = {"attempts": attempts, "mastery": mastery(sheets, forms)}
    return students


if __name__ == "__main__":
    import sys

    if len(sys.argv) < 3:
        sys.exit("recompute.py forms.json answers.csv [answers.csv …]")
    json.dump(recompute(sys.argv[1], sys.argv[2:]), sys.stdout)
    sys.stdout.write("\n")
