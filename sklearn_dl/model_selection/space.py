"""The search space: from what the user wrote to the parameters of a candidate."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)
from sklearn.base import BaseEstimator

from sklearn_dl.model_selection.dimensions import Categorical, Dimension, is_equal, is_simple
from sklearn_dl.model_selection.distributions import dimension_of
from sklearn_dl.model_selection.encoding import MIDDLE, NumericColumn

#: Parameter of the engine that says which of several spaces a candidate is from.
BRANCH = "space"


def search_space(space: Any, estimator: BaseEstimator, owner: str) -> "Branches | Function":
    """Search space of an estimator, from a dict, a list of dicts or a function of the trial.

    Raises
    ------
    ValueError, TypeError
        If it is none of these, or names what the estimator does not have.
    """
    if isinstance(space, Mapping):
        return Branches([space], estimator, owner)
    if isinstance(space, list | tuple) and space and all(isinstance(branch, Mapping) for branch in space):
        return Branches(space, estimator, owner)
    if callable(space):
        return Function(space, estimator, owner)
    raise TypeError(
        f"{owner}: search_space must be a dict of parameter names to ranges or choices, a list of such "
        f"dicts, or a function of the trial that returns parameters; got {space!r}. "
        'For example {"C": Real(1e-3, 1e3, log=True)}.'
    )


class Branches:
    """One or several dicts: a candidate is from one of them.

    Parameters
    ----------
    spaces : list of dict
        From names of parameters to ranges, choices or fixed values.
    estimator : estimator
        Has the parameters.
    owner : str
        Named in messages.
    """

    def __init__(self, spaces: Iterable[Mapping[str, Any]], estimator: BaseEstimator, owner: str) -> None:
        self.owner = owner
        self.spaces = [dict(space) for space in spaces]
        self.branches = [_branch(space, estimator, owner) for space in self.spaces]
        self.slots = self._slots()

    def _slots(self) -> list[dict[str, "Slot"]]:
        first: dict[str, BaseDistribution] = {}
        slots: list[dict[str, Slot]] = []
        for index, branch in enumerate(self.branches):
            slots.append({})
            for name, dimension in branch.items():
                distribution = dimension.distribution
                is_taken = name == BRANCH and len(self.branches) > 1
                shared = first.setdefault(name, distribution) == distribution and not is_taken
                slots[-1][name] = Slot(name if shared else f"{name}@{index}", dimension, distribution)
        return slots

    def params(self, trial: Any) -> dict[str, Any]:
        """Parameters of a candidate; of a finished trial those that it had."""
        return self._chosen(self._suggest_branch(trial), lambda slot: slot.suggest(trial))

    def _chosen(self, index: int, choose: Callable[["Slot"], Any]) -> dict[str, Any]:
        """Parameters of a branch, of which those that are searched and apply are chosen."""
        space, branch = self.spaces[index], self.branches[index]
        params = {name: value for name, value in space.items() if name not in branch}
        for name in _by_depth(branch):
            if _applies(name, params, branch):
                params[name] = choose(self.slots[index][name])
        return {name: params[name] for name in space if name in params}

    def check(self, trials: Iterable[Any]) -> None:
        """Refuse trials of which a parameter is of another kind than here: the engine knows one a study."""
        slots = [slot for branch in self.slots for slot in branch.values()]
        asked = {slot.key: slot.distribution for slot in slots if not slot.distribution.single()}
        if len(self.branches) > 1:
            asked[BRANCH] = CategoricalDistribution(list(range(len(self.branches))))
        for trial in trials:
            for key in asked.keys() & trial.distributions.keys():
                had, now = trial.distributions[key], asked[key]
                try:
                    check_distribution_compatibility(had, now)
                except ValueError as error:
                    raise ValueError(
                        f"{self.owner}: search_space of {key!r} must be of the kind that earlier trials of "
                        f"the study have; trial {trial.number} has {had}, now it is {now}. Write it as "
                        "before, or take another study_name, or other earlier_trials."
                    ) from error

    def n_candidates(self, limit: int) -> float:
        """Number of different candidates; infinite if there are more than the limit."""
        total = 0.0
        for index in range(len(self.branches)):
            total += self._count(index, _by_depth(self.branches[index]), {}, limit)
        return total if total <= limit else math.inf

    def _count(self, index: int, names: list[str], params: dict[str, Any], limit: float) -> float:
        """Number of ways to choose the named parameters, after others were; infinite above the limit."""
        if not names:
            return 1
        name, rest = names[0], names[1:]
        fixed = {key: value for key, value in self.spaces[index].items() if key not in self.branches[index]}
        if not _applies(name, fixed | params, self.branches[index]):
            return self._count(index, rest, params, limit)
        slot, total = self.slots[index][name], 0.0
        levels = _levels(slot.distribution)
        if levels is None or len(levels) > limit:
            return math.inf
        for stored in levels:
            total += self._count(index, rest, params | {name: slot.dimension.decode(stored)}, limit - total)
            if total > limit:
                return math.inf
        return total

    def _suggest_branch(self, trial: Any) -> int:
        if len(self.branches) == 1:
            return 0
        return trial.suggest_categorical(BRANCH, range(len(self.branches)))

    def encode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of the engine for those of a candidate; ValueError if no branch holds them."""
        return self._first_encoded((index, params) for index in range(len(self.branches)))

    def encode_defaults(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of the engine for those of an estimator; ValueError if no branch holds what it searches.

        A branch that fixes the values of the estimator comes before those that fix others.
        """
        of_space = [_of(params, space) for space in self.spaces]
        of_branch = [_of(params, branch) for branch in self.branches]
        return self._first_encoded([*enumerate(of_space), *enumerate(of_branch)])

    def _first_encoded(self, told: Iterable[tuple[int, Mapping[str, Any]]]) -> dict[str, Any]:
        """Parameters of the engine for the first of some in a branch that it holds."""
        problems = []
        for index, params in told:
            try:
                return self._encode_in(index, self.branches[index], params)
            except ValueError as error:
                problems.append(str(error))
        raise ValueError(
            f"{self.owner}: a candidate to try first, {dict(params)!r}, is not in search_space: "
            f"{'; '.join(dict.fromkeys(problems))}."
        )

    def _encode_in(
        self, index: int, branch: Mapping[str, Dimension], params: Mapping[str, Any]
    ) -> dict[str, Any]:
        stored: dict[str, Any] = {BRANCH: index} if len(self.branches) > 1 else {}
        for name, value in params.items():
            if name in branch:
                try:
                    stored[self.slots[index][name].key] = branch[name].encode(value)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from error
            elif name not in self.spaces[index]:
                raise ValueError(f"{name} is not searched there")
            elif _differ(fixed := self.spaces[index][name], value):
                raise ValueError(f"{name}: {value!r} is not {fixed!r}, which is fixed there")
        return stored

    def middles(self) -> list[dict[str, Any]]:
        """Parameters of the engine in the middle of each branch: of its ranges, and its first choices."""
        return [self._middle(index) for index in range(len(self.branches))]

    def _middle(self, index: int) -> dict[str, Any]:
        stored: dict[str, Any] = {BRANCH: index} if len(self.branches) > 1 else {}

        def choose(slot: Slot) -> Any:
            stored[slot.key] = slot.middle()
            return slot.dimension.decode(stored[slot.key])

        self._chosen(index, choose)
        return stored

    @property
    def names(self) -> list[str]:
        """Names of all searched parameters."""
        return list(dict.fromkeys(name for branch in self.branches for name in branch))


@dataclass(frozen=True)
class Slot:
    """A searched parameter: its key in the engine is its name, unless branches disagree on what it is."""

    key: str
    dimension: Dimension
    distribution: BaseDistribution

    def suggest(self, trial: Any) -> Any:
        """Value of the parameter; the engine is not asked where there is only one."""
        if self.distribution.single():
            return self.dimension.decode(_single_value(self.distribution))
        return self.dimension.decode(_suggest(trial, self.key, self.distribution))

    def middle(self) -> Any:
        """What is stored halfway, on the scale that is searched; of choices the first."""
        if isinstance(self.distribution, FloatDistribution | IntDistribution):
            return NumericColumn(self.distribution).decode(MIDDLE)
        return _single_value(self.distribution)


class Function:
    """A function of the trial, which is asked again for finished trials."""

    def __init__(
        self, function: Callable[[Any], Mapping[str, Any]], estimator: BaseEstimator, owner: str
    ) -> None:
        self.function, self.estimator, self.owner = function, estimator, owner

    def params(self, trial: Any) -> dict[str, Any]:
        """Parameters of a candidate; of a finished trial those that it had."""
        params = self.function(trial)
        if not isinstance(params, Mapping):
            raise TypeError(
                f"{self.owner}: the function search_space must return a dict of parameters; got {params!r}."
            )
        _check_names(params, self.estimator, self.owner, params)
        return dict(params)

    def check(self, trials: Iterable[Any]) -> None:
        """Nothing: what the function will ask for is not known."""

    def n_candidates(self, limit: int) -> float:
        """Not known: infinite."""
        return math.inf

    def encode_defaults(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Refused: what a function makes of what it asks for is not known."""
        raise ValueError(
            f"{self.owner}: enqueue='default' needs a search_space of dicts; it is a function. List the "
            "candidates to try first, by the names that the function asks for."
        )

    def encode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The engine's own parameters, as given."""
        return {
            name: value.item() if isinstance(value, np.generic) else value for name, value in params.items()
        }

    def middles(self) -> list[dict[str, Any]]:
        """None: what a function asks for is known only once it was called."""
        return []


def _branch(space: Mapping[str, Any], estimator: BaseEstimator, owner: str) -> dict[str, Dimension]:
    branch = {}
    for name, value in space.items():
        if not isinstance(name, str):
            raise TypeError(f"{owner}: names in search_space must be strings; got {name!r}.")
        try:
            dimension = dimension_of(value)
        except ValueError as error:
            raise ValueError(f"{owner}: search_space of {name!r}: {error}.") from error
        if dimension is not None:
            branch[name] = dimension
    _check_names(space, estimator, owner, {**space, **branch})
    return branch


def _check_names(
    names: Iterable[str], estimator: BaseEstimator, owner: str, values: Mapping[str, Any]
) -> None:
    """Refuse names that neither the estimator has nor one of the choices for its parts."""
    known = estimator.get_params(deep=True)
    for name in names:
        if name in known or any(_has(choice, rest) for choice, rest in _parts(name, values)):
            continue
        if not _knows_its_parameters(_component(name, estimator, known)):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"{owner}: search_space names {name!r}, which {type(estimator).__name__} does not have.{hint} "
            f"It has {', '.join(sorted(known))}."
        )


