// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// Reduced dimensions stay as ones.
// CHECK: "ipu.reduce_sum"(%arg0) {axes = array<i64: 1>, keep = true} : (tensor<2x3x4xf32>) -> tensor<2x1x4xf32>
func.func @reduce_sum(%a: tensor<2x3x4xf32>) -> tensor<2x1x4xf32> {
  %0 = "ipu.reduce_sum"(%a) {axes = array<i64: 1>, keep = true} : (tensor<2x3x4xf32>) -> tensor<2x1x4xf32>
  return %0 : tensor<2x1x4xf32>
}

// Reduced dimensions vanish.
// CHECK: "ipu.reduce_product"(%arg0) {axes = array<i64: 0, 2>, keep = false} : (tensor<2x3x4xf32>) -> tensor<3xf32>
func.func @reduce_product(%a: tensor<2x3x4xf32>) -> tensor<3xf32> {
  %0 = "ipu.reduce_product"(%a) {axes = array<i64: 0, 2>, keep = false} : (tensor<2x3x4xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// Largest element.
// CHECK: "ipu.reduce_max"(%arg0) {axes = array<i64: 0>, keep = false} : (tensor<4xui8>) -> tensor<ui8>
func.func @reduce_max(%a: tensor<4xui8>) -> tensor<ui8> {
  %0 = "ipu.reduce_max"(%a) {axes = array<i64: 0>, keep = false} : (tensor<4xui8>) -> tensor<ui8>
  return %0 : tensor<ui8>
}

// No dimension is reduced.
// CHECK: "ipu.reduce_min"(%arg0) {axes = array<i64>, keep = true} : (tensor<4xf32>) -> tensor<4xf32>
func.func @reduce_min(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "ipu.reduce_min"(%a) {axes = array<i64>, keep = true} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Squares of distances from the mean of each row.
// CHECK: "ipu.reduce_squares"(%arg0, %arg1) {axes = array<i64: 1>} : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x1xf32>
func.func @reduce_squares(%a: tensor<2x3xf32>, %mean: tensor<2x1xf32>) -> tensor<2x1xf32> {
  %0 = "ipu.reduce_squares"(%a, %mean) {axes = array<i64: 1>} : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}

// Powers of what each column's elements are less than its largest one.
// CHECK: "ipu.reduce_powers"(%arg0, %arg1) {axes = array<i64: 0>} : (tensor<2x3xf32>, tensor<1x3xf32>) -> tensor<1x3xf32>
func.func @reduce_powers(%a: tensor<2x3xf32>, %largest: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %0 = "ipu.reduce_powers"(%a, %largest) {axes = array<i64: 0>} : (tensor<2x3xf32>, tensor<1x3xf32>) -> tensor<1x3xf32>
  return %0 : tensor<1x3xf32>
}

// Softmax along one dimension.
// CHECK: "ipu.softmax"(%arg0) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @softmax(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "ipu.softmax"(%a) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
