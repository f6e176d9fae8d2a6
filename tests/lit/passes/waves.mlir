// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-inplace,ipu-allocate,ipu-waves | filecheck %s

// What reads the same input and writes other bytes runs side by side.
// CHECK: codelet = @softmax_0, {{.*}}wave = 0 : i64
// CHECK: codelet = @softmax_1, {{.*}}wave = 0 : i64
func.func @main(%x: tensor<1x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>) {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.softmax"(%x) {axis = 0 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %0, %1 : tensor<1x4xf32>, tensor<1x4xf32>
}

// -----

// What reads a result waits for it.
// CHECK: codelet = @softmax_0, {{.*}}wave = 0 : i64
// CHECK: codelet = @softmax_1, {{.*}}wave = 1 : i64
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// -----

// A border is written beside what computes the inside: neither touches bytes of the other.
// CHECK: "ipu.border"({{.*}}wave = 0 : i64
// CHECK: codelet = @softmax_0, {{.*}}wave = 0 : i64
// CHECK: codelet = @softmax_1, {{.*}}wave = 1 : i64
func.func @main(%x: tensor<4x4xf32>) -> tensor<6x6xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = "ipu.pad"(%0) {high = array<i64: 1, 1>, interior = array<i64: 0, 0>, low = array<i64: 1, 1>, value = 0.0 : f64} : (tensor<4x4xf32>) -> tensor<6x6xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<6x6xf32>) -> tensor<6x6xf32>
  return %2 : tensor<6x6xf32>
}
