"""Logistic regression on the Wisconsin Diagnostic Breast Cancer data, standard library only.

    python3 wdbc.py sweep --task N     one setting of the grid, by cross-validation (N from 0)
    python3 wdbc.py report             best setting, retrained, evaluated on the held-out rows
    python3 wdbc.py grid               the settings, one line each

The data is read from wdbc.csv beside this file. Results go to $SUANPAN_LAB_OUT, else ./results.
"""

import argparse
import csv
import hashlib
import json
import math
import os
import sys
import tempfile
import time

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wdbc.csv")
FEATURES = 30
SPLIT_SEED = "wdbc-split-1"
FOLD_SEED = "wdbc-folds-1"
TEST_SHARE = 0.2
FOLDS = 5
THRESHOLD = 0.5

# The grid: how the features enter, and how strongly large weights are punished.
TRANSFORMS = ("identity", "log")
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
GRID = [(transform, penalty) for transform in TRANSFORMS for penalty in PENALTIES]


class LabError(Exception):
    """Something the reader can put right; printed without a traceback."""


# --- data -----------------------------------------------------------------------------------


def load():
    """The rows as (features, label), label 1 for malignant, in the order of the file."""
    with open(DATA, newline="", encoding="ascii") as file:
        reader = csv.reader(file)
        header = next(reader)
        if len(header) != FEATURES + 1 or header[-1] != "diagnosis":
            raise LabError(f"{DATA}: expected {FEATURES} features and 'diagnosis' in line 1")
        rows = []
        for line, row in enumerate(reader, start=2):
            if len(row) != FEATURES + 1 or row[-1] not in ("M", "B"):
                raise LabError(f"{DATA}: line {line} is not {FEATURES} numbers and M or B")
            rows.append(([float(x) for x in row[:-1]], 1 if row[-1] == "M" else 0))
    return rows


def digest():
    """SHA-256 of the data file: results made from other data are refused."""
    with open(DATA, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def shuffled(indices, seed):
    """A fixed shuffle that does not depend on the Python version: ordered by a hash."""
    return sorted(indices, key=lambda i: hashlib.sha256(f"{seed}:{i}".encode()).digest())


def split(rows):
    """(training indices, test indices): a fifth of each class is held out."""
    train, test = [], []
    for label in (0, 1):
        members = shuffled([i for i, (_, y) in enumerate(rows) if y == label], SPLIT_SEED)
        held_out = round(len(members) * TEST_SHARE)
        test += members[:held_out]
        train += members[held_out:]
    return sorted(train), sorted(test)


def stratified_folds(rows, indices):
    """FOLDS lists of indices with the classes in equal shares, dealt out like cards."""
    folds = [[] for _ in range(FOLDS)]
    for label in (0, 1):
        members = shuffled([i for i in indices if rows[i][1] == label], FOLD_SEED)
        for position, i in enumerate(members):
            folds[position % FOLDS].append(i)
    return folds


def transformed(features, transform):
    """The features as the model sees them.

    Sizes and areas are skewed: `log` evens them out. The factor makes ratios near 0 spread too.
    """
    if transform == "log":
        return [math.log1p(100.0 * x) for x in features]
    return list(features)


# --- the classifier -------------------------------------------------------------------------


def sigmoid(z):
    if z >= 0:
        return 1.0 / (1.0 + math.exp(-z))
    e = math.exp(z)
    return e / (1.0 + e)


def solve(matrix, right):
    """x with matrix·x = right, by Cholesky; the matrix is symmetric and positive definite."""
    n = len(right)
    low = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i][j] - sum(a * b for a, b in zip(low[i][:j], low[j][:j]))
            low[i][j] = math.sqrt(rest) if i == j else rest / low[j][j]
    y = []
    for i in range(n):
        y.append((right[i] - sum(a * b for a, b in zip(low[i][:i], y))) / low[i][i])
    x = [0.0] * n
    for i in reversed(range(n)):
        x[i] = (y[i] - sum(low[k][i] * x[k] for k in range(i + 1, n))) / low[i][i]
    return x


