// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-unroll | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-unroll{stack=192} | filecheck %s --check-prefix=STACK

// Two steps are two products; what 192 bytes of stack suffice for stays a loop.
// CHECK-LABEL: @steps
// CHECK-COUNT-2: "ipu.matmul"
// CHECK: "ipu.concat"
// CHECK-NOT: "ipu.lstm"
// STACK-LABEL: @steps
// STACK: "ipu.lstm"
func.func @steps(%x: tensor<2x1x32xf32>, %r: tensor<1x1x8x32xf32>, %s: tensor<1x1x8xf32>) -> tensor<2x1x1x8xf32> {
  %0 = "ipu.lstm"(%x, %r, %s, %s) {direction = "forward", cells = false} : (tensor<2x1x32xf32>, tensor<1x1x8x32xf32>, tensor<1x1x8xf32>, tensor<1x1x8xf32>) -> tensor<2x1x1x8xf32>
  return %0 : tensor<2x1x1x8xf32>
}

// -----

// A larger batch needs more stack.
// STACK-LABEL: @batch
// STACK-NOT: "ipu.lstm"
// STACK: return
func.func @batch(%x: tensor<2x2x32xf32>, %r: tensor<1x1x8x32xf32>, %s: tensor<1x2x8xf32>) -> tensor<2x1x2x8xf32> {
  %0 = "ipu.lstm"(%x, %r, %s, %s) {direction = "forward", cells = false} : (tensor<2x2x32xf32>, tensor<1x1x8x32xf32>, tensor<1x2x8xf32>, tensor<1x2x8xf32>) -> tensor<2x1x2x8xf32>
  return %0 : tensor<2x1x2x8xf32>
}

// -----

// A reset gate in front of the product makes two products of a step.
// CHECK-LABEL: @gated
// CHECK-COUNT-4: "ipu.matmul"
// CHECK-NOT: "ipu.gru"
func.func @gated(%x: tensor<2x1x24xf32>, %r: tensor<1x1x8x24xf32>, %b: tensor<1x8xf32>, %s: tensor<1x1x8xf32>) -> tensor<2x1x1x8xf32> {
  %0 = "ipu.gru"(%x, %r, %b, %s) {direction = "forward", linear_before_reset = false} : (tensor<2x1x24xf32>, tensor<1x1x8x24xf32>, tensor<1x8xf32>, tensor<1x1x8xf32>) -> tensor<2x1x1x8xf32>
  return %0 : tensor<2x1x1x8xf32>
}
