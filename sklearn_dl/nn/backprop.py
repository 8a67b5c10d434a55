"""Loss and gradient of a plain MLP in closed form: small networks spend most of their time in autograd."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from sklearn_dl.nn.ensemble import Ensemble
from sklearn_dl.nn.hooks import has_hooks
from sklearn_dl.nn.linear import Linear, matrix_product
from sklearn_dl.nn.losses import check_class_target, check_same_shape, cross_entropy, squared_error
from sklearn_dl.nn.mlp import MLP

RowLoss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


class Backprop:
    """Function that computes the loss of an MLP on a batch and writes its gradient into the parameters.

    The result is autograd's up to rounding.

    Parameters
    ----------
    module : MLP or Ensemble of MLPs
        One that `supports` accepts. Values, storage and device of its parameters may change between calls.
    loss : callable
        ``loss(outputs, target)`` gives one loss a row, which depends on this row alone. `cross_entropy`, also
        in a partial that sets `label_smoothing`, and `squared_error` are differentiated in closed form,
        others by autograd.

    Raises
    ------
    ValueError
        If `supports` rejects the module.

    References
    ----------
    Rumelhart, Hinton, Williams (1986), Learning representations by back-propagating errors, eq. 4 to 7.

    Examples
    --------
    >>> import torch
    >>> from sklearn_dl.nn import MLP, Backprop, squared_error
    >>> mlp = MLP(n_features=3, n_outputs=1)
    >>> backprop = Backprop(mlp, squared_error)
    >>> loss = backprop(torch.randn(8, 3), torch.randn(8, 1))
    >>> mlp.head.weight.grad.shape
    torch.Size([1, 128])
    """

    def __init__(self, module: nn.Module, loss: RowLoss) -> None:
        if not self.supports(module):
            raise ValueError(
                "Backprop needs an MLP, or an Ensemble of MLPs, of linear layers and activations out of "
                f"{sorted(kind.__name__ for kind in _ACTIVATIONS)}, all trained and without hooks; "
                f"got {module}. Use autograd for this one."
            )
        self._members = [_layers(mlp) for mlp in _networks(module)]
        self._loss_and_gradient = _differentiated(loss)

    @staticmethod
    def supports(module: nn.Module) -> bool:
        """Whether the module is an MLP, or an Ensemble of MLPs, that has closed-form gradients.

        It has no dropout, norm, residual blocks, frozen parameters or hooks, and its activation is ReLU,
        tanh, sigmoid, GELU (exact), SiLU, Mish or the identity.
        """
        return (
            all(map(_is_plain, _networks(module)))
            and all(parameter.requires_grad for parameter in module.parameters())
            and not any(map(has_hooks, module.modules()))
        )

    @torch.no_grad()
    def __call__(self, X: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean of weight * loss over the rows; its gradient replaces the ``grad`` of the parameters.

        Parameters
        ----------
        X : Tensor of shape (n_samples, ...)
        target : Tensor of shape (n_samples, ...)
            As the loss requires it.
        weight : Tensor of shape (n_samples,), optional
            All 1 when None.

        Returns
        -------
        loss : Tensor of shape ()
            Of an ensemble, the sum of the members' losses.
        """
        X = X.flatten(1)
        losses = [self._backpropagate(layers, X, target, weight) for layers in self._members]
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _backpropagate(
        self, layers: list["_Layer"], X: Tensor, target: Tensor, weight: Tensor | None
    ) -> Tensor:
        values, kept = [X], []
        for linear, activate, _ in layers:
            before = matrix_product(values[-1], linear.weight.t(), linear.bias)
            values.append(activate(before))
            kept.append(before)
        losses, gradient = self._loss_and_gradient(values[-1], target)
        if weight is not None:
            losses = losses * weight
            gradient = gradient * weight.unsqueeze(1)
        gradient = gradient / len(losses)
        for i in reversed(range(len(layers))):
            linear, _, derive = layers[i]
            gradient = derive(gradient, kept[i])
            linear.weight.grad = matrix_product(gradient.t(), values[i])
            linear.bias.grad = gradient.sum(0)
            if i > 0:
                gradient = matrix_product(gradient, linear.weight)
        return losses.mean()


