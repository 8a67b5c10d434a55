"""Devices by name, the number of threads that a step is worth, and the memory that it reuses."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from sklearn_dl._config import get_config


def resolve_device(name: str | None, owner: str) -> torch.device:
    """Device called `name`; None is the configured default, "auto" the fastest there is.

    Raises
    ------
    ValueError
        If this machine has no such device; the message lists those it has.
    """
    name = get_config()["device"] if name is None else name
    known = known_devices()
    if name == "auto":
        name = next((kind for kind in ("cuda", "mps") if kind in known), "cpu")
    if name not in known:
        raise ValueError(
            f"{owner}: device must be None, 'auto' or a device of this machine "
            f"({', '.join(map(repr, known))}); got {name!r}."
        )
    return torch.device(name)


def known_devices() -> list[str]:
    """Names of the devices this machine has, as ``device`` takes them."""
    names = ["cpu"]
    if torch.cuda.is_available():
        names += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names


@contextmanager
def ordinary_tensors() -> Iterator[None]:
    """Within the block torch makes float32 tensors on the CPU that can be trained, whatever it was told.

    So a module gets the same weights under ``torch.set_default_dtype``, ``torch.set_default_device``,
    ``torch.no_grad`` and ``torch.inference_mode``.
    """
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with recorded_gradients(), torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)


@contextmanager
def recorded_gradients() -> Iterator[None]:
    """Within the block gradients are recorded, also inside ``torch.no_grad`` or ``torch.inference_mode``."""
    with torch.inference_mode(False), torch.enable_grad(), no_autocast():
        yield


@contextmanager
def no_autocast() -> Iterator[None]:
    """Within the block torch computes in the types of its tensors, also inside ``torch.autocast``."""
    with ExitStack() as stack:
        for kind in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def threads_worth(operations: float) -> Iterator[None]:
    """Within the block torch uses one thread if a step has few floating-point operations.

    Several threads would spend such a step waiting for one another: at best as fast, on a busy machine ten
    times slower. The threads of other steps are left as the user has set them.
    """
    n_threads = torch.get_num_threads()
    if operations < _WORTH_THREADS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


_WORTH_THREADS = 1e8  # about a millisecond of one core


def keep_freed_memory() -> None:
    """Let the process keep what the tensors of a batch give back, for those of the next.

    The C library of Linux returns freed memory to the system beyond a threshold, which is raised by freeing a
    larger block. Fetching 2 MB again takes as long as a convolution of as many values. The block is never
    written to, so it takes no memory itself.
    """
    torch.empty(_LARGEST_KEPT, dtype=torch.uint8, device="cpu")


_LARGEST_KEPT = 31 << 20  # glibc heeds blocks below 32 MB
