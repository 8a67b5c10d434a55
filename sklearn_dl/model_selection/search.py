"""BayesSearchCV and TPESearchCV: two default samplers of one search."""

from optuna.samplers import BaseSampler

from sklearn_dl.model_selection.base import StudySearchCV
from sklearn_dl.model_selection.gp_sampler import GPSampler
from sklearn_dl.model_selection.tpe_sampler import TPESampler


class BayesSearchCV(StudySearchCV):
    """Bayesian optimization of parameters by cross-validation.

    A Gaussian process learns how the score depends on the parameters, from all candidates so far, and the
    next one is where it expects the greatest improvement. It needs the fewest candidates; a suggestion
    takes tens of milliseconds.

    See Also
    --------
    TPESearchCV : The same search with a cheaper sampler, for hundreds of candidates.
    sklearn.model_selection.RandomizedSearchCV : Draws candidates without learning from them.

    References
    ----------
    Jones, Schonlau, Welch (1998), Efficient global optimization of expensive black-box functions, section 4.
    Snoek, Larochelle, Adams (2012), Practical Bayesian optimization of machine learning algorithms.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.svm import SVC
    >>> from sklearn_dl.model_selection import BayesSearchCV, Real
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> space = {"C": Real(1e-2, 1e4, log=True), "gamma": Real(1e-7, 1e-2, log=True)}
    >>> search = BayesSearchCV(SVC(), space, n_iter=15, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.93)
    True
    """

    def _default_sampler(self, seed: int) -> BaseSampler:
        return GPSampler(seed=seed)


class TPESearchCV(StudySearchCV):
    """Search by a tree-structured Parzen estimator, with cross-validation.

    Candidates so far are split into good and other ones, a density of the parameters is estimated for each
    of the two, and the next candidate is where their ratio is highest. A suggestion takes milliseconds,
    however many candidates there are.

    See Also
    --------
    BayesSearchCV : The same search with a sampler that needs fewer candidates.
    sklearn.model_selection.RandomizedSearchCV : Draws candidates without learning from them.

    References
    ----------
    Bergstra, Bardenet, Bengio, Kegl (2011), Algorithms for hyper-parameter optimization, section 4.
    Watanabe (2023), Tree-structured Parzen estimator: understanding its algorithm components.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_dl.model_selection import Integer, TPESearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"max_depth": Integer(1, 8), "criterion": ["gini", "entropy"]}
    >>> search = TPESearchCV(DecisionTreeClassifier(random_state=0), space, n_iter=12, random_state=0).fit(
    ...     X, y
    ... )
    >>> bool(search.best_score_ > 0.95)
    True
    """

    def _default_sampler(self, seed: int) -> BaseSampler:
        return TPESampler(seed=seed)
