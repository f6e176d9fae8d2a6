"""MobileNetV2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2."""

import onnx

from examples.networks.builder import NetworkBuilder, Value

# Of each stage: how much wider a block is inside than outside, channels, blocks, stride of the first block.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


def mobilenet_v2(seed: int = 0) -> onnx.ModelProto:
    """Width 1.0: `image` [1, 3, 224, 224] to 1000 class scores."""
    network = NetworkBuilder("mobilenet_v2", seed)
    image = network.input("image", (1, 3, 224, 224), 3)
    x = network.relu6(network.batch_norm(network.conv(image, 32, 3, stride=2, role="signed weight")))
    for expansion, channels, blocks, stride in STAGES:
        for number in range(blocks):
            x = inverted_residual(network, x, channels, stride if number == 0 else 1, expansion)
    x = network.relu6(network.batch_norm(network.conv(x, 1280, role="signed weight")))
    return network.model(network.classifier(x, 1000))


def inverted_residual(network: NetworkBuilder, x: Value, channels: int, stride: int, expansion: int) -> Value:
    """Wider, a depthwise convolution, and narrower again without an activation; with a shortcut where shapes allow."""
    shortcut = stride == 1 and x.width == channels
    inner = x
    if expansion > 1:
        wide = network.conv(x, x.width * expansion, role="signed weight")
        inner = network.relu6(network.batch_norm(wide))
    inner = network.relu6(network.batch_norm(network.depthwise(inner, 3, stride=stride)))
    narrow = network.batch_norm(network.conv(inner, channels), "branch scale" if shortcut else "scale")
    return network.add(x, narrow) if shortcut else narrow
