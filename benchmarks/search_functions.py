"""Functions to be minimised by a search: seven that targets are stated on, and others held out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Float:
    """Range of a float, searched by its logarithm with `log`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Int:
    """Range of an integer, both ends included."""

    low: int
    high: int


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """A function of named parameters, its lowest value, and the deviation of the noise added to it."""

    space: Mapping[str, Float | Int | Choice]
    function: Callable[[Mapping[str, Any]], float]
    optimum: float
    noise: float = 0.0


def box(n_dimensions, low, high):
    return {f"x{i}": Float(low, high) for i in range(n_dimensions)}


def of_vector(function):
    """Function of the parameters x0, x1 and so on, from one of a vector."""

    def evaluate(params):
        return float(function(np.array([params[f"x{i}"] for i in range(len(params))])))

    return evaluate


def branin(x):
    bowl = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return bowl**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10


def hartmann(widths, centres):
    heights = np.array([1.0, 1.2, 3.0, 3.2])

    def evaluate(x):
        return -heights @ np.exp(-np.sum(np.array(widths) * (x - 1e-4 * np.array(centres)) ** 2, axis=1))

    return evaluate


hartmann3 = hartmann(
    [[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]],
    [[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]],
)
hartmann6 = hartmann(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ],
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ],
)


def ackley(x):
    distance, ripple = math.sqrt(np.mean(x**2)), np.mean(np.cos(2 * math.pi * x))
    return 20 - 20 * math.exp(-0.2 * distance) + math.e - math.exp(ripple)


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def levy(x):
    w = 1 + (x - 1) / 4
    first, last = math.sin(math.pi * w[0]) ** 2, (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return first + np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)) + last


def mixed(params):
    """0 at n=7, rate=10**-1.7, a="b", b="r"; a wrong choice costs, and moves the best rate."""
    rate, n = math.log10(params["rate"]), (params["n"] - 7) / 10
    cost = {"a": 0.6, "b": 0.0, "c": 0.9}[params["a"]] + {"p": 0.3, "q": 0.2, "r": 0.0, "s": 0.5}[params["b"]]
    steepness = {"p": 1.5, "q": 1.0, "r": 0.7, "s": 2.0}[params["b"]]
    best_rate = {"a": 1.0, "b": -1.7, "c": 0.0}[params["a"]]
    return (
        cost
        + steepness * (0.35 * (rate - best_rate) ** 2 + 1.5 * n**2)
        + 0.3 * (1 - math.cos(3 * math.pi * n))
    )


def griewank(x):
    return 1 + np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(np.arange(1, len(x) + 1))))


def michalewicz(x):
    return -np.sum(np.sin(x) * np.sin(np.arange(1, len(x) + 1) * x**2 / math.pi) ** 20)


def styblinski_tang(x):
    return 0.5 * np.sum(x**4 - 16 * x**2 + 5 * x)


def six_hump_camel(x):
    return (4 - 2.1 * x[0] ** 2 + x[0] ** 4 / 3) * x[0] ** 2 + x[0] * x[1] + 4 * (x[1] ** 2 - 1) * x[1] ** 2


def rastrigin(x):
    return np.sum(x**2 - 10 * np.cos(2 * math.pi * x) + 10)


def goldstein_price(x):
    a, b = x
    first = 19 - 14 * a + 3 * a**2 - 14 * b + 6 * a * b + 3 * b**2
    second = 18 - 32 * a + 12 * a**2 + 48 * b - 36 * a * b + 27 * b**2
    return (1 + (a + b + 1) ** 2 * first) * (30 + (2 * a - 3 * b) ** 2 * second)


def dixon_price(x):
    return (x[0] - 1) ** 2 + np.sum(np.arange(2, len(x) + 1) * (2 * x[1:] ** 2 - x[:-1]) ** 2)


def layers(params):
    """Like the error of a network by depth, width, rate and two choices; 0 at 3, 64, 1e-3, "relu", "adam"."""
    depth, width = params["depth"], math.log2(params["width"])
    rate = math.log10(params["rate"]) + {"adam": 3.0, "sgd": 1.0}[params["optimizer"]]
    cost = {"relu": 0.0, "tanh": 0.05, "sigmoid": 0.2}[params["activation"]] * (1 + 0.3 * abs(depth - 1))
    cost += {"adam": 0.0, "sgd": 0.03}[params["optimizer"]]
    return cost + 0.04 * (depth - 3) ** 2 + 0.02 * (width - 6) ** 2 + 0.15 * rate**2 / (1 + 0.1 * rate**2)


TARGET_PROBLEMS = {
    "branin": Problem({"x0": Float(-5, 10), "x1": Float(0, 15)}, of_vector(branin), 0.39788735772973816),
    "hartmann6": Problem(box(6, 0, 1), of_vector(hartmann6), -3.32236801141551),
    "hartmann6_noisy": Problem(box(6, 0, 1), of_vector(hartmann6), -3.32236801141551, noise=0.1),
    "ackley5": Problem(box(5, -26.2144, 39.3216), of_vector(ackley), 0.0),
    "rosenbrock4": Problem(box(4, -5, 10), of_vector(rosenbrock), 0.0),
    "levy8": Problem(box(8, -10, 10), of_vector(levy), 0.0),
    "mixed": Problem(
        {
            "n": Int(1, 20),
            "rate": Float(1e-5, 1e2, log=True),
            "a": Choice(("a", "b", "c")),
            "b": Choice(("p", "q", "r", "s")),
        },
        mixed,
        0.0,
    ),
}

HELD_OUT_PROBLEMS = {
    "griewank6": Problem(box(6, -480, 600), of_vector(griewank), 0.0),
    "michalewicz5": Problem(box(5, 0, math.pi), of_vector(michalewicz), -4.687658),
    "styblinski_tang5": Problem(box(5, -5, 5), of_vector(styblinski_tang), -39.16616570377142 * 5),
    "six_hump_camel": Problem(
        {"x0": Float(-3, 3), "x1": Float(-2, 2)}, of_vector(six_hump_camel), -1.0316284534898774
    ),
    "rastrigin4": Problem(box(4, -4.12, 6.12), of_vector(rastrigin), 0.0),
    "goldstein_price": Problem(box(2, -2, 2), of_vector(goldstein_price), 3.0),
    "hartmann3_noisy": Problem(box(3, 0, 1), of_vector(hartmann3), -3.86278214782076, noise=0.1),
    "dixon_price5": Problem(box(5, -10, 10), of_vector(dixon_price), 0.0),
    "layers": Problem(
        {
            "depth": Int(1, 8),
            "width": Float(4, 1024, log=True),
            "rate": Float(1e-5, 1, log=True),
            "activation": Choice(("sigmoid", "tanh", "relu")),
            "optimizer": Choice(("sgd", "adam")),
        },
        layers,
        0.0,
    ),
}

PROBLEMS = TARGET_PROBLEMS | HELD_OUT_PROBLEMS
