"""Two domains that differ in one chosen way."""

from typing import Any, Literal, get_args

import numpy as np
from sklearn.utils import check_random_state

Shift = Literal["covariate", "target", "concept", "subspace"]


def make_shifted(
    n_source: int = 200,
    n_target: int = 200,
    *,
    shift: Shift = "covariate",
    strength: float = 1.0,
    noise: float = 0.3,
    n_features: int = 2,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make labelled rows of a source and of a target that differ by one kind of shift.

    Parameters
    ----------
    n_source, n_target : int, default=200
        Rows of each domain; at least 2.
    shift : {"covariate", "target", "concept", "subspace"}, default="covariate"
        What differs. "covariate": P(X) does and P(y | X) does not; the classes are the sides of a sine, and
        the target lies where the source is thin. "target": P(y) does and P(X | y) does not; class 1 is rarer
        in the target. "concept": P(y | X) does and P(X) does not; the boundary is turned. "subspace": the
        target's rows are the source's, turned in the plane of the first two features and stretched.
    strength : float, default=1.0
        How far the domains differ, 0 or more; 0 makes them alike.
    noise : float, default=0.3
        Standard deviation of what is added to the rows; for "covariate" and "concept", to the boundary before
        labels are drawn. Larger makes classes overlap.
    n_features : int, default=2
        Columns of X, 2 or more. Those beyond the second are noise of unit variance.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same rows every time.

    Returns
    -------
    X : ndarray of shape (n_source + n_target, n_features)
        Rows, those of the source first.
    y : ndarray of shape (n_source + n_target,)
        Classes 0 and 1, of target rows too, for scoring; no estimator of domains reads these.
    sample_domain : ndarray of shape (n_source + n_target,)
        1 for source rows, -1 for target rows.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from sklearn_dl.datasets import make_shifted
    >>> X, y, sample_domain = make_shifted(shift="target", random_state=0)
    >>> float(y[sample_domain > 0].mean()), float(y[sample_domain < 0].mean())
    (0.5, 0.25)
    """
    _check(shift, n_source=(n_source, 2), n_target=(n_target, 2), n_features=(n_features, 2),
           strength=(strength, 0), noise=(noise, 0))  # fmt: skip
    rng = check_random_state(random_state)
    make = {"covariate": _covariate, "target": _target, "concept": _concept, "subspace": _subspace}[shift]
    domains = [make(rng, n, amount, noise) for n, amount in ((n_source, 0.0), (n_target, strength))]
    X = np.concatenate([rows for rows, _ in domains])
    X = np.column_stack([X, rng.normal(size=(len(X), n_features - 2))])
    y = np.concatenate([labels for _, labels in domains])
    return X, y, np.repeat([1, -1], [n_source, n_target])


def _check(shift: str, **numbers: tuple[float, float]) -> None:
    if shift not in get_args(Shift):
        raise ValueError(f"make_shifted: shift must be one of {list(get_args(Shift))}; got {shift!r}.")
    for name, (value, least) in numbers.items():
        if not least <= value < np.inf:
            raise ValueError(f"make_shifted: {name} must be at least {least}; got {value!r}.")


def _covariate(rng: Any, n: int, amount: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(n, 2)) * [1.5, 1.0] + [amount * 2.0 - 1.0, 0.0]
    return X, (X[:, 1] + noise * rng.normal(size=n) > np.sin(X[:, 0])).astype(np.int64)


def _target(rng: Any, n: int, amount: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    y = np.zeros(n, dtype=np.int64)
    y[: max(1, round(n * 0.5 / (1 + amount)))] = 1
    rng.shuffle(y)
    return np.where(y, 1.0, -1.0)[:, None] * [0.7, 0.7] + (0.5 + noise) * rng.normal(size=(n, 2)), y


def _concept(rng: Any, n: int, amount: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(n, 2))
    angle = amount * np.pi / 4
    side = X @ [np.cos(angle), np.sin(angle)] + noise * rng.normal(size=n)
    return X, (side > 0).astype(np.int64)


def _subspace(rng: Any, n: int, amount: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(n) % 2
    rng.shuffle(y)
    X = np.column_stack([rng.normal(size=n) * 2.0, np.where(y, 1.0, -1.0)]) + noise * rng.normal(size=(n, 2))
    angle = amount * np.pi / 3
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return X * [1 + amount / 2, 1.0] @ turn, y
