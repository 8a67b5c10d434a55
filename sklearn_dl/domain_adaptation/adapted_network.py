"""A network whose inner values are looked at on the way."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Seen(NamedTuple):
    """Outputs for rows, and the values of the layers asked for, each flattened to (n_samples, width)."""

    outputs: Tensor
    layers: list[Tensor]


class AdaptedNetwork(nn.Module):
    """Network, and the head that tells domains apart, if the method has one.

    Parameters
    ----------
    network : torch.nn.Module
        From rows to outputs.
    layers : sequence of str
        What is looked at: "features" is what the last linear layer takes, "outputs" what the network gives,
        and other names are those of ``network.named_modules()``, whose outputs are meant.

    Raises
    ------
    ValueError
        If a layer is not in the network.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.domain_head: nn.Module | None = None
        self.layers = tuple(layers)
        known = dict(network.named_modules())
        for name in self.layers:
            if name not in ("features", "outputs") and name not in known:
                names = [known_name for known_name in known if known_name]
                raise ValueError(
                    f'layers must name "features", "outputs" or modules out of {names}; got {name!r}.'
                )
        linear = [module for module in known.values() if isinstance(module, nn.Linear)]
        if "features" in self.layers and not linear:
            raise ValueError(
                'layers=("features",) is what the last torch.nn.Linear takes, but the module has none. '
                "Name other modules in layers."
            )
        # In lists and dicts, so that none is a submodule twice.
        self._last_linear = linear[-1:]
        self._looked_at = {name: known[name] for name in self.layers if name in known}
        self._norms = [module for module in known.values() if isinstance(module, _BatchNorm)]

    def forward(self, X: Tensor) -> Tensor:
        """Outputs for rows."""
        return self.network(X)

    def look(self, X: Tensor) -> Seen:
        """Outputs for rows, and the values of ``layers``."""
        found: dict[str, Tensor] = {}
        handles = []
        for name in self.layers:
            if name == "features":
                handles.append(
                    self._last_linear[0].register_forward_pre_hook(
                        lambda module, inputs: found.__setitem__("features", inputs[0])
                    )
                )
            elif name != "outputs":
                handles.append(
                    self._looked_at[name].register_forward_hook(
                        lambda module, inputs, output, name=name: found.__setitem__(name, output)
                    )
                )
        try:
            found["outputs"] = outputs = self.network(X)
        finally:
            for handle in handles:
                handle.remove()
        return Seen(outputs, [found[name].reshape(len(X), -1) for name in self.layers])

    def look_at_both(self, source: Tensor, target: Tensor, *, apart: bool) -> tuple[Seen, Seen]:
        """What is seen of source and of target rows.

        With `apart`, batch normalisation takes the statistics of each domain alone, and remembers those of
        the target, for predictions; else it takes those of both together.
        """
        if apart and self._norms:
            seen_of_target = self.look(target)
            with _forgetful(self._norms):
                return self.look(source), seen_of_target
        outputs, layers = self.look(torch.cat([source, target]))
        n = len(source)
        parts = [values.split([n, len(target)]) for values in layers]
        return (
            Seen(outputs[:n], [part[0] for part in parts]),
            Seen(outputs[n:], [part[1] for part in parts]),
        )


@contextmanager
def _forgetful(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Within the block batch normalisation leaves its running statistics as they are."""
    tracking = [norm for norm in norms if norm.track_running_stats]
    for norm in tracking:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in tracking:
            norm.track_running_stats = True
