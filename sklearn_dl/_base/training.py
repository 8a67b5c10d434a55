"""The training of a torch module, as a skorch net: epochs, steps, schedule, early stopping, history."""

import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNet
from skorch.callbacks import Callback, LRScheduler
from skorch.history import History
from torch import Tensor, nn

from sklearn_dl._base.batches import Batch, Epoch, Rows, Stream, n_batch_rows
from sklearn_dl._base.devices import keep_freed_memory, threads_worth
from sklearn_dl._base.errors import DivergenceError, in_words
from sklearn_dl._base.net_state import NetState
from sklearn_dl._base.optimizers import make_optimizer
from sklearn_dl._base.progress import EpochTasks
from sklearn_dl._base.schedules import lr_factor
from sklearn_dl._base.weights import RunningAverage, copied
from sklearn_dl.nn import Ensemble, count_parameters

_HISTORY_LENGTH = 10_000  # epochs remembered; partial_fit may run for months


class TrainingNet(NetState, NeuralNet):
    """Skorch net that trains the module of an estimator.

    It keeps skorch's surface (``module_``, ``optimizer_``, ``history``, ``callbacks_``, ``forward``,
    ``save_params`` ...) and replaces its inner loop: batches are slices of tensors, losses are read once an
    epoch, and callbacks hear of batches only if one of them listens.

    Parameters
    ----------
    module : torch.nn.Module
        Built and initialised.
    owner : TorchEstimator
        Its parameters rule the training; its hooks ``_loss``, ``_augment`` and ``_on_epoch_end`` take part.
    criterion : torch.nn.Module
        Gives one loss a row.
    """

    def __init__(self, module: nn.Module, *, owner: Any, criterion: nn.Module, device: torch.device) -> None:
        super().__init__(
            module,
            criterion=criterion,
            optimizer=torch.optim.Optimizer,
            lr=owner.lr,
            max_epochs=owner.max_epochs,
            batch_size=n_batch_rows(owner.batch_size),
            train_split=None,
            callbacks=_copies(owner.callbacks, type(owner).__name__),
            verbose=owner.verbose,
            device=device,
        )
        self._owner = owner
        self.first_epoch_ = 0
        self.share_done_ = 0.0  # of the training under way, from 0 to 1
        self._generator: torch.Generator | None = None
        self._valid: Rows | None = None
        self._tasks: Any = None
        self._backprop: Any = None
        self._witness: Batch | None = None  # a batch on which the final weights are tried
        self._average: RunningAverage | None = None
        self._best_state: dict[str, Tensor] | None = None
        self._raw_state: dict[str, Tensor] | None = None
        self._stopped_by = ""
        self.initialize()

    @property
    def _default_callbacks(self) -> list[Any]:
        return []

    def initialize_optimizer(self, triggered_directly: Any = None) -> "TrainingNet":
        owner = self._owner
        self.optimizer_ = make_optimizer(
            owner.optimizer,
            nn.ModuleList([self.module_, self.criterion_]),
            owner=type(owner).__name__,
            lr=owner.lr,
            weight_decay=owner.weight_decay,
            momentum=owner.momentum,
            nesterov=owner.nesterov,
        )
        return self

    def get_dataset(self, X: Any, y: Any = None) -> Rows | Stream:
        return X if isinstance(X, Rows | Stream) else self._owner._prediction_rows(X)

    def get_iterator(self, dataset: Any, training: bool = False) -> Epoch:
        return Epoch(dataset, self.batch_size, self._generator if training else None)

    def infer(self, x: Tensor, **fit_params: Any) -> Tensor:
        return self.module_(x)

    def predict(self, X: Any) -> np.ndarray:
        return self._owner._predict_encoded(self.forward(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        return self._owner._probabilities(self.forward(X))

    @property
    def classes_(self) -> np.ndarray:
        return np.arange(self._owner._n_outputs)  # the net sees encoded classes

    def __sklearn_tags__(self) -> Any:
        return self._owner.__sklearn_tags__()  # lets scikit-learn's scorers work inside skorch callbacks

    def train(
        self,
        rows: Rows | Stream,
        valid: Rows | None,
        *,
        n_epochs: int,
        lr_schedule: str,
        generator: torch.Generator,
        tasks: EpochTasks,
    ) -> None:
        """Train for `n_epochs` more epochs, or until patience, a callback or the user ends it.

        Afterwards the module holds the best weights by the validation loss if there are validation rows, else
        the averaged ones if ``ema_decay`` is set, and is in evaluation mode.
        """
        owner = self._owner
        self._generator, self._valid, self._tasks = generator, valid, tasks
        self._n_epochs, self._lr_schedule, self.first_epoch_ = n_epochs, lr_schedule, self._n_done
        self._lr_scale, self._stalled, self._best_loss, self._stopped_by = 1.0, 0, np.inf, ""
        self._scale_lr(1.0)
        self.batch_size = n_batch_rows(owner.batch_size, len(rows) if isinstance(rows, Rows) else None)
        self._average = None
        if owner.ema_decay is not None:
            is_average = self._raw_state is not None  # then the module holds it
            self._average = RunningAverage(self.module_, owner.ema_decay, n_averaged=int(is_average))
        if self._raw_state is not None:
            self.module_.load_state_dict(self._raw_state)
        if owner.compile:
            self.module_.compile()
        keep_freed_memory()
        try:
            with in_words(type(owner).__name__), threads_worth(self._operations_a_step()):
                self.partial_fit(rows)
        finally:
            best, self._best_state, self._raw_state = self._best_state, None, None
            self._generator = self._valid = self._tasks = self._backprop = None
            self.module_._compiled_call_impl = None  # a loaded module predicts uncompiled too
            self._set_training(False)
            self._remember(self.whole_epochs()[-_HISTORY_LENGTH:])
        if self._stopped_by == "user":
            warnings.warn(
                f"{type(owner).__name__}: interrupted in epoch {self._n_done + 1}; "
                "the estimator is fitted with the weights reached so far.",
                stacklevel=2,
            )
        if best is not None:
            self.module_.load_state_dict(best)
            self._raw_state = None if self._average is None else best
        elif self._average is not None:
            self._raw_state = copied(self.module_.state_dict())
            self.module_.load_state_dict(self._average.module.state_dict())
        self._average = None
        if self._witness is not None:
            witness, self._witness = self._witness, None
            if not torch.isfinite(self.validation_step(witness)["loss"]):
                raise self._diverged("loss of the final weights is not finite", self._n_done)

    def _operations_a_step(self) -> float:
        """Floating-point operations of a step, where layers are dense; infinity where they are not."""
        if self._owner._closed_form_gradients(self.module_) is None:
            return np.inf
        return 6.0 * self.batch_size * count_parameters(self.module_)

    def _remember(self, rows: list[dict[str, Any]]) -> None:
        self.history = History(rows)

    def on_epoch_begin(self, net: Any, **datasets: Any) -> None:
        epoch = self._n_done + 1
        super().on_epoch_begin(net, **datasets)
        self.history.record("epoch", epoch)

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> "TrainingNet":
        datasets = {"dataset_train": X, "dataset_valid": self._valid}
        train = self.get_iterator(X, training=True)
        valid = None if self._valid is None else self.get_iterator(self._valid)
        try:
            for _ in range(self._n_epochs):
                start = time.perf_counter()
                self._tasks.begin()
                self._tell("on_epoch_begin", **datasets)
                self.run_single_epoch(train, True, "train", self.train_step)
                self.run_single_epoch(valid, False, "valid", self.validation_step)
                self._record_epoch(start)
                self._tell("on_epoch_end", **datasets)
                if self._tasks.end() or self._is_out_of_patience():
                    break
        except KeyboardInterrupt:
            self._stopped_by = self._stopped_by or "user"
        return self

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        if iterator is None:
            return
        self._set_training(training)
        self._listened = any(_hears_batches(callback) for _, callback in self.callbacks_)
        self._backprop = None if self._listened else self._owner._closed_form_gradients(self.module_)
        follows_schedule = training and self._follows_schedule()
        knows_length = follows_schedule or isinstance(iterator.rows, Rows)  # streams are read to be counted
        n_batches = len(iterator) if training and knows_length else 0
        n_before = self._n_done - self.first_epoch_
        losses, weights = [], []
        for i, batch in enumerate(iterator):
            if n_batches:
                self.share_done_ = (n_before + i / n_batches) / self._n_epochs
            if follows_schedule:
                self._step_lr(n_before + i / n_batches)
            step = self._heard_step(step_fn, batch, training, prefix) if self._listened else step_fn(batch)
            losses.append(step["loss"])
            weights.append(step["weight"])
            if training:
                self._witness = batch
        means = torch.stack(losses).double().cpu().numpy()
        if self.callbacks_ and not self._listened:  # callbacks may look batches up afterwards
            sizes = zip(means.tolist(), weights, strict=True)
            rows = [{f"{prefix}_loss": mean, f"{prefix}_batch_size": size} for mean, size in sizes]
            self.history[-1]["batches"] += rows
        loss = np.average(means, weights=np.asarray(weights, dtype=float))
        self.history.record(f"{prefix}_loss", float(loss))
        self.history.record(f"{prefix}_batch_count", len(losses))
        if not np.isfinite(loss):
            raise self._diverged(f"{prefix} loss became {loss}", self._n_done + 1)

    def _diverged(self, what: str, epoch: int) -> DivergenceError:
        return DivergenceError(
            f"{type(self._owner).__name__}: the {what} in epoch {epoch}. "
            f"Try a smaller lr (now {self._owner.lr:g}), gradient_clip=1.0, or standardize=True."
        )

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        owner = self._owner
        batch = owner._augment(batch)
        if self._backprop is not None:
            loss = self._backprop(batch.X, batch.y, batch.weight)
        else:
            self.optimizer_.zero_grad(set_to_none=True)
            with self.autocast():
                losses = owner._loss(self.module_, batch)
                terms = losses if isinstance(losses, tuple) else (losses,)
                terms = tuple(_mean(term, batch.weight) for term in terms)
                loss = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
            owner._backward(self.module_, loss, terms)
        if self._listened:
            self._tell("on_grad_computed", named_parameters=self.module_.named_parameters(), batch=batch)
        if owner.gradient_clip is not None:
            members = self.module_.members if isinstance(self.module_, Ensemble) else [self.module_]
            for member in members:
                _CLIP[owner.gradient_clip_by](member.parameters(), owner.gradient_clip)
        self.optimizer_.step()
        if self._average is not None:
            self._average.update(self.module_)
        loss = loss.detach()
        if isinstance(self.module_, Ensemble):
            loss = loss / len(self.module_.members)
        return {"loss": loss, "weight": len(batch.y)}

    def validation_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        module = self._evaluated_module()
        module.eval()
        with torch.no_grad(), self.autocast():
            rows = self._owner._loss(module, batch)
        if batch.weight is None:
            return {"loss": rows.mean(), "weight": len(batch.y)}
        total = batch.weight.sum().clamp_min(torch.finfo(batch.weight.dtype).tiny)
        return {"loss": (rows * batch.weight).sum() / total, "weight": float(total)}

    def _heard_step(self, step_fn: Any, batch: Batch, training: bool, prefix: str) -> dict[str, Any]:
        """A step that skorch callbacks hear of, with the outputs of the module."""
        outputs: list[Tensor] = []
        self._tell("on_batch_begin", batch=batch, training=training)
        self._set_training(training)
        module = self.module_ if training else self._evaluated_module()
        hook = module.register_forward_hook(lambda module, inputs, output: outputs.append(output.detach()))
        try:
            step = step_fn(batch)
        finally:
            hook.remove()
        self.history.record_batch(f"{prefix}_loss", step["loss"].item())
        self.history.record_batch(f"{prefix}_batch_size", len(batch.y))
        y_pred = outputs[-1] if outputs else None
        if training and isinstance(module, Ensemble) and y_pred is not None:
            y_pred = y_pred.mean(0)  # of the members
        self._tell("on_batch_end", batch=batch, training=training, loss=step["loss"], y_pred=y_pred)
        return step

    def _record_epoch(self, start: float) -> None:
        owner, row = self._owner, self.history[-1]
        if self._valid is not None:
            with self._averaged_weights():
                row["valid_score"] = owner._score_rows(self._valid)
        loss = row.get("valid_loss", row["train_loss"])
        improved = loss < self._best_loss
        if improved:
            self._best_loss = loss
            if self._valid is not None:
                self._best_state = copied(self._evaluated_module().state_dict())
        self._stalled = 0 if improved else self._stalled + 1
        if (
            self._lr_schedule == "plateau"
            and self._stalled
            and self._stalled % max(1, owner.patience // 2) == 0
        ):
            self._lr_scale *= 0.1
            self._scale_lr(self._lr_scale)
        row.update(lr=self.optimizer_.param_groups[0]["lr"], dur=time.perf_counter() - start)
        for prefix in ("train", "valid"):
            if f"{prefix}_loss" in row:
                row[f"{prefix}_loss_best"] = row[f"{prefix}_loss"] <= min(self.history[:, f"{prefix}_loss"])
        owner._on_epoch_end(self)
        if self.verbose:
            print(_epoch_line(row), flush=True)

    def _is_out_of_patience(self) -> bool:
        return self._valid is not None and self._stalled >= self._owner.patience

    def _follows_schedule(self) -> bool:
        if any(isinstance(callback, LRScheduler) for _, callback in self.callbacks_):
            return False
        return self._lr_schedule not in ("constant", "plateau") or self._owner.warmup_epochs > 0

    def _step_lr(self, epoch: float) -> None:
        factor = lr_factor(self._lr_schedule, epoch, self._n_epochs, self._owner.warmup_epochs)
        self._scale_lr(self._lr_scale * factor)

    def _scale_lr(self, factor: float) -> None:
        for group in self.optimizer_.param_groups:
            group["lr"] = self._owner.lr * factor

    def autocast(self) -> AbstractContextManager[Any]:
        """Mixed precision, if the estimator computes in it."""
        if self._owner._fit_params["precision"] != "bf16":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, torch.bfloat16)

    def _tell(self, event: str, **news: Any) -> None:
        """Notify the callbacks; an interrupt at the end of an epoch is how one of them stops the training."""
        try:
            self.notify(event, **news)
        except KeyboardInterrupt:
            self._stopped_by = "callback" if event == "on_epoch_end" else "user"
            raise


_CLIP: dict[str, Callable[..., Any]] = {"norm": nn.utils.clip_grad_norm_, "value": nn.utils.clip_grad_value_}


def _copies(callbacks: Any, owner: str) -> list[Any]:
    """Copies of skorch callbacks, since training changes them and parameters must stay as they are."""
    copies = []
    for item in callbacks or []:
        callback = item[1] if isinstance(item, tuple) else item
        if not isinstance(callback, Callback):
            raise TypeError(
                f"{owner}: callbacks must hold skorch callbacks or (name, callback) pairs; got {item!r}."
            )
        copy_of_it = clone(callback, safe=False)
        copies.append((item[0], copy_of_it) if isinstance(item, tuple) else copy_of_it)
    return copies


def _mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over the rows; the weights are 1 on average over all rows, not over each batch."""
    if losses.ndim == 0:
        return losses
    return losses.mean() if weight is None else (losses * weight).mean()


def _hears_batches(callback: Callback) -> bool:
    """Whether a callback acts on batches."""
    events = ("on_batch_begin", "on_batch_end", "on_grad_computed")
    return any(getattr(type(callback), event) is not getattr(Callback, event) for event in events)


def _epoch_line(row: dict[str, Any]) -> str:
    parts = [f"epoch {row['epoch']:>4}"]
    for name in ("train_loss", "valid_loss", "valid_score"):
        if name in row:
            parts.append(f"{name} {row[name]:<9.4g}")
    return "  ".join([*parts, f"lr {row['lr']:.2e}", f"{row['dur']:.2f} s"])
