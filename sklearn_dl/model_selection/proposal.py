"""Where the acquisition function is largest: candidates, climbs of the best, and moves between choices."""

from collections.abc import Callable

import numpy as np
from scipy.stats import qmc

from sklearn_dl.model_selection.acquisition import Objective
from sklearn_dl.model_selection.box_search import maximize_rows
from sklearn_dl.model_selection.encoding import ChoiceColumns, SpaceEncoding
from sklearn_dl.model_selection.search_model import SearchRows

_NEIGHBOURHOODS = (0.2, 0.05, 0.01)  # standard deviations around good rows, in sides of the cube
_N_NEAR = 64  # candidates in each
_N_LINE = 64  # values along one parameter, at most
_N_MOVES = 16  # values of a discrete parameter that are tried at a time, at most
_SAME, _TOO_NEAR = 1e-9, 1e-3  # of a row that was observed, and of one that runs, in sides of the cube
_ROUNDS = 4  # of moves and climbs


def propose(
    objective: Objective, trials: SearchRows, rng: np.random.Generator, *, n_candidates: int, n_starts: int
) -> np.ndarray:
    """Row of the unit cube where the acquisition function is largest, as far as was searched.

    Rows of trials are not proposed again, while there are others; nor is what lies very near a running one.

    Parameters
    ----------
    objective : Objective
        The acquisition function.
    trials : SearchRows
        What was run. The neighbourhoods of the best ones are looked at too.
    rng : Generator
        Source of the candidates.
    n_candidates : int
        Rows spread over the cube by a Sobol sequence.
    n_starts : int
        Candidates from which the search climbs.
    """
    encoding, good = trials.encoding, trials.good
    spread = qmc.Sobol(encoding.n_columns, seed=rng).random(n_candidates)
    candidates = encoding.snap(np.concatenate([spread, _near(good, encoding, rng)]))
    found = objective.value(candidates)
    starts = np.concatenate([candidates[_choose(found, n_starts, rng)], good[:1]])
    rows, values = _climb(objective, encoding, starts)
    if not encoding.continuous.all():
        rows, values = _improve(objective, encoding, rows, values)
    ordered = np.concatenate([rows[np.argsort(-values)], candidates[np.argsort(-found)]])
    new = _first_new(ordered, trials.finished, trials.running)
    return ordered[0] if new is None else new


def propose_on_lines(objective: Objective, trials: SearchRows, rng: np.random.Generator) -> np.ndarray | None:
    """Row where the acquisition function is largest among those that change one parameter of the best trial.

    Other parameters change only where the change brings them to life or takes them away. It is None if all
    such rows were run, as may be where every parameter has few values.

    Parameters
    ----------
    objective : Objective
        The acquisition function.
    trials : SearchRows
        What was run, and is not proposed again.
    rng : Generator
        Source of the shift of the grids of floats.
    """
    encoding = trials.encoding
    candidates, owners = _lines(trials.good[0], encoding, float(rng.random()))
    found = objective.value(candidates)
    top = [np.flatnonzero(owners == n)[np.argmax(found[owners == n])] for n in np.unique(owners)]
    own = encoding.parameter_of_column == owners[top, None]
    free = own & encoding.continuous & ~encoding.absent(candidates[top])
    rows, values = maximize_rows(objective.value_and_gradient, candidates[top], free)
    ordered = np.concatenate([rows[np.argsort(-values)], candidates[np.argsort(-found)]])
    return _first_new(ordered, trials.finished, trials.running)


