// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-pack | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-pack{block=16} | filecheck %s --check-prefix=NARROW

// The weights of a pointwise convolution lie in blocks of columns.
// CHECK-LABEL: @pointwise
// CHECK-NEXT: %[[W:.*]] = "ipu.parameter"() {key = "w.reshape.transpose"} : () -> tensor<1x2x12x32xf32>
// CHECK-NEXT: "ipu.packed_matmul"(%arg0, %[[W]])
// NARROW-LABEL: @pointwise
// NARROW: "ipu.parameter"{{.*}} -> tensor<1x4x12x16xf32>
func.func @pointwise(%x: tensor<1x5x6x12xf32>) -> tensor<1x5x6x64xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x1x12x64xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x5x6x12xf32>, tensor<1x1x12x64xf32>) -> tensor<1x5x6x64xf32>
  return %0 : tensor<1x5x6x64xf32>
}

// -----

// Filters that fill no vector get company, which is cut off behind the epilogue.
// CHECK-LABEL: @widen
// CHECK: %[[CONV:.*]] = "ipu.conv"{{.*}} -> tensor<1x3x3x24xf32>
// CHECK-NEXT: %[[RELU:.*]] = "ipu.relu"(%[[CONV]])
// CHECK-NEXT: "ipu.slice"(%[[RELU]]){{.*}} -> tensor<1x3x3x20xf32>
func.func @widen(%x: tensor<1x5x5x4xf32>) -> tensor<1x3x3x20xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x4x20xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x5x5x4xf32>, tensor<3x3x4x20xf32>) -> tensor<1x3x3x20xf32>
  %1 = "ipu.relu"(%0) : (tensor<1x3x3x20xf32>) -> tensor<1x3x3x20xf32>
  return %1 : tensor<1x3x3x20xf32>
}

// -----

// A transposed convolution without overlap: each row of its blocks is a product, and a concatenation weaves them.
// CHECK-LABEL: @blocks
// CHECK: %[[W0:.*]] = "ipu.parameter"{{.*}} -> tensor<1x1x6x16xf32>
// CHECK: "ipu.packed_matmul"(%arg0, %[[W0]])
// CHECK: "ipu.packed_matmul"(%arg0,
// CHECK: "ipu.concat"{{.*}}axis = 2
func.func @blocks(%x: tensor<1x3x4x6xf32>) -> tensor<1x3x2x4x2x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<6x2x2x8xf32>
  %0 = "ipu.einsum"(%x, %w) {equation = "nxyc,cijf->nxiyjf"} : (tensor<1x3x4x6xf32>, tensor<6x2x2x8xf32>) -> tensor<1x3x2x4x2x8xf32>
  return %0 : tensor<1x3x2x4x2x8xf32>
}
