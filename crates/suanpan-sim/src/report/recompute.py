#!/usr/bin/env python3
"""Computes every number of a Suanpan simulation report again, from the per-job files alone.

Usage: python3 recompute.py [DIRECTORY]

DIRECTORY (default: where this script lies) holds summary.json, report.html and runs/*.csv. The
metrics, intervals, timelines and distributions of summary.json are computed from the files in
runs/, and every number shown in report.html is looked up by the place it names and formatted
again. Exits with 0 if everything agrees, else prints the first differences and exits with 1.

Needs nothing but Python 3.8 or later. It shares no code with the program that wrote the report.
"""

import bisect
import csv
import json
import math
import os
import re
import sys
from array import array
from decimal import Decimal

TOLERANCE = 1e-9
# Quantiles of Student's t are tabulated to six decimals by the one side, and solved for here.
INTERVAL_TOLERANCE = 2e-6
SHOWN = 20


class Check:
    """Counts comparisons and keeps the differences."""

    def __init__(self):
        self.count = 0
        self.differences = []

    def equal(self, where, found, expected, tolerance=TOLERANCE):
        self.count += 1
        if found is None or expected is None:
            same = found is expected
        elif isinstance(expected, float) or isinstance(found, float):
            scale = max(1.0, abs(found), abs(expected))
            same = abs(found - expected) <= tolerance * scale
        else:
            same = found == expected
        if not same:
            self.differences.append(f"{where}: written {found!r}, recomputed {expected!r}")

    def series(self, where, found, expected):
        self.equal(f"{where}: length", len(found), len(expected))
        for place, (one, other) in enumerate(zip(found, expected)):
            self.equal(f"{where}[{place}]", one, other)


def percentile(ordered, percent):
    """By nearest rank."""
    if not ordered:
        return 0
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(rank, 1) - 1]


def total(values):
    """A plain sum in the order given, as the program takes it."""
    result = 0.0
    for value in values:
        result += value
    return result


class Bins:
    """Amounts times seconds in bins of equal width."""

    def __init__(self, width, count):
        self.width, self.count = width, count
        self.ends = [0] * (count + 1)
        self.steps = [0] * (count + 1)

    def add(self, start, end, amount):
        first, last = start // self.width, end // self.width
        if first == last:
            if end > start:
                self.ends[first] += amount * (end - start)
            return
        self.ends[first] += amount * ((first + 1) * self.width - start)
        if end > last * self.width:
            self.ends[last] += amount * (end - last * self.width)
        if last > first + 1:
            self.steps[first + 1] += amount * self.width
            self.steps[last] -= amount * self.width

    def means(self, of):
        level, means = 0, []
        for end, step in zip(self.ends, self.steps):
            level += step
            means.append((end + level) / (self.width * of))
        return means[: self.count]


def share(part, of):
    return part / of if of else 0.0


def bins_of(policy):
    return {line["name"]: Bins(line["bin_s"], len(line["mean"])) for line in policy["timelines"]}


def as_numbers(metrics):
    return {name: float(value) for name, value in metrics.items()}


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def grades(starts):
    """What estimates of starts come to, over the jobs that waited."""
    waited = [one for one in starts if one["start"] > one["submit"]]
    inside = sum(one["earliest"] <= one["start"] <= one["latest"] for one in waited)

    def errors(key):
        signed = [one[key] - one["start"] for one in waited]
        distances = sorted(abs(error) for error in signed)
        return percentile(distances, 50), percentile(distances, 90), share(sum(signed), len(signed))

    expected, limits = errors("expected"), errors("by_limits")
    return {
        "graded_starts": len(waited),
        "start_error_median_s": expected[0],
        "start_error_p90_s": expected[1],
        "start_bias_s": expected[2],
        "start_in_range": 100.0 * share(inside, len(waited)),
        "limits_error_median_s": limits[0],
        "limits_error_p90_s": limits[1],
        "limits_bias_s": limits[2],
    }


