"""Small graphs for tests of passes: read from text, given values, rewritten and looked at."""

from __future__ import annotations

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.program import Parameter
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.passes.functions import main_function
from pyipu.passes.manager import PassManager, Pipeline
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops
from tests.interpreter import interpret as interpret  # what every user of this module also needs


def parsed(text: str, seed: int = 0) -> tuple[ir.Module, Session]:
    """The module of a text in the current context, and a session in which its parameters have seeded values."""
    module, session, generator = ir.Module.parse(text), Session(), np.random.default_rng(seed)
    for op in all_ops(module):
        if isinstance(op, Parameter) and op.key not in session.parameters:
            session.parameters.add(op.key, sample(tensor_of(op.result), generator))
    return module, session


def sample(tensor: Tensor, generator: np.random.Generator) -> np.ndarray:
    """Values between 0.5 and 2 of either sign, so that products neither vanish nor explode."""
    signs = generator.choice([-1.0, 1.0], tensor.shape)
    return np.asarray(generator.uniform(0.5, 2.0, tensor.shape) * signs).astype(tensor.numpy_dtype)


def inputs_of(module: ir.Module, seed: int = 1) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [sample(Tensor.parse(str(type_)), generator) for type_ in main_function(module).type.inputs]


def run(module: ir.Module, session: Session, pipeline: str) -> None:
    PassManager(Pipeline.parse(pipeline)).run(module, session)


def rewritten(text: str, pipeline: str) -> tuple[ir.Module, Session]:
    """The module of a text after a pipeline; it must compute what it did before."""
    module, session = parsed(text)
    inputs = inputs_of(module)
    before = interpret(module, session.parameters, inputs)
    run(module, session, pipeline)
    after = interpret(module, session.parameters, inputs)
    for expected, found in zip(before, after, strict=True):
        # Sums of fp32 in another order.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max(initial=0))
    return module, session


def conv(source: str, weights: str, result: str, strides: str = "1, 1", groups: int = 1, epilogue: str = "") -> str:
    """A graph of one convolution, and of what follows its result %0 up to %y."""
    return f"""func.func @main(%x: tensor<{source}>) -> tensor<{result}> {{
      %w = "ipu.parameter"() {{key = "w"}} : () -> tensor<{weights}>
      %0 = "ipu.conv"(%x, %w) {{strides = array<i64: {strides}>, dilations = array<i64: 1, 1>, groups = {groups} : i64}}
        : (tensor<{source}>, tensor<{weights}>) -> tensor<{result}>
      {epilogue or f'%y = "ipu.relu"(%0) : (tensor<{result}>) -> tensor<{result}>'}
      return %y : tensor<{result}> }}"""


def ops(module: ir.Module) -> list[str]:
    """The names of all ops that compute something, in order, without `ipu.`."""
    names = [op.MNEMONIC for op in all_ops(module) if isinstance(op, Op)]
    return [name for name in names if name not in ("parameter", "constant")]
