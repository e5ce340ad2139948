"""Which digit is it? A k-nearest-neighbour exercise that a class runs on two machines.

    python3 digits.py classify     one rank's share: SLURM_PROCID of SLURM_NTASKS
    python3 digits.py merge        all ranks' answers, the best k, the accuracy
    python3 digits.py show ROW     one image of digits.csv as text, ROW from 0

Results go to $SUANPAN_LAB_OUT, else ./results. Standard library only.
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

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "digits.csv")
SIDE = 8
ROWS = 1797

# Images that follow one another in the file are often by one hand (who wrote which is not
# recorded). The parts are therefore blocks, not a shuffle, which would make the test too easy.
LEARN = range(0, 1000)  # the class knows these
CHOOSE = range(1000, 1297)  # the class chooses k with these
TEST = range(1297, 1797)  # and is marked on these
NEIGHBOURS = (1, 3, 5, 7, 9)
# Known images are also shown moved by one pixel, since nobody writes in the exact middle.
SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


class LabError(Exception):
    """Something the reader can put right; printed without a traceback."""


# --- data -----------------------------------------------------------------------------------


def load():
    """(images, labels): 64 numbers from 0 to 16 each, row by row, and the digit."""
    with open(DATA, newline="", encoding="ascii") as file:
        reader = csv.reader(file)
        next(reader)
        images, labels = [], []
        for line, row in enumerate(reader, start=2):
            numbers = [int(x) for x in row]
            if len(numbers) != SIDE * SIDE + 1:
                raise LabError(f"{DATA}: line {line} is not {SIDE * SIDE} pixels and a digit")
            images.append([float(x) for x in numbers[:-1]])
            labels.append(numbers[-1])
    if len(images) != ROWS:
        raise LabError(f"{DATA}: {len(images)} images, expected {ROWS}")
    return images, labels


def digest():
    """SHA-256 of the data file: answers made from other data are refused."""
    with open(DATA, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def moved(image, down, right):
    """The image moved by whole pixels; what moves in is empty."""
    def pixel(r, c):
        r, c = r - down, c - right
        return image[r * SIDE + c] if 0 <= r < SIDE and 0 <= c < SIDE else 0.0

    return [pixel(r, c) for r in range(SIDE) for c in range(SIDE)]


def questions():
    """The rows to classify, in a fixed order."""
    return list(CHOOSE) + list(TEST)


def share(rank, ranks):
    """The questions of one rank: every `ranks`-th, so that all ranks have like work."""
    return questions()[rank::ranks]


# --- the classifier -------------------------------------------------------------------------


def known_images(images):
    """Everything the class knows: for each row of LEARN in turn, its copies in SHIFTS' order."""
    return [moved(images[i], down, right) for i in LEARN for down, right in SHIFTS]


def nearest(image, known, labels):
    """The digits of the nearest known rows, nearest first; a row counts at its best copy."""
    distances = iter([math.dist(image, other) for other in known])
    # Taking one iterator several times at once cuts the list into one group per row.
    by_row = [min(copies) for copies in zip(*[distances] * len(SHIFTS))]
    ranked = sorted(zip(by_row, LEARN))
    return [labels[row] for _, row in ranked[: max(NEIGHBOURS)]]


def vote(digits):
    """The most frequent digit; among equals the one that came first, which is nearer."""
    return max(digits, key=lambda d: (digits.count(d), -digits.index(d)))


# --- the ranks and the merge ----------------------------------------------------------------


def number_from(variable, least, default=None):
    """A whole number of the environment."""
    text = os.environ.get(variable, "")
    if not text and default is not None:
        return default
    if not text.isdigit() or int(text) < least:
        raise LabError(f"{variable} is '{text}', expected a number of at least {least}")
    return int(text)


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