class Model:
    """L2-regularised logistic regression on standardised features, fitted by Newton's method.

    It minimises sum(log loss) + penalty/2 * |weights|², the intercept unpunished.
    """

    def __init__(self, transform, penalty):
        self.transform, self.penalty = transform, penalty

    def fit(self, rows, indices, newton_steps=25, tolerance=1e-10):
        raw = [transformed(rows[i][0], self.transform) for i in indices]
        labels = [rows[i][1] for i in indices]
        columns = list(zip(*raw))
        self.means = [math.fsum(c) / len(c) for c in columns]
        self.scales = [
            math.sqrt(math.fsum((x - m) ** 2 for x in c) / len(c)) or 1.0
            for c, m in zip(columns, self.means)
        ]
        inputs = [self._standardised(x) for x in raw]
        self.weights = [0.0] * (FEATURES + 1)
        for self.steps in range(1, newton_steps + 1):
            change = self._newton_step(inputs, labels)
            if change < tolerance:
                break
        return self

    def probability(self, features):
        """The probability that the sample is malignant."""
        x = self._standardised(transformed(features, self.transform))
        return sigmoid(sum(w * v for w, v in zip(self.weights, x)))

    def _standardised(self, raw):
        return [1.0] + [(x - m) / s for x, m, s in zip(raw, self.means, self.scales)]

    def _newton_step(self, inputs, labels):
        size = FEATURES + 1
        gradient = [0.0] + [self.penalty * w for w in self.weights[1:]]
        hessian = [[0.0] * size for _ in range(size)]
        for i in range(1, size):
            hessian[i][i] = self.penalty
        hessian[0][0] = 1e-9
        for x, y in zip(inputs, labels):
            p = sigmoid(sum(w * v for w, v in zip(self.weights, x)))
            error, curvature = p - y, p * (1.0 - p)
            gradient = [g + error * v for g, v in zip(gradient, x)]
            for i, v in enumerate(x):
                c = curvature * v
                # Only the lower triangle is used by `solve`.
                hessian[i][: i + 1] = [h + c * u for h, u in zip(hessian[i], x[: i + 1])]
        move = solve(hessian, gradient)
        self.weights = [w - m for w, m in zip(self.weights, move)]
        return max(abs(m) for m in move)


# --- measures -------------------------------------------------------------------------------


def log_loss(pairs):
    """Mean negative log likelihood of (probability, label) pairs."""
    tiny = 1e-15
    return -math.fsum(
        math.log(max(p if y else 1.0 - p, tiny)) for p, y in pairs
    ) / len(pairs)


def confusion(pairs):
    """(true positive, false negative, false positive, true negative); positive = malignant."""
    cells = {(1, 1): 0, (1, 0): 0, (0, 1): 0, (0, 0): 0}
    for p, y in pairs:
        cells[(y, 1 if p >= THRESHOLD else 0)] += 1
    return cells[(1, 1)], cells[(1, 0)], cells[(0, 1)], cells[(0, 0)]


def roc_auc(pairs):
    """The chance that a malignant sample is rated above a benign one (ties count half)."""
    malignant = [p for p, y in pairs if y]
    benign = [p for p, y in pairs if not y]
    wins = sum(1.0 if m > b else 0.5 if m == b else 0.0 for m in malignant for b in benign)
    return wins / (len(malignant) * len(benign))


def measures(pairs):
    tp, fn, fp, tn = confusion(pairs)
    return {
        "rows": len(pairs),
        "accuracy": (tp + tn) / len(pairs),
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "roc_auc": roc_auc(pairs),
        "log_loss": log_loss(pairs),
        "true_positive": tp,
        "false_negative": fn,
        "false_positive": fp,
        "true_negative": tn,
    }


# --- the two jobs ---------------------------------------------------------------------------


def results_folder():
    folder = os.environ.get("SUANPAN_LAB_OUT") or "results"
    os.makedirs(folder, exist_ok=True)
    return folder


