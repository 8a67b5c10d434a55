"""For every check an estimator that breaks the promise it checks, and nothing near it.

``BROKEN`` maps the name of a check to (estimator, words of the failure).
"""

import copy
import multiprocessing
import random
import time
from argparse import Namespace

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data
from toy_estimators import Centre, Centroids, LeastSquares, Typed

from sklearn_dl._base.params import Estimator, PositiveFloat, param

BROKEN = {}


def breaks(*names, words, **params):
    """Enter the class below as the estimator that fails these checks, in a message that holds these words."""

    def enter(cls):
        for name in names:
            BROKEN.setdefault(name, []).append((cls(**params), words))
        return cls

    return enter


# -- persistence


@breaks("check_pickle_round_trip", "check_joblib_round_trip", "check_skops_round_trip", words="predict_proba")
class SavesInHalfPrecision(Centroids):
    def __getstate__(self):
        state = dict(super().__getstate__())
        return (
            {**state, "sums_": state["sums_"].astype(np.float16).astype(float)} if "sums_" in state else state
        )


@breaks("check_pickle_holds_no_framework_object", words="torch")
class KeepsTensor(Centre):
    def fit(self, X, y=None):
        import torch

        self.tensor_ = torch.ones(2)
        return super().fit(X)


@breaks("check_deep_copy_is_independent", words="the original's")
class CopiesShallowly(Centre):
    def fit(self, X, y=None):
        before = vars(self).get("mean_")
        super().fit(X)
        if before is not None:
            before[:] = self.mean_
            self.mean_ = before
        return self

    def __deepcopy__(self, memo):
        return copy.copy(self)


@breaks("check_clone_keeps_parameters_and_drops_state", words="mean_")
class ClonesFitted(Centre):
    def __sklearn_clone__(self):
        return copy.deepcopy(self)


@breaks("check_clone_keeps_parameters_and_drops_state", words="jitter", jitter=0.5)
class ClonesWithDefaults(Centroids):
    def __sklearn_clone__(self):
        return type(self)(random_state=self.random_state)


@breaks("check_clone_keeps_parameters_and_drops_state", words="answers")
class AnswersUnfitted(Centre):
    def transform(self, X):
        return np.asarray(X) - vars(self).get("mean_", 0)


@breaks("check_skops_trusts_own_package_only", words="argparse.Namespace")
class KeepsForeignObject(Centre):
    def fit(self, X, y=None):
        self.notes_ = Namespace(n=1)
        return super().fit(X)


@breaks("check_missing_state_is_noticed", words="mean_")
class DefaultsForMissingState(Centre):
    def transform(self, X):
        return validate_data(self, X, reset=False) - getattr(self, "mean_", 0)


# -- randomness


@breaks("check_same_random_state_gives_same_bits", words="predict_proba")
class IgnoresRandomState(Centroids):
    def _rng(self):
        return np.random.default_rng()


@breaks("check_refit_leaves_no_residue", words="transform")
class LearnsFromEarlierFits(Centre):
    def fit(self, X, y=None):
        self.n_fits_ = getattr(self, "n_fits_", 0) + 1
        super().fit(X)
        self.mean_ = self.mean_ / self.n_fits_
        return self


@breaks("check_refit_leaves_no_residue", words="refitted_")
class LeavesAttribute(Centre):
    def fit(self, X, y=None):
        if hasattr(self, "mean_"):
            self.refitted_ = True
        return super().fit(X)


class SeedsGlobally(Centroids):
    def fit(self, X, y, sample_weight=None):
        self.seed_global()
        return super().fit(X, y, sample_weight)


@breaks("check_global_random_state_is_untouched(random_state=0)", words="numpy")
class SeedsNumpy(SeedsGlobally):
    def seed_global(self):
        np.random.seed(self.random_state)


@breaks("check_global_random_state_is_untouched(random_state=0)", words="python")
class DrawsFromPython(SeedsGlobally):
    def seed_global(self):
        random.random()


@breaks("check_global_random_state_is_untouched(random_state=0)", words="torch")
class DrawsFromTorch(SeedsGlobally):
    def seed_global(self):
        import torch

        torch.rand(1)


@breaks("check_global_random_state_is_untouched(random_state=None)", words="fit changed")
class DrawsFromNumpyWithoutSeed(SeedsGlobally):
    def seed_global(self):
        if self.random_state is None:
            np.random.rand()


