"""What the deep methods share: one network trained on labelled source and unlabelled target rows."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NoReturn, Self

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sklearn_dl._base.any_module import AnyModule
from sklearn_dl._base.batches import Batch, is_stream
from sklearn_dl._base.domains import TakesDomains, read_fit_domains
from sklearn_dl._base.inputs import ArrayInput
from sklearn_dl._base.params import NonNegativeFloat, param
from sklearn_dl._base.training import TrainingNet
from sklearn_dl.domain_adaptation.adapted_network import AdaptedNetwork, Seen
from sklearn_dl.domain_adaptation.domain_batches import DomainBatch
from sklearn_dl.domain_adaptation.domain_row_reader import _DomainRowReader
from sklearn_dl.domain_adaptation.pretraining import load_pretrained
from sklearn_dl.nn import MLP, Ensemble, PCGrad, SmallCNN

# One hidden layer can hardly hide the domain of a row while it serves the labels; two can.
_HIDDEN_LAYER_SIZES = (64, 64)


class DeepAdapter(TakesDomains, _DomainRowReader, ArrayInput, AnyModule, ABC):
    """Trains a network on the loss of the source labels and on a term that draws the domains together."""

    module: Callable | None = param(
        default=None,
        doc="A torch.nn.Module class, a function that returns a module, or a module, which is copied. "
        "Arguments such as n_features, n_channels, n_outputs and input_shape are filled in from the data, as "
        "in NeuralNetClassifier. None makes a :class:`sklearn_dl.nn.SmallCNN` for rows of shape (channels, "
        "height, width), else dense layers of 64 and 64 units.",
        kw_only=False,
    )
    transfer_weight: NonNegativeFloat = param(
        default=1.0,
        doc="Weight of the term that draws the domains together. Larger makes them more alike, at the cost "
        "of the source labels; 0 trains on the source alone.",
    )
    transfer_schedule: Literal["constant", "sigmoid"] = param(
        default="constant",
        doc='Course of that weight over the training, of which a share p is done: constant; or "sigmoid", '
        "2 / (1 + exp(-10 p)) - 1 times it, which lets the labels settle first.",
    )
    layers: tuple[str, ...] | None = param(
        default=None,
        doc='What of the network the domains are compared by: "features", what its last linear layer takes; '
        '"outputs"; or names out of ``module.named_modules()``. None takes what the method is known for.',
    )
    batch_norm: Literal["per_domain", "shared"] = param(
        default="per_domain",
        doc="Statistics of batch normalisation, if the module has any: of each domain by itself, the two "
        "passed through the network one after the other, and those of the target in predictions; or of both "
        "domains passed through together.",
    )
    gradient_surgery: Literal["pcgrad"] | None = param(
        default=None,
        doc='"pcgrad" takes from the gradient of each term what opposes the other\'s; None adds them up.',
    )
    pretrained: BaseEstimator | None = param(
        default=None,
        doc="Fitted estimator with a network of the same layers, such as one fitted on the source alone, "
        "whose weights (and, unless domains are standardised apart, scales) training begins with. In a "
        "search, wrap it in ``sklearn.frozen.FrozenEstimator``, since copies of estimators are unfitted.",
    )

    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "domains_": (
            "ndarray of int",
            "Values of `sample_domain` that were adapted, sources first; empty if nothing was.",
        ),
        "history_": (
            "list of dict",
            "A row an epoch: epoch, train_loss, lr, dur in seconds; transfer_loss, the term that draws the "
            "domains together, without its weight; and with early stopping valid_loss and valid_score, of "
            "held-out source rows.",
        ),
    }
    _history_columns = (*AnyModule._history_columns, "transfer_loss", "domain_accuracy")

    def fit(  # type: ignore[override]
        self,
        X: Any,
        y: Any = None,
        sample_domain: Any = None,
        X_target: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Train the network on both domains.

        Parameters
        ----------
        X : array-like, CSR or data frame of shape (n_samples, ...); or a stream
            Rows of both domains; of the source alone where `X_target` is given. Images may be flattened or
            of shape (n_samples, channels, height, width). A stream holds source rows only.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. Those of target rows are not read.
        sample_domain : array-like of shape (n_samples,), default=None
            Whole numbers: above 0 source, below 0 target; several values are several domains. None: all rows
            are source, and nothing is adapted.
        X_target : array-like of shape (n_target, ...), default=None
            Target rows, where X holds source rows only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows of X in the loss of the labels. Those of target rows are not read.

        Returns
        -------
        self : estimator
            Fitted. If training fails, the estimator is what it was before the call.

        Raises
        ------
        ValueError
            If a parameter, X, y, `sample_domain` or `sample_weight` is not as required.
        ArithmeticError
            If the loss becomes NaN or infinite; the message names the epoch.
        """
        if sample_domain is None and X_target is None:
            return super().fit(X, y, sample_weight)
        if is_stream(X):
            raise ValueError(
                f"{type(self).__name__}: X must be an array where domains are adapted; got a stream, a "
                f"{type(X).__name__}, which holds source rows only. Pass arrays or memmaps, or neither "
                "sample_domain nor X_target."
            )
        X, self._given_domains = read_fit_domains(X, sample_domain, X_target, type(self).__name__)
        try:
            return super().fit(X, y, sample_weight)
        finally:
            self.__dict__.pop("_given_domains", None)

    @property
    def partial_fit(self) -> NoReturn:
        """Not there: a single epoch has no course over which the domains could be drawn together."""
        raise AttributeError(
            f"{type(self).__name__} has no partial_fit, since the weight of its transfer term follows a "
            "whole training. Call fit; with warm_start=True it goes on from the last one."
        )

    # -- what a method says

    @abstractmethod
    def _transfer_loss(
        self, module: AdaptedNetwork, source: Seen, target: Seen, batch: DomainBatch
    ) -> tuple[Tensor, Tensor]:
        """The term that draws the domains together, weighted and as it is recorded."""

    def _default_layers(self) -> tuple[str, ...]:
        """What the domains are compared by, unless `layers` says."""
        return ("features",)

    def _make_domain_head(self, seen: Seen) -> nn.Module | None:
        """Network from what is seen of rows to one output a domain, for methods that have one."""
        return None

    # -- the network

    @staticmethod
    def _default_module(  # type: ignore[override]
        input_shape: tuple[int, ...], n_outputs: int
    ) -> nn.Module:
        if len(input_shape) == 3:
            return SmallCNN(input_shape, n_outputs)
        return MLP(math.prod(input_shape), n_outputs, _HIDDEN_LAYER_SIZES)

    def _build_module(self, shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        network = super()._build_module(shape, n_outputs)
        if self.pretrained is not None:
            load_pretrained(network, self.pretrained, self)
        if not len(self.domains_):
            return network
        try:
            module = AdaptedNetwork(network, self._default_layers() if self.layers is None else self.layers)
        except ValueError as error:
            raise ValueError(f"{type(self).__name__}: {error}") from error
        with torch.no_grad():
            module.domain_head = self._make_domain_head(
                module.eval().look(self._example_rows(network, shape))
            )
        return module

    def _as_fitted(self) -> "DeepAdapter":
        as_fitted: Any = super()._as_fitted()
        as_fitted.pretrained = None  # its weights are not needed again, and may be others by now
        return as_fitted

    def _check_params(self) -> None:
        super()._check_params()
        if self.n_members == 1:
            return
        for name in ("gradient_surgery", "pretrained"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{type(self).__name__}: {name} must be None with several members; "
                    f"got n_members={self.n_members}. Set n_members=1."
                )

    # -- the loss

    def _loss(self, module: nn.Module, batch: Batch) -> Tensor | tuple[Tensor, ...]:
        if not (module.training and isinstance(batch, DomainBatch)):
            return super()._loss(module, batch)
        members: Any = module.members if isinstance(module, Ensemble) else [module]
        terms = [self._terms(member, batch) for member in members]
        return tuple(torch.stack(parts).sum(0) for parts in zip(*terms, strict=True))

    def _terms(self, module: AdaptedNetwork, batch: DomainBatch) -> tuple[Tensor, Tensor]:
        source, target = module.look_at_both(batch.X, batch.target, apart=self.batch_norm == "per_domain")
        of_labels = self._net.criterion_(self._shaped(source.outputs), batch.y)
        transfer, recorded = self._transfer_loss(module, source, target, batch)
        self._record("transfer_loss", recorded)
        return of_labels, transfer

    def _backward(self, module: nn.Module, loss: Tensor, terms: tuple[Tensor, ...]) -> None:
        if self.gradient_surgery is None or len(terms) == 1:
            super()._backward(module, loss, terms)
        else:
            PCGrad(module.parameters()).backward(terms)

    def _transfer_factor(self) -> float:
        """Weight of the transfer term now."""
        share = self._net.share_done_
        course = (
            math.tanh(5 * share) if self.transfer_schedule == "sigmoid" else 1.0
        )  # 2 / (1 + exp(-10 p)) - 1
        return self.transfer_weight * course

    # -- the history

    def _record(self, name: str, value: Tensor) -> None:
        """Note a number of this step; the history holds the mean of each epoch."""
        self.__dict__.setdefault("_noted", {}).setdefault(name, []).append(value.detach())

    def _on_epoch_end(self, net: TrainingNet) -> None:
        for name, values in self.__dict__.pop("_noted", {}).items():
            net.history[-1][name] = torch.stack(values).double().mean().item()
