// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse | filecheck %s

// An anchor takes its epilogue along; the codelet is a private function.
// CHECK: "ipu.vertex"(%arg0, %arg1, %arg2) {codelet = @matmul_0
// CHECK: func.func private @matmul_0
// CHECK-NEXT: "ipu.matmul"
// CHECK-NEXT: "ipu.add"
// CHECK-NEXT: "ipu.relu"
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x2xf32>, %b: tensor<2xf32>) -> tensor<4x2xf32> {
  %0 = "ipu.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
  %1 = "ipu.add"(%0, %b) : (tensor<4x2xf32>, tensor<2xf32>) -> tensor<4x2xf32>
  %2 = "ipu.relu"(%1) : (tensor<4x2xf32>) -> tensor<4x2xf32>
  return %2 : tensor<4x2xf32>
}

// -----

// A number comes along into the codelet; it is no operand of the vertex.
// CHECK: "ipu.vertex"(%arg0) {codelet = @multiply_0
// CHECK: func.func private @multiply_0
// CHECK-NEXT: "ipu.constant"() {value = dense<2.000000e+00>
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "ipu.constant"() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %1 = "ipu.multiply"(%x, %0) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// What is returned stays visible: the vertex ends there.
// CHECK: "ipu.vertex"(%arg0) {codelet = @exp_0
// CHECK-NEXT: "ipu.vertex"(%0) {codelet = @relu_1
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = "ipu.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "ipu.relu"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Movement stays outside of vertices.
// CHECK: "ipu.vertex"
// CHECK-NEXT: "ipu.reshape"
// CHECK-NEXT: "ipu.vertex"
func.func @main(%x: tensor<4xf32>) -> tensor<2x2xf32> {
  %0 = "ipu.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 2, 2>} : (tensor<4xf32>) -> tensor<2x2xf32>
  %2 = "ipu.relu"(%1) : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}

// -----

// Integers wait in memory, and whoever computes with what they stand for reads them.
// CHECK: func.func private @add_0(%arg0: tensor<4xui8>, %arg1: tensor<4xui8>) -> tensor<4xui8>
// CHECK: "ipu.dequantize"(%arg0
// CHECK: "ipu.dequantize"(%arg1
// CHECK: "ipu.quantize"
func.func @main(%x: tensor<4xui8>, %y: tensor<4xui8>) -> tensor<4xui8> {
  %s = "ipu.constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "ipu.constant"() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %0 = "ipu.dequantize"(%x, %s, %z) : (tensor<4xui8>, tensor<f32>, tensor<ui8>) -> tensor<4xf32>
  %1 = "ipu.dequantize"(%y, %s, %z) : (tensor<4xui8>, tensor<f32>, tensor<ui8>) -> tensor<4xf32>
  %2 = "ipu.add"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %3 = "ipu.quantize"(%2, %s, %z) : (tensor<4xf32>, tensor<f32>, tensor<ui8>) -> tensor<4xui8>
  return %3 : tensor<4xui8>
}
