"""DARTS: Liu et al., "DARTS: Differentiable Architecture Search" (2019), the cells called DARTS_V2."""

import onnx

from examples.networks.builder import NetworkBuilder, Value

# Of each of a cell's four nodes: its two branches, (operation, which earlier value it reads). Values 0 and 1 are the
# results of the cell before the last and of the last, 2 and more are the nodes.
Genotype = tuple[tuple[tuple[str, int], tuple[str, int]], ...]
NORMAL: Genotype = (
    (("separable", 0), ("separable", 1)),
    (("separable", 0), ("separable", 1)),
    (("separable", 1), ("skip", 0)),
    (("skip", 0), ("dilated", 2)),
)
REDUCTION: Genotype = (
    (("max_pool", 0), ("max_pool", 1)),
    (("skip", 2), ("max_pool", 1)),
    (("max_pool", 0), ("skip", 2)),
    (("skip", 2), ("max_pool", 1)),
)
CELLS, REDUCING = 8, (2, 5)
CHANNELS = 36
"""Of each node of a cell before the first reduction, as in the paper's network for CIFAR-10."""


def darts(seed: int = 0) -> onnx.ModelProto:
    """Eight cells: `image` [1, 3, 32, 32] to ten class scores."""
    network = NetworkBuilder("darts", seed)
    image = network.input("image", (1, 3, 32, 32), 3)
    last = before = network.batch_norm(network.conv(image, 3 * CHANNELS, 3, role="signed weight"))
    channels, reduced = CHANNELS, False
    for number in range(CELLS):
        reduces = number in REDUCING
        channels *= 2 if reduces else 1
        result = _cell(network, before, last, channels, reduces, reduced)
        before, last, reduced = last, result, reduces
    return network.model(network.classifier(last, 10))


def _cell(network: NetworkBuilder, before: Value, last: Value, channels: int, reduces: bool, reduced: bool) -> Value:
    """The results of the nodes side by side. `reduced` says that the last cell reduced: `before` is still larger."""
    first = _halved(network, before, channels) if reduced else _pointwise(network, before, channels)
    values = [first, _pointwise(network, last, channels)]
    for branches in REDUCTION if reduces else NORMAL:
        # In a cell that reduces, what halves the size is what reads the cell's inputs.
        strides = [2 if reduces and source < 2 else 1 for _, source in branches]
        both = [_branch(network, name, values[i], s) for (name, i), s in zip(branches, strides, strict=True)]
        values.append(network.add(*both))
    return network.concat(*values[2:])


def _branch(network: NetworkBuilder, name: str, x: Value, stride: int) -> Value:
    if name == "max_pool":
        return network.pool("MaxPool", x, 3, stride, 1)
    if name == "skip":
        return x if stride == 1 else _halved(network, x, x.width)
    if name == "dilated":
        return _separable(network, x, stride, 2, "half scale")
    return _separable(network, _separable(network, x, stride, 1, "scale"), 1, 1, "half scale")


def _separable(network: NetworkBuilder, x: Value, stride: int, dilation: int, scale: str) -> Value:
    """ReLU, then each channel by itself, then all channels of each pixel."""
    spread = network.depthwise(network.relu(x), 3, stride=stride, dilation=dilation)
    return network.batch_norm(network.conv(spread, x.width, role="signed weight"), scale)


def _pointwise(network: NetworkBuilder, x: Value, channels: int) -> Value:
    return network.batch_norm(network.conv(network.relu(x), channels))


def _halved(network: NetworkBuilder, x: Value, channels: int) -> Value:
    """Half of the channels from the even pixels, the other half from the odd ones."""
    x = network.relu(x)
    starts, ends, axes = (network.integers(*numbers) for numbers in ((1, 1), (2**31, 2**31), (2, 3)))
    shifted = network.node("Slice", x.name, starts, ends, axes, width=x.width)
    return network.batch_norm(network.concat(*(network.conv(v, channels // 2, stride=2) for v in (x, shifted))))
