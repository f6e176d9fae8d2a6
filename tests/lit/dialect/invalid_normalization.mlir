// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// A dimension that is not there.
func.func @main(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot take the mean over the dimensions [2] of tensor<2x3xf32>}}
  %0 = "ipu.standardize"(%x) {axes = array<i64: 2>, epsilon = 1.0e-5 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// No dimension at all.
func.func @main(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot take the mean over the dimensions [] of tensor<2x3xf32>}}
  %0 = "ipu.standardize"(%x) {axes = array<i64>, epsilon = 1.0e-5 : f64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Integers.
func.func @main(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{needs a floating-point operand, got tensor<2x3xi32>}}
  %0 = "ipu.standardize"(%x) {axes = array<i64: 1>, epsilon = 1.0e-5 : f64} : (tensor<2x3xi32>) -> tensor<2x3xi32>
  return
}