class BatchRun:
    """What the jobs of one file of a batch site come to."""

    def __init__(self, path, summary, policy):
        bound = max(summary["bounded_slowdown_s"], 1)
        processors = summary["size"]
        waits, slowdowns = array("q"), array("d")
        wait_sum = turnaround_sum = busy = 0
        first, last = None, 0
        bins = bins_of(policy)
        self.starts = []
        graded = False
        for row in rows(path):
            submit, start, end = (int(row[key]) for key in ("submit_s", "start_s", "end_s"))
            width = int(row["processors"])
            if not submit <= start <= end:
                raise SystemExit(f"{path}: job {row['job']} starts or ends before its time")
            wait, run = start - submit, end - start
            waits.append(wait)
            slowdowns.append(max((wait + run) / max(run, bound), 1.0))
            wait_sum += wait
            turnaround_sum += end - submit
            busy += width * run
            first = submit if first is None else min(first, submit)
            last = max(last, end)
            bins["utilization"].add(start, end, width)
            bins["queue"].add(submit, start, 1)
            graded = graded or "expected_s" in row
            if row.get("expected_s"):
                one = {"submit": submit, "start": start}
                for key in ("by_limits", "earliest", "expected", "latest"):
                    one[key] = int(row[f"{key}_s"])
                self.starts.append(one)
        self.count = len(waits)
        mean_slowdown = share(total(slowdowns), self.count)
        waits, slowdowns = sorted(waits), sorted(slowdowns)
        makespan = last - (first or 0) if self.count else 0
        self.metrics = as_numbers({
            "mean_bounded_slowdown": mean_slowdown,
            "median_bounded_slowdown": percentile(slowdowns, 50),
            "p95_bounded_slowdown": percentile(slowdowns, 95),
            "mean_wait_s": share(wait_sum, self.count),
            "median_wait_s": percentile(waits, 50),
            "p95_wait_s": percentile(waits, 95),
            "p99_wait_s": percentile(waits, 99),
            "max_wait_s": waits[-1] if waits else 0,
            "mean_turnaround_s": share(turnaround_sum, self.count),
            "utilization": 100.0 * share(busy, processors * makespan),
            "mean_queue": share(wait_sum, makespan),
            "started_at_once": 100.0 * share(bisect.bisect_right(waits, 0), self.count),
            "makespan_s": makespan,
            "jobs": self.count,
            **(grades(self.starts) if graded else {}),
        })
        self.timelines = {
            "utilization": bins["utilization"].means(processors),
            "queue": bins["queue"].means(1),
        }
        self.sorted = {"wait_s": waits, "bounded_slowdown": slowdowns}
        self.curves = {}


