// RUN: pyipu-opt %s --split-input-file --verify-diagnostics

// Tiles end where the input ends.
func.func @main(%a: tensor<1x9x14x8xf32>) {
  // expected-error@+1 {{is not covered by tiles that read 6 x 6 elements, 4 apart}}
  %0 = "ipu.winograd_input"(%a) {size = 4 : i64} : (tensor<1x9x14x8xf32>) -> tensor<1x2x36x3x8xf32>
  return
}

// -----

// No more than the last row of tiles is cut.
func.func @main(%a: tensor<1x2x16x3x8xf32>) {
  // expected-error@+1 {{cannot cut (2, 0) off tiles of size 2}}
  %0 = "ipu.winograd_output"(%a) {crop = array<i64: 2, 0>, size = 2 : i64} : (tensor<1x2x16x3x8xf32>) -> tensor<1x2x6x8xf32>
  return
}
