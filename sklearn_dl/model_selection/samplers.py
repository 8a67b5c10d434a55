"""The default samplers of the two searches."""

from optuna.samplers import BaseSampler


def default_gp_sampler() -> BaseSampler:
    """Sampler of BayesSearchCV."""
    from optuna.samplers import GPSampler

    return GPSampler()


def default_tpe_sampler() -> BaseSampler:
    """Sampler of TPESearchCV."""
    from optuna.samplers import TPESampler

    return TPESampler(multivariate=True)
