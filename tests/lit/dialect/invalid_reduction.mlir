// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// No such dimension.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot reduce the dimensions [2] of tensor<2x3xf32>}}
  %0 = "ipu.reduce_sum"(%a) {axes = array<i64: 2>, keep = true} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// A dimension is named twice.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot reduce the dimensions [1, 1] of tensor<2x3xf32>}}
  %0 = "ipu.reduce_max"(%a) {axes = array<i64: 1, 1>, keep = false} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

// The dimension stays.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{should have the result type tensor<2x1xf32>}}
  %0 = "ipu.reduce_min"(%a) {axes = array<i64: 1>, keep = true} : (tensor<2x3xf32>) -> tensor<2xf32>
  return
}

// -----

// The centers of other rows.
func.func @main(%a: tensor<2x3xf32>, %c: tensor<3x1xf32>) {
  // expected-error@+1 {{needs a center of type tensor<2x1xf32>, got tensor<3x1xf32>}}
  %0 = "ipu.reduce_squares"(%a, %c) {axes = array<i64: 1>} : (tensor<2x3xf32>, tensor<3x1xf32>) -> tensor<2x1xf32>
  return
}

// -----

// Powers of integers.
func.func @main(%a: tensor<2x3xi32>, %c: tensor<2x1xi32>) {
  // expected-error@+1 {{needs a floating-point operand, got tensor<2x3xi32>}}
  %0 = "ipu.reduce_powers"(%a, %c) {axes = array<i64: 1>} : (tensor<2x3xi32>, tensor<2x1xi32>) -> tensor<2x1xi32>
  return
}

// -----

// Softmax has no such axis.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{axis 2 is outside of tensor<2x3xf32>}}
  %0 = "ipu.softmax"(%a) {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Integers have no softmax.
func.func @main(%a: tensor<4xi32>) {
  // expected-error@+1 {{needs a floating-point operand, got tensor<4xi32>}}
  %0 = "ipu.softmax"(%a) {axis = 0 : i64} : (tensor<4xi32>) -> tensor<4xi32>
  return
}
