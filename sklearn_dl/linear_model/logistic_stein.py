"""Approximate Hessians of the loss of two classes from one Gram matrix of all rows (Newton-Stein).

The Hessian is a mean of p (1 - p) x x'. For normal x, Stein's lemma makes it the mean of p (1 - p) times that
of x x', but for a change along the parameters themselves (Erdogdu, 2015, Newton-Stein method: A second order
method for GLMs via Stein's lemma, equation 3.2). Both numbers come from a sample of rows. For other x L-BFGS
corrects what is wrong.
"""

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import is_tensor
from sklearn_dl.linear_model.logistic_hessians import inverse_of
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.logistic_pilot import rows_for_gram
from sklearn_dl.linear_model.preconditioned_lbfgs import InverseHessian

SAMPLE_ROWS = 2048
_LEAST = 1e-6  # p (1 - p), of 1/4 at most


def gram_pays(loss: LogisticLoss) -> bool:
    """Whether the Gram matrix of all rows costs less than the passes that its precision saves."""
    is_dense = loss.n_classes == 2 and not sparse.issparse(loss.X) and not is_tensor(loss.X)
    return is_dense and loss.n_samples > loss.n_features and rows_for_gram(loss) is loss


class SteinCurvature:
    """Curvature of a logistic loss of two classes.

    Parameters
    ----------
    loss : LogisticLoss
        Gives the Gram matrix.
    sample : LogisticLoss
        The loss of some of its rows.
    """

    def __init__(self, loss: LogisticLoss, sample: LogisticLoss) -> None:
        self.loss, self.sample = loss, sample
        ones = np.ones(loss.n_samples, dtype=loss.X.dtype)
        self.gram = loss.gram(loss.weighted(ones))

    def inverse_at(self, flat: np.ndarray) -> InverseHessian:
        """Function that multiplies by the inverse of the approximate Hessian at `flat`."""
        l2, sample = self.loss.l2, self.sample
        curvature = sample.weighted(sample.variances(flat))
        mean = float(curvature.sum(dtype=np.float64)) / sample.total
        model = max(mean, _LEAST) * self.gram + np.diag(l2)
        modelled = float(flat @ model @ flat)
        inverse = inverse_of(model)
        sampled = float(curvature @ sample.scores(flat) ** 2) / sample.total + float(l2 @ flat**2)
        if not (modelled > 0 and sampled > _LEAST * modelled):
            return inverse
        # By Sherman and Morrison's formula the curvature along `flat` becomes that of the sample.
        excess = 1 / sampled - 1 / modelled
        return lambda gradient: inverse(gradient) + flat * (excess * (flat @ gradient))