class PackingRun:
    """What the pods of one file of a site with shared GPUs come to."""

    def __init__(self, path, summary, policy):
        capacity = max(summary["size"] * 1000, 1)
        came = used = placed = count = 0
        sums = {}
        for row in rows(path):
            milli = int(row["gpu_milli"])
            count += 1
            came += milli
            if row["node"]:
                placed += 1
                used += milli
            demand = (came * 100 + capacity // 2) // capacity
            at = sums.setdefault(demand, [0, 0])
            at[0] += used
            at[1] += 1
        curve = {at: 100.0 - 100.0 * (used / pods) / capacity for at, (used, pods) in sums.items()}
        end = curve[max(curve)] if curve else 100.0
        self.count = count
        self.metrics = as_numbers({
            "unallocated_percent": end,
            "allocated_percent": 100.0 - end,
            "placed_percent": 100.0 * share(placed, count),
            "pods": count,
        })
        self.timelines, self.sorted = {}, {}
        self.curves = {"unallocated_percent": curve}


class ElasticRun:
    """What the jobs of one file of an elastic training site come to."""

    def __init__(self, path, summary, policy):
        gpus = summary["size"]
        jct, waits = [], []
        held = restarting = restarts = last = 0
        first = None
        bins = bins_of(policy)
        for row in rows(path):
            submit, start, end = float(row["submit_s"]), int(row["start_s"]), int(row["end_s"])
            jct.append(end - submit)
            waits.append(start - submit)
            held += int(row["gpu_s"])
            restarting += int(row["restart_gpu_s"])
            restarts += int(row["restarts"])
            first = submit if first is None else min(first, submit)
            last = max(last, end)
            bins["queue"].add(min(math.floor(submit), start), start, 1)
            bins["running"].add(start, end, 1)
        self.count = len(jct)
        mean_jct, mean_wait = share(total(jct), self.count), share(total(waits), self.count)
        jct.sort()
        waits.sort()
        makespan = last - first if self.count else 0.0
        self.metrics = as_numbers({
            "mean_jct_s": mean_jct,
            "median_jct_s": percentile(jct, 50),
            "p99_jct_s": percentile(jct, 99),
            "mean_wait_s": mean_wait,
            "makespan_s": makespan,
            "utilization": 100.0 * share(held, gpus * makespan),
            "restarts": share(restarts, self.count),
            "restart_share": 100.0 * share(restarting, held),
            "jobs": self.count,
        })
        self.timelines = {name: one.means(1) for name, one in bins.items()}
        self.sorted = {"jct_s": jct, "wait_s": waits}
        self.curves = {}


class Sums:
    """Amounts over some of the lines of a network's file."""

    def __init__(self):
        self.waits, self.slowdowns = array("q"), array("d")
        self.turnaround = self.stage = self.cpu = self.gpu = self.cost = 0
        self.preempted = self.timed_out = self.refused = 0

    def add(self, row, bound):
        submit, placed, start, end = (
            int(row[key]) for key in ("submit_s", "placed_s", "start_s", "end_s")
        )
        self.cpu += int(row["cpus"]) * (end - placed)
        self.gpu += int(row["gpus"]) * (end - placed)
        self.cost += int(Decimal(row["cost"]) * 1000000)
        self.preempted += row["state"] in ("Pending", "Preempted")
        if row["state"] == "Pending":
            return
        wait, run = start - submit, end - start
        self.waits.append(wait)
        self.slowdowns.append(max((wait + run) / max(run, bound), 1.0))
        self.turnaround += end - submit
        self.stage += start - placed
        self.timed_out += row["state"] == "Timeout"

    def metrics(self, cpus, gpus, makespan):
        count, waited = len(self.waits), sum(self.waits)
        mean_slowdown = share(total(self.slowdowns), count)
        self.waits, self.slowdowns = sorted(self.waits), sorted(self.slowdowns)
        return as_numbers({
            "mean_wait_s": share(waited, count),
            "median_wait_s": percentile(self.waits, 50),
            "p95_wait_s": percentile(self.waits, 95),
            "max_wait_s": self.waits[-1] if count else 0,
            "mean_bounded_slowdown": mean_slowdown,
            "p95_bounded_slowdown": percentile(self.slowdowns, 95),
            "mean_turnaround_s": share(self.turnaround, count),
            "mean_stage_s": share(self.stage, count),
            "cost": self.cost / 1e6,
            "utilization": 100.0 * share(self.cpu, cpus * makespan),
            "gpu_utilization": 100.0 * share(self.gpu, gpus * makespan),
            "cpu_hours": self.cpu / 3600.0,
            "gpu_hours": self.gpu / 3600.0,
            "mean_queue": share(waited, makespan),
            "started_at_once": 100.0 * share(bisect.bisect_right(self.waits, 0), count),
            "timed_out": 100.0 * share(self.timed_out, count),
            "preempted": self.preempted,
            "refused": self.refused,
            "makespan_s": makespan,
            "jobs": count,
        })


class NetworkRun:
    """What the jobs of one file of a network come to, in all, at each site, for each project."""

    def __init__(self, path, summary, policy):
        bound = max(summary["bounded_slowdown_s"], 1)
        sizes = {site["name"]: (site["cpus"], site["gpus"]) for site in summary["sites"]}
        everything = Sums()
        parts = {(group["kind"], group["name"]): Sums() for group in policy["groups"]}
        first, last = None, 0
        bins = bins_of(policy)
        for row in rows(path):
            if row["state"] == "Refused":
                everything.refused += 1
                continue
            submit, placed, start, end, wait, cpus = (
                int(row[key])
                for key in ("submit_s", "placed_s", "start_s", "end_s", "wait_s", "cpus")
            )
            if not submit <= placed <= start <= end or wait != start - submit:
                raise SystemExit(f"{path}: job {row['job']} starts or ends before its time")
            if Decimal(row["cost"]) > Decimal(row["cost_most"]):
                raise SystemExit(f"{path}: job {row['job']} costs more than was set aside")
            site, project = ("site", row["site"]), ("project", row["project"])
            for sums in (everything, parts[site], parts[project]):
                sums.add(row, bound)
            first = submit if first is None else min(first, submit)
            last = max(last, end)
            bins["utilization"].add(placed, end, cpus)
            bins["site:" + row["site"]].add(placed, end, cpus)
            if row["state"] != "Pending":
                bins["queue"].add(submit, start, 1)
        makespan = last - (first or 0)
        cpus, gpus = (sum(size[kind] for size in sizes.values()) for kind in (0, 1))
        self.count = len(everything.waits)
        self.metrics = everything.metrics(cpus, gpus, makespan)
        self.groups = {}
        for (kind, name), sums in parts.items():
            size = sizes[name] if kind == "site" else (0, 0)
            self.groups[kind, name] = sums.metrics(*size, makespan)
        of = {"utilization": cpus, "queue": 1}
        of.update({"site:" + name: size[0] for name, size in sizes.items()})
        self.timelines = {name: one.means(of[name]) for name, one in bins.items()}
        self.sorted = {"wait_s": everything.waits, "bounded_slowdown": everything.slowdowns}
        self.curves = {}


KINDS = {
    "batch": BatchRun,
    "gpu-sharing": PackingRun,
    "elastic": ElasticRun,
    "network": NetworkRun,
}


def below(run, name, thresholds):
    return [bisect.bisect_right(run.sorted[name], threshold) for threshold in thresholds]


def incomplete_beta(a, b, x):
    """The regularized incomplete beta function, by its continued fraction."""
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1.0 / max(1.0 - (a + b) * x / (a + 1.0), 1e-300)
    value = d
    for m in range(1, 500):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + numerator * d)
            c = 1.0 + numerator / c
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return front * value


