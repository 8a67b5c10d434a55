"""A small convolutional network for small images."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_dl.nn.linear import Linear
from sklearn_dl.nn.stem import conv_norm_pool_relu


class SmallCNN(nn.Sequential):
    """Two convolutions, each with batch normalisation, pooling and ReLU; one hidden layer; a linear head.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a row: (channels, height, width), or (n_features,) of a flattened image.
    n_outputs : int
        Outputs a row gets.
    image_shape : tuple of int or None, default=None
        (channels, height, width) of flattened rows. None takes one channel and a square.
    channels : sequence of int, default=(32, 64)
        Channels of each convolution. More see more kinds of patterns.
    kernel_size : int, default=3
        Odd side of the squares that a convolution sees; borders are padded by zeros.
    hidden_size : int, default=128
        Width of the hidden layer.
    dropout : float, default=0.0
        Share of the values of the hidden layer that are set to 0 while training.

    Raises
    ------
    ValueError
        If the rows are no images of `image_shape`, or are too small for the poolings.

    Examples
    --------
    >>> import torch
    >>> from sklearn_dl.nn import SmallCNN
    >>> SmallCNN((1, 16, 16), n_outputs=10)(torch.zeros(3, 1, 16, 16)).shape
    torch.Size([3, 10])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_outputs: int,
        image_shape: Sequence[int] | None = None,
        channels: Sequence[int] = (32, 64),
        kernel_size: int = 3,
        hidden_size: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        depth, height, width = self._image_shape = _image_shape(tuple(input_shape), image_shape)
        shrunk = 2 ** len(channels)
        if min(height, width) < shrunk:
            raise ValueError(
                f"SmallCNN with {len(channels)} convolutions needs images of at least {shrunk} x {shrunk}; "
                f"got {height} x {width}. Give fewer channels."
            )
        for i, size in enumerate(channels, start=1):
            self.add_module(f"conv_{i}", nn.Conv2d(depth, size, kernel_size, padding=kernel_size // 2))
            self.add_module(f"norm_{i}", nn.BatchNorm2d(size))
            self.add_module(f"pool_{i}", nn.MaxPool2d(2))
            self.add_module(f"activation_{i}", nn.ReLU())  # of a quarter of the values, to the same result
            depth = size
        self.add_module("flatten", _FlattenPixels())
        self.add_module("hidden", Linear(depth * (height // shrunk) * (width // shrunk), hidden_size))
        self.add_module("activation", nn.ReLU())
        if dropout > 0:
            self.add_module("dropout", nn.Dropout(dropout))
        self.add_module("head", nn.Linear(hidden_size, n_outputs))
        # In this layout torch pools and normalises several times faster.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, X: Tensor) -> Tensor:
        """Images of shape (n_samples, channels, height, width), or flattened, to (n_samples, n_outputs)."""
        # Contiguous in torch.channels_last, which vmap does not know by that name.
        images = X.reshape(-1, *self._image_shape).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        layers: Iterator[Any] = iter(self)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                images = conv_norm_pool_relu(images, layer, next(layers), next(layers), next(layers))
            else:
                images = layer(images)
        return images


class _FlattenPixels(nn.Module):
    """One pixel after the other, each with all its channels: as the layout channels_last has them."""

    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1).flatten(1)


def _image_shape(input_shape: tuple[int, ...], image_shape: Sequence[int] | None) -> tuple[int, int, int]:
    if len(input_shape) == 3 and image_shape is None:
        return input_shape
    side = math.isqrt(input_shape[0])
    shape = tuple(image_shape) if image_shape is not None else (1, side, side)
    if len(shape) != 3 or math.prod(shape) != math.prod(input_shape):
        raise ValueError(
            "SmallCNN needs rows of shape (channels, height, width), or flattened ones of image_shape, by "
            f"default one channel and a square; got rows of shape {input_shape} and "
            f"image_shape={image_shape}."
        )
    return shape
