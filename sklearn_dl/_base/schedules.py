"""Learning-rate schedules: the factor on `lr` after a number of epochs, in closed form."""

import math

SCHEDULES = ("constant", "step", "exponential", "cosine", "cosine_restarts", "one_cycle", "plateau")


def lr_factor(schedule: str, epoch: float, max_epochs: int, warmup_epochs: float = 0.0) -> float:
    """Factor on the learning rate.

    Parameters
    ----------
    schedule : str
        - "constant": 1.
        - "step": times 0.1 after each third of the training.
        - "exponential": falls steadily to 0.01.
        - "cosine": half a cosine from 1 to 0 (Loshchilov, Hutter, 2017, eq. 5).
        - "cosine_restarts": four such cosines, one after the other.
        - "one_cycle": from 0.04 up to 1 over the first 3 tenths, then down to 4e-6, both by half cosines
          (Smith, Topin, 2018).
        - "plateau": 1; the trainer lowers `lr` itself when the loss stalls.
    epoch : float
        Epochs done so far; whole batches count as fractions.
    max_epochs : int
        Length of the training.
    warmup_epochs : float, default=0
        The factor first grows linearly from 0 over this many epochs; the schedule has the rest.

    Returns
    -------
    factor : float in [0, 1]

    References
    ----------
    Loshchilov, Hutter (2017), SGDR. Smith, Topin (2018), Super-convergence. Goyal et al. (2017), Accurate,
    large minibatch SGD, section 2.2 (warm-up).
    """
    if epoch < warmup_epochs:
        return epoch / warmup_epochs
    progress = min((epoch - warmup_epochs) / max(max_epochs - warmup_epochs, 1e-12), 1.0)
    if schedule == "step":
        return 0.1 ** min(int(3 * progress), 2)
    if schedule == "exponential":
        return 0.01**progress
    if schedule == "cosine":
        return _half_cosine(1.0, 0.0, progress)
    if schedule == "cosine_restarts":
        return _half_cosine(1.0, 0.0, (4 * progress) % 1.0) if progress < 1 else 0.0
    if schedule == "one_cycle":
        if progress < 0.3:
            return _half_cosine(1 / 25, 1.0, progress / 0.3)
        return _half_cosine(1.0, 1 / 25 * 1e-4, (progress - 0.3) / 0.7)
    return 1.0


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))
