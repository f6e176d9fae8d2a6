// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// The last dimension of the weights is a pair.
func.func @main(%x: tensor<5x16xbf16>, %w: tensor<2x4x16x4xbf16>) {
  // expected-error@+1 {{needs weights in blocks of channels 2 by 2, got tensor<2x4x16x4xbf16>}}
  %0 = "ipu.paired_conv"(%x, %w) {strides = array<i64>, dilations = array<i64>, groups = 2 : i64} : (tensor<5x16xbf16>, tensor<2x4x16x4xbf16>) -> tensor<5x32xf32>
  return
}

// -----

// Only bf16 is multiplied in pairs.
func.func @main(%x: tensor<5x16xf32>, %w: tensor<2x8x16x2xbf16>) {
  // expected-error@+1 {{needs operands of bf16 and bf16, got tensor<5x16xf32> and tensor<2x8x16x2xbf16>}}
  %0 = "ipu.paired_conv"(%x, %w) {strides = array<i64>, dilations = array<i64>, groups = 1 : i64} : (tensor<5x16xf32>, tensor<2x8x16x2xbf16>) -> tensor<5x32xf32>
  return
}

// -----

// Three blocks do not make two groups.
func.func @main(%x: tensor<5x16xbf16>, %w: tensor<3x4x16x2xbf16>) {
  // expected-error@+1 {{cannot convolve tensor<5x16xbf16> with tensor<3x4x16x2xbf16> in 2 groups}}
  %0 = "ipu.paired_conv"(%x, %w) {strides = array<i64>, dilations = array<i64>, groups = 2 : i64} : (tensor<5x16xbf16>, tensor<3x4x16x2xbf16>) -> tensor<5x48xf32>
  return
}

// -----

// A window has as many strides as dimensions.
func.func @main(%x: tensor<1x6x6x8xbf16>, %w: tensor<2x3x3x4x16x2xbf16>) {
  // expected-error@+1 {{needs 2 strides and dilations}}
  %0 = "ipu.paired_conv"(%x, %w) {strides = array<i64>, dilations = array<i64>, groups = 1 : i64} : (tensor<1x6x6x8xbf16>, tensor<2x3x3x4x16x2xbf16>) -> tensor<1x4x4x32xf32>
  return
}

// -----

// Integers are unsigned times signed, as the instruction has them.
func.func @main(%x: tensor<5x16xi8>, %w: tensor<2x4x16x4xi8>) {
  // expected-error@+1 {{needs operands of ui8 and i8, got tensor<5x16xi8> and tensor<2x4x16x4xi8>}}
  %0 = "ipu.quad_conv"(%x, %w) {strides = array<i64>, dilations = array<i64>, groups = 1 : i64} : (tensor<5x16xi8>, tensor<2x4x16x4xi8>) -> tensor<5x32xi32>
  return
}
