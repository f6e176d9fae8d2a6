// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-taps | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-winograd,ipu-taps | filecheck %s --check-prefix=FAST

// A convolution of 49 pixels is a product for each tap of its window, unless it has a form with fewer products.
// CHECK-LABEL: @few_pixels
// CHECK-COUNT-9: "ipu.packed_matmul"{{.*}} -> tensor<1x7x7x512xf32>
// CHECK-COUNT-8: "ipu.add"
// CHECK-NOT: ipu.conv
// FAST-LABEL: @few_pixels
// FAST-NOT: ipu.packed_matmul
// FAST: "ipu.winograd_output"{{.*}} -> tensor<1x7x7x512xf32>
func.func @few_pixels(%x: tensor<1x9x9x512xf32>) -> tensor<1x7x7x512xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x512x512xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x9x9x512xf32>, tensor<3x3x512x512xf32>) -> tensor<1x7x7x512xf32>
  return %0 : tensor<1x7x7x512xf32>
}

// -----

// One of many pixels stays: its weights come in time.
// CHECK-LABEL: @many_pixels
// CHECK: ipu.conv
// CHECK-NOT: ipu.packed_matmul
func.func @many_pixels(%x: tensor<1x10x11x128xf32>) -> tensor<1x8x9x192xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x128x192xf32>
  %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x10x11x128xf32>, tensor<3x3x128x192xf32>) -> tensor<1x8x9x192xf32>
  return %0 : tensor<1x8x9x192xf32>
}
