"""DecisionTreeClassifier and DecisionTreeRegressor: scikit-learn's trees, grown by kernels of our own."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from numbers import Integral
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from scipy import sparse
from sklearn import tree as scikit_learn
from sklearn.tree._criterion import Criterion
from sklearn.tree._splitter import Splitter
from sklearn.utils import check_array, check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, column_or_1d

from sklearn_dl._base.arrays import is_tensor, to_host
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl._base.inputs import FloatTableInput
from sklearn_dl._base.params import (
    Estimator,
    Interval,
    InvalidParameterError,
    NonNegativeFloat,
    PositiveInt,
    RandomState,
    param,
)
from sklearn_dl._base.targets import naming
from sklearn_dl.tree.building import CRITERIA, Problem, build_tree
from sklearn_dl.tree.kernel import MOST_ENTRIES
from sklearn_dl.tree.stopping import read_limits

_SMALL = 100_000  # numbers in X below which scikit-learn's builder takes less time than loading a kernel

Share = Annotated[float, Interval("a float above 0 and at most 1", low=0, high=1, open_low=True)]
LeafShare = Annotated[
    float, Interval("a float between 0 and 1", low=0, high=1, open_low=True, open_high=True)
]
AtLeastTwo = Annotated[int, Interval("an int of at least 2", low=2)]


def _as_array(data: Any) -> Any:
    """A tensor as an ndarray; anything else as it is."""
    return to_host(data) if is_tensor(data) else data


@cache
def _parameter_names(estimator: type) -> tuple[str, ...]:
    return tuple(estimator().get_params())


def _fits_float32(X: np.ndarray) -> bool:
    """Whether no number but NaN becomes infinite in float32."""
    if X.dtype == np.float32:
        return True
    with np.errstate(over="ignore"):
        extremes = np.array([np.fmin.reduce(X, axis=None), np.fmax.reduce(X, axis=None)]).astype(np.float32)
    return not np.isinf(extremes).any()


class TreeModel(AtomicFit, FloatTableInput, Estimator, ABC):
    """Decision tree whose large fits run in our kernels, and all else in scikit-learn."""

    criterion: Any
    _prune_tree: Callable[[], None]

    splitter: Literal["best", "random", "hist"] | Splitter = param(
        default="best",
        doc='How thresholds are found: "best" looks at all of them, "random" at one random threshold a '
        'feature, "hist" at those between at most `max_bins` bins of neighbouring values, which is fastest '
        'where there are many rows. "hist" takes no sparse X and a single output; below 100,000 numbers in X '
        'it is "best".',
    )
    max_depth: PositiveInt | None = param(
        default=None, doc="Depth at most. None grows until leaves are pure or too small."
    )
    min_samples_split: AtLeastTwo | Share = param(
        default=2, doc="Rows a node needs to be split; a float is a share of all rows."
    )
    min_samples_leaf: PositiveInt | LeafShare = param(
        default=1, doc="Rows each side of a split needs; a float is a share of all rows. More is smoother."
    )
    min_weight_fraction_leaf: Annotated[float, Interval("a float from 0 to 0.5", low=0, high=0.5)] = param(
        default=0.0, doc="Share of the total weight that each side of a split needs."
    )
    max_features: PositiveInt | Share | Literal["sqrt", "log2"] | None = param(
        default=None,
        doc="Features a split looks at, drawn at random: a number, a share, or a function of their number; "
        "None means all. At least one that varies is looked at.",
    )
    random_state: RandomState = param(
        default=None,
        doc="Seed of the order of features, which decides between equal splits, and of random thresholds.",
    )
    max_leaf_nodes: AtLeastTwo | None = param(
        default=None, doc="Leaves at most; the split that improves most is made first. None means any number."
    )
    min_impurity_decrease: NonNegativeFloat = param(
        default=0.0,
        doc="What a split has to take from the impurity, weighted by the node's share of all rows.",
    )
    ccp_alpha: NonNegativeFloat = param(
        default=0.0, doc="Impurity a leaf has to be worth, or the tree is pruned. Larger makes smaller trees."
    )
    monotonic_cst: Sequence | np.ndarray | None = param(
        default=None,
        doc="For each feature, 1 if predictions (of the second class) must rise with it, -1 if they must "
        "fall, 0 if neither.",
    )
    max_bins: Annotated[int, Interval("an int from 2 to 255", low=2, high=255)] = param(
        default=255, doc='Bins of a feature at most, for splitter="hist"; missing values have one more.'
    )

    _peer: ClassVar[type]
    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "tree_": ("Tree", "scikit-learn's table of nodes; see ``help(sklearn.tree._tree.Tree)``."),
        "n_features_in_": ("int", "Features of X."),
        "feature_names_in_": (
            "ndarray of shape (n_features,)",
            "Names of the columns, if X was a data frame.",
        ),
        "n_outputs_": ("int", "Columns of y."),
        "max_features_": ("int", "Features a split looks at."),
        "feature_importances_": (
            "ndarray of shape (n_features,)",
            "Share of each feature in what splits take from the impurity.",
        ),
    }

    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Self:
        """Grow the tree.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch tensor} of shape (n_samples, n_features)
            Rows to learn from; read as float32. NaN is a missing value. A tensor is moved to the host.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or real targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row. None means 1. Rows of weight 0 are left out.
        check_input : bool, default=True
            False skips reading: X is float32, C-contiguous or CSC, without infinity, and y is an array.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y or the weights cannot be read.
        """
        self._check_params()
        if self.criterion == "friedman_mse":
            warnings.warn(
                f'{type(self).__name__}: criterion="friedman_mse" is deprecated, since it is the same as '
                '"squared_error". Write that instead.',
                FutureWarning,
                stacklevel=3,
            )
        if check_input:
            X, y = self._read(_as_array(X), _as_array(y))
        if self.splitter == "hist":
            self._require_dense_single_output(X, y)
        weight = _as_array(sample_weight)
        if weight is not None:
            with naming(type(self).__name__):
                weight = _check_sample_weight(weight, X, dtype=np.float64)
        # None means fresh random numbers; scikit-learn would move numpy's global ones.
        seed = self.random_state
        random_state = np.random.RandomState() if seed is None else check_random_state(seed)
        if self._is_for_peer(X, y):
            return self._fit_as_peer(X, y, weight, random_state)
        return self._fit_by_kernel(X, np.reshape(y, -1), weight, random_state)

    def _check_params(self) -> None:
        super()._check_params()
        limit: Any = self.min_samples_split
        if isinstance(limit, Integral) and limit < 2:  # 1.0 is a share
            raise InvalidParameterError(
                f"{type(self).__name__}: the 'min_samples_split' parameter must be an int in the range "
                f"[2, inf) or a float in the range (0.0, 1.0]; got {limit!r}."
            )

    def _read(self, X: Any, y: Any) -> tuple[Any, np.ndarray]:
        name = type(self).__name__
        X = self._read_X(
            X, reset=True, dtype=(np.float32, np.float64), accept_sparse="csc", ensure_all_finite="allow-nan"
        )
        if not sparse.issparse(X) and not _fits_float32(X):
            raise ValueError(
                f"{name}: Input X contains infinity or a value too large for dtype('float32'), as which a "
                "tree reads it. Scale the features, or take their logarithm."
            )
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        with naming(name):
            y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if y.shape[0] != X.shape[0]:
            raise ValueError(
                f"{name}: X and y must have equally many rows. "
                f"Number of labels={len(y)} does not match number of samples={X.shape[0]}."
            )
        return X, y

    def _is_for_peer(self, X: Any, y: np.ndarray) -> bool:
        """Whether scikit-learn's builder is the one that can, or is not slower."""
        return (
            X.shape[0] * X.shape[1] < _SMALL
            or self.splitter not in ("best", "hist")
            or self.criterion not in CRITERIA
            or sparse.issparse(X)
            or y.size != X.shape[0]
        )

    def _fit_as_peer(
        self, X: Any, y: np.ndarray, weight: np.ndarray | None, random_state: np.random.RandomState
    ) -> Self:
        """Let scikit-learn's estimator fit, and take over what it has learnt."""
        params = {name: getattr(self, name) for name in _parameter_names(self._peer)}
        params["random_state"] = random_state
        if params["splitter"] == "hist":
            params["splitter"] = "best"
        if params["criterion"] == "friedman_mse":
            params["criterion"] = "squared_error"
        # What was read is read again only where scikit-learn looks for more: missing values, targets below 0.
        unread = sparse.issparse(X) or self.criterion == "poisson" or bool(np.isnan(X).any())
        if not unread:
            X = np.ascontiguousarray(X, dtype=np.float32)
        peer = self._peer(**params).fit(X, y, weight, check_input=unread)
        self.__dict__.update({name: value for name, value in vars(peer).items() if name.endswith("_")})
        return self

    def _fit_by_kernel(
        self,
        X: np.ndarray,
        labels: np.ndarray,
        weight: np.ndarray | None,
        random_state: np.random.RandomState,
    ) -> Self:
        given_weight = weight
        y, n_classes, weight = self._read_target(labels, given_weight)
        bad_weight = weight is not None and (weight.min() < 0 or weight.max() == 0)
        if bad_weight or len(X) * max(n_classes, 1) >= MOST_ENTRIES:
            return self._fit_as_peer(X, labels, given_weight, random_state)
        self.n_features_in_, self.n_outputs_ = X.shape[1], 1
        limits = read_limits(self, len(X), n_classes, weight)
        self.max_features_ = limits.max_features
        if weight is not None and not weight.all():
            X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        problem = Problem(X, y, n_classes, weight, self.criterion, self.splitter, self.max_bins)
        self.tree_ = build_tree(problem, limits, random_state)
        self._prune_tree()
        return self

    @abstractmethod
    def _read_target(
        self, y: np.ndarray, weight: np.ndarray | None
    ) -> tuple[np.ndarray, int, np.ndarray | None]:
        """Class indices or real targets, the number of classes or 0, and the weights of the rows."""

    def _require_dense_single_output(self, X: Any, y: Any) -> None:
        if sparse.issparse(X):
            raise ValueError(
                f'{type(self).__name__}: splitter="hist" takes no sparse X. Use "best", or X.toarray().'
            )
        if np.ndim(y) == 2 and np.shape(y)[1] > 1:
            raise ValueError(
                f'{type(self).__name__}: splitter="hist" predicts one output; y has shape {np.shape(y)}. '
                'Use "best", or one tree for each column.'
            )
        if self.criterion not in CRITERIA:
            raise ValueError(
                f'{type(self).__name__}: splitter="hist" has no criterion {self.criterion!r}. Use "best".'
            )

    def _validate_X_predict(self, X: Any, check_input: bool) -> Any:
        return super()._validate_X_predict(_as_array(X), check_input)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.splitter == "hist":
            tags.input_tags.sparse = False
            tags.input_tags.allow_nan = True
            tags.target_tags.multi_output = False
            if tags.classifier_tags is not None:
                tags.classifier_tags.multi_label = False
        return tags


