// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// Channels do not fit the weights.
func.func @main(%a: tensor<1x8x8x3xf32>, %b: tensor<3x3x4x16xf32>) {
  // expected-error@+1 {{3 channels in 1 groups do not fit weights tensor<3x3x4x16xf32>}}
  %0 = "ipu.conv"(%a, %b) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x8x8x3xf32>, tensor<3x3x4x16xf32>) -> tensor<1x6x6x16xf32>
  return
}

// -----

// Filters do not divide into groups.
func.func @main(%a: tensor<1x8x8x4xf32>, %b: tensor<3x3x2x5xf32>) {
  // expected-error@+1 {{4 channels in 2 groups do not fit weights tensor<3x3x2x5xf32>}}
  %0 = "ipu.conv"(%a, %b) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 2 : i64} : (tensor<1x8x8x4xf32>, tensor<3x3x2x5xf32>) -> tensor<1x6x6x5xf32>
  return
}

// -----

// Weights have another rank.
func.func @main(%a: tensor<1x8x8x3xf32>, %b: tensor<3x3x16xf32>) {
  // expected-error@+1 {{cannot convolve tensor<1x8x8x3xf32> with tensor<3x3x16xf32>}}
  %0 = "ipu.conv"(%a, %b) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x8x8x3xf32>, tensor<3x3x16xf32>) -> tensor<1x6x6x16xf32>
  return
}

// -----

// One stride is missing.
func.func @main(%a: tensor<1x8x8x3xf32>, %b: tensor<3x3x3x16xf32>) {
  // expected-error@+1 {{needs 2 strides and dilations}}
  %0 = "ipu.conv"(%a, %b) {strides = array<i64: 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x8x8x3xf32>, tensor<3x3x3x16xf32>) -> tensor<1x6x6x16xf32>
  return
}

// -----

// The window is larger than the image.
func.func @main(%a: tensor<1x4x4x3xf32>, %b: tensor<3x3x3x16xf32>) {
  // expected-error@+1 {{a window that reaches 5 does not fit into a dimension of 4}}
  %0 = "ipu.conv"(%a, %b) {strides = array<i64: 1, 1>, dilations = array<i64: 2, 2>, groups = 1 : i64} : (tensor<1x4x4x3xf32>, tensor<3x3x3x16xf32>) -> tensor<1x1x1x16xf32>
  return
}

// -----

// Element types differ.
func.func @main(%a: tensor<1x8x8x3xf32>, %b: tensor<3x3x3x16xf16>) {
  // expected-error@+1 {{needs operands of one element type, got tensor<1x8x8x3xf32> and tensor<3x3x3x16xf16>}}
  %0 = "ipu.conv"(%a, %b) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x8x8x3xf32>, tensor<3x3x3x16xf16>) -> tensor<1x6x6x16xf32>
  return
}

// -----

// The result is as large as the positions.
func.func @main(%a: tensor<1x8x8x3xf32>, %b: tensor<3x3x3x16xf32>) {
  // expected-error@+1 {{should have the result type tensor<1x3x3x16xf32>}}
  %0 = "ipu.conv"(%a, %b) {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x8x8x3xf32>, tensor<3x3x3x16xf32>) -> tensor<1x4x4x16xf32>
  return
}

// -----

// The pool's window has another rank.
func.func @main(%a: tensor<1x8x8x3xf32>) {
  // expected-error@+1 {{needs one window size, stride and dilation for each spatial dimension of tensor<1x8x8x3xf32>}}
  %0 = "ipu.max_pool"(%a) {window = array<i64: 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>} : (tensor<1x8x8x3xf32>) -> tensor<1x4x4x3xf32>
  return
}

// -----

// The pool's window is larger than the image.
func.func @main(%a: tensor<1x8x8x3xf32>) {
  // expected-error@+1 {{a window that reaches 9 does not fit into a dimension of 8}}
  %0 = "ipu.sum_pool"(%a) {window = array<i64: 9, 9>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x8x8x3xf32>) -> tensor<1x1x1x3xf32>
  return
}
