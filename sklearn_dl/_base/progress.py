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
    """

    def __init__(
        self, estimator: Any, data: dict[str, Any], n_epochs: int, fitted_state: Callable[[], dict[str, Any]]
    ) -> None:
        self.estimator, self.data, self.fitted_state = estimator, data, fitted_state
        self.fit_task = estimator._init_callback_context(max_subtasks=n_epochs)
        self.fit_task.call_on_fit_task_begin(estimator=estimator, **data)

    def begin(self) -> None:
        """An epoch begins."""
        self.epoch_task = self.fit_task.subcontext(task_name="epoch")
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


__all__ = ["CallbackSupportMixin", "EpochTasks", "with_callbacks"]
