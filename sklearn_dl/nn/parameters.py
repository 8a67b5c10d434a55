"""Which parameters of a network decay, and how many there are."""

from torch import nn


def split_decay(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters that weight decay applies to, and the rest.

    The weights of a network decay: parameters of at least two axes outside norm and embedding layers. Biases,
    norm scales and PReLU slopes do not. Parameters that are not trained are in neither list.

    Parameters
    ----------
    module : torch.nn.Module
        The network.

    Returns
    -------
    decay, no_decay : list of torch.nn.Parameter
        Each trained parameter once, in the order of ``module.parameters()``.
    """
    exempt = {
        parameter
        for layer in module.modules()
        if isinstance(layer, _EXEMPT_LAYERS)
        for parameter in layer.parameters(recurse=False)
    }
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decay = [parameter for parameter in trained if parameter.ndim >= 2 and parameter not in exempt]
    no_decay = [parameter for parameter in trained if parameter.ndim < 2 or parameter in exempt]
    return decay, no_decay


def count_parameters(module: nn.Module) -> int:
    """Number of values that training changes; shared ones count once.

    Parameters
    ----------
    module : torch.nn.Module
        The network.

    Returns
    -------
    n_parameters : int
    """
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


_EXEMPT_LAYERS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.Embedding,
    nn.EmbeddingBag,
)
