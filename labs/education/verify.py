"""Checks the education lab's results; exit 0 only if they are complete, honest and good enough.

    python3 verify.py [RESULTS]        RESULTS: $SUANPAN_LAB_OUT, else ./results

Accuracy is recomputed from predictions.csv against the digits in digits.csv; the predictions must
follow from the ranks' files, and a sample of the ranks' answers is worked out again.
"""

import csv
import json
import os
import sys

import digits

ACCURACY_LEAST = 0.95
RANKS_LEAST = 2
AGAIN_EVERY = 40  # every n-th question is classified again


def require(holds, complaint):
    if not holds:
        raise digits.LabError(complaint)


def read_predictions(folder):
    """row -> predicted digit, from predictions.csv."""
    path = os.path.join(folder, "predictions.csv")
    with open(path, newline="", encoding="utf-8") as file:
        rows = [(int(r["row"]), int(r["predicted"])) for r in csv.DictReader(file)]
    require([row for row, _ in rows] == list(digits.TEST), f"{path}: not the test rows in order")
    return dict(rows)


def check(folder):
    """(accuracy, report); raises LabError with the first thing that is wrong."""
    images, labels = digits.load()
    with open(os.path.join(folder, "report.json"), encoding="utf-8") as file:
        report = json.load(file)
    ranks = report["ranks"]
    require(ranks >= RANKS_LEAST, f"{ranks} rank, expected at least {RANKS_LEAST}")
    answers, records = digits.read_ranks(folder, ranks, report["job"])
    require([r["node"] for r in records] == report["nodes"], "the report names other nodes")
    asked = max(r["nodes_asked"] for r in records)
    used = sorted({r["node"] for r in records})
    require(len(used) >= asked, f"the job had {asked} nodes, its ranks ran on {', '.join(used)}")
    known = digits.known_images(images)
    for row in digits.questions()[::AGAIN_EVERY]:
        again = digits.nearest(images[row], known, labels)
        require(answers[row] == again, f"row {row}: nearest {answers[row]}, recomputed {again}")
    k = digits.best_k(answers, labels)
    require(report["k"] == k, f"the report chose k={report['k']}, not {k}")
    predictions = read_predictions(folder)
    for row, digit in predictions.items():
        voted = digits.vote(answers[row][:k])
        require(digit == voted, f"row {row}: predicted {digit}, the ranks voted {voted}")
    right = sum(labels[row] == digit for row, digit in predictions.items())
    accuracy = right / len(digits.TEST)
    said = report["test_accuracy"]
    require(abs(said - accuracy) < 1e-9, f"the report says {said}, recomputed {accuracy}")
    require(accuracy >= ACCURACY_LEAST, f"accuracy {accuracy:.4f} is below {ACCURACY_LEAST}")
    return accuracy, report


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    folder = sys.argv[1] if len(sys.argv) == 2 else os.environ.get("SUANPAN_LAB_OUT") or "results"
    try:
        accuracy, report = check(folder)
    except digits.LabError as problem:
        sys.exit(f"verify.py: education: {problem}")
    except (OSError, ValueError, KeyError) as problem:
        sys.exit(f"verify.py: education: {folder}: {type(problem).__name__}: {problem}")
    print(
        f"VERIFIED education test_accuracy={accuracy:.4f} (at least {ACCURACY_LEAST}), "
        f"k={report['k']}, {report['ranks']} ranks on {', '.join(report['nodes'])}"
    )


if __name__ == "__main__":
    main()
