"""Named cases with a target each: speed at several thread counts, quality, memory; a fresh process for each.

A script declares its cases and hands them to :func:`run`. The process that measures is started with its
thread count set, so that every library reads it when it is loaded.
"""

import argparse
import gc
import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from side_by_side import Job, compare, pin_threads, print_table, read_results, write_results

OURS = "sklearn_dl"
TIMES = ("job", "cpu_s", "wall_s", "ratio", "wall_ratio")
MEMORY_FACTOR = 1.2  # ours may take so many times the extra memory of scikit-learn
MEMORY_NOISE_MB = 10.0  # less than this is thread stacks, workspaces and pages of code
# Idle threads spin after their last task, at the cost of the next job: those of Intel's OpenMP for 0.2 s.
PAUSE_S = 0.3
PEAK_RESET = Path("/proc/self/clear_refs")


class UnavailableError(Exception):
    """A case cannot be measured here; the message says what is missing."""


@dataclass(frozen=True)
class Case:
    """One job done in several ways.

    Its functions must be importable from the script, since other processes call them.

    Attributes
    ----------
    title : str
        What is fitted to what.
    make : callable
        ``make(share=0.1)`` returns the data, with a tenth of the rows.
    jobs : callable
        ``jobs(data)`` returns the ways to do the job by name, as :func:`side_by_side.compare` takes them.
    targets : dict
        Name of a peer to the number of times ours has to be faster.
    rounds : int, default=5
        Times each way is run.
    quick_share : float, default=0.1
        Share of the rows with ``--quick``.
    warm_up : bool, default=True
        Whether each way is run once before, unmeasured; False where a run takes minutes.
    cache_mb : float, default=0.0
        Memory that a parameter grants to ours as a cache, which it may take beside.
    """

    title: str
    make: Callable[..., Any]
    jobs: Callable[[Any], dict[str, Job]]
    targets: Mapping[str, float] = field(default_factory=dict)
    rounds: int = 5
    quick_share: float = 0.1
    warm_up: bool = True
    cache_mb: float = 0.0


def run(name: str, description: str, cases: Mapping[str, Case], packages: tuple[str, ...]) -> None:
    """Measure the cases that the command line asks for; all but quick ones go to results/`name`.json."""
    options = _command_line(description, cases)
    results: dict[str, Any] = {}
    kept = read_results(name, cases) if options.cases else {}
    for key in options.cases or cases:
        try:
            results[key] = _measure(cases[key], options)
        except UnavailableError as reason:
            print(f"\n{cases[key].title}: skipped, {reason}", flush=True)
            results[key] = {"title": cases[key].title, "skipped": str(reason)}
        if not options.quick:  # after each case: a run that is cut short keeps its part
            write_results(
                name, {key: (kept | results)[key] for key in cases if key in kept | results}, packages
            )
    summary = [line for result in results.values() for line in _summary(result)]
    if summary:
        print_table("Targets: how many times faster ours is", summary)


def _command_line(description: str, cases: Mapping[str, Case]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=description,
        epilog="cases: " + ", ".join(cases),
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "cases", nargs="*", metavar="case", help="measure only these, and keep the results of others"
    )
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="thread counts")
    parser.add_argument("--rounds", type=int, default=None, help="runs of each job; the case's own if None")
    parser.add_argument("--quick", action="store_true", help="fewer rows, one round, one thread")
    parser.add_argument("--no-memory", dest="memory", action="store_false", help="leave peak memory out")
    options = parser.parse_args()
    unknown = [key for key in options.cases if key not in cases]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(cases)}")
    if options.quick:
        options.threads, options.rounds = [1], 1
    return options


def _measure(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    share = case.quick_share if options.quick else 1.0
    result: dict[str, Any] = {"title": case.title}
    for n_threads in options.threads:
        rows = in_fresh_process(measure_speed, case, share, options.rounds, n_threads, n_threads=n_threads)
        print_table(f"{case.title}: {n_threads} thread{'s' * (n_threads > 1)}", rows)
        result[f"speed, threads={n_threads}"] = rows
    if options.memory and PEAK_RESET.exists():
        names = [row["job"] for row in rows]
        result["peak extra memory"] = _compare_memory(case, names, share, n_threads)
        print_table(f"{case.title}: peak extra memory, {n_threads} threads", result["peak extra memory"])
    return result


def in_fresh_process(function: Callable[..., Any], *arguments: Any, n_threads: int) -> Any:
    """Call `function` in a process that is started with `n_threads` for every library."""
    pin_threads(n_threads)  # the child inherits it, and imports numpy after
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure_speed(case: Case, share: float, rounds: int | None, n_threads: int) -> list[dict[str, Any]]:
    """A row for each way of doing the job: times, the ratio of CPU times beside its target, quality."""
    warnings.simplefilter("ignore")
    jobs = case.jobs(case.make(share=share))
    rows = []
    pause_s = PAUSE_S if n_threads > 1 else 0.0
    measured = compare(
        jobs, reference=OURS, rounds=rounds or case.rounds, warm_up=case.warm_up, pause_s=pause_s
    )
    for row in measured:
        times = {key: row.pop(key) for key in TIMES}
        rows.append({**times, "target": case.targets.get(times["job"], ""), **row})
    return rows


def _compare_memory(case: Case, names: list[str], share: float, n_threads: int) -> list[dict[str, Any]]:
    # Without this, malloc keeps what the first run frees, and the second would find its memory there.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(2**16)
    extra = {}
    for name in names:
        extra[name] = in_fresh_process(peak_extra_mb, case, name, share, n_threads=n_threads)
    del os.environ["MALLOC_MMAP_THRESHOLD_"]
    cache = f", {case.cache_mb:g} MB of cache beside" if case.cache_mb else ""
    return [
        {
            "job": name,
            "extra_mb": mb,
            "ours_over_it": ""
            if name == OURS
            else max(0.0, extra[OURS] - case.cache_mb) / max(mb, MEMORY_NOISE_MB),
            "target": "" if name == OURS else f"at most {MEMORY_FACTOR}{cache}",
        }
        for name, mb in extra.items()
    ]


def peak_extra_mb(case: Case, name: str, share: float) -> float:
    """Memory of one job at its peak, in MB above the state with the data made and the libraries loaded."""
    warnings.simplefilter("ignore")
    job = case.jobs(case.make(share=share))[name]
    job()  # loads and compiles
    gc.collect()
    PEAK_RESET.write_text("5")  # the peak counts from here
    before = _resident_mb("VmRSS")
    judge = job()  # holds the fitted model, which counts too
    extra = _resident_mb("VmHWM") - before
    del judge
    return extra


def _resident_mb(field_name: str) -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field_name))


def _summary(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line for each peer with a target: the target, the ratio at each thread count, and both qualities."""
    speeds = {key.removeprefix("speed, "): rows for key, rows in result.items() if key.startswith("speed")}
    lines: dict[str, dict[str, Any]] = {}
    for label, rows in speeds.items():
        ours = next(row for row in rows if row["job"] == OURS)
        quality = next(key for key in ours if key not in (*TIMES, "target"))
        for row in rows:
            if row["target"]:
                line = lines.setdefault(
                    row["job"], {"case": result["title"], "over": row["job"], "target": row["target"]}
                )
                line[label] = row["ratio"]
                line |= {"quality": quality, "ours": ours[quality], "theirs": row[quality]}
    for line in lines.values():
        line["met"] = all(line[label] >= line["target"] for label in speeds)
    return list(lines.values())
