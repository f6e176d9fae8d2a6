// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// Overlapping tiles become planes.
// CHECK: "ipu.winograd_input"(%arg0) {size = 4 : i64} : (tensor<1x10x14x8xf32>) -> tensor<1x2x36x3x8xf32>
func.func @winograd_input(%a: tensor<1x10x14x8xf32>) -> tensor<1x2x36x3x8xf32> {
  %0 = "ipu.winograd_input"(%a) {size = 4 : i64} : (tensor<1x10x14x8xf32>) -> tensor<1x2x36x3x8xf32>
  return %0 : tensor<1x2x36x3x8xf32>
}

// Weights become a matrix for each plane, in blocks of columns.
// CHECK: "ipu.winograd_weights"(%arg0) {block = 16 : i64, size = 2 : i64} : (tensor<3x3x8x32xf32>) -> tensor<16x2x8x16xf32>
func.func @winograd_weights(%a: tensor<3x3x8x32xf32>) -> tensor<16x2x8x16xf32> {
  %0 = "ipu.winograd_weights"(%a) {block = 16 : i64, size = 2 : i64} : (tensor<3x3x8x32xf32>) -> tensor<16x2x8x16xf32>
  return %0 : tensor<16x2x8x16xf32>
}

// Each plane is multiplied with its matrix.
// CHECK: "ipu.winograd_product"(%arg0, %arg1) : (tensor<1x2x16x3x8xf32>, tensor<16x2x8x16xf32>) -> tensor<1x2x16x3x32xf32>
func.func @winograd_product(%a: tensor<1x2x16x3x8xf32>, %b: tensor<16x2x8x16xf32>) -> tensor<1x2x16x3x32xf32> {
  %0 = "ipu.winograd_product"(%a, %b) : (tensor<1x2x16x3x8xf32>, tensor<16x2x8x16xf32>) -> tensor<1x2x16x3x32xf32>
  return %0 : tensor<1x2x16x3x32xf32>
}

// Planes become tiles; one row and no column is cut off.
// CHECK: "ipu.winograd_output"(%arg0) {crop = array<i64: 1, 0>, size = 2 : i64} : (tensor<1x2x16x3x8xf32>) -> tensor<1x3x6x8xf32>
func.func @winograd_output(%a: tensor<1x2x16x3x8xf32>) -> tensor<1x3x6x8xf32> {
  %0 = "ipu.winograd_output"(%a) {crop = array<i64: 1, 0>, size = 2 : i64} : (tensor<1x2x16x3x8xf32>) -> tensor<1x3x6x8xf32>
  return %0 : tensor<1x3x6x8xf32>
}
