// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage{type=bf16},ipu-pair | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage{type=bf16},ipu-pair --remarks 2>&1 | filecheck %s --check-prefix=REMARK

// Weights get blocks of filters and pairs of channels, sums are in f32, and what is element-wise stays behind them.
// CHECK: "ipu.parameter"() {key = "w.bf16.pairs"} : () -> tensor<2x3x3x4x32x2xbf16>
// CHECK: func.func private @conv_1
// CHECK-NEXT: %[[SUM:.*]] = "ipu.paired_conv"(%arg0, %arg1){{.*}} -> tensor<1x4x4x64xf32>
// CHECK-NEXT: %[[RELU:.*]] = "ipu.relu"(%[[SUM]])
// CHECK-NEXT: "ipu.cast"(%[[RELU]]) {dtype = "bf16"}
func.func @main(%x: tensor<1x6x6x8xf32>) -> tensor<1x4x4x64xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x8x64xf32>
  %0 = "ipu.softmax"(%x) {axis = 3 : i64} : (tensor<1x6x6x8xf32>) -> tensor<1x6x6x8xf32>
  %1 = "ipu.conv"(%0, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x6x6x8xf32>, tensor<3x3x8x64xf32>) -> tensor<1x4x4x64xf32>
  %2 = "ipu.relu"(%1) : (tensor<1x4x4x64xf32>) -> tensor<1x4x4x64xf32>
  %3 = "ipu.softmax"(%2) {axis = 3 : i64} : (tensor<1x4x4x64xf32>) -> tensor<1x4x4x64xf32>
  return %3 : tensor<1x4x4x64xf32>
}

// -----

// A packed matrix in two groups: its blocks follow each other, and the window has no dimension.
// CHECK: "ipu.parameter"() {key = "w.bf16.pairs"} : () -> tensor<2x4x16x2xbf16>
// CHECK: "ipu.paired_conv"(%arg0, %arg1) {dilations = array<i64>, groups = 2 : i64, strides = array<i64>}
func.func @main(%x: tensor<5x16xf32>) -> tensor<5x32xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<2x1x8x16xf32>
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<5x16xf32>) -> tensor<5x16xf32>
  %1 = "ipu.packed_matmul"(%0, %w) : (tensor<5x16xf32>, tensor<2x1x8x16xf32>) -> tensor<5x32xf32>
  return %1 : tensor<5x32xf32>
}

// -----

// The network's input stays in fp32.
// REMARK: no pairs: an operand is not stored in bf16
// CHECK: func.func @main(%arg0: tensor<5x8xf32>)
// CHECK-NOT: ipu.paired_conv
func.func @main(%x: tensor<5x8xf32>) -> tensor<5x16xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x8x16xf32>
  %0 = "ipu.packed_matmul"(%x, %w) : (tensor<5x8xf32>, tensor<1x1x8x16xf32>) -> tensor<5x16xf32>
  return %0 : tensor<5x16xf32>
}

// -----

// Three channels are no pairs.
// REMARK: no pairs: 3 channels of a group are no pairs
// CHECK: func.func @main(%arg0: tensor<5x3xf32>)
// CHECK-NOT: ipu.paired_conv
func.func @main(%x: tensor<5x3xf32>) -> tensor<5x16xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x3x16xf32>
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<5x3xf32>) -> tensor<5x3xf32>
  %1 = "ipu.packed_matmul"(%0, %w) : (tensor<5x3xf32>, tensor<1x1x3x16xf32>) -> tensor<5x16xf32>
  return %1 : tensor<5x16xf32>
}

// -----

// Five filters fill no vector.
// REMARK: no pairs: 5 filters of a group fill no vectors
// CHECK: func.func @main(%arg0: tensor<5x4x4x2xf32>)
// CHECK-NOT: ipu.paired_conv
func.func @main(%x: tensor<5x4x4x2xf32>) -> tensor<5x4x4x5xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x2x5xf32>
  %0 = "ipu.softmax"(%x) {axis = 3 : i64} : (tensor<5x4x4x2xf32>) -> tensor<5x4x4x2xf32>
  %1 = "ipu.conv"(%0, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<5x4x4x2xf32>, tensor<1x1x2x5xf32>) -> tensor<5x4x4x5xf32>
  return %1 : tensor<5x4x4x5xf32>
}
