// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// No values.
func.func @main(%q: tensor<1x3x4x8xf32>) {
  // expected-error@+1 {{takes query, key, value and perhaps a mask, got 2 operands}}
  %0 = "ipu.attention"(%q, %q) {scale = 1.0 : f64} : (tensor<1x3x4x8xf32>, tensor<1x3x4x8xf32>) -> tensor<1x3x4x8xf32>
  return
}

// -----

// Heads that are one dimension with the rest.
func.func @main(%q: tensor<1x3x32xf32>) {
  // expected-error@+1 {{needs [N, L, H, D], got tensor<1x3x32xf32>}}
  %0 = "ipu.attention"(%q, %q, %q) {scale = 1.0 : f64} : (tensor<1x3x32xf32>, tensor<1x3x32xf32>, tensor<1x3x32xf32>) -> tensor<1x3x32xf32>
  return
}

// -----

// Keys of another size than queries.
func.func @main(%q: tensor<1x3x4x8xf32>, %k: tensor<1x3x4x16xf32>) {
  // expected-error@+1 {{the shapes of tensor<1x3x4x8xf32>, tensor<1x3x4x16xf32> and tensor<1x3x4x8xf32> do not fit each other}}
  %0 = "ipu.attention"(%q, %k, %q) {scale = 1.0 : f64} : (tensor<1x3x4x8xf32>, tensor<1x3x4x16xf32>, tensor<1x3x4x8xf32>) -> tensor<1x3x4x8xf32>
  return
}

// -----

// A mask that is the same for all keys changes nothing.
func.func @main(%q: tensor<1x3x4x8xf32>, %m: tensor<1x4x3x1xf32>) {
  // expected-error@+1 {{cannot add the mask tensor<1x4x3x1xf32> to scores [1, 4, 3, 3]}}
  %0 = "ipu.attention"(%q, %q, %q, %m) {scale = 1.0 : f64} : (tensor<1x3x4x8xf32>, tensor<1x3x4x8xf32>, tensor<1x3x4x8xf32>, tensor<1x4x3x1xf32>) -> tensor<1x3x4x8xf32>
  return
}

// -----

// A mask of truth values.
func.func @main(%q: tensor<1x3x4x8xf32>, %m: tensor<1x4x3x3xi1>) {
  // expected-error@+1 {{needs floating-point operands of one element type}}
  %0 = "ipu.attention"(%q, %q, %q, %m) {scale = 1.0 : f64} : (tensor<1x3x4x8xf32>, tensor<1x3x4x8xf32>, tensor<1x3x4x8xf32>, tensor<1x4x3x3xi1>) -> tensor<1x3x4x8xf32>
  return
}
