// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// The number of elements differs.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot reshape tensor<2x3xf32> to [4, 2]: the number of elements differs}}
  %0 = "ipu.reshape"(%a) {shape = array<i64: 4, 2>} : (tensor<2x3xf32>) -> tensor<4x2xf32>
  return
}

// -----

// There is one dimension for groups and what is in them.
func.func @main(%a: tensor<6xf32>) {
  // expected-error@+1 {{needs groups of elements, got tensor<6xf32>}}
  %0 = "ipu.interleave"(%a) : (tensor<6xf32>) -> tensor<6xf32>
  return
}

// -----

// A dimension is named twice.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{[0, 0] is no permutation of the dimensions of tensor<2x3xf32>}}
  %0 = "ipu.transpose"(%a) {permutation = array<i64: 0, 0>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Only ones are repeated.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot broadcast tensor<2x3xf32> to [4, 3]}}
  %0 = "ipu.broadcast"(%a) {shape = array<i64: 4, 3>} : (tensor<2x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

// Operands differ in more than the axis.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<4x4xf32>) {
  // expected-error@+1 {{operands tensor<2x3xf32> and tensor<4x4xf32> differ in more than axis 1}}
  %0 = "ipu.concat"(%a, %b) {axis = 1 : i64} : (tensor<2x3xf32>, tensor<4x4xf32>) -> tensor<2x7xf32>
  return
}

// -----

// No operand at all.
func.func @main() {
  // expected-error@+1 {{needs at least one operand}}
  %0 = "ipu.concat"() {axis = 1 : i64} : () -> tensor<2x3xf32>
  return
}

// -----

// The axis is outside.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  // expected-error@+1 {{axis 2 is outside of tensor<2x3xf32>}}
  %0 = "ipu.concat"(%a, %b) {axis = 2 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// The slice leaves the tensor.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{offset 1, size 2, stride 2 leave a dimension of 3}}
  %0 = "ipu.slice"(%a) {offsets = array<i64: 0, 1>, sizes = array<i64: 2, 2>, strides = array<i64: 1, 2>} : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----

// The slice has one offset only.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{needs one offset, size and stride for each dimension of tensor<2x3xf32>}}
  %0 = "ipu.slice"(%a) {offsets = array<i64: 0>, sizes = array<i64: 2, 3>, strides = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Widths are not negative.
func.func @main(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{needs widths that are not negative}}
  %0 = "ipu.pad"(%a) {low = array<i64: 0, -1>, high = array<i64: 0, 0>, interior = array<i64: 0, 0>, value = 0.0 : f64} : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----

// Indices are integers.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{needs integer indices, got tensor<2xf32>}}
  %0 = "ipu.gather"(%a, %b) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Gather has no such axis.
func.func @main(%a: tensor<2x3xf32>, %b: tensor<2xi64>) {
  // expected-error@+1 {{axis 2 is outside of tensor<2x3xf32>}}
  %0 = "ipu.gather"(%a, %b) {axis = 2 : i64} : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  return
}
