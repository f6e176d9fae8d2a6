// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-inplace,ipu-allocate,ipu-outline | filecheck %s

// Equal vertices share one codelet and one executable, wherever their bytes are.
// CHECK: func.func private @softmax_0
// CHECK-NOT: func.func private @softmax_1
// CHECK: {codelet = @softmax_0, executable = "softmax_0"
// CHECK: {codelet = @softmax_0, executable = "softmax_0"
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// -----

// Another layout of the operands is another executable of the same codelet.
// CHECK: {codelet = @softmax_0, executable = "softmax_0"
// CHECK: {codelet = @softmax_0, executable = "softmax_0_1"
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x8xf32> {
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %1 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = "ipu.concat"(%0, %1) {axis = 1 : i64} : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x8xf32>
  return %2 : tensor<1x8xf32>
}
