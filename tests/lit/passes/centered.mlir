// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-centered | filecheck %s

// The squares of a variance are not stored; who else reads the distances computes them.
// CHECK-LABEL: @squares
// CHECK: %[[S:.*]] = "ipu.reduce_squares"(%arg0, %arg1) {axes = array<i64: 1>}
// CHECK-NOT: ipu.reduce_sum
// CHECK: "ipu.divide"(%{{.*}}, %[[S]])
func.func @squares(%x: tensor<4x16xf32>, %m: tensor<4x1xf32>) -> tensor<4x16xf32> {
  %c = "ipu.subtract"(%x, %m) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  %s = "ipu.multiply"(%c, %c) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %v = "ipu.reduce_sum"(%s) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  %r = "ipu.divide"(%c, %v) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  return %r : tensor<4x16xf32>
}

// -----

// Nor are the powers of the logarithm of a softmax.
// CHECK-LABEL: @powers
// CHECK-NEXT: %[[S:.*]] = "ipu.reduce_powers"(%arg0, %arg1) {axes = array<i64: 0>}
// CHECK-NEXT: return %[[S]]
func.func @powers(%x: tensor<4x16xf32>, %m: tensor<1x16xf32>) -> tensor<1x16xf32> {
  %c = "ipu.subtract"(%x, %m) : (tensor<4x16xf32>, tensor<1x16xf32>) -> tensor<4x16xf32>
  %p = "ipu.exp"(%c) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %s = "ipu.reduce_sum"(%p) {axes = array<i64: 0>, keep = true} : (tensor<4x16xf32>) -> tensor<1x16xf32>
  return %s : tensor<1x16xf32>
}

// -----

// A power that somebody else reads is computed once.
// CHECK-LABEL: @read_again
// CHECK-NOT: ipu.reduce_powers
// CHECK: return
func.func @read_again(%x: tensor<4x16xf32>, %m: tensor<4x1xf32>) -> (tensor<4x1xf32>, tensor<4x16xf32>) {
  %c = "ipu.subtract"(%x, %m) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  %p = "ipu.exp"(%c) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  %s = "ipu.reduce_sum"(%p) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  return %s, %p : tensor<4x1xf32>, tensor<4x16xf32>
}

// -----

// What is subtracted differs along the axis.
// CHECK-LABEL: @no_center
// CHECK-NOT: ipu.reduce_squares
// CHECK: return
func.func @no_center(%x: tensor<4x16xf32>, %m: tensor<1x16xf32>) -> tensor<4x1xf32> {
  %c = "ipu.subtract"(%x, %m) : (tensor<4x16xf32>, tensor<1x16xf32>) -> tensor<4x16xf32>
  %s = "ipu.multiply"(%c, %c) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %v = "ipu.reduce_sum"(%s) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  return %v : tensor<4x1xf32>
}

// -----

// A product of two factors is no square.
// CHECK-LABEL: @no_square
// CHECK-NOT: ipu.reduce_squares
// CHECK: return
func.func @no_square(%x: tensor<4x16xf32>, %m: tensor<4x1xf32>) -> tensor<4x1xf32> {
  %c = "ipu.subtract"(%x, %m) : (tensor<4x16xf32>, tensor<4x1xf32>) -> tensor<4x16xf32>
  %s = "ipu.multiply"(%c, %x) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %v = "ipu.reduce_sum"(%s) {axes = array<i64: 1>, keep = true} : (tensor<4x16xf32>) -> tensor<4x1xf32>
  return %v : tensor<4x1xf32>
}
