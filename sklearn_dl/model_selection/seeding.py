"""Random numbers of a sampler that depend on the seed and the trial alone."""

from typing import Any

import numpy as np
from optuna.samplers import BaseSampler
from optuna.samplers._lazy_random_state import LazyRandomState
from sklearn.utils import check_random_state


def seed_of(random_state: Any) -> int:
    """Seed of a search; None gives another one every time and leaves numpy's global state alone."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def reseed(sampler: BaseSampler, seed: int, number: int) -> None:
    """Set all random states of a sampler, and of those it holds, for the trial of this number."""
    _reseed(sampler, iter(np.random.SeedSequence([seed, number]).generate_state(64)), set())


def _reseed(sampler: BaseSampler, seeds: Any, seen: set[int]) -> None:
    seen.add(id(sampler))
    for _, part in sorted(vars(sampler).items()):
        if isinstance(part, LazyRandomState):
            part.rng.seed(next(seeds))
        elif isinstance(part, np.random.RandomState):
            part.seed(next(seeds))
        elif isinstance(part, BaseSampler) and id(part) not in seen:
            _reseed(part, seeds, seen)
