"""Two bidirectional recurrent layers: Graves and Schmidhuber, "Framewise phoneme classification" (2005).

With gated recurrent units instead: Cho and others, "Learning phrase representations using RNN encoder-decoder" (2014).
"""

import onnx

from examples.networks.builder import NetworkBuilder, Value

LAYERS, WIDTH, STEPS = 2, 256, 100


def lstm(seed: int = 0) -> onnx.ModelProto:
    """`sequence` [100, 1, 256] to what both directions of the last layer say of each step, [100, 1, 512]."""
    return _two_layers("lstm", "LSTM", 4, seed)


def gru(seed: int = 0) -> onnx.ModelProto:
    """The same with a reset gate behind the recurrence, as PyTorch and cuDNN have it."""
    return _two_layers("gru", "GRU", 3, seed, linear_before_reset=1)


def _two_layers(name: str, operator: str, gates: int, seed: int, **attributes: int) -> onnx.ModelProto:
    network = NetworkBuilder(name, seed)
    x = network.input("sequence", (STEPS, 1, WIDTH), WIDTH)
    for _ in range(LAYERS):
        weights = network.normal("signed weight", 2, gates * WIDTH, x.width, inputs=x.width)
        recurrence = network.normal("signed weight", 2, gates * WIDTH, WIDTH, inputs=WIDTH)
        parameters = (x.name, weights, recurrence, network.normal("bias", 2, 2 * gates * WIDTH))
        own = {"hidden_size": WIDTH, "direction": "bidirectional", **attributes}
        x = _side_by_side(network, network.node(operator, *parameters, width=WIDTH, **own))
    return network.model(x)


def _side_by_side(network: NetworkBuilder, states: Value) -> Value:
    """[steps, 2, batch, width] to [steps, batch, 2 * width]: the states of both directions."""
    apart = network.node("Transpose", states.name, width=states.width, perm=(0, 2, 1, 3))
    return network.node("Reshape", apart.name, network.integers(0, 0, -1), width=2 * states.width)
