"""Which parameters a choice switches off, learnt from the trials so far."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, CategoricalDistribution


class Condition(NamedTuple):
    """A parameter exists only where another has one of some choices, given by their numbers."""

    parent: str
    choices: frozenset[int | None]  # None: where the parent itself does not exist


def learn_conditions(
    params: Sequence[Mapping[str, Any]], search_space: Mapping[str, BaseDistribution]
) -> dict[str, Condition]:
    """Conditions of the parameters that some trials lack, where one choice explains all trials.

    Optuna's search spaces are defined by running the objective, so they are known only by what was asked for.

    Parameters
    ----------
    params : list of dict
        Parameters of each trial.
    search_space : dict of str to BaseDistribution
        Distributions of all parameters.
    """
    parents = {n: d for n, d in sorted(search_space.items()) if isinstance(d, CategoricalDistribution)}
    numbers = {parent: [_number(p, parent, d) for p in params] for parent, d in parents.items()}
    conditions = {}
    for name in search_space:
        present = [name in p for p in params]
        if all(present):
            continue
        for parent, distribution in parents.items():
            on = frozenset(n for n, here in zip(numbers[parent], present, strict=True) if here)
            off = frozenset(n for n, here in zip(numbers[parent], present, strict=True) if not here)
            if parent != name and not on & off:
                unseen = set(range(len(distribution.choices))) - on - off
                conditions[name] = Condition(parent, on | frozenset(unseen))
                break
    return conditions


def _number(params: Mapping[str, Any], parent: str, distribution: CategoricalDistribution) -> int | None:
    return int(distribution.to_internal_repr(params[parent])) if parent in params else None