def write_whole(path, text):
    """Write a file so that a reader sees all of it or the old one, even if we are killed."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def sweep(task):
    if not 0 <= task < len(GRID):
        raise LabError(f"--task {task}: the grid has settings 0 to {len(GRID) - 1}")
    started = time.monotonic()
    transform, penalty = GRID[task]
    rows = load()
    train, _ = split(rows)
    pairs, accuracies, steps = [], [], 0
    for fold in stratified_folds(rows, train):
        held = set(fold)
        model = Model(transform, penalty).fit(rows, [i for i in train if i not in held])
        steps += model.steps
        scored = [(model.probability(rows[i][0]), rows[i][1]) for i in fold]
        accuracies.append(measures(scored)["accuracy"])
        pairs += scored
    total = measures(pairs)
    result = {
        "task": task,
        "transform": transform,
        "penalty": penalty,
        "data_sha256": digest(),
        "folds": FOLDS,
        "fold_accuracies": accuracies,
        "cv_accuracy": total["accuracy"],
        "cv_roc_auc": total["roc_auc"],
        "cv_log_loss": total["log_loss"],
        "newton_steps": steps,
        "seconds": round(time.monotonic() - started, 3),
    }
    path = os.path.join(results_folder(), f"task-{task}.json")
    write_whole(path, json.dumps(result, indent=2) + "\n")
    print(
        f"task {task}: {transform}, penalty {penalty}: accuracy {total['accuracy']:.4f}, "
        f"log loss {total['log_loss']:.4f} over {FOLDS} folds, {result['seconds']} s"
    )


def read_tasks(folder):
    """The result of every setting, or an error that names what is missing."""
    tasks = []
    for task, (transform, penalty) in enumerate(GRID):
        path = os.path.join(folder, f"task-{task}.json")
        try:
            with open(path, encoding="utf-8") as file:
                result = json.load(file)
        except (OSError, ValueError) as problem:
            raise LabError(f"{path}: {problem}; run the sweep first, tasks 0 to {len(GRID) - 1}")
        if (result["transform"], result["penalty"]) != (transform, penalty):
            raise LabError(f"{path}: made with another grid; run the sweep again")
        if result["data_sha256"] != digest():
            raise LabError(f"{path}: made from other data than {DATA}; run the sweep again")
        tasks.append(result)
    return tasks


def report():
    folder = results_folder()
    tasks = read_tasks(folder)
    best = min(tasks, key=lambda t: (t["cv_log_loss"], t["task"]))
    rows = load()
    train, test = split(rows)
    model = Model(best["transform"], best["penalty"]).fit(rows, train)
    scored = [(i, model.probability(rows[i][0]), rows[i][1]) for i in test]
    # The written probabilities are what is measured, so that anyone can recompute it.
    pairs = [(float(f"{p:.9f}"), y) for _, p, y in scored]
    result = measures(pairs)
    lines = ["row,diagnosis,probability_malignant,predicted"]
    for (i, _, y), (p, _) in zip(scored, pairs):
        lines.append(f"{i},{'MB'[1 - y]},{p:.9f},{'M' if p >= THRESHOLD else 'B'}")
    write_whole(os.path.join(folder, "predictions.csv"), "\n".join(lines) + "\n")
    result.update(best_task=best["task"], transform=best["transform"], penalty=best["penalty"])
    write_whole(os.path.join(folder, "report.json"), json.dumps(result, indent=2) + "\n")
    write_whole(os.path.join(folder, "report.md"), page(tasks, best, result, len(train)))
    print(f"best setting: task {best['task']}, {best['transform']}, penalty {best['penalty']}")
    print(
        f"METRIC medical test_accuracy={result['accuracy']:.4f} "
        f"sensitivity={result['sensitivity']:.4f} specificity={result['specificity']:.4f} "
        f"roc_auc={result['roc_auc']:.4f}"
    )


def page(tasks, best, result, trained_on):
    """The report as Markdown."""
    lines = [
        "# Breast cancer diagnosis: the best of the sweep",
        "",
        f"Chosen by the lowest log loss in {FOLDS}-fold cross-validation: task {best['task']} "
        f"(features: {best['transform']}, penalty {best['penalty']}). Retrained on "
        f"{trained_on} rows, evaluated once on {result['rows']} rows that the sweep never saw.",
        "",
        "| measure on the held-out rows | value |",
        "| --- | --- |",
        f"| accuracy | {result['accuracy']:.4f} |",
        f"| sensitivity (malignant found) | {result['sensitivity']:.4f} |",
        f"| specificity (benign cleared) | {result['specificity']:.4f} |",
        f"| ROC AUC | {result['roc_auc']:.4f} |",
        f"| log loss | {result['log_loss']:.4f} |",
        "",
        "| | predicted malignant | predicted benign |",
        "| --- | --- | --- |",
        f"| malignant | {result['true_positive']} | {result['false_negative']} |",
        f"| benign | {result['false_positive']} | {result['true_negative']} |",
        "",
        "| task | features | penalty | CV log loss | CV accuracy | CV ROC AUC |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for t in sorted(tasks, key=lambda t: (t["cv_log_loss"], t["task"])):
        lines.append(
            f"| {t['task']} | {t['transform']} | {t['penalty']} | {t['cv_log_loss']:.4f} "
            f"| {t['cv_accuracy']:.4f} | {t['cv_roc_auc']:.4f} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("sweep").add_argument("--task", type=int, required=True)
    verbs.add_parser("report")
    verbs.add_parser("grid")
    arguments = parser.parse_args()
    try:
        if arguments.verb == "sweep":
            sweep(arguments.task)
        elif arguments.verb == "report":
            report()
        else:
            for task, (transform, penalty) in enumerate(GRID):
                print(f"{task}\t{transform}\t{penalty}")
    except LabError as problem:
        sys.exit(f"wdbc.py: {problem}")


if __name__ == "__main__":
    main()