def _component(name: str, estimator: Any, known: Mapping[str, Any]) -> Any:
    """Part of the estimator that a nested name belongs to."""
    parts = [known.get(prefix) for prefix in _prefixes(name)]
    return next((part for part in reversed(parts) if hasattr(part, "set_params")), estimator)


def _knows_its_parameters(component: Any) -> bool:
    """Whether get_params is all there is: some gradient boosting libraries take any name in set_params."""
    home = type(component).set_params.__module__.split(".")[0]
    return isinstance(component, BaseEstimator) and home in ("sklearn", "sklearn_dl")


def _parts(name: str, values: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """What may stand in the place of the searched part that a nested name belongs to, and the rest of it."""
    found = []
    for parent, value in values.items():
        if name.startswith(f"{parent}__"):
            rest = name[len(parent) + 2 :]
            choices = value.choices if isinstance(value, Categorical) else [value]
            found += [(choice, rest) for choice in choices]
    return found


def _has(choice: Any, name: str) -> bool:
    """Whether an object that may be a step has a parameter."""
    if not hasattr(choice, "get_params") or isinstance(choice, type):
        return False
    return name in choice.get_params() or not _knows_its_parameters(choice)


def _differ(fixed: Any, value: Any) -> bool:
    """Whether two values are known to differ: equal estimators are not known to be."""
    return is_simple(fixed) and is_simple(value) and not is_equal(fixed, value)


def _applies(name: str, params: Mapping[str, Any], branch: Mapping[str, Dimension]) -> bool:
    """Whether the chosen part has the parameter: a penalty's strength is not searched where there is none."""
    parents = [parent for parent in branch if name.startswith(f"{parent}__") and parent in params]
    if not parents:
        return all(parent not in branch for parent in _prefixes(name))
    nearest = max(parents, key=len)
    return _has(params[nearest], name[len(nearest) + 2 :])


def _of(params: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: params[name] for name in names if name in params}


def _prefixes(name: str) -> list[str]:
    parts = name.split("__")
    return ["__".join(parts[:n]) for n in range(1, len(parts))]


def _by_depth(names: Iterable[str]) -> list[str]:
    """Names of parts before those of their parameters."""
    return sorted(names, key=lambda name: name.count("__"))


def _levels(distribution: BaseDistribution) -> Sequence[Any] | None:
    """All that a distribution holds, None if it is continuous."""
    if distribution.single():
        return [_single_value(distribution)]
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    return None


def _single_value(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    return distribution.low  # type: ignore[attr-defined]


def _suggest(trial: Any, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    raise TypeError(
        f"The distribution {distribution!r} of {name!r} is of a kind that the engine does not know."
    )