def classify():
    ranks = number_from("SLURM_NTASKS", 1)
    rank = number_from("SLURM_PROCID", 0)
    if rank >= ranks:
        raise LabError(f"SLURM_PROCID is {rank}, but SLURM_NTASKS is {ranks}")
    started = time.monotonic()
    images, labels = load()
    known = known_images(images)
    rows = share(rank, ranks)
    answers = {row: nearest(images[row], known, labels) for row in rows}
    result = {
        "rank": rank,
        "ranks": ranks,
        "job": os.environ.get("SLURM_JOB_ID", ""),
        "node": os.environ.get("SLURMD_NODENAME") or os.uname().nodename,
        "nodes_asked": number_from("SLURM_JOB_NUM_NODES", 1, default=1),
        "data_sha256": digest(),
        "seconds": round(time.monotonic() - started, 3),
        "nearest": answers,
    }
    path = os.path.join(results_folder(), f"rank-{rank}.json")
    write_whole(path, json.dumps(result) + "\n")
    print(f"rank {rank} of {ranks} on {result['node']}: {len(rows)} images, "
          f"{result['seconds']} s", flush=True)


def read_ranks(folder, ranks, job):
    """(every row's nearest digits, the rank records); refuses files of another run."""
    answers, records = {}, []
    for rank in range(ranks):
        path = os.path.join(folder, f"rank-{rank}.json")
        try:
            with open(path, encoding="utf-8") as file:
                record = json.load(file)
        except (OSError, ValueError) as problem:
            raise LabError(f"{path}: {problem}; did rank {rank} run?")
        if (record["rank"], record["ranks"], record["job"]) != (rank, ranks, job):
            raise LabError(f"{path}: written by rank {record['rank']} of {record['ranks']} "
                           f"in job '{record['job']}', expected {rank} of {ranks} in '{job}'")
        if record["data_sha256"] != digest():
            raise LabError(f"{path}: made from other data than {DATA}")
        rows = {int(row): digits for row, digits in record["nearest"].items()}
        if sorted(rows) != sorted(share(rank, ranks)):
            raise LabError(f"{path}: does not cover the share of rank {rank}")
        answers.update(rows)
        records.append(record)
    return answers, records


def accuracy(answers, labels, rows, k):
    """The share of `rows` whose k nearest vote for the right digit."""
    return sum(vote(answers[row][:k]) == labels[row] for row in rows) / len(rows)


def best_k(answers, labels):
    """The k that does best on the rows for choosing; the smaller of equals."""
    return max(NEIGHBOURS, key=lambda k: (accuracy(answers, labels, CHOOSE, k), -k))


def merge():
    folder = results_folder()
    ranks, job = number_from("SLURM_NTASKS", 1), os.environ.get("SLURM_JOB_ID", "")
    answers, records = read_ranks(folder, ranks, job)
    _, labels = load()
    k = best_k(answers, labels)
    result = {
        "job": job,
        "ranks": ranks,
        "nodes": [r["node"] for r in records],
        "k": k,
        "choose_accuracy": {n: accuracy(answers, labels, CHOOSE, n) for n in NEIGHBOURS},
        "test_accuracy": accuracy(answers, labels, TEST, k),
        "test_rows": len(TEST),
    }
    lines = ["row,digit,predicted"]
    lines += [f"{row},{labels[row]},{vote(answers[row][:k])}" for row in TEST]
    write_whole(os.path.join(folder, "predictions.csv"), "\n".join(lines) + "\n")
    write_whole(os.path.join(folder, "report.json"), json.dumps(result, indent=2) + "\n")
    print("k   accuracy on the rows for choosing")
    for n in NEIGHBOURS:
        print(f"{n}   {result['choose_accuracy'][n]:.4f}{'   <- chosen' if n == k else ''}")
    print(f"METRIC education test_accuracy={result['test_accuracy']:.4f} k={k} "
          f"ranks={ranks} nodes={','.join(result['nodes'])}")


def show(row):
    if not 0 <= row < ROWS:
        raise LabError(f"row {row}: there are rows 0 to {ROWS - 1}")
    images, labels = load()
    for r in range(SIDE):
        line = images[row][r * SIDE:(r + 1) * SIDE]
        print("".join(" .:-=+*#@"[int(x) // 2] * 2 for x in line))
    print(f"row {row}: a {labels[row]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("classify")
    verbs.add_parser("merge")
    verbs.add_parser("show").add_argument("row", type=int)
    arguments = parser.parse_args()
    try:
        if arguments.verb == "classify":
            classify()
        elif arguments.verb == "merge":
            merge()
        else:
            show(arguments.row)
    except LabError as problem:
        sys.exit(f"digits.py: {problem}")


if __name__ == "__main__":
    main()
