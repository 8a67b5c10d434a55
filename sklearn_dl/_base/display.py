"""What Jupyter shows of an estimator: scikit-learn's diagram and, once fitted, the layers of the network."""

import copy
import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils import estimator_html_repr
from torch import Tensor, nn

from sklearn_dl._base.seeding import isolated_randomness

_MOST_LAYERS = 200  # rows of the table


class NetworkHTML:
    """Part of `TorchEstimator`: adds a table of the layers below scikit-learn's diagram."""

    def _html_repr(self) -> str:
        diagram = estimator_html_repr(self)
        return diagram + network_html(self) if self.__sklearn_is_fitted__() else diagram  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Layer:
    """A module that holds parameters itself, or holds no further modules.

    Attributes
    ----------
    name : str
        Path from the network to the layer, as in ``named_modules``; "" for the network itself.
    kind : str
        Name of its class.
    output_shape : tuple of int or None
        Of its first output tensor; None if unknown.
    n_parameters : int
        Values that no earlier layer shares with it.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    n_parameters: int


def list_layers(module: nn.Module, example: Tensor) -> list[Layer]:
    """Layers of a network in the order of their definition.

    Parameters
    ----------
    module : torch.nn.Module
        Left as it is: a copy takes `example`.
    example : Tensor of shape (n_samples, ...)
        Input of the network. If the network fails on it, shapes are known up to where it failed.

    Returns
    -------
    layers : list of Layer
        Their parameters sum to those of the network.
    """
    shapes = _output_shapes(module, example)
    seen: set[nn.Parameter] = set()
    layers = []
    for name, layer in module.named_modules():
        own = list(layer.parameters(recurse=False))
        if own or not any(layer.children()):
            n_parameters = sum(values.numel() for values in own if values not in seen)
            layers.append(Layer(name, type(layer).__name__, shapes.get(name), n_parameters))
            seen.update(own)
    return layers


def network_html(estimator: Any) -> str:
    """Collapsed table of the layers of a fitted `TorchEstimator`, as HTML."""
    n_samples = 2
    example = estimator._tensor(np.zeros((n_samples, *estimator._sample_shape)))
    with isolated_randomness(0, example.device):
        layers = list_layers(estimator.module_, example)
    n_parameters, n_trained = sum(layer.n_parameters for layer in layers), estimator.count_parameters()
    trained = "" if n_trained == n_parameters else f", {n_trained:,} of them trained"
    rows = [_row(layer, n_samples) for layer in layers[:_MOST_LAYERS]]
    if len(layers) > _MOST_LAYERS:
        rows.append(f'<tr><td colspan="4">and {len(layers) - _MOST_LAYERS:,} more layers</td></tr>')
    return _TEMPLATE.format(
        style=_STYLE,
        summary=f"Network: {len(layers):,} layers, {n_parameters:,} parameters{trained}",
        rows="\n".join(rows),
    )


def _output_shapes(module: nn.Module, example: Tensor) -> dict[str, tuple[int, ...]]:
    # A copy, so that hooks and buffers of the network stay as they are, and its compiled form is not called.
    module = copy.deepcopy(module).eval()
    shapes: dict[str, tuple[int, ...]] = {}

    def remember(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any, outputs: Any) -> None:
            first = next(_tensors(outputs), None)
            if first is not None:
                shapes[name] = tuple(first.shape)

        return hook

    for name, layer in module.named_modules():
        layer.register_forward_hook(remember(name))
    try:
        with torch.no_grad():
            module(example)
    except Exception:  # a user's module may fail in any way; its layers are shown all the same
        return shapes
    return shapes


def _tensors(outputs: Any) -> Iterator[Tensor]:
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, list | tuple):
        for part in outputs:
            yield from _tensors(part)


def _row(layer: Layer, n_samples: int) -> str:
    name, kind = html.escape(layer.name or "(network)"), html.escape(layer.kind)
    shape = html.escape(_shape_text(layer.output_shape, n_samples))
    return f"<tr><td>{name}</td><td>{kind}</td><td>{shape}</td><td>{layer.n_parameters:,}</td></tr>"


def _shape_text(shape: tuple[int, ...] | None, n_samples: int) -> str:
    if not shape:
        return "?" if shape is None else "()"
    first = "n_samples" if shape[0] == n_samples else str(shape[0])
    return f"({', '.join([first, *map(str, shape[1:])])})"


# Colours are those of the page, so that light and dark themes both work.
_STYLE = """
.sklearn-dl-network { margin: 0.3em 0 0.5em 0.4em; font-family: monospace; font-size: 90%; }
.sklearn-dl-network summary { cursor: pointer; padding: 0.3em; }
.sklearn-dl-network table { border-collapse: collapse; margin: 0.2em 0 0.2em 1.2em; }
.sklearn-dl-network :is(th, td) { border: 0; border-bottom: 1px solid rgba(128, 128, 128, 0.35);
  background: transparent; color: inherit; padding: 0.25em 1.2em 0.25em 0.3em; text-align: left; }
.sklearn-dl-network :is(th, td):nth-child(4) { text-align: right; padding-right: 0.3em; }
"""

_TEMPLATE = """
<div class="sklearn-dl-network">
<style>{style}</style>
<details>
<summary>{summary}</summary>
<table>
<thead><tr><th>layer</th><th>kind</th><th>output shape</th><th>parameters</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</details>
</div>
"""