class DecisionTreeClassifier(TreeModel, scikit_learn.DecisionTreeClassifier):
    """Decision tree for classes.

    Splits the rows in two by a threshold of one feature, and each part again, so that the classes in the
    parts are as pure as can be (Breiman, Friedman, Olshen, Stone, 1984). Answers and methods are those of
    :class:`sklearn.tree.DecisionTreeClassifier`, which this class extends.

    Rows are sorted by every feature once; a split keeps their order. Features of at most 256 values, such as
    pixels, are counted instead. Random splits, sparse X, several outputs, negative weights and X of less than
    100,000 numbers are left to scikit-learn's own builder.

    References
    ----------
    Breiman, Friedman, Olshen, Stone (1984), Classification and regression trees, chapters 2 to 4.

    Shafer, Agrawal, Mehta (1996), SPRINT: a scalable parallel classifier for data mining.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dl.tree import DecisionTreeClassifier, export_text
    >>> X, y = load_iris(return_X_y=True)
    >>> print(export_text(DecisionTreeClassifier(max_depth=1, random_state=0).fit(X[:, :3], y)))
    |--- feature_2 <= 2.45
    |   |--- class: 0
    |--- feature_2 >  2.45
    |   |--- class: 1
    <BLANKLINE>
    """

    criterion: Literal["gini", "entropy", "log_loss"] | Criterion = param(
        default="gini",
        doc='Impurity that splits lower: "gini" is the chance that two rows of a node differ in class, '
        '"entropy" and "log_loss" are the entropy of the classes in bits.',
    )
    class_weight: dict | list | Literal["balanced"] | None = param(
        default=None,
        doc='Weight of each class: a dict from labels, or "balanced" for the same total for all. A list of '
        "dicts for several outputs.",
    )

    _peer = scikit_learn.DecisionTreeClassifier
    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "classes_": ("ndarray of shape (n_classes,)", "Sorted labels; a list of arrays for several outputs."),
        "n_classes_": ("int", "Number of classes; a list of them for several outputs."),
    }

    def _read_target(
        self, y: np.ndarray, weight: np.ndarray | None
    ) -> tuple[np.ndarray, int, np.ndarray | None]:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_classes_ = np.intp(len(self.classes_))
        if self.class_weight is not None:
            of_class = compute_sample_weight(self.class_weight, y)
            weight = of_class if weight is None else weight * of_class
        return codes, len(self.classes_), weight


