// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-demand | filecheck %s

// The stride of a pointwise convolution moves through the activation into the window before it.
// CHECK: "ipu.conv"(%arg0, %arg1) {dilations = array<i64: 1, 1>, groups = 1 : i64, strides = array<i64: 2, 2>}
// CHECK-NEXT: "ipu.relu"
// CHECK-NEXT: "ipu.conv"(%{{[0-9]+}}, %arg2) {dilations = array<i64: 1, 1>, groups = 1 : i64, strides = array<i64: 1, 1>}
func.func @main(%x: tensor<1x10x10x4xf32>, %w: tensor<3x3x4x8xf32>, %v: tensor<1x1x8x2xf32>) -> tensor<1x4x4x2xf32> {
  %0 = "ipu.conv"(%x, %w) {dilations = array<i64: 1, 1>, groups = 1 : i64, strides = array<i64: 1, 1>} : (tensor<1x10x10x4xf32>, tensor<3x3x4x8xf32>) -> tensor<1x8x8x8xf32>
  %1 = "ipu.relu"(%0) : (tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
  %2 = "ipu.conv"(%1, %v) {dilations = array<i64: 1, 1>, groups = 1 : i64, strides = array<i64: 2, 2>} : (tensor<1x8x8x8xf32>, tensor<1x1x8x2xf32>) -> tensor<1x4x4x2xf32>
  return %2 : tensor<1x4x4x2xf32>
}

// -----

// Somebody else reads the whole tensor: the stride stays where it is.
// CHECK: "ipu.relu"
// CHECK-NEXT: "ipu.conv"{{.*}}strides = array<i64: 2, 2>
func.func @main(%x: tensor<1x8x8x8xf32>, %v: tensor<1x1x8x2xf32>) -> (tensor<1x8x8x8xf32>, tensor<1x4x4x2xf32>) {
  %1 = "ipu.relu"(%x) : (tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xf32>
  %2 = "ipu.conv"(%1, %v) {dilations = array<i64: 1, 1>, groups = 1 : i64, strides = array<i64: 2, 2>} : (tensor<1x8x8x8xf32>, tensor<1x1x8x2xf32>) -> tensor<1x4x4x2xf32>
  return %1, %2 : tensor<1x8x8x8xf32>, tensor<1x4x4x2xf32>
}
