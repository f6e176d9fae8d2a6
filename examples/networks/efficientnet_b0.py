"""EfficientNet-B0: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019)."""

import onnx

from examples.networks.builder import NetworkBuilder, Value

# Of each stage, table 1: how much wider a block is inside than outside, kernel, channels, blocks, stride of the first.
STAGES = [
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
]


def efficientnet_b0(seed: int = 0) -> onnx.ModelProto:
    """`image` [1, 3, 224, 224] to 1000 class scores."""
    network = NetworkBuilder("efficientnet_b0", seed)
    image = network.input("image", (1, 3, 224, 224), 3)
    x = network.swish(network.batch_norm(network.conv(image, 32, 3, stride=2, role="signed weight")))
    for expansion, kernel, channels, blocks, stride in STAGES:
        for number in range(blocks):
            x = _block(network, x, channels, kernel, stride if number == 0 else 1, expansion)
    x = network.swish(network.batch_norm(network.conv(x, 1280, role="signed weight")))
    return network.model(network.classifier(x, 1000, "swish weight"))


def _block(network: NetworkBuilder, x: Value, channels: int, kernel: int, stride: int, expansion: int) -> Value:
    """An inverted residual block, as in MobileNetV2, with squeeze-and-excitation behind the depthwise convolution."""
    shortcut = stride == 1 and x.width == channels
    inner = x
    if expansion > 1:
        wide = network.conv(x, x.width * expansion, role="signed weight")
        inner = network.swish(network.batch_norm(wide))
    inner = network.depthwise(inner, kernel, stride=stride, role="swish weight")
    inner = _squeeze_and_excite(network, network.swish(network.batch_norm(inner)), x.width // 4)
    narrow = network.conv(inner, channels, role="gated weight")
    narrow = network.batch_norm(narrow, "branch scale" if shortcut else "scale")
    return network.add(x, narrow) if shortcut else narrow


def _squeeze_and_excite(network: NetworkBuilder, x: Value, squeezed: int) -> Value:
    """Each channel times a weight that all channels' means decide: Hu et al., "Squeeze-and-Excitation Networks"."""
    means = network.global_average_pool(x)
    inner = network.swish(network.conv(means, squeezed, bias=True, role="swish weight"))
    return network.multiply(x, network.sigmoid(network.conv(inner, x.width, bias=True, role="swish weight")))
