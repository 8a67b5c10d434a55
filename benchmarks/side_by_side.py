"""Measure several ways of doing one job in one process, in turn; report ratios with their quality."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"

Quality = float | Mapping[str, float]
Job = Callable[[], Callable[[], Quality]]


def pin_threads(n_threads: int = 1) -> None:
    """Give every numerical library `n_threads`; call before importing any of them."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(n_threads)


def compare(
    jobs: dict[str, Job],
    *,
    reference: str,
    rounds: int = 7,
    warm_up: bool = True,
    pause_s: float = 0.0,
) -> list[dict[str, Any]]:
    """Run the jobs in turn, `rounds` times, and return a row for each.

    Parameters
    ----------
    jobs : dict
        Name to a function that does the job and returns another, which is called unmeasured and returns
        the quality of what was done: a number (accuracy, R2, loss) or several by name.
    reference : str
        The job whose time is 1.
    rounds : int, default=7
        Times each job runs; medians are reported.
    warm_up : bool, default=True
        Run each job once before, unmeasured.
    pause_s : float, default=0.0
        Seconds to wait before each run.

    Returns
    -------
    list of dict
        Median CPU and wall times of a job, the `ratio` of its CPU time to the reference's, `wall_ratio`,
        and its quality.
    """
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in jobs}
    for turn in range(rounds + warm_up):
        for name, job in jobs.items():
            time.sleep(pause_s)
            cpu, wall = time.process_time(), time.perf_counter()
            judge = job()
            spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
            if turn >= warm_up:
                quality = judge()
                by_name = quality if isinstance(quality, Mapping) else {"quality": quality}
                runs[name].append({**spent, **by_name})
    medians = {name: {key: median(run[key] for run in its) for key in its[0]} for name, its in runs.items()}
    base = medians[reference]
    return [
        {
            "job": name,
            "cpu_s": values["cpu_s"],
            "wall_s": values["wall_s"],
            "ratio": values["cpu_s"] / base["cpu_s"],
            "wall_ratio": values["wall_s"] / base["wall_s"],
            **{key: value for key, value in values.items() if key not in ("cpu_s", "wall_s")},
        }
        for name, values in medians.items()
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


def read_results(name: str, keys: Iterable[str]) -> dict[str, Any]:
    """Results under these keys that an earlier run has written as benchmarks/results/`name`.json."""
    path = RESULTS / f"{name}.json"
    written = json.loads(path.read_text())["results"] if path.exists() else {}
    return {key: written[key] for key in keys if key in written}


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
