// RUN: pyipu-opt %s --split-input-file --pass-pipeline=ipu-fuse,ipu-storage{type=bf16\ scores=true} | filecheck %s

// The scores that a returned softmax reads stay in fp32, through a reshape, too; other tensors do not.
// CHECK-LABEL: func.func @main
// CHECK: "ipu.vertex"(%arg0) {{.*}} -> tensor<4x8xbf16>
// CHECK: "ipu.vertex"{{.*}} (tensor<4x8xbf16>, tensor<8x8xbf16>) -> tensor<4x8xf32>
// CHECK: "ipu.reshape"{{.*}} -> tensor<8x4xf32>
// CHECK: "ipu.vertex"{{.*}} (tensor<8x4xf32>) -> tensor<8x4xf32>
func.func @main(%x: tensor<4x8xf32>) -> tensor<8x4xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<8x8xf32>
  %0 = "ipu.softmax"(%x) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = "ipu.matmul"(%0, %w) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %2 = "ipu.reshape"(%1) {shape = array<i64: 8, 4>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %3 = "ipu.softmax"(%2) {axis = 1 : i64} : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return %3 : tensor<8x4xf32>
}
