"""Checks the medical lab's results; exit 0 only if they are complete, honest and good enough.

    python3 verify.py [RESULTS]        RESULTS: $SUANPAN_LAB_OUT, else ./results

Accuracy is recomputed from predictions.csv against the diagnoses in wdbc.csv, not read from the
report; the predictions must cover exactly the held-out rows and follow from the chosen model.
"""

import csv
import json
import os
import sys

import wdbc

ACCURACY_LEAST = 0.95
ROC_AUC_LEAST = 0.98
# Floating-point sums differ in the last digits between Python versions; far below this.
TOLERANCE = 1e-6


def read_predictions(folder, rows, held_out):
    """(probability, true label) of every held-out row, in the order of the data file."""
    path = os.path.join(folder, "predictions.csv")
    found = {}
    with open(path, newline="", encoding="utf-8") as file:
        for line, record in enumerate(csv.DictReader(file), start=2):
            row, probability = int(record["row"]), float(record["probability_malignant"])
            if not 0.0 <= probability <= 1.0:
                raise wdbc.LabError(f"{path}: line {line}: probability {probability}")
            if row in found:
                raise wdbc.LabError(f"{path}: line {line}: row {row} appears twice")
            said = "M" if probability >= wdbc.THRESHOLD else "B"
            if record["predicted"] != said:
                raise wdbc.LabError(f"{path}: line {line}: predicted is not {said}")
            found[row] = probability
    if sorted(found) != held_out:
        raise wdbc.LabError(f"{path}: {len(found)} rows, not the {len(held_out)} held-out rows")
    return [(found[i], rows[i][1]) for i in held_out]


def check(folder):
    """The recomputed measures; raises LabError with the first thing that is wrong."""
    rows = wdbc.load()
    train, held_out = wdbc.split(rows)
    tasks = wdbc.read_tasks(folder)
    with open(os.path.join(folder, "report.json"), encoding="utf-8") as file:
        report = json.load(file)
    best = min(tasks, key=lambda t: (t["cv_log_loss"], t["task"]))
    if report["best_task"] != best["task"]:
        raise wdbc.LabError(f"the report chose task {report['best_task']}, not {best['task']}")
    pairs = read_predictions(folder, rows, held_out)
    model = wdbc.Model(best["transform"], best["penalty"]).fit(rows, train)
    for i, (probability, _) in zip(held_out, pairs):
        if abs(model.probability(rows[i][0]) - probability) > TOLERANCE:
            raise wdbc.LabError(f"row {i}: the prediction is not that of the chosen model")
    measures = wdbc.measures(pairs)
    for name, value in measures.items():
        if abs(report[name] - value) > TOLERANCE:
            raise wdbc.LabError(f"the report says {name} {report[name]}, recomputed {value}")
    for name, least in (("accuracy", ACCURACY_LEAST), ("roc_auc", ROC_AUC_LEAST)):
        if measures[name] < least:
            raise wdbc.LabError(f"{name} {measures[name]:.4f} is below {least}")
    return measures


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    folder = sys.argv[1] if len(sys.argv) == 2 else os.environ.get("SUANPAN_LAB_OUT") or "results"
    try:
        measures = check(folder)
    except wdbc.LabError as problem:
        sys.exit(f"verify.py: medical: {problem}")
    except (OSError, ValueError, KeyError) as problem:
        sys.exit(f"verify.py: medical: {folder}: {type(problem).__name__}: {problem}")
    print(
        f"VERIFIED medical test_accuracy={measures['accuracy']:.4f} "
        f"(at least {ACCURACY_LEAST}), roc_auc={measures['roc_auc']:.4f} "
        f"(at least {ROC_AUC_LEAST}), {measures['rows']} held-out rows"
    )


if __name__ == "__main__":
    main()
