// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// A dense convolution of images.
// CHECK: "ipu.conv"(%arg0, %arg1) {dilations = array<i64: 1, 1>, groups = 1 : i64, strides = array<i64: 1, 1>} : (tensor<1x8x8x3xf32>, tensor<3x3x3x16xf32>) -> tensor<1x6x6x16xf32>
func.func @conv(%a: tensor<1x8x8x3xf32>, %b: tensor<3x3x3x16xf32>) -> tensor<1x6x6x16xf32> {
  %0 = "ipu.conv"(%a, %b) {dilations = array<i64: 1, 1>, groups = 1 : i64, strides = array<i64: 1, 1>} : (tensor<1x8x8x3xf32>, tensor<3x3x3x16xf32>) -> tensor<1x6x6x16xf32>
  return %0 : tensor<1x6x6x16xf32>
}

// The largest of each window.
// CHECK: "ipu.max_pool"(%arg0) {dilations = array<i64: 1, 1>, strides = array<i64: 2, 2>, window = array<i64: 2, 2>} : (tensor<1x8x8x3xf32>) -> tensor<1x4x4x3xf32>
func.func @max_pool(%a: tensor<1x8x8x3xf32>) -> tensor<1x4x4x3xf32> {
  %0 = "ipu.max_pool"(%a) {dilations = array<i64: 1, 1>, strides = array<i64: 2, 2>, window = array<i64: 2, 2>} : (tensor<1x8x8x3xf32>) -> tensor<1x4x4x3xf32>
  return %0 : tensor<1x4x4x3xf32>
}

// The sum of each window, in one spatial dimension.
// CHECK: "ipu.sum_pool"(%arg0) {dilations = array<i64: 2>, strides = array<i64: 1>, window = array<i64: 3>} : (tensor<1x8x3xf32>) -> tensor<1x4x3xf32>
func.func @sum_pool(%a: tensor<1x8x3xf32>) -> tensor<1x4x3xf32> {
  %0 = "ipu.sum_pool"(%a) {dilations = array<i64: 2>, strides = array<i64: 1>, window = array<i64: 3>} : (tensor<1x8x3xf32>) -> tensor<1x4x3xf32>
  return %0 : tensor<1x4x3xf32>
}

// A depthwise convolution with strides.
// CHECK: "ipu.conv"(%arg0, %arg1) {dilations = array<i64: 1, 1>, groups = 4 : i64, strides = array<i64: 2, 2>} : (tensor<1x9x9x4xf32>, tensor<3x3x1x8xf32>) -> tensor<1x4x4x8xf32>
func.func @depthwise(%a: tensor<1x9x9x4xf32>, %b: tensor<3x3x1x8xf32>) -> tensor<1x4x4x8xf32> {
  %0 = "ipu.conv"(%a, %b) {dilations = array<i64: 1, 1>, groups = 4 : i64, strides = array<i64: 2, 2>} : (tensor<1x9x9x4xf32>, tensor<3x3x1x8xf32>) -> tensor<1x4x4x8xf32>
  return %0 : tensor<1x4x4x8xf32>
}
