// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage{type=bf16\ rows=true} | filecheck %s

// What a single row of sums is computed of stays in fp32, through a reshape, too; its weights do not.
// CHECK-LABEL: func.func @main
// CHECK: "ipu.vertex"(%arg0) {{.*}} -> tensor<2x4xf32>
// CHECK: "ipu.reshape"{{.*}} -> tensor<1x8xf32>
// CHECK: "ipu.vertex"{{.*}} (tensor<1x8xf32>, tensor<8x8xbf16>) -> tensor<1x8xf32>
func.func @main(%x: tensor<2x4xf32>) -> tensor<1x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<8x8xf32>
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %1 = "ipu.reshape"(%0) {shape = array<i64: 1, 8>} : (tensor<2x4xf32>) -> tensor<1x8xf32>
  %2 = "ipu.matmul"(%1, %w) : (tensor<1x8xf32>, tensor<8x8xf32>) -> tensor<1x8xf32>
  return %2 : tensor<1x8xf32>
}

// -----

// Of several rows it is stored narrow.
// CHECK-LABEL: func.func @main
// CHECK: "ipu.vertex"{{.*}} (tensor<4x8xbf16>, tensor<8x8xbf16>) -> tensor<4x8xf32>
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<8x8xf32>
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = "ipu.matmul"(%0, %w) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}
