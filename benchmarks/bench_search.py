"""Regret and time of searches: the best value found in 50 evaluations, 10 of them the same for every method.

    python benchmarks/bench_search.py [method ...] [--problems NAME ...] [--seeds N] [--held-out] [--quick]

Simple regret is the lowest noiseless value among the points evaluated, less the optimum; tables show medians
over the seeds. `ms` is the median CPU time between two evaluations after the initial ones. Methods that are
not asked for keep the results of earlier runs in results/search.json, which holds a regret for each seed: 60
of our GPSampler on Levy8, whose median over 20 seeds moves by half; else 20. Slow as they are,
scikit-optimize and BoTorch were not run on the held-out problems.
"""

import argparse
import time
from statistics import median

from side_by_side import pin_threads, print_table, read_results, write_results

pin_threads(1)

import numpy as np  # noqa: E402
from cases import UnavailableError  # noqa: E402
from scipy.stats import rankdata  # noqa: E402
from search_functions import HELD_OUT_PROBLEMS, PROBLEMS, TARGET_PROBLEMS  # noqa: E402
from search_methods import METHODS, OURS_GP, draw  # noqa: E402

N_EVALUATIONS, N_INITIAL = 50, 10
MEDIAN_TARGETS = {
    "branin": 3e-5,
    "hartmann6": 0.0035,
    "hartmann6_noisy": 0.25,
    "ackley5": 5.0,
    "rosenbrock4": 10.0,
    "levy8": 3.0,
    "mixed": 1e-3,
}
UPPER_QUARTILE_TARGETS = {"mixed": 0.1}
MS_TARGET = {"hartmann6": 40.0}
PACKAGES = ("optuna", "hyperopt", "scikit-optimize", "botorch", "scipy")


class Recorder:
    """Objective that remembers true values, and the CPU time spent outside of it."""

    def __init__(self, problem, seed):
        self.problem, self.rng = problem, np.random.default_rng([seed, 2])
        self.values, self.pauses = [], []
        self._left = time.process_time()

    def __call__(self, params):
        entered = time.process_time()
        self.pauses.append(entered - self._left)
        value = self.problem.function(params)
        self.values.append(value)
        seen = value + self.problem.noise * self.rng.standard_normal()
        self._left = time.process_time()
        return float(seen)


def search(method, problem, seed):
    """Regret and milliseconds of one search."""
    rng = np.random.default_rng(seed)
    initial = [draw(problem, rng) for _ in range(N_INITIAL)]
    recorder = Recorder(problem, seed)
    METHODS[method](problem, recorder, initial, N_EVALUATIONS, seed)
    if len(recorder.values) != N_EVALUATIONS:
        raise RuntimeError(f"{method} made {len(recorder.values)} evaluations instead of {N_EVALUATIONS}.")
    return min(recorder.values) - problem.optimum, 1e3 * median(recorder.pauses[N_INITIAL:])


def measure(method, names, n_seeds):
    """Results of a method by problem."""
    results = {}
    for name in names:
        try:
            runs = [search(method, PROBLEMS[name], seed) for seed in range(n_seeds)]
        except UnavailableError as reason:
            print(f"{method} on {name}: skipped, {reason}", flush=True)
            continue
        regrets, times = zip(*runs, strict=True)
        results[name] = {"regrets": regrets, "ms": median(times)}
        print(f"{method} on {name}: {median(regrets):.3g}, {median(times):.1f} ms", flush=True)
    return results


def mean_ranks(results, names):
    """Mean over the problems of the rank by median regret; a method that lacks a problem ranks last there."""
    table = [
        [np.median(found[name]["regrets"]) if name in found else np.inf for name in names]
        for found in results.values()
    ]
    return dict(zip(results, rankdata(np.array(table), axis=0).mean(axis=1), strict=True))


def report(title, results, names):
    covered = {method: by_name for method, by_name in results.items() if any(n in by_name for n in names)}
    if not covered:
        return
    ranks = mean_ranks(covered, names)
    rows = []
    for method in sorted(covered, key=ranks.get):
        row = {"method": method, "mean rank": float(ranks[method])}
        for name in names:
            found = covered[method].get(name)
            row[name] = float(np.median(found["regrets"])) if found else "-"
        seeds = {len(found["regrets"]) for name, found in covered[method].items() if name in names}
        slowest = covered[method].get("hartmann6")
        rows.append(row | {"ms in 6-D": slowest["ms"] if slowest else "-", "seeds": min(seeds)})
    print_table(title, rows)


def report_targets(ours):
    rows = []
    for statistic, share, targets in (
        ("median", 0.5, MEDIAN_TARGETS),
        ("upper quartile", 0.75, UPPER_QUARTILE_TARGETS),
    ):
        for name in targets.keys() & ours.keys():
            value = float(np.quantile(ours[name]["regrets"], share))
            rows.append(_line(f"{name}, {statistic}", value, targets[name]))
    rows += [
        _line(f"{name}, ms", ours[name]["ms"], limit) for name, limit in MS_TARGET.items() if name in ours
    ]
    if rows:
        print_table("Targets", sorted(rows, key=lambda row: row["what"]))


def _line(what, value, limit):
    return {"what": what, "value": value, "at most": limit, "met": "yes" if value <= limit else "NO"}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="methods: " + ", ".join(METHODS)
    )
    parser.add_argument(
        "methods", nargs="*", metavar="method", help="measure only these; all if none is named"
    )
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, help="only these")
    parser.add_argument("--held-out", action="store_true", help="the problems that no target is stated on")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="two seeds, and nothing is written")
    options = parser.parse_args()
    unknown = set(options.methods) - set(METHODS)
    if unknown:
        parser.error(f"no method {', '.join(sorted(unknown))}; there are {', '.join(METHODS)}")
    names = options.problems or list(HELD_OUT_PROBLEMS if options.held_out else TARGET_PROBLEMS)
    results = read_results("search", METHODS)
    for method in options.methods or METHODS:
        found = measure(method, names, 2 if options.quick else options.seeds)
        results[method] = results.get(method, {}) | found
        if not options.quick:  # after each method: a run that is cut short keeps its part
            write_results("search", {key: results[key] for key in METHODS if key in results}, PACKAGES)
    report("Median regret, problems with targets", results, list(TARGET_PROBLEMS))
    report("Median regret, held-out problems", results, list(HELD_OUT_PROBLEMS))
    report_targets(results.get(OURS_GP, {}))


if __name__ == "__main__":
    main()