class _Layer(NamedTuple):
    """Linear layer, its activation, and the gradient before that from the gradient after it.

    The derivative is computed from the tensor that was given to the activation: where this works in place,
    that tensor holds the activation's value by then.
    """

    linear: nn.Linear
    activate: Callable[[Tensor], Tensor]
    derive: Callable[[Tensor, Tensor], Tensor]


_ACTIVATIONS: dict[type[nn.Module], tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    nn.Identity: (lambda x: x, lambda gradient, value: gradient),
    nn.ReLU: (torch.relu_, lambda gradient, value: torch.ops.aten.threshold_backward(gradient, value, 0)),
    nn.Sigmoid: (torch.sigmoid_, torch.ops.aten.sigmoid_backward),
    nn.Tanh: (torch.tanh_, torch.ops.aten.tanh_backward),
    nn.GELU: (nn.functional.gelu, torch.ops.aten.gelu_backward),
    nn.SiLU: (nn.functional.silu, torch.ops.aten.silu_backward),
    nn.Mish: (nn.functional.mish, torch.ops.aten.mish_backward),
}


def _networks(module: nn.Module) -> list[nn.Module]:
    return list(module.members) if type(module) is Ensemble else [module]


def _is_plain(module: nn.Module) -> bool:
    layers = list(module.children())
    return (
        type(module) is MLP
        and all(type(layer) in (Linear, nn.Linear) for layer in layers[::2])
        and all(type(layer) in _ACTIVATIONS for layer in layers[1::2])
        and all(getattr(layer, "approximate", "none") == "none" for layer in layers[1::2])
    )


def _layers(mlp: nn.Module) -> list[_Layer]:
    modules = [*mlp.children(), nn.Identity()]  # nothing follows the head
    return [
        _Layer(linear, *_ACTIVATIONS[type(activation)])
        for linear, activation in zip(modules[::2], modules[1::2], strict=True)
        if isinstance(linear, nn.Linear)
    ]


def _differentiated(loss: RowLoss) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Function that gives the loss of each row and its gradient with respect to the outputs of the row."""
    if loss is squared_error:
        return _squared_error
    if loss is cross_entropy:
        return _cross_entropy
    if isinstance(loss, partial) and loss.func is cross_entropy and not loss.args:
        return partial(_cross_entropy, **loss.keywords)
    return partial(_by_autograd, loss)


def _squared_error(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    check_same_shape("squared_error", pred, target)
    difference = pred - target
    return difference.square().mean(1), difference.mul_(2 / pred.shape[1])


def _cross_entropy(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    if target.is_floating_point():
        return _by_autograd(partial(cross_entropy, label_smoothing=label_smoothing), logits, target)
    check_class_target(logits, target)
    index, log_p = target.unsqueeze(1), _log_softmax(logits)
    losses = log_p.gather(1, index).squeeze(1).neg_()
    if label_smoothing > 0:
        losses.lerp_(-log_p.mean(1), label_smoothing)
    gradient = log_p.exp_()
    if label_smoothing > 0:
        gradient -= label_smoothing / logits.shape[1]
    return losses, gradient.scatter_(1, index, label_smoothing - 1.0, reduce="add")


def _log_softmax(logits: Tensor) -> Tensor:
    # Rows shorter than a vector register are four times faster taken as columns.
    return logits.t().log_softmax(0).t() if logits.shape[1] < 16 else logits.log_softmax(1)


def _by_autograd(loss: RowLoss, outputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        losses = loss(outputs.requires_grad_(), target)
        (gradient,) = torch.autograd.grad(losses.sum(), outputs)
    return losses.detach(), gradient
