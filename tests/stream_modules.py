"""Small modules in IREE's `stream` dialect, written by hand, for tests of what comes after pyipu's own passes."""

import numpy as np

from pyipu.engine import Executable
from pyipu.parameters import Parameters
from pyipu.plan import Buffer, MemoryPlan, Plan, TensorDescription
from pyipu.targets.codegen import compile_stream, device_attribute
from pyipu.targets.target import Target

_ON = "on(#hal.device.affinity<@device>)"
_EXTERNAL, _TRANSIENT, _CONSTANT = (f"!stream.resource<{kind}>" for kind in ("external", "transient", "constant"))
_SHAPE, _TENSOR, _BYTES = (2, 3), "tensor<2x3xf32>", 24

_LOAD = "iree_tensor_ext.dispatch.tensor.load"
_VIEW = f"!iree_tensor_ext.dispatch.tensor<readonly:{_TENSOR}>"
_TARGET = f"!iree_tensor_ext.dispatch.tensor<writeonly:{_TENSOR}>"
_WHOLE = "offsets = [0, 0], sizes = [2, 3], strides = [1, 1]"


def affine_module(target: Target) -> str:
    """`y = x * scale + shift` in two dispatches with one buffer between them; a second result is a copy of `x`."""
    return f"""module attributes {{stream.affinity.default = #hal.device.affinity<@device>}} {{
  util.global private @device = {device_attribute(target)} : !hal.device
  util.global private @scale : {_CONSTANT}
  util.initializer {{
    %size = arith.constant {_BYTES} : index
    %begin = arith.constant 0 : i64
    %scope = util.buffer.constant : !util.buffer = "model"
    %key = util.buffer.constant : !util.buffer = "scale"
    %loaded, %loading = stream.cmd.parameter.load {_ON} {{
      %scope::%key[%begin] : {_CONSTANT}{{%size}}
    }} => !stream.timepoint
    %ready = stream.timepoint.await sync %loading => %loaded : {_CONSTANT}{{%size}}
    util.global.store %ready, @scale : {_CONSTANT}
    util.return
  }}
{_elementwise("multiply", "arith.mulf")}{_elementwise("add", "arith.addf")}{_AFFINE_MAIN}}}
"""


def _elementwise(name: str, operation: str) -> str:
    bindings = ", ".join(f"%b{i}: !stream.binding {{stream.alignment = 64 : index}}" for i in range(3))
    identity = "affine_map<(i, j) -> (i, j)>"
    return f"""  stream.executable private @{name} {{
    stream.executable.export public @{name} workgroups() -> (index, index, index) {{
      %x, %y, %z = iree_tensor_ext.dispatch.workgroup_count_from_slice()
      stream.return %x, %y, %z : index, index, index
    }}
    builtin.module {{
      func.func @{name}({bindings}) {{
        %c0 = arith.constant 0 : index
        %left = stream.binding.subspan %b0[%c0] : !stream.binding -> {_VIEW}
        %right = stream.binding.subspan %b1[%c0] : !stream.binding -> {_VIEW}
        %target = stream.binding.subspan %b2[%c0] : !stream.binding -> {_TARGET}
        %l = {_LOAD} %left, {_WHOLE} : {_VIEW} -> {_TENSOR}
        %r = {_LOAD} %right, {_WHOLE} : {_VIEW} -> {_TENSOR}
        %empty = tensor.empty() : {_TENSOR}
        %result = linalg.generic {{
            indexing_maps = [{identity}, {identity}, {identity}], iterator_types = ["parallel", "parallel"]
        }} ins(%l, %r : {_TENSOR}, {_TENSOR}) outs(%empty : {_TENSOR}) {{
        ^bb0(%a: f32, %b: f32, %out: f32):
          %value = {operation} %a, %b : f32
          linalg.yield %value : f32
        }} -> {_TENSOR}
        iree_tensor_ext.dispatch.tensor.store %result, %target, {_WHOLE} : {_TENSOR} -> {_TARGET}
        return
      }}
    }}
  }}
"""