@breaks("check_global_random_state_is_untouched(random_state=0)", words="predict changed")
class DrawsInTransform(Centre):
    def transform(self, X):
        np.random.rand()
        return super().transform(X)


@breaks("check_fits_in_threads_give_same_bits", words="in threads")
class SharesState(Centre):
    shared = {}

    def fit(self, X, y=None):
        super().fit(X)
        self.shared["mean"] = self.mean_
        time.sleep(0.05)
        self.mean_ = self.shared["mean"]
        return self


@breaks("check_folds_in_processes_give_same_bits", words="scores")
class DependsOnProcess(LeastSquares):
    def predict(self, X):
        in_main = multiprocessing.current_process().name == "MainProcess"
        return super().predict(X) + (0 if in_main else 1)


# -- inputs


@breaks("check_arrays_are_untouched(order='C')", "check_arrays_are_untouched(order='F')", words="['X']")
class CentresInPlace(Centre):
    def fit(self, X, y=None):
        super().fit(X)
        X -= self.mean_.astype(X.dtype)
        return self


@breaks("check_arrays_are_untouched(order='C')", words="['sample_weight']")
class NormalizesWeightsInPlace(LeastSquares):
    def fit(self, X, y, sample_weight=None):
        if sample_weight is not None:
            sample_weight /= sample_weight.sum()
        return super().fit(X, y, sample_weight)


@breaks("check_read_only_arrays_are_accepted", words="read-only")
class WritesWhatWasThere(Centre):
    def fit(self, X, y=None):
        X[0, 0] = X[0, 0]
        return super().fit(X)


