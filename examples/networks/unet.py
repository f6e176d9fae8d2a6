"""U-Net: Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation" (2015).

As it is commonly built today: padded convolutions with batch norms, and half of the paper's channels.
"""

from collections.abc import Callable

import numpy as np
import onnx

from examples.networks.builder import NetworkBuilder, Value

CHANNELS = (32, 64, 128, 256)
"""Of each level on the way down, and up again; the bottom has twice as many as the last."""
Enlarge = Callable[[NetworkBuilder, Value, int], Value]


def unet(seed: int = 0) -> onnx.ModelProto:
    """Up by transposed convolutions: `image` [1, 3, 256, 256] to scores of two classes [1, 2, 256, 256]."""
    return _unet("unet", seed, _enlarge_by_transposed_convolution)


def unet_bilinear(seed: int = 0) -> onnx.ModelProto:
    """Up by interpolation: `image` [1, 3, 256, 256] to scores of two classes [1, 2, 256, 256]."""
    return _unet("unet_bilinear", seed, _enlarge_by_interpolation)


def _unet(name: str, seed: int, enlarge: Enlarge) -> onnx.ModelProto:
    network = NetworkBuilder(name, seed)
    x = network.input("image", (1, 3, 256, 256), 3)
    skips = []
    for channels in CHANNELS:
        skips.append(_two_convolutions(network, x, channels))
        x = network.pool("MaxPool", skips[-1], 2, 2)
    x = _two_convolutions(network, x, 2 * CHANNELS[-1])
    for channels, skip in zip(reversed(CHANNELS), reversed(skips), strict=True):
        x = _two_convolutions(network, network.concat(skip, enlarge(network, x, channels)), channels)
    return network.model(network.conv(x, 2, bias=True))


def _two_convolutions(network: NetworkBuilder, x: Value, channels: int) -> Value:
    for _ in range(2):
        x = network.relu(network.batch_norm(network.conv(x, channels, 3)))
    return x


def _enlarge_by_transposed_convolution(network: NetworkBuilder, x: Value, channels: int) -> Value:
    return network.conv_transpose(x, channels, 2)


def _enlarge_by_interpolation(network: NetworkBuilder, x: Value, channels: int) -> Value:
    """Twice as large, then a pointwise convolution to as many channels as the skip connection has."""
    scales = network.constant(np.array([1, 1, 2, 2], np.float32))
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    larger = network.node("Resize", x.name, "", scales, width=x.width, **attributes)
    return network.conv(larger, channels, bias=True)
