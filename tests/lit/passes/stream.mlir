// RUN: pyipu-opt %s --split-input-file "--pass-pipeline=ipu-fuse,ipu-stream{pixels=1}" | filecheck %s

// Rows go through both vertices before the next ones do; two rows are kept for the next window.
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 0, 0, 0>, sizes = array<i64: 1, 3, 8, 4>
// CHECK: {codelet = @exp_0_strip_0
// CHECK: {codelet = @max_pool_1_strip_{{[0-9]}}
// CHECK: "ipu.slice"(%arg0) {offsets = array<i64: 0, 3, 0, 0>, sizes = array<i64: 1, 1, 8, 4>
// CHECK: {codelet = @exp_0_strip_{{[0-9]}}
// CHECK: "ipu.concat"{{.*}} {axis = 1
func.func @main(%x: tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32> {
  %0 = "ipu.exp"(%x) : (tensor<1x32x8x4xf32>) -> tensor<1x32x8x4xf32>
  %1 = "ipu.max_pool"(%0) {window = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x32x8x4xf32>) -> tensor<1x30x6x4xf32>
  return %1 : tensor<1x30x6x4xf32>
}

// -----

// A reduction over rows needs them all: nothing runs in strips.
// CHECK: func.func @main(%arg0: tensor<1x32x8x4xf32>) -> tensor<1x1x8x4xf32>
// CHECK-NEXT: "ipu.vertex"(%arg0)
// CHECK-NEXT: "ipu.vertex"
func.func @main(%x: tensor<1x32x8x4xf32>) -> tensor<1x1x8x4xf32> {
  %0 = "ipu.exp"(%x) : (tensor<1x32x8x4xf32>) -> tensor<1x32x8x4xf32>
  %1 = "ipu.reduce_sum"(%0) {axes = array<i64: 1>, keep = true} : (tensor<1x32x8x4xf32>) -> tensor<1x1x8x4xf32>
  return %1 : tensor<1x1x8x4xf32>
}