@breaks("check_rows_are_answered_one_by_one", words="row by row")
class CentresByBatch(Centre):
    def transform(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return X - X.mean(axis=0)


@breaks("check_batch_size_does_not_change_answers", words="batch_size=1")
class StandardizesBatches(Centroids):
    def _batch_proba(self, X):
        return super()._batch_proba(X - X.mean(axis=0))


FAULTS = ("nan", "inf", "lengths", "empty", "complex", "one_dimension")


@breaks(*(f"check_bad_input_is_named(fault={fault!r})" for fault in FAULTS), words="no error")
class AcceptsAnything(LeastSquares):
    def fit(self, X, y, sample_weight=None):
        return self


@breaks(
    *(f"check_bad_input_is_named(fault={fault!r})" for fault in FAULTS if fault != "lengths"), words="neither"
)
class SpeaksVaguely(TransformerMixin, Estimator):
    scale: PositiveFloat = param(default=2.0, doc="Factor.")

    def fit(self, X, y=None):
        raise ValueError("Something is wrong.")


@breaks("check_wrong_number_of_features_is_named", words="no error")
class IgnoresColumns(Centre):
    def transform(self, X):
        return np.asarray(X) - self.mean_.mean()


# -- frames


@breaks("check_frame_answers_as_its_array(library='pandas')", words="frame's", library="pandas")
@breaks("check_frame_answers_as_its_array(library='polars')", words="frame's", library="polars")
class UsesColumnCount(Centre):
    def __init__(self, library="pandas"):
        self.library = library

    def transform(self, X):
        is_frame = type(X).__module__.startswith(self.library)
        return super().transform(X) + (X.shape[1] if is_frame else 0)


@breaks(
    "check_feature_names_are_learned(library='pandas')",
    "check_feature_names_are_learned(library='polars')",
    words="feature_names_in_ is []",
)
@breaks(
    "check_other_columns_are_refused(library='pandas')",
    "check_other_columns_are_refused(library='polars')",
    words="in another order raised nothing",
)
class ForgetsColumnNames(Centre):
    def fit(self, X, y=None):
        return super().fit(np.asarray(X))

    def transform(self, X):
        return super().transform(np.asarray(X))


@breaks(
    "check_frame_is_untouched(library='pandas')",
    "check_frame_is_untouched(library='polars')",
    words="renamed 0",
)
class RenamesColumns(Centre):
    def transform(self, X):
        transformed = super().transform(X)
        X.columns = [f"renamed {i}" for i in range(X.shape[1])]
        return transformed


@breaks("check_set_output(library='pandas')", "check_set_output(library='polars')", words="no set_output")
class NamesNoOutputs(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        validate_data(self, X)
        return self

    def transform(self, X):
        return validate_data(self, X, reset=False)


@breaks("check_set_output(library='pandas')", "check_set_output(library='polars')", words="gives a ndarray")
class IgnoresSetOutput(Centre, auto_wrap_output_keys=None):
    def set_output(self, *, transform=None):
        return self


@breaks("check_set_output(library='pandas')", "check_set_output(library='polars')", words="the columns are")
class RenamesOutputsLater(Centre):
    def get_feature_names_out(self, input_features=None):
        self.n_calls = vars(self).get("n_calls", 0) + 1
        return np.array([f"call {self.n_calls} column {i}" for i in range(self.n_features_in_)], dtype=object)


# -- targets


@breaks(
    *(f"check_labels_of_any_kind(labels={kind!r})" for kind in ("string", "object")),
    words="predict: ",
)
@breaks(
    *(f"check_labels_of_any_kind(labels={kind!r})" for kind in ("minus_one_and_one", "one_and_two")),
    words="predict: ",
)
@breaks("check_labels_of_any_kind(labels='bool')", words="predict gives the type int")
class PredictsCodes(Centroids):
    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


@breaks("check_labels_of_any_kind(labels='object')", words="<U3")
class PredictsStringsOfFixedWidth(Centroids):
    def predict(self, X):
        predicted = super().predict(X)
        return predicted.astype(str) if predicted.dtype == object else predicted


@breaks("check_labels_of_any_kind(labels='minus_one_and_one')", words="predict_proba")
class LearnsFromLabelsAsNumbers(Centroids):
    def _class_weight(self, y):
        return 2.0 + y if y.dtype.kind == "i" else 1.0


@breaks("check_probabilities_follow_classes", words="class of the largest")
class ReversesColumns(Centroids):
    def predict(self, X):
        return self.classes_[super().predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1]


@breaks("check_probabilities_follow_classes", words="sum of predict_proba")
class GivesLikelihoods(Centroids):
    def predict_proba(self, X):
        return super().predict_proba(X) / 2


@breaks("check_one_class_is_predicted_or_refused", words="speak of classes")
class RefusesOneClassVaguely(Centroids):
    def fit(self, X, y, sample_weight=None):
        if len(np.unique(y)) == 1:
            raise ValueError("Cannot fit.")
        return super().fit(X, y, sample_weight)


@breaks("check_one_class_is_predicted_or_refused", words="predict: ")
class AssumesClassZero(Centroids):
    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


@breaks("check_column_of_labels_warns", words="no DataConversionWarning")
class RavelsSilently(Centroids):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, np.ravel(y), sample_weight)


@breaks("check_column_of_labels_warns", words="with y as a column")
class ReversesColumn(Centroids):
    def fit(self, X, y, sample_weight=None):
        warned = column_or_1d(y, warn=True)
        return super().fit(X, warned if np.ndim(y) == 1 else warned[::-1], sample_weight)


@breaks("check_column_target_is_not_broadcast", words="R2")
class BroadcastsTarget(LeastSquares):
    """Least squares of an output of shape (n, 1) against a target of shape (n,): the mean of the target."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        if np.ndim(y) == 1:
            self.coef_ = np.append(np.zeros(X.shape[1]), np.mean(y))
        return self


@breaks("check_column_target_is_not_broadcast", words="predict gives")
class AlwaysPredictsColumn(LeastSquares):
    def predict(self, X):
        return super().predict(X).reshape(len(X), -1)


@breaks("check_two_targets_are_both_learned", words="the predictions have")
class LearnsFirstTarget(LeastSquares):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y if np.ndim(y) == 1 else y[:, 0], sample_weight)


@breaks("check_two_targets_are_both_learned", words="R2")
class RepeatsFirstTarget(LeastSquares):
    def fit(self, X, y, sample_weight=None):
        return super().fit(
            X, y if np.ndim(y) == 1 else np.column_stack([y[:, 0]] * y.shape[1]), sample_weight
        )


# -- weights


@breaks("check_weight_zero_removes_the_row", words="weight zero")
class IgnoresWeights(Centroids):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y)


@breaks("check_scale_of_weights_does_not_matter", words="ten times")
class ShrinksByTotalWeight(Centroids):
    def _batch_proba(self, X):
        return super()._batch_proba(X * (1 - 1 / (1 + self.totals_.sum())))


@breaks("check_class_weight_is_a_weight_of_rows", words="class_weight={")
@breaks("check_balanced_class_weight", words="'balanced'")
@breaks("check_unknown_class_in_class_weight_is_refused", words="raised nothing")
class IgnoresClassWeight(Centroids):
    def _class_weight(self, y):
        return 1.0


# -- composition


@breaks("check_pipeline_does_as_by_hand", words="pipeline's")
class RecognisesTrainingArray(Centre):
    def fit(self, X, y=None):
        self.training_array_ = X
        return super().fit(X)

    def transform(self, X):
        return super().transform(X) + (X is self.training_array_)


@breaks("check_cross_validate_does_as_by_hand", words="scores")
class CountsFitsOfAllInstances(LeastSquares):
    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).n_fits += 1
        super().fit(X, y, sample_weight)
        self.coef_ = self.coef_ * self.n_fits
        return self


@breaks("check_grid_search_does_as_by_hand", words="scores of factor=0.5")
class DerivesInConstructor(LeastSquares):
    def __init__(self, factor=1.0):
        self.factor = factor
        self._factor = factor

    def predict(self, X):
        return self._factor * super().predict(X)


@breaks("check_sample_weight_is_routed", words="the fold's")
class UsesWeightsOnlyWithoutRouting(LeastSquares):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, None if get_config()["enable_metadata_routing"] else sample_weight)


# -- devices


@breaks("check_unknown_device_lists_the_known", words="raised nothing")
class IgnoresDevice(Centre):
    def __init__(self, device=None):
        self.device = device


@breaks("check_unknown_device_lists_the_known", words="names not it")
class NamesNoDevice(IgnoresDevice):
    def fit(self, X, y=None):
        if self.device == "toaster":
            raise ValueError("Bad device.")
        return super().fit(X)


@breaks("check_model_opens_where_its_device_is_missing", words="no cuda here")
class NeedsItsDevice(IgnoresDevice):
    def transform(self, X):
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("no cuda here")
        return super().transform(X)


class DiffersOnCuda(IgnoresDevice):
    def transform(self, X):
        import torch

        return super().transform(X) + (self.device == "cuda" and torch.cuda.is_available())


# -- parameters


@breaks("check_bad_parameters_are_named_by_fit", words="raised nothing")
class ChecksNoParameter(Typed):
    def _check_params(self):
        pass


@breaks("check_bad_parameters_are_named_by_fit", words="must begin with")
class ChecksParametersVaguely(Typed):
    def _check_params(self):
        try:
            super()._check_params()
        except ValueError as error:
            raise ValueError("Bad parameter.") from error


# -- incremental


@breaks("check_partial_fit_continues", words="second alone")
class StartsAnewEveryTime(Centroids):
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        self._forget()
        return super().partial_fit(X, y, classes, sample_weight)


@breaks("check_fit_after_partial_fit_starts_anew", words="predict")
class NeverForgets(Centroids):
    def _forget(self):
        pass


@breaks("check_first_partial_fit_learns_all_classes", words="classes_")
class IgnoresClassesArgument(Centroids):
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return super().partial_fit(X, y, None, sample_weight)


@breaks("check_first_partial_fit_learns_all_classes", words="for 3 classes")
class GivesColumnsOfSeenClasses(Centroids):
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        self.seen_ = np.unique(y)
        return super().partial_fit(X, y, classes, sample_weight)

    def predict_proba(self, X):
        probabilities = super().predict_proba(X)
        return probabilities[:, : len(self.seen_)] if hasattr(self, "seen_") else probabilities


# -- tensors


@breaks("check_tensors_are_answered_in_kind", words="predict: 60 of 60 differ")
class AnswersTensorsOtherwise(LeastSquares):
    def predict(self, X):
        import torch

        y = super().predict(X)
        return torch.from_numpy(y + 1) if isinstance(X, torch.Tensor) else y


@breaks("check_tensors_are_answered_in_kind", words="predict_proba of a tensor is a ndarray")
class AnswersTensorsByHalf(Centroids):
    def predict(self, X):
        import torch

        y = super().predict(X)
        return torch.from_numpy(y) if isinstance(X, torch.Tensor) else y
