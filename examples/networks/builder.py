"""What the networks are built with: layer after layer, as PyTorch's exporter writes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from examples.weights import normal, uniform


@dataclass(frozen=True)
class Value:
    """A tensor of the network. `width` is its number of channels [N, C, H, W], or of features […, F]."""

    name: str
    width: int


class NetworkBuilder:
    """Collects the nodes and the weights of an ONNX model; a layer takes values and returns its result."""

    def __init__(self, name: str, seed: int, opset: int = 17) -> None:
        self._generator = np.random.default_rng(seed)
        self._graph = onnx.GraphProto(name=name)
        self._opset = opset

    def input(self, name: str, shape: tuple[int, ...], width: int, dtype: type[np.generic] = np.float32) -> Value:
        """An input of the whole network."""
        element_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._graph.input.append(helper.make_tensor_value_info(name, element_type, shape))
        return Value(name, width)

    def model(self, *outputs: Value) -> onnx.ModelProto:
        """The finished network: valid, and with all shapes known."""
        self._graph.output.extend(helper.make_empty_tensor_value_info(value.name) for value in outputs)
        opsets = [helper.make_opsetid("", self._opset)]
        model = helper.make_model(self._graph, opset_imports=opsets, ir_version=9, producer_name="pyipu examples")
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)

    # Nodes ----------------------------------------------------------------------------------------------------------

    def node(self, operator: str, *inputs: str, width: int, **attributes: Any) -> Value:
        """The first result of a new node; an input '' is one that is left out."""
        name = f"{operator}_{len(self._graph.node)}"
        self._graph.node.append(helper.make_node(operator, inputs, [f"{name}_output"], name, **attributes))
        return Value(f"{name}_output", width)

    def constant(self, array: np.ndarray | np.float32) -> str:
        """The name of a new stored tensor."""
        name = f"constant_{len(self._graph.initializer)}"
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def integers(self, *numbers: int) -> str:
        """A list of integers as a stored tensor."""
        return self.constant(np.array(numbers, np.int64))

    def normal(self, role: str, *shape: int, inputs: int = 1) -> str:
        """A stored tensor of normally distributed values; see `examples.weights.normal`."""
        return self.constant(normal(self._generator, role, shape, inputs))

    def uniform(self, role: str, *shape: int) -> str:
        """A stored tensor of uniformly distributed values; see `examples.weights.uniform`."""
        return self.constant(uniform(self._generator, role, shape))

    # Images ---------------------------------------------------------------------------------------------------------

    def conv(
        self,
        x: Value,
        filters: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        role: str = "weight",
    ) -> Value:
        """A convolution whose result is as large as x, divided by `stride`; `role` says what x has behind it."""
        depth = x.width // groups
        weights = [self.normal(role, filters, depth, kernel, kernel, inputs=depth * kernel**2)]
        if bias:
            weights.append(self.normal("bias", filters))
        return self.node(
            "Conv",
            x.name,
            *weights,
            width=filters,
            dilations=[dilation] * 2,
            group=groups,
            kernel_shape=[kernel] * 2,
            pads=[kernel // 2 * dilation] * 4,
            strides=[stride] * 2,
        )

    def depthwise(self, x: Value, kernel: int, *, stride: int = 1, dilation: int = 1, role: str = "weight") -> Value:
        """A convolution of each channel on its own."""
        return self.conv(x, x.width, kernel, stride=stride, dilation=dilation, groups=x.width, role=role)

    def conv_transpose(self, x: Value, filters: int, kernel: int) -> Value:
        """A transposed convolution with stride `kernel`: `kernel` times as large, and no windows overlap."""
        weights = self.normal("weight", x.width, filters, kernel, kernel, inputs=x.width)
        size = [kernel] * 2
        inputs = (x.name, weights, self.normal("bias", filters))
        return self.node("ConvTranspose", *inputs, width=filters, kernel_shape=size, strides=size)

    def batch_norm(self, x: Value, scale: str = "scale") -> Value:
        """A batch normalisation, for inference; `scale` is the role of its factors."""
        factors, variances = self.uniform(scale, x.width), self.uniform("variance", x.width)
        shifts, means = self.normal("bias", x.width), self.normal("bias", x.width)
        return self.node("BatchNormalization", x.name, factors, shifts, means, variances, width=x.width)

    def pool(self, operator: str, x: Value, kernel: int, stride: int, padding: int = 0) -> Value:
        """MaxPool or AveragePool, which counts no padding."""
        attributes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
        return self.node(operator, x.name, width=x.width, **attributes)

    def global_average_pool(self, x: Value) -> Value:
        """[N, C, H, W] to [N, C, 1, 1]."""
        return self.node("GlobalAveragePool", x.name, width=x.width)

    def concat(self, *values: Value) -> Value:
        """Images one after the other along their channels."""
        return self.node("Concat", *(value.name for value in values), width=sum(v.width for v in values), axis=1)

    def classifier(self, x: Value, classes: int, role: str = "weight") -> Value:
        """Mean of each channel, then one score per class: [N, C, H, W] to [N, classes]."""
        features = self.node("Flatten", self.global_average_pool(x).name, width=x.width)
        weights = self.normal(role, classes, x.width, inputs=x.width)
        return self.node("Gemm", features.name, weights, self.normal("bias", classes), width=classes, transB=1)

    # Element by element ---------------------------------------------------------------------------------------------

    def add(self, a: Value, b: Value) -> Value:
        return self.node("Add", a.name, b.name, width=a.width)

    def multiply(self, a: Value, b: Value) -> Value:
        return self.node("Mul", a.name, b.name, width=a.width)

    def relu(self, x: Value) -> Value:
        return self.node("Relu", x.name, width=x.width)

    def relu6(self, x: Value) -> Value:
        """min(max(x, 0), 6)."""
        limits = (self.constant(np.float32(limit)) for limit in (0, 6))
        return self.node("Clip", x.name, *limits, width=x.width)

    def sigmoid(self, x: Value) -> Value:
        return self.node("Sigmoid", x.name, width=x.width)

    def swish(self, x: Value) -> Value:
        """x * sigmoid(x)."""
        return self.multiply(x, self.sigmoid(x))
