// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage{type=bf16},ipu-pair | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage{type=bf16},ipu-pair --remarks 2>&1 | filecheck %s --check-prefix=REMARK

// Weights lie in blocks of filters and pairs of channels, sums are in f32, and what is element-wise stays behind them.
// CHECK: "ipu.parameter"() {key = "w.bf16.pairs"} : () -> tensor<2x3x3x4x16x2xbf16>
// CHECK: func.func private @conv_1
// CHECK-NEXT: %[[SUM:.*]] = "ipu.paired_conv"(%arg0, %arg1){{.*}} -> tensor<1x4x4x32xf32>
// CHECK-NEXT: %[[RELU:.*]] = "ipu.relu"(%[[SUM]])
// CHECK-NEXT: "ipu.cast"(%[[RELU]]) {dtype = "bf16"}
func.func @main(%x: tensor<1x6x6x8xf32>) -> tensor<1x4x4x32xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x8x32xf32>
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x6x6x8xf32>) -> tensor<1x6x6x8xf32>
  %1 = "ipu.conv"(%0, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x6x6x8xf32>, tensor<3x3x8x32xf32>) -> tensor<1x4x4x32xf32>
  %2 = "ipu.relu"(%1) : (tensor<1x4x4x32xf32>) -> tensor<1x4x4x32xf32>
  %3 = "ipu.softmax"(%2) {axis = 1 : i64} : (tensor<1x4x4x32xf32>) -> tensor<1x4x4x32xf32>
  return %3 : tensor<1x4x4x32xf32>
}
