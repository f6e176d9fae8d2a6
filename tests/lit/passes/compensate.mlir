// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-compensate{rounded=bf16} | filecheck %s
// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-compensate{rounded=bf16} --remarks 2>&1 | filecheck %s --check-prefix=REMARK

// What is lost by weights without values is not known.
// REMARK: stays as it is: its weights have no known values
// CHECK: "ipu.matmul"
// CHECK-NOT: ipu.add
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<8x8xf32>
  %0 = "ipu.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// Products of two inputs have no weights.
// REMARK: stays as it is: its weights have no known values
// CHECK: "ipu.matmul"
// CHECK-NOT: ipu.add
func.func @main(%x: tensor<4x8xf32>, %y: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %0 = "ipu.matmul"(%x, %y) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}