_AFFINE_MAIN = f"""  util.func public @main(%x_view: !hal.buffer_view, %shift_view: !hal.buffer_view)
      -> (!hal.buffer_view, !hal.buffer_view) attributes {{iree.abi.stub}} {{
    %c0 = arith.constant 0 : index
    %size = arith.constant {_BYTES} : index
    %scale = util.global.load immutable @scale : {_CONSTANT}
    %x = stream.tensor.import {_ON} %x_view : !hal.buffer_view -> {_TENSOR} in {_EXTERNAL}{{%size}}
    %shift = stream.tensor.import {_ON} %shift_view : !hal.buffer_view -> {_TENSOR} in {_EXTERNAL}{{%size}}
    %y, %t0 = stream.resource.alloca uninitialized {_ON} : {_EXTERNAL}{{%size}} => !stream.timepoint
    %copy, %t1 = stream.resource.alloca uninitialized {_ON} : {_EXTERNAL}{{%size}} => !stream.timepoint
    %arena, %t2 = stream.resource.alloca uninitialized {_ON} : {_TRANSIENT}{{%size}} => !stream.timepoint
    %ready = stream.timepoint.join max(%t0, %t1, %t2) => !stream.timepoint
    %done = stream.cmd.execute {_ON} await(%ready) => with(
        %x as %in: {_EXTERNAL}{{%size}}, %shift as %add: {_EXTERNAL}{{%size}}, %scale as %by: {_CONSTANT}{{%size}},
        %y as %out: {_EXTERNAL}{{%size}}, %copy as %same: {_EXTERNAL}{{%size}}, %arena as %m: {_TRANSIENT}{{%size}}) {{
      stream.cmd.concurrent {{
        stream.cmd.copy %in[%c0], %same[%c0], %size : {_EXTERNAL}{{%size}} -> {_EXTERNAL}{{%size}}
        stream.cmd.dispatch @multiply::@multiply {{
          ro %in[%c0 for %size] : {_EXTERNAL}{{%size}},
          ro %by[%c0 for %size] : {_CONSTANT}{{%size}},
          wo %m[%c0 for %size] : {_TRANSIENT}{{%size}}
        }}
      }}
      stream.cmd.dispatch @add::@add {{
        ro %m[%c0 for %size] : {_TRANSIENT}{{%size}},
        ro %add[%c0 for %size] : {_EXTERNAL}{{%size}},
        wo %out[%c0 for %size] : {_EXTERNAL}{{%size}}
      }}
    }} => !stream.timepoint
    %freed = stream.resource.dealloca {_ON} await(%done) => %arena : {_TRANSIENT}{{%size}} => !stream.timepoint
    %results:2 = stream.timepoint.await %freed => %y, %copy : {_EXTERNAL}{{%size}}, {_EXTERNAL}{{%size}}
    %first = stream.tensor.export {_ON} %results#0 : {_TENSOR} in {_EXTERNAL}{{%size}} -> !hal.buffer_view
    %second = stream.tensor.export {_ON} %results#1 : {_TENSOR} in {_EXTERNAL}{{%size}} -> !hal.buffer_view
    util.return %first, %second : !hal.buffer_view, !hal.buffer_view
  }}
"""


def echo_module(target: Target, tensor: TensorDescription, element: str) -> str:
    """One input, copied to one result; `element` is MLIR's name of the element type."""
    type_ = f"tensor<{'x'.join([*map(str, tensor.shape), element])}>"
    extents = [f"    %d{axis} = arith.constant {extent} : index\n" for axis, extent in enumerate(tensor.shape)]
    shape = ", ".join(f"%d{axis}" for axis in range(len(tensor.shape)))
    return f"""module attributes {{stream.affinity.default = #hal.device.affinity<@device>}} {{
  util.global private @device = {device_attribute(target)} : !hal.device
  util.func public @main(%view: !hal.buffer_view) -> !hal.buffer_view attributes {{iree.abi.stub}} {{
    %c0 = arith.constant 0 : index
    %size = arith.constant {tensor.size} : index
{"".join(extents)}    %element = hal.element_type<{element}> : i32
    %dense = hal.encoding_type<dense_row_major> : i32
    hal.buffer_view.assert<%view : !hal.buffer_view> message("x") shape([{shape}]) type(%element) encoding(%dense)
    %x = stream.tensor.import {_ON} %view : !hal.buffer_view -> {type_} in {_EXTERNAL}{{%size}}
    %y, %ready = stream.resource.alloca uninitialized {_ON} : {_EXTERNAL}{{%size}} => !stream.timepoint
    %done = stream.cmd.execute {_ON} await(%ready) => with(
        %x as %from: {_EXTERNAL}{{%size}}, %y as %to: {_EXTERNAL}{{%size}}) {{
      stream.cmd.copy %from[%c0], %to[%c0], %size : {_EXTERNAL}{{%size}} -> {_EXTERNAL}{{%size}}
    }} => !stream.timepoint
    %out = stream.timepoint.await %done => %y : {_EXTERNAL}{{%size}}
    %result = stream.tensor.export {_ON} %out : {type_} in {_EXTERNAL}{{%size}} -> !hal.buffer_view
    util.return %result : !hal.buffer_view
  }}
}}
"""


def affine_plan(target: Target) -> Plan:
    """The plan that belongs to `affine_module`."""
    x, shift, y, copy = (TensorDescription(name, _SHAPE, np.dtype("f4")) for name in ("x", "shift", "y", "copy"))
    memory = MemoryPlan(
        arena_bytes=_BYTES,
        lower_bound=_BYTES,
        proved_optimal=True,
        stages=(("sum", _BYTES), ("tile", _BYTES)),
        result_bytes=2 * _BYTES,
        parameter_bytes=_BYTES,
        code_bytes=0,
        buffers=(Buffer("product", _BYTES, 0, 0, 2),),
    )
    return Plan(target=target.name, function="main", inputs=(x, shift), outputs=(y, copy), memory=memory)


def affine_scale() -> np.ndarray:
    """The value of the one parameter of `affine_module`."""
    return np.arange(1, 7, dtype=np.float32).reshape(_SHAPE)


def affine(target: Target, threads: int | None = None) -> Executable:
    """`affine_module`, compiled."""
    parameters = Parameters()
    parameters.add("scale", affine_scale())
    return Executable(compile_stream(affine_module(target), target), parameters, affine_plan(target), target, threads)


def echo(target: Target, tensor: TensorDescription, element: str) -> Executable:
    """`echo_module`, compiled."""
    output = TensorDescription("y", tensor.shape, tensor.dtype)
    plan = Plan(target.name, "main", (tensor,), (output,), MemoryPlan(0, 0, True, (), tensor.size, 0, 0))
    return Executable(compile_stream(echo_module(target, tensor, element), target), Parameters(), plan, target)