def student(degrees, level):
    """The point that a Student variable exceeds to either side with probability 1 - level."""
    low, high = 0.0, 1000.0
    for _ in range(200):
        middle = (low + high) / 2
        outside = incomplete_beta(degrees / 2, 0.5, degrees / (degrees + middle * middle))
        low, high = (middle, high) if outside > 1.0 - level else (low, middle)
    return (low + high) / 2


def estimate(values, level):
    count = len(values)
    mean = total(values) / count
    half_width = None
    if count > 1:
        squares = total((value - mean) * (value - mean) for value in values)
        half_width = student(count - 1, level) * math.sqrt(squares / (count - 1)) / math.sqrt(count)
    return {"mean": mean, "half_width": half_width, "least": min(values), "most": max(values)}


def check_estimates(check, where, found, per_run, level):
    for name, written in found.items():
        expected = estimate([metrics[name] for metrics in per_run], level)
        for part, value in expected.items():
            tolerance = INTERVAL_TOLERANCE if part == "half_width" else TOLERANCE
            check.equal(f"{where}/{name}/{part}", written[part], value, tolerance)


def check_policy(check, directory, summary, index, first):
    policy = summary["policies"][index]
    where = f"policies/{index}"
    kind = KINDS[summary["model"]]
    runs = [kind(os.path.join(directory, run["file"]), summary, policy) for run in policy["runs"]]
    for place, (run, written) in enumerate(zip(runs, policy["runs"])):
        check.equal(f"{where}/runs/{place}/seed", written["seed"], summary["seeds"][place])
        for name, value in written["metrics"].items():
            check.equal(f"{where}/runs/{place}/metrics/{name}", value, run.metrics[name])
    metrics = [run.metrics for run in runs]
    first = metrics if first is None else first
    change = [{name: one[name] - other[name] for name in one} for one, other in zip(metrics, first)]
    level = summary["confidence"]["level"]
    check_estimates(check, f"{where}/metrics", policy["metrics"], metrics, level)
    check_estimates(check, f"{where}/difference", policy["difference"], change, level)
    for place, group in enumerate(policy.get("groups", [])):
        per_run = [run.groups[group["kind"], group["name"]] for run in runs]
        at = f"{where}/groups/{place}/metrics"
        check_estimates(check, at, group["metrics"], per_run, level)
    for line in policy["timelines"]:
        columns = list(zip(*(run.timelines[line["name"]] for run in runs)))
        at = f"{where}/timelines/{line['name']}"
        means = [total(column) / len(column) for column in columns]
        check.series(f"{at}/mean", line["mean"], means)
        check.series(f"{at}/least", line["least"], [min(column) for column in columns])
        check.series(f"{at}/most", line["most"], [max(column) for column in columns])
    jobs = sum(run.count for run in runs)
    for name, shares in policy["distributions"].items():
        thresholds = summary["thresholds"][name]
        counts = [sum(column) for column in zip(*(below(run, name, thresholds) for run in runs))]
        expected = [count / jobs if jobs else 0.0 for count in counts]
        check.series(f"{where}/distributions/{name}", shares, expected)
    for agreement in policy.get("agreements", []):
        counts = [[0] * len(row) for row in agreement["counts"]]
        for one in (one for run in runs for one in run.starts):
            true = bisect.bisect_left(agreement["at_most"], one["start"] - one["submit"])
            wait = max(one["expected"] - one["submit"], 0)
            counts[true][bisect.bisect_left(agreement["at_most"], wait)] += 1
        check.equal(f"{where}/agreements/{agreement['name']}", agreement["counts"], counts)
    for curve in policy["curves"]:
        check_curve(check, f"{where}/curves/{curve['name']}", curve, runs)
    return first


