// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage,ipu-inplace | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-quantize,ipu-inplace | filecheck %s --check-prefix=INTEGERS
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage,ipu-inplace{sums=false} | filecheck %s --check-prefix=APART

// Sums in fp32 cannot be where a result of 16 bits is: the residual is read before that is written over it.
// CHECK-LABEL: func.func @main
// CHECK: "ipu.execute"(%{{.*}}, %{{.*}}, %[[R:[0-9]+]], %[[R]]) {codelet = @matmul_1
// With integer weights the sum starts from the residual, divided by the scale that it will be multiplied with.
// INTEGERS-LABEL: func.func @main
// INTEGERS: "ipu.execute"(%arg0, %{{.*}}, %[[R:[0-9]+]], %{{.*}}, %[[R]]) {codelet = @matmul_1
// APART-LABEL: func.func @main
// APART: "ipu.execute"(%arg0, %4, %3, %5) {codelet = @matmul_1
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<8x8xf32>
  %r = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %0 = "ipu.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = "ipu.add"(%0, %r) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// -----

// A product of an operand with itself reads what the result would destroy.
// CHECK-LABEL: func.func @main
// CHECK: "ipu.execute"(%3, %4, %5) {codelet = @matmul_1
func.func @main(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<8x8xf32>
  %r = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %0 = "ipu.matmul"(%r, %w) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = "ipu.add"(%0, %r) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = "ipu.softmax"(%1) {axis = 1 : i64} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}
