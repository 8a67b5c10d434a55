"""Measure several ways of doing one job in one process, in turn; report ratios with their quality."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"


def pin_threads(n_threads: int = 1) -> None:
    """Give every numerical library `n_threads`; call before importing any of them."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(n_threads)


def compare(
    jobs: dict[str, Callable[[], Callable[[], float]]],
    *,
    reference: str,
    rounds: int = 7,
    warm_up: bool = True,
) -> list[dict[str, Any]]:
    """Run the jobs in turn, `rounds` times, and return a row for each.

    Parameters
    ----------
    jobs : dict
        Name to a function that does the job and returns another, which is called unmeasured and returns
        the quality of what was done (accuracy, R2, loss).
    reference : str
        The job whose CPU time is 1.
    rounds : int, default=7
        Times each job runs; medians are reported.
    warm_up : bool, default=True
        Run each job once before, unmeasured.
    """
    times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in jobs}
    for turn in range(rounds + warm_up):
        for name, job in jobs.items():
            cpu, wall = time.process_time(), time.perf_counter()
            judge = job()
            spent = (time.process_time() - cpu, time.perf_counter() - wall)
            if turn >= warm_up:
                times[name].append((*spent, judge()))
    base = median(cpu for cpu, _, _ in times[reference])
    return [
        {
            "job": name,
            "cpu_s": median(cpu for cpu, _, _ in runs),
            "wall_s": median(wall for _, wall, _ in runs),
            "ratio": median(cpu for cpu, _, _ in runs) / base,
            "quality": median(quality for _, _, quality in runs),
        }
        for name, runs in times.items()
    ]


def print_table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows of equal keys as an aligned table."""
    columns = list(rows[0])
    cells = [[_text(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [columns, *cells]) for i in range(len(columns))]
    print(f"\n{title}")
    for line in [columns, *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    sys.stdout.flush()


def write_results(name: str, results: dict[str, Any], packages: tuple[str, ...]) -> None:
    """Write results with the versions they were measured with as benchmarks/results/`name`.json."""
    versions = {package: _version(package) for package in ("sklearn-dl", "numpy", *packages)}
    machine = {"python": platform.python_version(), "processor": platform.machine(), **versions}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    text = json.dumps({"versions": machine, "results": results})
    strict = json.loads(text, parse_constant=lambda number: None)  # JSON knows no NaN
    path.write_text(json.dumps(strict, indent=1) + "\n")
    print(f"\nwritten to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
