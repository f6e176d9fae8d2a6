// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-quantize | filecheck %s

// Products with integers are summed up, and the scale multiplies each sum before the bias is added.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: %[[W:.*]] = "ipu.parameter"() {key = "w.int8"} : () -> tensor<3x3x16x8xi8>
// CHECK-NEXT: %[[S:.*]] = "ipu.parameter"() {key = "w.scale"} : () -> tensor<8xf32>
// CHECK: "ipu.vertex"(%arg0, %[[W]], %{{.*}}, %[[S]])
// CHECK: func.func private @conv_0
// CHECK-NEXT: %[[I:.*]] = "ipu.cast"(%arg1) {dtype = "f32"} : (tensor<3x3x16x8xi8>)
// CHECK-NEXT: %[[SUM:.*]] = "ipu.conv"(%arg0, %[[I]])
// CHECK-NEXT: %[[SCALED:.*]] = "ipu.multiply"(%[[SUM]], %arg3)
// CHECK-NEXT: "ipu.add"(%[[SCALED]], %arg2)
func.func @main(%x: tensor<1x3x3x16xf32>) -> tensor<1x1x1x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x16x8xf32>
  %b = "ipu.parameter"() {key = "b"} : () -> tensor<8xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x3x3x16xf32>, tensor<3x3x16x8xf32>) -> tensor<1x1x1x8xf32>
  %1 = "ipu.add"(%0, %b) : (tensor<1x1x1x8xf32>, tensor<8xf32>) -> tensor<1x1x1x8xf32>
  return %1 : tensor<1x1x1x8xf32>
}

// -----

// Each matrix of a stack has scales of its own.
// CHECK: "ipu.parameter"() {key = "w.scale"} : () -> tensor<2x1x4xf32>
func.func @main(%x: tensor<2x3x9xf32>) -> tensor<2x3x4xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<2x9x4xf32>
  %0 = "ipu.matmul"(%x, %w) : (tensor<2x3x9xf32>, tensor<2x9x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// -----

// Packed weights: a scale for each column of each block.
// CHECK: "ipu.parameter"() {key = "w.scale"} : () -> tensor<64xf32>
func.func @main(%x: tensor<3x8xf32>) -> tensor<3x64xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x2x8x32xf32>
  %0 = "ipu.packed_matmul"(%x, %w) : (tensor<3x8xf32>, tensor<1x2x8x32xf32>) -> tensor<3x64xf32>
  return %0 : tensor<3x64xf32>
}

// -----

// Weights of one term a channel would not become smaller, and what is not known is not quantized.
// CHECK-LABEL: func.func @main(%arg0: tensor<2x1xf32>
// CHECK-NOT: i8
func.func @main(%x: tensor<2x1xf32>, %y: tensor<4x8xf32>) -> tensor<2x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<1x4xf32>
  %0 = "ipu.matmul"(%x, %w) : (tensor<2x1xf32>, tensor<1x4xf32>) -> tensor<2x4xf32>
  %1 = "ipu.matmul"(%0, %y) : (tensor<2x4xf32>, tensor<4x8xf32>) -> tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}
