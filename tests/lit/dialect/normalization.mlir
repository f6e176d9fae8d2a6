// RUN: pyipu-opt %s | filecheck %s
// RUN: iree-opt --irdl-file=%irdl %s -o /dev/null

// Over the last two dimensions, each of the first one on its own.
// CHECK: "ipu.standardize"(%arg0) {axes = array<i64: 1, 2>, epsilon = {{.*}} : f64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
func.func @standardize(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = "ipu.standardize"(%x) {axes = array<i64: 1, 2>, epsilon = 1.0e-5 : f64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}