def _lines(row: np.ndarray, encoding: SpaceEncoding, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows that have another value of one parameter, and the number of that parameter."""
    absent = encoding.absent(row[None])[0]
    lines, owners = [], []
    for name, part in encoding.parts.items():
        place = encoding.places[name]
        if absent[place.start]:
            continue
        if isinstance(part, ChoiceColumns):
            options = np.eye(part.width)
        elif encoding.continuous[place.start]:
            options = (np.arange(_N_LINE) + shift)[:, None] / _N_LINE
        else:
            options = part.moves(row[place.start], _N_LINE)[:, None]
        line = np.repeat(row[None], len(options), axis=0)
        line[:, place] = options
        lines.append(line)
        owners.append(np.full(len(line), encoding.parameter_of_column[place.start]))
    return encoding.snap(np.concatenate(lines)), np.concatenate(owners)


def _near(good: np.ndarray, encoding: SpaceEncoding, rng: np.random.Generator) -> np.ndarray:
    """Rows that differ from good ones in about half of their parameters, by little."""
    n_parameters = len(encoding.parts)
    parts = []
    for deviation in _NEIGHBOURHOODS:
        rows = good[rng.integers(len(good), size=_N_NEAR)]
        changed = rng.random((_N_NEAR, n_parameters)) < max(0.5, 2 / n_parameters)
        step = deviation * rng.standard_normal(rows.shape) * changed[:, encoding.parameter_of_column]
        parts.append(np.clip(rows + step, 0, 1))
    near = np.concatenate(parts)
    for name, part in encoding.parts.items():
        if isinstance(part, ChoiceColumns):
            flipped = rng.random(len(near)) < 0.2
            near[flipped, encoding.places[name]] = np.eye(part.width)[
                rng.integers(part.width, size=flipped.sum())
            ]
    return near


def _choose(values: np.ndarray, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """The best half, and others drawn by their values, so that one peak does not get all the starts."""
    order = np.argsort(-values)
    best, others = order[: n_starts // 2], order[n_starts // 2 :]
    scaled = (values[others] - values[others].max()) / (values.std() or 1.0)
    share = np.exp(scaled)
    n_drawn = min(n_starts - len(best), len(others))
    return np.concatenate([best, rng.choice(others, n_drawn, replace=False, p=share / share.sum())])


def _climb(objective: Objective, encoding: SpaceEncoding, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    free = encoding.continuous & ~encoding.absent(rows)
    return maximize_rows(objective.value_and_gradient, rows, free)


def _improve(
    objective: Objective, encoding: SpaceEncoding, rows: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Other values of one discrete parameter at a time, then climbs along the others, while it helps."""
    best = np.argsort(-values)[:4]
    rows, values = rows[best], values[best]
    for _ in range(_ROUNDS):
        before = values
        for name in encoding.parts:
            rows, values = _move(objective.value, encoding, name, rows, values)
        if (values <= before + 1e-9).all():
            break
        rows, values = _climb(objective, encoding, rows)
    return rows, values


def _move(
    value: Callable[[np.ndarray], np.ndarray],
    encoding: SpaceEncoding,
    name: str,
    rows: np.ndarray,
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Give each row the best value of one discrete parameter, of those tried."""
    part, place = encoding.parts[name], encoding.places[name]
    if encoding.continuous[place.start]:
        return rows, values
    tried, owner = [rows], [np.arange(len(rows))]
    for number, row in enumerate(rows):
        if isinstance(part, ChoiceColumns):
            options = np.eye(part.width)
        else:
            options = part.moves(row[place.start], _N_MOVES)[:, None]
        moved = np.repeat(row[None], len(options), axis=0)
        moved[:, place] = options
        tried.append(moved)
        owner.append(np.full(len(moved), number))
    # A choice brings parameters to life, which then start in the middle, and takes others away.
    candidates, owners = encoding.snap(np.concatenate(tried)), np.concatenate(owner)
    found = np.concatenate([values, value(candidates[len(rows) :])])
    chosen = np.array([np.flatnonzero(owners == n)[np.argmax(found[owners == n])] for n in range(len(rows))])
    return candidates[chosen], found[chosen]


def _first_new(rows: np.ndarray, observed: np.ndarray, running: np.ndarray) -> np.ndarray | None:
    """First row that was not run yet, or None if each was."""
    known = np.concatenate([observed, running])
    near = np.repeat([_SAME, _TOO_NEAR], [len(observed), len(running)])
    for row in rows:
        if (np.abs(known - row).max(axis=1) > near).all():
            return row
    return None
