"""How codelets see buffers: under other shapes, and stored in the loops in which they are computed."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from iree.compiler import ir

from pyipu.dialect.definition import Op, complete
from pyipu.dialect.program import Execute
from pyipu.dialect.types import Tensor
from pyipu.passes.functions import codelets
from pyipu.passes.verifier import all_ops
from pyipu.targets.binding import Binding, Interface
from pyipu.targets.executable import emit_function
from tests.passes.graphs import parsed, run

STAGES = "ipu-pack,ipu-fuse,ipu-inplace,ipu-allocate,ipu-outline"


def elements(binding: Binding) -> np.ndarray:
    """Which elements of the buffer the binding's tensor has, in row-major order."""
    buffer = np.arange(np.prod(binding.whole, dtype=int)).reshape(binding.whole)
    steps = zip(binding.offsets, binding.sizes, binding.strides, strict=True)
    return buffer[tuple(slice(o, o + (n - 1) * s + 1, s) for o, n, s in steps)].reshape(-1)


@st.composite
def bindings(draw: st.DrawFn) -> Binding:
    sizes = tuple(draw(st.lists(st.sampled_from([1, 2, 4, 6, 8]), min_size=1, max_size=3)))
    strides = tuple(draw(st.sampled_from([1, 1, 2])) for _ in sizes)
    offsets = tuple(draw(st.sampled_from([0, 0, 1, 2, 4])) for _ in sizes)
    reach = [o + (n - 1) * s + 1 for o, n, s in zip(offsets, sizes, strides, strict=True)]
    whole = tuple(extent + draw(st.sampled_from([0, 0, 1, 2, 4])) for extent in reach)
    return Binding(Tensor(sizes, "f32"), whole, offsets, sizes, strides, "readonly")


@given(binding=bindings(), inner=st.sampled_from([1, 2, 4]), drop=st.booleans())
def test_a_binding_has_the_same_elements_under_another_shape(binding: Binding, inner: int, drop: bool) -> None:
    *outer, last = binding.sizes
    split = (last // inner, inner) if last % inner == 0 and inner > 1 else (last,)
    shape = (*(size for size in outer if not (drop and size == 1)), *split)
    found = binding.under(shape)
    whole, offset, stride = binding.whole[-1], binding.offsets[-1], binding.strides[-1]
    if len(split) == 1 or (whole % inner == 0 and offset % inner == 0 and stride == 1):
        assert found is not None
    if found is not None:
        assert found.tensor.shape == shape
        np.testing.assert_array_equal(elements(found), elements(binding))


def test_a_binding_is_not_merged_across_a_border() -> None:
    inside = Binding(Tensor((2, 3), "f32"), (4, 5), (1, 1), (2, 3), (1, 1), "readonly")
    assert inside.under((6,)) is None


def test_all_of_a_buffer_has_any_shape() -> None:
    everything = Binding(Tensor((2, 3), "f32"), (2, 3), (0, 0), (2, 3), (1, 1), "readonly")
    found = everything.under((3, 1, 2))
    assert found is not None and found.whole == (3, 1, 2)


def functions(text: str) -> list[str]:
    module, session = parsed(text)
    for op in (op for op in all_ops(module) if isinstance(op, Op)):
        complete(op)
    run(module, session, STAGES)
    placed = [op for op in all_ops(module) if isinstance(op, Execute)]
    return [emit_function(op.codelet, Interface.of([op]), codelets(module)[op.codelet]).text for op in placed]


def stored_types(text: str) -> list[str]:
    return re.findall(r"dispatch\.tensor\.store .* : tensor<(\w+)> ->", text)


def concatenated(other: int) -> str:
    """A pointwise convolution with an epilogue into a buffer behind `other` channels."""
    total = other + 64
    return f"""func.func @main(%x: tensor<1x4x4x8xf32>, %z: tensor<1x4x4x{other}xf32>) -> tensor<1x4x4x{total}xf32> {{
      %w = "ipu.parameter"() {{key = "w"}} : () -> tensor<1x1x8x64xf32>
      %b = "ipu.parameter"() {{key = "b"}} : () -> tensor<64xf32>
      %0 = "ipu.conv"(%x, %w) {{strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64}}
        : (tensor<1x4x4x8xf32>, tensor<1x1x8x64xf32>) -> tensor<1x4x4x64xf32>
      %1 = "ipu.add"(%0, %b) : (tensor<1x4x4x64xf32>, tensor<64xf32>) -> tensor<1x4x4x64xf32>
      %2 = "ipu.relu"(%1) : (tensor<1x4x4x64xf32>) -> tensor<1x4x4x64xf32>
      %3 = "ipu.exp"(%z) : (tensor<1x4x4x{other}xf32>) -> tensor<1x4x4x{other}xf32>
      %4 = "ipu.concat"(%3, %2) {{axis = 3 : i64}}
        : (tensor<1x4x4x{other}xf32>, tensor<1x4x4x64xf32>) -> tensor<1x4x4x{total}xf32>
      return %4 : tensor<1x4x4x{total}xf32> }}"""


def test_an_epilogue_runs_in_the_loops_of_its_matmul(context: ir.Context) -> None:
    matmul = next(text for text in functions(concatenated(96)) if "@packed_matmul" in text)
    assert stored_types(matmul) == ["4x4x2x32xf32"]
    assert "tensor<writeonly:tensor<1x4x4x5x32xf32>>" in matmul
    assert "collapse_shape" not in matmul.split("dispatch.tensor.store")[1]


def test_a_place_that_blocks_do_not_divide_is_stored_without_them(context: ir.Context) -> None:
    matmul = next(text for text in functions(concatenated(37)) if "@packed_matmul" in text)
    assert stored_types(matmul) == ["4x4x64xf32"]
    assert "tensor.collapse_shape" in matmul
