"""The base of every estimator that trains a torch module: one fit, and a state of parameters and arrays."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklearn_dl._base.batches import Batch, Rows, is_stream, n_batch_rows, raw_rows
from sklearn_dl._base.criterion import RowLoss
from sklearn_dl._base.devices import no_autocast, ordinary_tensors, recorded_gradients, resolve_device
from sklearn_dl._base.display import NetworkHTML
from sklearn_dl._base.errors import in_words
from sklearn_dl._base.progress import CallbackSupportMixin, EpochTasks, with_callbacks
from sklearn_dl._base.reading import RowReader
from sklearn_dl._base.seeding import draw_seed, isolated_randomness, seed_global_streams
from sklearn_dl._base.training import TrainingNet
from sklearn_dl.nn import Backprop, Ensemble, count_parameters

# Rows that a module is given at once, for tables and for images, so that none depends on its company.
# Kernels for matrices choose themselves by the number of rows, and round differently what their own tiles
# of 16 or 24 rows leave over; elementwise kernels, what 32 values leave over. 96 rows leave nothing, but
# as many images take long.
_TABLE_TILE, _IMAGE_TILE = 96, 16
_PREDICTION_VALUES = 1 << 20  # values of X a block of predictions holds


class TorchEstimator(NetworkHTML, CallbackSupportMixin, RowReader):
    """Trains a torch module; a subclass says which one in ``_build_module(shape, n_outputs)``.

    A subclass may also fill ``_loss(module, batch)``, ``_backward(module, loss, terms)``, ``_augment(batch)``
    and ``_on_epoch_end(net)``, and name what that records in ``_history_columns``.
    No subclass overrides ``fit``.
    """

    _attributes = {
        "n_features_in_": ("int", "Size of the second axis of X in ``fit``."),
        "feature_names_in_": ("ndarray of shape (`n_features_in_`,)", "Column names, if X was a data frame."),
        "n_iter_": ("int", "Epochs trained."),
        "history_": (
            "list of dict",
            "A row an epoch: epoch, train_loss, lr, dur in seconds, and with early stopping valid_loss "
            "and valid_score.",
        ),
        "loss_curve_": ("list of float", "Training loss of each epoch; of standardised targets where real."),
        "validation_scores_": (
            "list of float or None",
            "With early stopping, the score on the held-out rows after each epoch: accuracy or R2.",
        ),
        "best_loss_": ("float", "Lowest validation loss; lowest training loss without early stopping."),
        "best_epoch_": ("int", "Epoch of `best_loss_`, counted from 1."),
        "module_": (
            "torch.nn.Module",
            "The trained network, in evaluation mode; it takes standardised rows.",
        ),
        "net_": ("skorch.NeuralNet", "The net that trained it, with all that skorch offers."),
    }

    _partially_fitted = False
    _module_seed = 0  # what the module draws and keeps to itself is drawn again when it is rebuilt
    _history_columns: ClassVar[tuple[str, ...]] = (
        "epoch", "train_loss", "valid_loss", "valid_score", "lr", "dur",
    )  # fmt: skip

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "TorchEstimator":
        """Train the network.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...); or a stream
            Training rows. A memmap is read piece by piece. A stream is a ``torch.utils.data.Dataset`` of
            (x, y), or an object that can be iterated repeatedly over batches (X, y) or (X, y, sample_weight);
            `y` is then None.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0. A weight counts as that many repetitions; with early stopping
            in the validation loss too.

        Returns
        -------
        self : estimator
            Fitted. If training fails, the estimator is what it was before the call.

        Raises
        ------
        ValueError
            If a parameter, X, y or `sample_weight` is not as required; the message says what to do.
        ArithmeticError
            If the loss becomes NaN or infinite; the message names the epoch.
        """
        resume = self.warm_start and self.__sklearn_is_fitted__()
        return self._safely(resume, X, y, sample_weight, n_epochs=self.max_epochs, schedule=self.lr_schedule)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "TorchEstimator":
        """Train for one epoch on these rows, going on from what is there, with constant `lr`.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...); or a stream
            Rows, as in ``fit``. Scales are learnt from those of the first call and kept.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in ``fit``.

        Returns
        -------
        self : estimator
        """
        return self._train_one_epoch(X, y, sample_weight)

    def count_parameters(self) -> int:
        """Number of trained values in ``module_``."""
        return count_parameters(self.module_)

    @property
    def net_(self) -> TrainingNet:
        """The skorch net, with ``module_``, ``optimizer_``, ``history``, ``forward``, ``save_params`` ..."""
        check_is_fitted(self)
        if "_net" not in vars(self):
            with recorded_gradients():
                self._net = self._restore_net()
        return self._net

    @property
    def module_(self) -> nn.Module:
        """The trained torch module, in evaluation mode; it takes standardised rows."""
        return self.net_.module_

    @property
    def loss_curve_(self) -> list[float]:
        """Training loss of each epoch."""
        check_is_fitted(self)
        return [row["train_loss"] for row in self.history_]

    @property
    def validation_scores_(self) -> list[float] | None:
        """Score on the held-out rows after each epoch (accuracy or R2); None without early stopping."""
        check_is_fitted(self)
        return [row["valid_score"] for row in self.history_ if "valid_score" in row] or None

    def __sklearn_is_fitted__(self) -> bool:
        return "history_" in vars(self)

    # -- what a subclass says

    def _build_module(self, shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        """Module from rows of `shape`, the first axis left out, to outputs (n_samples, n_outputs)."""
        raise NotImplementedError(f"{type(self).__name__} must define _build_module(shape, n_outputs).")

    def _loss(self, module: nn.Module, batch: Batch) -> Tensor | tuple[Tensor, ...]:
        """Loss of each row, shape (n_samples,), or one number a batch; or a tuple of such terms to add."""
        outputs, criterion = module(batch.X), self._net.criterion_
        if isinstance(module, Ensemble) and module.training:
            return sum(criterion(self._shaped(output), batch.y) for output in outputs)
        return criterion(self._shaped(outputs), batch.y)

    def _shaped(self, outputs: Tensor) -> Tensor:
        """Outputs with one axis for the rows and one for the outputs; (n_samples,) becomes a column."""
        return outputs[:, None] if outputs.ndim == 1 else outputs

    def _backward(self, module: nn.Module, loss: Tensor, terms: tuple[Tensor, ...]) -> None:
        """Write the gradients of `loss`, the sum of `terms`, into the parameters."""
        loss.backward()

    def _augment(self, batch: Batch) -> Batch:
        """Batch to train on in place of `batch`."""
        return batch

    def _on_epoch_end(self, net: TrainingNet) -> None:
        """Called after each epoch, with the net."""

    # -- what a task says, see tasks.py

    def _make_criterion(self) -> RowLoss:
        raise NotImplementedError

    def _averaged_kind(self) -> Literal["mean", "probabilities"]:
        """What of the outputs of several members is averaged."""
        return "mean"

    def _score_rows(self, rows: Rows) -> float:
        """Score of the module on encoded rows."""
        raise NotImplementedError

    def _predict_encoded(self, outputs: Tensor) -> np.ndarray:
        """Encoded targets that outputs stand for; what ``net_.predict`` gives."""
        return outputs.numpy()

    def _probabilities(self, outputs: Tensor) -> np.ndarray:
        """What ``net_.predict_proba`` gives: as in skorch, the outputs where there are no classes."""
        return outputs.numpy()

    # -- the one fit

    def _train_one_epoch(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> "TorchEstimator":
        """What ``partial_fit`` does."""
        resume = self.__sklearn_is_fitted__()
        self._safely(resume, X, y, sample_weight, n_epochs=1, schedule="constant", classes=classes)
        self._partially_fitted = True
        return self

    def _safely(self, resume: bool, *args: Any, **kwargs: Any) -> "TorchEstimator":
        """Train; after an error put everything back as it was."""
        with recorded_gradients():
            put_net_back = self.net_.checkpoint() if resume else None
            before = self.__dict__.copy()
            try:
                return self._train(resume, *args, **kwargs)
            except BaseException:
                self.__dict__ = before
                if put_net_back is not None:
                    put_net_back()
                raise

    @with_callbacks
    def _train(
        self,
        resume: bool,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        n_epochs: int,
        schedule: str,
        classes: Any = None,
    ) -> "TorchEstimator":
        self._check_params()
        seed = draw_seed(self.random_state)
        if not resume:
            self._device = resolve_device(self.device, type(self).__name__)
            self._fit_params = _kept(self.get_params(deep=False))
        n_done = self.n_iter_ if resume else 0
        with isolated_randomness(seed + n_done, self._device) as generator:
            read = self._read_stream if is_stream(X) else self._read_rows
            train, valid = read(X, y, sample_weight, resume=resume, classes=classes, seed=seed)
            if not resume:
                self._module_seed = seed
                seed_global_streams(seed, self._device)  # whatever reading the rows has drawn
                self._net = self._make_net()
            data = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
            tasks = EpochTasks(self, data, n_epochs, self._record_training)
            self._net.train(
                train, valid, n_epochs=n_epochs, lr_schedule=schedule, generator=generator, tasks=tasks
            )
        self.__dict__.update(self._record_training())
        tasks.finish()
        return self

    def _record_training(self) -> dict[str, Any]:
        """Fitted attributes, from the history of the net; the best epoch is that of the last training."""
        rows = [
            {name: row[name] for name in self._history_columns if name in row}
            for row in self._net.whole_epochs()
        ]
        losses = {row["epoch"]: row.get("valid_loss", row["train_loss"]) for row in rows}
        last = [epoch for epoch in losses if epoch > self._net.first_epoch_]
        best_epoch = min(last, key=losses.__getitem__, default=0)
        return {
            "history_": rows,
            "n_iter_": rows[-1]["epoch"] if rows else 0,
            "best_loss_": losses.get(best_epoch, np.inf),
            "best_epoch_": best_epoch,
        }

    # -- the net, and the state it is rebuilt from

    def _make_net(self) -> TrainingNet:
        with ordinary_tensors():
            members = [self._build_module(self._sample_shape, self._n_outputs) for _ in range(self.n_members)]
            module = members[0] if self.n_members == 1 else Ensemble(members, average=self._averaged_kind())
            module.to(self._device, self._torch_dtype)
            criterion = self._make_criterion().to(self._device, self._torch_dtype)
            return TrainingNet(module, owner=self, criterion=criterion, device=self._device)

    def _closed_form_gradients(self, module: nn.Module) -> Backprop | None:
        """Gradients in closed form, if loss and module have them."""
        is_plain = type(self)._loss is TorchEstimator._loss and self._fit_params["precision"] != "bf16"
        criterion = self._net.criterion_
        is_fixed = not any(parameter.requires_grad for parameter in criterion.parameters())
        if not (is_plain and is_fixed and Backprop.supports(module)):
            return None
        return Backprop(module, criterion.loss if isinstance(self.loss, str) else criterion)

    def __getstate__(self) -> dict[str, Any]:
        """Parameters and arrays: the weights as numpy arrays in place of the net."""
        state = super().__getstate__().copy()
        net = state.pop("_net", None)
        state.pop("_device", None)
        if net is not None:
            goes_on = self.warm_start or self._partially_fitted
            state["_weights"] = net.arrays(with_optimizer=goes_on)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if self._fields and not any(name in state for name in self._fields):
            raise ValueError(f"This is no saved {type(self).__name__}: it holds none of its parameters.")
        defaults = {name: field.default for name, field in self._fields.items()}
        super().__setstate__({**defaults, **state})  # an older file may lack a newer parameter
        if "_weights" in state:
            self._device = self._device_here()

    def _device_here(self) -> torch.device:
        """Device of a loaded estimator: its own, or the CPU where this machine has no such device."""
        try:
            return resolve_device(self.device, type(self).__name__)
        except ValueError:
            warnings.warn(
                f"{type(self).__name__}: this machine has no device {self.device!r}; using the CPU.",
                stacklevel=4,
            )
            return torch.device("cpu")

    def _restore_net(self) -> TrainingNet:
        """Net with the saved weights, built by the parameters of the fit."""
        as_fitted = self._as_fitted()
        with isolated_randomness(self._module_seed, self._device):
            net = as_fitted._make_net()
        try:
            net.load_arrays(self._weights)
        except RuntimeError as error:
            raise ValueError(
                f"{type(self).__name__}: the saved weights do not fit the module. "
                f"Was the module's class changed since? {error}"
            ) from error
        net.take_up(self, self.history_)
        return net

    def _as_fitted(self) -> "TorchEstimator":
        """Copy with the parameters of the fit."""
        as_fitted = object.__new__(type(self))
        as_fitted.__dict__ = {**self.__dict__, **self._fit_params}
        return as_fitted

    # -- predictions

    def _outputs(self, X: Any) -> np.ndarray:
        """Outputs of the module in evaluation mode, as a float64 array of shape (n_samples, n_outputs)."""
        return self._forward(X, self._predictor())

    def _predictor(self) -> Callable[[Tensor], Tensor]:
        """What gives the outputs for rows: the module."""
        return self.module_

    def _forward(self, X: Any, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        check_is_fitted(self)
        outputs: list[np.ndarray] = []
        net = self.net_
        with torch.inference_mode(), in_words(type(self).__name__), no_autocast(), net.autocast():
            for block in self._prediction_blocks(X):
                outputs += self._tile_outputs(block, function)
        if not outputs:
            raise ValueError(f"{type(self).__name__}: X is a stream that gives no rows.")
        return np.concatenate(outputs)

    def _tile_outputs(self, block: Tensor, function: Callable[[Tensor], Tensor]) -> Iterator[np.ndarray]:
        """Outputs for the rows of `block`, given to `function` in tiles of one size, the last padded."""
        tile = _TABLE_TILE if len(self._sample_shape) == 1 else _IMAGE_TILE
        # Few rows leave a GPU idle; there a block is one multiple of the tile.
        for rows in block.split(tile if block.device.type == "cpu" else len(block)):
            padding = rows[-1:].expand(-len(rows) % tile, *rows.shape[1:])
            given = self._shaped(function(torch.cat([rows, padding]) if len(padding) else rows))
            yield given[: len(rows)].double().cpu().numpy()

    def _prediction_blocks(self, X: Any) -> Iterator[Tensor]:
        if is_stream(X):
            for rows in raw_rows(X, n_batch_rows(self.batch_size)):
                yield self._tensor(self._read_X(rows, reset=False))
            return
        X = self._read_X(X, reset=False)
        n_rows = max(32, _PREDICTION_VALUES // max(1, int(np.prod(X.shape[1:]))))
        for start in range(0, X.shape[0], n_rows):
            yield self._tensor(X[start : start + n_rows])

    def _prediction_rows(self, X: Any) -> Rows:
        """Rows without targets, for the skorch net's own ``predict`` and ``forward``."""
        X = self._tensor(self._read_X(X, reset=False))
        return Rows(X, torch.zeros(len(X), device=X.device))


def _kept(value: Any) -> Any:
    """`value` itself, but copies of dicts, lists and arrays, which the caller may change in place."""
    if isinstance(value, dict):
        return {key: _kept(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_kept(item) for item in value]
    return value.copy() if isinstance(value, np.ndarray) else value
