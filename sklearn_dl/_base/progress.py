"""Scikit-learn's callback interface, with an empty stand-in where scikit-learn is older than 1.9."""

from collections.abc import Callable
from typing import Any, TypeVar

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    Method = TypeVar("Method", bound=Callable[..., Any])

    class _SilentContext:
        """Task tree without listeners."""

        def subcontext(self, **kwargs: Any) -> "_SilentContext":
            return self

        def call_on_fit_task_begin(self, **kwargs: Any) -> "_SilentContext":
            return self

        def call_on_fit_task_end(self, **kwargs: Any) -> bool:
            return False

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Callbacks are ignored: scikit-learn calls them from 1.9 on."""

        def _init_callback_context(self, **kwargs: Any) -> _SilentContext:
            return _SilentContext()

    def with_callbacks(method: Method) -> Method:
        return method


class EpochTasks:
    """Reports epochs as subtasks of an estimator's fit to scikit-learn's callbacks.

    Parameters
    ----------
    estimator : estimator
        Being fitted; its callbacks listen.
    data : dict
        ``X``, ``y`` and ``metadata`` of the fit, as the callbacks receive them.
    n_epochs : int
        Most subtasks there can be.
    fitted_state : callable
        Gives, when a callback asks, the attributes of an estimator that has stopped training here.
    task_name : str, default="epoch"
        What callbacks call a subtask.
    """

    def __init__(
        self,
        estimator: Any,
        data: dict[str, Any],
        n_epochs: int,
        fitted_state: Callable[[], dict[str, Any]],
        task_name: str = "epoch",
    ) -> None:
        self.estimator, self.data, self.fitted_state = estimator, data, fitted_state
        self.task_name = task_name
        self.fit_task = estimator._init_callback_context(max_subtasks=n_epochs)
        self.fit_task.call_on_fit_task_begin(estimator=estimator, **data)

    def begin(self) -> None:
        """An epoch begins."""
        self.epoch_task = self.fit_task.subcontext(task_name=self.task_name)
        self.epoch_task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self) -> bool:
        """An epoch ends; returns whether a callback asks to stop."""
        return self.epoch_task.call_on_fit_task_end(
            estimator=self.estimator, **self.data, reconstruction_attributes=self.fitted_state
        )

    def finish(self) -> None:
        """The fit ends."""
        self.fit_task.call_on_fit_task_end(
            estimator=self.estimator, **self.data, reconstruction_attributes=self.fitted_state
        )


class StepTasks(EpochTasks):
    """Reports the steps of a solver as subtasks, as scikit-learn does those of its L-BFGS.

    There is a subtask more than steps, which is begun and left empty, and at least one before it.

    Parameters
    ----------
    estimator : estimator
        Being fitted; its callbacks listen.
    data : dict
        ``X``, ``y`` and ``metadata`` of the fit, as the callbacks receive them.
    max_iter : int
        Most steps there can be.
    fitted_state : callable
        x -> attributes of an estimator that has stopped at x.
    start : object
        First x.
    """

    def __init__(
        self,
        estimator: Any,
        data: dict[str, Any],
        max_iter: int,
        fitted_state: Callable[[Any], dict[str, Any]],
        start: Any,
    ) -> None:
        self.x, self.n_steps = start, 0
        super().__init__(
            estimator, data, max(max_iter, 1) + 1, lambda: fitted_state(self.x), task_name="lbfgs-iter"
        )
        self.begin()

    def begin(self) -> None:
        """A step begins."""
        self.epoch_task = self.fit_task.subcontext(task_name=self.task_name)
        self.epoch_task.call_on_fit_task_begin(
            estimator=self.estimator, **self.data, reconstruction_attributes=self.fitted_state
        )

    def step(self, x: Any) -> None:
        """A step ended at x, and the next begins."""
        self.x, self.n_steps = x, self.n_steps + 1
        self.end()
        self.begin()

    def finish(self) -> None:
        """No step follows, and the fit ends."""
        if self.n_steps == 0:
            self.step(self.x)
        self.epoch_task.call_on_fit_task_end(estimator=self.estimator)
        super().finish()


__all__ = ["CallbackSupportMixin", "EpochTasks", "StepTasks", "with_callbacks"]
