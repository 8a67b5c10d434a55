"""Errors of training, in the user's terms."""

from collections.abc import Iterator
from contextlib import contextmanager


class DivergenceError(ArithmeticError):
    """Training produced NaN or infinity."""


@contextmanager
def in_words(owner: str) -> Iterator[None]:
    """Turn what torch's layers complain of within the block into a ValueError about `owner`."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            f"{owner}: batch norm needs at least 2 rows a batch; one came alone (n_samples=1, "
            "batch_size=1, or a stream with a batch of one). Use layer norm, or larger batches."
        ) from error
    except IndexError as error:
        if "index out of range in self" not in str(error):
            raise
        raise ValueError(
            f"{owner}: X holds an id beyond the module's embedding; ids must be below num_embeddings."
        ) from error
