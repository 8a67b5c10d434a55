"""Normalisation layers by name."""

from torch import nn


def make_norm(norm: str | None, n_features: int) -> nn.Module:
    """Module that normalises rows of `n_features` values.

    Parameters
    ----------
    norm : {"batch", "layer", "rms"} or None
        "batch" standardises each feature over the batch, "layer" each row over its features, "rms" divides
        each row by its root mean square. None is the identity.
    n_features : int
        Number of values a row has.

    Returns
    -------
    module : torch.nn.Module

    Raises
    ------
    ValueError
        If the name is unknown.

    References
    ----------
    Ioffe, Szegedy (2015), Batch normalization, algorithm 1.
    Ba, Kiros, Hinton (2016), Layer normalization, equation 4.
    Zhang, Sennrich (2019), Root mean square layer normalization, equation 4.
    """
    if norm is None:
        return nn.Identity()
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {sorted(NORMS)} or None; got {norm!r}.")
    return NORMS[norm](n_features)


NORMS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "rms": nn.RMSNorm}
