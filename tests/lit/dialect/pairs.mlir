// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// Two blocks of 16 filters over a window of 3 x 3 and four pairs of channels; sums are in f32.
// CHECK: "ipu.paired_conv"(%arg0, %arg1){{.*}} -> tensor<1x4x2x32xf32>
func.func @window(%x: tensor<1x6x6x8xbf16>, %w: tensor<2x3x3x4x16x2xbf16>) -> tensor<1x4x2x32xf32> {
  %0 = "ipu.paired_conv"(%x, %w) {strides = array<i64: 1, 2>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x6x6x8xbf16>, tensor<2x3x3x4x16x2xbf16>) -> tensor<1x4x2x32xf32>
  return %0 : tensor<1x4x2x32xf32>
}

// Without a window it is a product with a matrix, here with one for each of two groups.
// CHECK: "ipu.paired_conv"(%arg0, %arg1){{.*}} -> tensor<5x32xf32>
func.func @matrices(%x: tensor<5x16xbf16>, %w: tensor<2x4x16x2xbf16>) -> tensor<5x32xf32> {
  %0 = "ipu.paired_conv"(%x, %w) {strides = array<i64>, dilations = array<i64>, groups = 2 : i64} : (tensor<5x16xbf16>, tensor<2x4x16x2xbf16>) -> tensor<5x32xf32>
  return %0 : tensor<5x32xf32>
}

// Integers lie in fours, and their sums are in i32.
// CHECK: "ipu.quad_conv"(%arg0, %arg1){{.*}} -> tensor<5x32xi32>
func.func @integers(%x: tensor<5x16xui8>, %w: tensor<2x4x16x4xi8>) -> tensor<5x32xi32> {
  %0 = "ipu.quad_conv"(%x, %w) {strides = array<i64>, dilations = array<i64>, groups = 1 : i64} : (tensor<5x16xui8>, tensor<2x4x16x4xi8>) -> tensor<5x32xi32>
  return %0 : tensor<5x32xi32>
}
