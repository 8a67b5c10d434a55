"""What of a net outlives a training: weights, their average, the optimizer's state, and the history."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from sklearn_dl._base.weights import (
    RunningAverage,
    copied,
    load_optimizer_arrays,
    optimizer_arrays,
    to_arrays,
    to_tensors,
)


class NetState:
    """Part of `TrainingNet`: puts its state aside and takes it up again."""

    module_: nn.Module
    criterion_: Any
    optimizer_: Any
    history: Any
    _owner: Any
    _tasks: Any
    _average: RunningAverage | None  # while it trains
    _best_state: dict[str, Tensor] | None
    _raw_state: dict[str, Tensor] | None  # what training goes on from, where the module holds the average

    _set_training: Callable[[bool], None]  # skorch's

    def _remember(self, rows: list[dict[str, Any]]) -> None:
        """Make these rows the history."""
        raise NotImplementedError

    def whole_epochs(self) -> list[dict[str, Any]]:
        """Rows of the history, but for an epoch that was interrupted."""
        return [row for row in self.history if "lr" in row]

    @property
    def _n_done(self) -> int:
        """Epochs trained in the life of the net; the history may have forgotten the first."""
        last = next((row for row in reversed(self.history) if "lr" in row), {"epoch": 0})
        return last["epoch"]

    def checkpoint(self) -> Callable[[], None]:
        """Function that puts everything training changes back to what it is now."""
        trained = (self.module_, self.criterion_, self.optimizer_)
        states = copy.deepcopy([part.state_dict() for part in trained])
        history, raw = list(self.history), self._raw_state

        def put_back() -> None:
            for part, state in zip(trained, states, strict=True):
                part.load_state_dict(state)
            self._remember(history)
            self._average, self._raw_state = None, raw

        return put_back

    def arrays(self, *, with_optimizer: bool) -> dict[str, Any]:
        """Weights, and what training needs to go on from them, as numpy arrays."""
        module, raw = self.module_.state_dict(), self._raw_state
        if self._tasks is not None:  # in the midst of training: what it would end with now
            if self._best_state is not None:
                module = self._best_state
            elif self._average is not None:
                module, raw = self._average.module.state_dict(), module
        state: dict[str, Any] = {"module": to_arrays(module)}
        if with_optimizer:
            state["optimizer"] = optimizer_arrays(self.optimizer_)
            state["raw_module"] = None if raw is None else to_arrays(raw)
            if criterion := to_arrays(self.criterion_.state_dict()):
                state["criterion"] = criterion
        return state

    def load_arrays(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`arrays` gave."""
        self.module_.load_state_dict(to_tensors(state["module"]))
        self._set_training(False)
        if state.get("criterion"):
            self.criterion_.load_state_dict(to_tensors(state["criterion"]))
        if state.get("optimizer"):
            load_optimizer_arrays(self.optimizer_, state["optimizer"])
        if state.get("raw_module"):
            self._raw_state = to_tensors(state["raw_module"])

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        self._owner._net = self  # the estimator's own state leaves the net out

    def take_up(self, owner: Any, history: list[dict[str, Any]]) -> None:
        """Go on for `owner`, whose history this is."""
        self._owner = owner
        self._remember([{**row, "batches": []} for row in history])

    def _evaluated_module(self) -> nn.Module:
        return self.module_ if self._average is None else self._average.module

    @contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        """Within the block the module holds the averaged weights, if there are any."""
        if self._average is None:
            yield
            return
        trained = copied(self.module_.state_dict())
        self.module_.load_state_dict(self._average.module.state_dict())
        try:
            yield
        finally:
            self.module_.load_state_dict(trained)
