"""Scores of new rows: weighted sums of their kernel with the support vectors, in blocks of rows."""

import numpy as np

from sklearn_dl._base.threads import map_blocks
from sklearn_dl.svm.kernel_rows import Kernel

_BLOCK_ELEMENTS = 1 << 18  # of kernel matrix at a time and thread


def kernel_scores(kernel: Kernel, X: np.ndarray, support_vectors: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """``kernel(X, support_vectors) @ coef``, of shape (n_samples, n_scores), in float64."""
    scores = np.zeros((len(X), coef.shape[1]))
    if len(support_vectors) == 0:
        return scores
    left, right = kernel.sides(support_vectors.mean(0), np.float64)
    columns = right(support_vectors).T
    step = max(64, _BLOCK_ELEMENTS // len(support_vectors))

    def score(start: int) -> None:
        block = slice(start, start + step)
        np.dot(kernel.apply(left(X[block]) @ columns), coef, out=scores[block])

    map_blocks(score, range(0, len(X), step))
    return scores


def one_vs_one_coef(dual_coef: np.ndarray, n_support: np.ndarray) -> np.ndarray:
    """Coefficient of every support vector in every pair of classes, (n_support_vectors, n_pairs).

    Row ``o`` of `dual_coef` holds, for the vectors of class c, those against class o, or o + 1 from c on.
    """
    n_classes = len(n_support)
    of_class = np.repeat(np.arange(n_classes), n_support)
    coef = np.zeros((len(of_class), n_classes * (n_classes - 1) // 2))
    for pair, (first, second) in enumerate(zip(*np.triu_indices(n_classes, 1), strict=True)):
        for own, row in ((first, second - 1), (second, first)):
            coef[of_class == own, pair] = dual_coef[row, of_class == own]
    return coef


def votes(scores: np.ndarray, n_classes: int) -> np.ndarray:
    """Class that wins most pairs, the first of equals, from scores above 0 for the first class of a pair."""
    counts = np.zeros((len(scores), n_classes), np.intp)
    for pair, (first, second) in enumerate(zip(*np.triu_indices(n_classes, 1), strict=True)):
        won = scores[:, pair] > 0
        counts[:, first] += won
        counts[:, second] += ~won
    return counts.argmax(axis=1)