def check_curve(check, where, curve, runs):
    all_runs = [run.curves[curve["name"]] for run in runs]
    demands = sorted({demand for one in all_runs for demand in one})
    check.equal(f"{where}/demand", curve["demand"], demands)
    columns = [[one[demand] for one in all_runs if demand in one] for demand in demands]
    means = [total(column) / len(column) for column in columns]
    check.series(f"{where}/mean", curve["mean"], means)
    check.series(f"{where}/least", curve["least"], [min(column) for column in columns])
    check.series(f"{where}/most", curve["most"], [max(column) for column in columns])


def at_path(document, path):
    for word in path.split("/"):
        document = document[int(word)] if isinstance(document, list) else document[word]
    return document


def check_page(check, directory, summary):
    """Every number shown names its place in the summary, and is that number, formatted."""
    with open(os.path.join(directory, "report.html"), encoding="utf-8") as file:
        page = file.read()
    inside = re.search(r'<script type="application/json" id="summary">(.*?)</script>', page, re.S)
    embedded = json.loads(inside.group(1)) if inside else None
    check.equal("report.html: the summary inside", embedded == summary, True)
    marks = r'data-path="([^"]+)" data-scale="([^"]+)" data-decimals="(\d+)">([^<]*)<'
    shown = re.findall(marks, page)
    check.equal("report.html: numbers are shown", len(shown) > 0, True)
    check.equal("report.html: numbers without a mark", page.count("data-path="), len(shown))
    for path, scale, decimals, text in shown:
        expected = f"{at_path(summary, path) / float(scale):,.{int(decimals)}f}"
        check.equal(f"report.html: {path}", text, expected)
    return len(shown)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    directory = sys.argv[1] if len(sys.argv) > 1 else here
    with open(os.path.join(directory, "summary.json"), encoding="utf-8") as file:
        summary = json.load(file)
    if summary["schema"] != "suanpan.simulation/1":
        raise SystemExit(f"summary.json has schema {summary['schema']}, not suanpan.simulation/1")
    check = Check()
    first = None
    for index in range(len(summary["policies"])):
        first = check_policy(check, directory, summary, index, first)
    shown = check_page(check, directory, summary)
    if check.differences:
        for difference in check.differences[:SHOWN]:
            print(difference)
        print(f"{len(check.differences)} of {check.count} numbers differ")
        return 1
    files = sum(len(policy["runs"]) for policy in summary["policies"])
    print(f"{check.count} numbers recomputed from {files} files, {shown} of them shown: all equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
