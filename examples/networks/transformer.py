"""An encoder of text: Vaswani et al., "Attention Is All You Need" (2017), with BERT's GELU and its embeddings."""

import math

import numpy as np
import onnx

from examples.networks.builder import NetworkBuilder, Value

LAYERS, WIDTH, HEADS, LENGTH = 6, 384, 6, 128
WORDS = 1000


def transformer(seed: int = 0) -> onnx.ModelProto:
    """`tokens` int64 [1, 128], 0 to 999, to one vector for each, [1, 128, 384]."""
    network = NetworkBuilder("transformer", seed, opset=20)  # the first with Gelu
    tokens = network.input("tokens", (1, LENGTH), 1, np.int64)
    x = network.node("Gather", network.normal("signed weight", WORDS, WIDTH), tokens.name, width=WIDTH)
    positions = Value(network.normal("signed weight", 1, LENGTH, WIDTH), WIDTH)
    x = _layer_norm(network, network.add(x, positions))
    for _ in range(LAYERS):
        x = _layer_norm(network, network.add(x, _attention(network, x)))
        x = _layer_norm(network, network.add(x, _feed_forward(network, x)))
    return network.model(x)


def _linear(network: NetworkBuilder, x: Value, features: int, role: str = "signed weight") -> Value:
    weights = network.normal(role, x.width, features, inputs=x.width)
    product = network.node("MatMul", x.name, weights, width=features)
    return network.add(product, Value(network.normal("bias", features), features))


def _layer_norm(network: NetworkBuilder, x: Value) -> Value:
    parameters = network.uniform("scale", x.width), network.normal("bias", x.width)
    return network.node("LayerNormalization", x.name, *parameters, width=x.width)


def _feed_forward(network: NetworkBuilder, x: Value) -> Value:
    wide = _linear(network, x, 4 * x.width)
    return _linear(network, network.node("Gelu", wide.name, width=wide.width), x.width, "weight")


def _attention(network: NetworkBuilder, x: Value) -> Value:
    """Self-attention: each position takes from all positions, by the softmax of scaled products of queries and keys."""
    size = x.width // HEADS
    queries, values = (_heads(network, _linear(network, x, x.width), (0, 2, 1, 3)) for _ in range(2))
    keys = _heads(network, _linear(network, x, x.width), (0, 2, 3, 1))
    products = network.node("MatMul", queries, keys, width=LENGTH)
    scaled = network.multiply(products, Value(network.constant(np.float32(1 / math.sqrt(size))), 1))
    weights = network.node("Softmax", scaled.name, width=LENGTH, axis=-1)
    mixed = network.node("MatMul", weights.name, values, width=size)
    joined = network.node("Transpose", mixed.name, width=size, perm=(0, 2, 1, 3))
    return _linear(
        network, network.node("Reshape", joined.name, network.integers(1, LENGTH, -1), width=x.width), x.width
    )


def _heads(network: NetworkBuilder, x: Value, permutation: tuple[int, ...]) -> str:
    """[1, length, width] split into heads, [1, length, heads, size], and permuted."""
    split = network.node("Reshape", x.name, network.integers(1, LENGTH, HEADS, -1), width=x.width // HEADS)
    return network.node("Transpose", split.name, width=split.width, perm=permutation).name
