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

// -----

// Vertices that differ in the rows that they read share an executable, which is told the rows.
// CHECK: offsets = array<i64: 0, 0, 1, 0>
// CHECK: {codelet = @softmax_0, executable = "softmax_0"
// CHECK: offsets = array<i64: 0, 0, 4, 0>
// CHECK: {codelet = @softmax_0, executable = "softmax_0"
func.func @main(%x: tensor<1x2x6x4xf32>) -> (tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) {
  %0 = "ipu.slice"(%x) {offsets = array<i64: 0, 0, 1, 0>, sizes = array<i64: 1, 2, 2, 4>, strides = array<i64: 1, 1, 1, 1>} : (tensor<1x2x6x4xf32>) -> tensor<1x2x2x4xf32>
  %1 = "ipu.slice"(%x) {offsets = array<i64: 0, 0, 4, 0>, sizes = array<i64: 1, 2, 2, 4>, strides = array<i64: 1, 1, 1, 1>} : (tensor<1x2x6x4xf32>) -> tensor<1x2x2x4xf32>
  %2 = "ipu.softmax"(%0) {axis = 1 : i64} : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  %3 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  return %2, %3 : tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>
}

// -----

// Channels that begin in the middle of a block of 32 are not computed in the same loops as those that begin at one.
// CHECK: {codelet = @softmax_0, executable = "softmax_0"
// CHECK: {codelet = @softmax_0, executable = "softmax_0_1"
func.func @main(%x: tensor<2x80xf32>) -> (tensor<2x32xf32>, tensor<2x32xf32>) {
  %0 = "ipu.slice"(%x) {offsets = array<i64: 0, 32>, sizes = array<i64: 2, 32>, strides = array<i64: 1, 1>} : (tensor<2x80xf32>) -> tensor<2x32xf32>
  %1 = "ipu.slice"(%x) {offsets = array<i64: 0, 16>, sizes = array<i64: 2, 32>, strides = array<i64: 1, 1>} : (tensor<2x80xf32>) -> tensor<2x32xf32>
  %2 = "ipu.softmax"(%0) {axis = 0 : i64} : (tensor<2x32xf32>) -> tensor<2x32xf32>
  %3 = "ipu.softmax"(%1) {axis = 0 : i64} : (tensor<2x32xf32>) -> tensor<2x32xf32>
  return %2, %3 : tensor<2x32xf32>, tensor<2x32xf32>
}
