"""Randomness: every call draws from its own streams and leaves the global ones as they were."""

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

# torch has one default generator a process: two fits in two threads must not draw from it at once.
_global_streams = threading.RLock()


def _renew_lock() -> None:
    global _global_streams
    _global_streams = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def draw_seed(random_state: Any) -> int:
    """Seed in [0, 2**31) from an int, a RandomState (which advances) or None (fresh entropy).

    None does not read numpy's global stream, as scikit-learn would, because reading it would change it.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(np.random.SeedSequence(int(random_state)).generate_state(1)[0] >> 1)


def seed_global_streams(seed: int, device: torch.device) -> None:
    """Seed torch, numpy and python; to be called within :func:`isolated_randomness`."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


@contextmanager
def isolated_randomness(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """Seed torch, numpy and python for the block; give a generator; restore all three afterwards.

    Blocks in several threads run one after the other.
    """
    cuda = [device] if device.type == "cuda" else []
    with _global_streams, torch.random.fork_rng(devices=cuda):
        numpy_state, python_state = np.random.get_state(), random.getstate()
        mps_state = torch.mps.get_rng_state() if device.type == "mps" else None
        try:
            seed_global_streams(seed, device)
            yield torch.Generator().manual_seed(seed)
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)
