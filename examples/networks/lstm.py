"""Two bidirectional LSTM layers: Graves and Schmidhuber, "Framewise phoneme classification" (2005)."""

import onnx

from examples.networks.builder import NetworkBuilder, Value

LAYERS, WIDTH, STEPS = 2, 256, 100


def lstm(seed: int = 0) -> onnx.ModelProto:
    """`sequence` [100, 1, 256] to what both directions of the last layer say of each step, [100, 1, 512]."""
    network = NetworkBuilder("lstm", seed)
    x = network.input("sequence", (STEPS, 1, WIDTH), WIDTH)
    for _ in range(LAYERS):
        x = _bidirectional(network, x, WIDTH)
    return network.model(x)


def _bidirectional(network: NetworkBuilder, x: Value, width: int) -> Value:
    """[steps, batch, features] to [steps, batch, 2 * width]: the states of both directions side by side."""
    weights = network.normal("signed weight", 2, 4 * width, x.width, inputs=x.width)
    recurrence = network.normal("signed weight", 2, 4 * width, width, inputs=width)
    parameters = (weights, recurrence, network.normal("bias", 2, 8 * width))
    states = network.node("LSTM", x.name, *parameters, width=width, hidden_size=width, direction="bidirectional")
    apart = network.node("Transpose", states.name, width=width, perm=(0, 2, 1, 3))
    return network.node("Reshape", apart.name, network.integers(0, 0, -1), width=2 * width)