class DecisionTreeRegressor(TreeModel, scikit_learn.DecisionTreeRegressor):
    """Decision tree for real targets.

    Splits the rows in two by a threshold of one feature, and each part again, so that the targets in the
    parts are as alike as can be (Breiman, Friedman, Olshen, Stone, 1984). Answers and methods are those of
    :class:`sklearn.tree.DecisionTreeRegressor`, which this class extends.

    Rows are sorted by every feature once; a split keeps their order. Features of at most 256 values, such as
    pixels, are counted instead. The absolute error, random splits, sparse X, several outputs, negative
    weights and X of less than 100,000 numbers are left to scikit-learn's own builder.

    References
    ----------
    Breiman, Friedman, Olshen, Stone (1984), Classification and regression trees, chapter 8.

    Shafer, Agrawal, Mehta (1996), SPRINT: a scalable parallel classifier for data mining.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dl.tree import DecisionTreeRegressor
    >>> X = np.arange(6.0)[:, None]
    >>> DecisionTreeRegressor(max_depth=1).fit(X, [1, 1, 1, 5, 5, 5]).predict([[0.5], [4.5]])
    array([1., 5.])
    """

    criterion: Literal["squared_error", "absolute_error", "friedman_mse", "poisson"] | Criterion = param(
        default="squared_error",
        doc='Impurity that splits lower: mean "squared_error", mean "absolute_error" from the median, or '
        'half the "poisson" deviance for targets of at least 0. "friedman_mse" is "squared_error", and '
        "deprecated.",
    )

    _peer = scikit_learn.DecisionTreeRegressor

    def _read_target(
        self, y: np.ndarray, weight: np.ndarray | None
    ) -> tuple[np.ndarray, int, np.ndarray | None]:
        y = np.ascontiguousarray(y, dtype=np.float64)
        if self.criterion == "poisson" and y.min() < 0:
            raise ValueError(
                f"{type(self).__name__}: Some value(s) of y are negative which is not allowed for Poisson "
                "regression."
            )
        if self.criterion == "poisson" and y.sum() <= 0:
            raise ValueError(
                f"{type(self).__name__}: Sum of y is not positive which is necessary for Poisson regression."
            )
        return y, 0, weight
